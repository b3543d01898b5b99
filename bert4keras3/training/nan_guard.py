"""Stop a training at the first number that is none, and say where it came from."""

import keras
import numpy as np
from keras import ops

from bert4keras3.training.state import intercept_step, read_state, write_state
from bert4keras3.training.step import Step


class NaNGuard(keras.callbacks.Callback):
    """Stop `fit` at a loss or weight that is not finite, and name the first bad tensor.

    Every `every` steps it looks at the loss and keeps a copy of the weights and of the
    batches since. On trouble it goes back to the copy, does the steps again up to the
    first bad one and runs that layer by layer: what is named is, in this order, the
    output of a layer, the loss, the gradient of a variable or a variable after the
    update. Infinite gradients of a `LossScaleOptimizer` are no trouble: it skips them.
    every: cost and memory are a copy of weights and optimizer (in main memory) in so
    many steps; a smaller number finds trouble sooner.
    Raises FloatingPointError with that name, the step and the epoch, from 1 on.
    """

    def __init__(self, every=100):
        super().__init__()
        if not isinstance(every, int) or every < 1:
            raise ValueError(
                f"every must be a whole number above 0. Received: {every!r}"
            )
        self.every = every

    def set_model(self, model):
        super().set_model(model)
        self.trainer = model  # `self.model` would fetch the weights on jax

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch
        self._copy = None

    def on_train_batch_begin(self, batch, logs=None):
        if self._copy is None:
            # A loss is that of the weights before its update: what the last update
            # did shows only here.
            copy = read_state(self.model)
            self._refuse(copy, f"before step {batch}")
            self._copy, self._begin, self._batches = copy, batch, []
        intercept_step(self.trainer, self._batches.extend)

    def on_train_batch_end(self, batch, logs=None):
        if len(self._batches) < self.every:
            return
        if "loss" in (logs or {}) and not np.isfinite(float(logs["loss"])):
            self._explain()
        copy = read_state(self.model)
        if _first_bad(copy, self.model) is not None:
            self._explain()
        self._copy, self._begin, self._batches = copy, batch + 1, []

    def on_epoch_end(self, epoch, logs=None):
        if self._copy is None:
            return
        bad = "loss" in (logs or {}) and not np.isfinite(float(logs["loss"]))
        if bad or _first_bad(read_state(self.model), self.model) is not None:
            self._explain()

    def _refuse(self, copy, when):
        name = _first_bad(copy, self.model)
        if name is not None:
            raise FloatingPointError(
                f"Epoch {self.epoch + 1}: {name!r} is not finite {when}."
            )

    def _explain(self):
        """Do the steps again; raise at the first whose loss or weights are bad."""
        model, before = self.model, self._copy
        for number, data in enumerate(self._batches, self._begin):
            write_state(model, before)
            x, y, weight = keras.utils.unpack_x_y_sample_weight(data)
            logs = model.train_on_batch(x, y, weight, return_dict=True)
            after = read_state(model)
            name = _first_bad(after, model)
            if name is not None or not np.isfinite(logs["loss"]):
                write_state(model, before)
                found = first_bad_tensor(model, data) or (
                    "the loss" if name is None else f"variable {name!r} after the step"
                )
                raise FloatingPointError(
                    f"Epoch {self.epoch + 1}, step {number + 1}: the first tensor that "
                    f"is not finite is {found}."
                )
            before = after
        raise FloatingPointError(
            f"Epoch {self.epoch + 1}: the loss or a weight was not finite in steps "
            f"{self._begin + 1} to {self._begin + len(self._batches)}, and is when "
            "they are done again: the device does not compute the same twice."
        )


def _first_bad(state, model):
    """Path of the first weight that is not finite, or None."""
    for place, variable in enumerate(model.variables):
        if not _finite(state[f"model/{place:05d}"]):
            return variable.path
    return None


def _finite(x):
    array = np.asarray(ops.convert_to_numpy(x))
    if array.dtype.kind in "biuO":
        return True
    return bool(np.isfinite(array.astype("float32")).all())


def first_bad_tensor(model, data):
    """Name what is not finite first in a step of a compiled functional model.

    data: x, (x, y) or (x, y, sample_weight). Returns words such as "the output of layer
    'Transformer-3-FeedForward'", or None if outputs, loss and gradients are finite.
    """
    x, y, weight = keras.utils.unpack_x_y_sample_weight(data)
    kept = read_state(model)
    name = _first_bad_output(model, x)
    write_state(model, kept)  # the seeds of dropout have moved on
    if name is not None:
        return f"the output of layer {name!r}"
    others = [ops.convert_to_tensor(v.value) for v in model.non_trainable_variables]
    metrics = [ops.convert_to_tensor(v.value) for v in model.metrics_variables]
    step = Step(model, (x, y, weight), others, metrics)
    values = [ops.convert_to_tensor(v.value) for v in model.trainable_variables]
    (loss,), (grads,) = step.gradients(lambda values: [step.run(values)[0]], values)
    write_state(model, kept)
    if not _finite(loss):
        return "the loss"
    for variable, grad in reversed(
        list(zip(model.trainable_variables, grads, strict=True))
    ):
        if not _finite(grad):  # the last variable has the first gradient
            return f"the gradient of variable {variable.path!r}"
    return None


def _first_bad_output(model, x):
    """Name of the first layer in forward order with an output that is not finite."""
    names, tensors = [], []
    for layer, outputs in _in_order(model):
        names.extend([layer.name] * len(outputs))
        tensors.extend(outputs)
    found = keras.Model(model.inputs, tensors)(x, training=True)
    for name, value in zip(names, keras.tree.flatten(found), strict=True):
        if not _finite(value):
            return name
    return None


def _in_order(model):
    """(layer, its output tensors) of every call in the graph, inputs first."""
    done, ordered = set(), []
    stack = [(tensor, False) for tensor in reversed(model.outputs)]
    while stack:
        tensor, ready = stack.pop()
        layer, place, _ = tensor._keras_history
        node = layer._inbound_nodes[place]
        if ready:
            if node.input_tensors:
                ordered.append((layer, node.output_tensors))
        elif id(node) not in done:
            done.add(id(node))
            stack.append((tensor, True))
            stack.extend((one, False) for one in reversed(node.input_tensors))
    return ordered
