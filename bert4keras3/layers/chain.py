"""What the layers over chains of labels share: masking, labels, accuracy, decoding."""

import functools
import weakref

import keras
import numpy as np
from keras import ops

from bert4keras3.backend import chains, runtime
from bert4keras3.layers.base import Layer, register
from bert4keras3.utils.viterbi import ViterbiDecoder, allowed_labels

# The latest layer of each name that was made from its config. A saved model names the
# layer of its losses; when its compilation is loaded, its layers have just been made.
# Layers that the code of a subclassed model makes are not here: they get new names, and
# the saved one would be that of another model.
_LAYERS = weakref.WeakValueDictionary()


@register
class ChainMethod:
    """A method of a layer, for `compile`: saved as the layer's name and its own.

    Keras cannot load a bound method again, and a copy of the layer inside the saved
    loss would not share the weights of the layer of the model.
    """

    def __init__(self, layer, function):
        functools.update_wrapper(self, function)
        self.layer = layer

    def __call__(self, y_true, y_pred):
        return self.__wrapped__(self.layer, y_true, y_pred)

    def get_config(self):
        return {"layer": self.layer.name, "method": self.__name__}

    @classmethod
    def from_config(cls, config):
        layer = _LAYERS.get(config["layer"])
        method = getattr(type(layer), config["method"], None)
        if not isinstance(method, for_compile):
            raise ValueError(
                f"The saved {config['method']!r} belongs to a layer named "
                f"{config['layer']!r} that was not loaded with it (the code of a "
                "subclassed model makes its own layers). Load the model with "
                "compile=False and compile it with the method of its layer."
            )
        return getattr(layer, config["method"])


class for_compile:  # noqa: N801  (used as a decorator)
    """Turn `method(self, y_true, y_pred)` into one that survives saving a model."""

    def __init__(self, function):
        self.function = function
        functools.update_wrapper(self, function)

    def __get__(self, layer, owner=None):
        return self if layer is None else ChainMethod(layer, self.function)


class LabelChain(Layer):
    """Base of the layers that score label sequences, see `ConditionalRandomField`.

    A subclass defines `potentials(x)`: scores, transitions and mask of the chain whose
    best path `decode` returns.
    """

    def __init__(self, lr_multiplier=1, **kwargs):
        super().__init__(**kwargs)
        if not lr_multiplier > 0:
            raise ValueError(
                f"{type(self).__name__} divides its weights by lr_multiplier, which "
                f"must be above 0. Received: lr_multiplier={lr_multiplier}"
            )
        self.lr_multiplier = lr_multiplier

    @classmethod
    def from_config(cls, config):
        layer = super().from_config(config)
        _LAYERS[layer.name] = layer
        return layer

    def label_count(self, input_shape):
        """Number of labels; Keras would take scores of a single one for no labels."""
        if input_shape[-1] is None or input_shape[-1] < 2:
            raise ValueError(
                f"{self.name} needs scores (batch, steps, labels) of at least 2 "
                f"labels. Received: input shape {tuple(input_shape)}"
            )
        return input_shape[-1]

    def add_transitions(self, shape, name):
        """A weight stored divided by lr_multiplier; multiply it back where used."""
        glorot, k = keras.initializers.GlorotUniform(), self.lr_multiplier

        def initializer(shape, dtype=None):
            return glorot(shape, dtype) / k

        return self.add_weight(shape=shape, initializer=initializer, name=name)

    def call(self, inputs, mask=None):
        x = ops.cast(inputs, _float_type(inputs))
        if mask is None:
            return x
        keep = ops.expand_dims(ops.cast(mask, "bool"), -1)
        return ops.where(keep, x, ops.cast(float("-inf"), x.dtype))

    def compute_mask(self, inputs, mask=None):
        return None

    def chain(self, x):
        """Finite scores (B, T, C), transitions (C, C) and mask (B, T) of outputs x."""
        x = ops.convert_to_tensor(x)
        if len(x.shape) != 3 or x.shape[-1] != self.num_labels:
            raise ValueError(
                f"{self.name} needs its own outputs, (batch, steps, "
                f"{self.num_labels}). Received: shape {tuple(x.shape)}"
            )
        dtype = _float_type(x)
        trans = ops.cast(ops.convert_to_tensor(self.trans), dtype)
        scores = chains.finite(ops.cast(x, dtype))
        return scores, chains.finite(trans), chains.real_steps(x)

    def decode(self, x, starts=None, ends=None):
        """Labels int32 (B, T) of the best path, -1 at masked steps.

        x: (B, T, C), outputs of this layer: tensors, also inside a compiled program,
        or an array such as `model.predict` returns, for which the result is an array.
        starts, ends: labels allowed at the first and last step (None = any).
        """
        scores, trans, mask = self.potentials(x)
        if isinstance(x, np.ndarray):
            decoder = ViterbiDecoder(ops.convert_to_numpy(trans), starts, ends)
            scores, mask = (ops.convert_to_numpy(part) for part in (scores, mask))
            return decoder.decode_batch(scores, mask)
        starts = allowed_labels(starts, self.num_labels, "starts")
        ends = allowed_labels(ends, self.num_labels, "ends")
        return chains.best_path(scores, trans, mask, starts, ends)

    @for_compile
    def sparse_accuracy(self, y_true, y_pred):
        """Share of real steps whose highest score is the label (no transitions)."""
        mask = chains.real_steps(y_pred)
        labels, _ = self.checked(y_true, mask)
        return share(labels, y_pred, mask)

    @for_compile
    def dense_accuracy(self, y_true, y_pred):
        """`sparse_accuracy` for labels (B, T, C)."""
        mask = chains.real_steps(y_pred)
        return share(ops.argmax(self.soft(y_true, mask), axis=-1), y_pred, mask)

    def checked(self, y_true, mask):
        """Labels int32 (B, T), and bool (B,): rows with labels that do not exist.

        y_true: (B, T) or (B, T, 1), integers or whole floats; labels of masked steps
        are free. Raises ValueError for others, except inside a compiled program and
        on accelerators: there the loss of such a row is NaN.
        """
        y = ops.convert_to_tensor(y_true)
        if len(y.shape) == 3 and y.shape[-1] == 1:
            y = y[..., 0]
        if not _same(y.shape, mask.shape):
            raise ValueError(
                f"{self.name} needs one label per step, (batch, steps). Received: "
                f"labels {tuple(y.shape)} for scores of {tuple(mask.shape)} steps."
            )
        labels = ops.cast(y, "int32")
        inside = ops.logical_and(labels >= 0, labels < self.num_labels)
        whole = ops.cast(labels, y.dtype) == y
        wrong = ops.logical_not(ops.logical_and(inside, whole))
        labels = ops.where(ops.logical_and(mask, inside), labels, 0)
        wrong = ops.logical_and(mask, wrong)
        if not runtime.is_traced(wrong) and runtime.device_kind() == "cpu":
            self._refuse(y, wrong)
        return labels, ops.any(wrong, axis=1)

    def _refuse(self, labels, wrong):
        wrong = ops.convert_to_numpy(wrong)
        if wrong.any():
            found = np.unique(ops.convert_to_numpy(labels)[wrong])[:5].tolist()
            raise ValueError(
                f"{self.name} has labels 0 to {self.num_labels - 1}. Received: {found} "
                "at steps that are not masked."
            )

    def soft(self, y_true, mask):
        """Labels (B, T, C) as floats."""
        y = ops.convert_to_tensor(y_true)
        if not _same(y.shape, (*mask.shape, self.num_labels)):
            raise ValueError(
                f"{self.name} needs dense labels (batch, steps, {self.num_labels}). "
                f"Received: {tuple(y.shape)} for scores of {tuple(mask.shape)} steps; "
                "label ids go to sparse_loss."
            )
        return ops.cast(y, _float_type(y))


def _float_type(x):
    """float64 for float64, else float32: logarithms of sums need its precision."""
    dtype = keras.backend.standardize_dtype(x.dtype)
    return "float64" if dtype == "float64" else "float32"


def _same(shape, expected):
    """Whether two shapes agree where both are known."""
    return len(shape) == len(expected) and all(
        a is None or b is None or a == b for a, b in zip(shape, expected, strict=True)
    )


def share(labels, scores, mask):
    """Share of real steps whose highest score is that of the label."""
    hit = ops.cast(ops.argmax(scores, axis=-1), "int32") == ops.cast(labels, "int32")
    hits = ops.sum(ops.cast(ops.logical_and(hit, mask), "float32"))
    return hits / ops.maximum(ops.sum(ops.cast(mask, "float32")), 1.0)
