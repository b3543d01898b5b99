"""One training step as functions of explicit weights, the same on every backend."""

import keras
from keras import ops

from bert4keras3.backend import autodiff
from bert4keras3.backend.lookups import Lookups


class Step:
    """A batch and a model, whose loss is a function of the weights: training methods
    are written on this.

    model: a compiled `keras.Model`; data: x, (x, y) or (x, y, sample_weight); state:
    values of its non-trainable variables; metrics: values of its metric variables;
    scale: what the optimizer multiplies the loss with (mixed precision); count: how
    many steps it has made; memory: a dict that lasts from step to step.
    `values` are tensors, one for each of `model.trainable_variables`.
    Passes may be run several times with other values: the seeds of dropout go on from
    pass to pass, while `loss`, `outputs` and the metrics are those of the first one.
    `objective(values)` is the loss that is differentiated, with what methods add to it
    and the scale. Tensors that a differentiated function puts into the dict `notes`
    can be read after it.
    """

    def __init__(self, model, data, state, metrics, scale=1.0, count=0, memory=None):
        self.model = model
        self.x, self.y, self.sample_weight = keras.utils.unpack_x_y_sample_weight(data)
        self.state = list(state)
        self.metrics = list(metrics)
        self.scale = scale
        self.count = count
        self.loss = self.outputs = self.objective = None
        self.notes = {}
        self._memory = {} if memory is None else memory

    def run(self, values, x=None):
        """The loss, a scalar, and the outputs of one pass with dropout."""
        return self._pass(values, self.x if x is None else x)[:2]

    def _pass(self, values, x):
        model = self.model
        with self._weights(values) as scope:
            outputs = model(x, training=True)
            loss = model.compute_loss(x, self.y, outputs, self.sample_weight, True)
            added = _named(scope.losses, model.layers)
        self.state = _values(scope, model.non_trainable_variables, self.state)
        if self.loss is None:
            self.metrics = _values(scope, model.metrics_variables, self.metrics)
            self.loss = ops.stop_gradient(loss)
            self.outputs = keras.tree.map_structure(ops.stop_gradient, outputs)
        return loss, outputs, added

    def _weights(self, values):
        model = self.model
        variables = [*model.trainable_variables, *model.non_trainable_variables]
        variables += model.metrics_variables
        given = [*values, *self.state, *self.metrics]
        mapping = zip(variables, given, strict=True)
        return keras.StatelessScope(mapping, collect_losses=True)

    def predict(self, values):
        """The outputs of one pass without dropout, which changes nothing."""
        with self._weights(values):
            return self.model(self.x, training=False)

    def task_losses(self, values):
        """One pass with dropout: {name: loss, a scalar} of the tasks, and the rest.

        Tasks are the outputs that have a loss in `compile`, by their names, and the
        layers that add a loss (NAME_added, where an output has the name); their
        weights count. The rest is the sum of the regularizers, None if there are none.
        """
        model = self.model
        _, outputs, added = self._pass(values, self.x)
        names, tasks = model.output_names, {}
        with self._weights(values):
            rest = [ops.sum(one) for one in model.losses]
            rest = sum(rest[1:], rest[0]) if rest else None
            for place in _places_with_loss(model.loss, names):
                weights = self._sample_weights(outputs, place)
                loss = model.compute_loss(self.x, self.y, outputs, weights, True)
                tasks[names[place]] = loss if rest is None else loss - rest
        for name, loss in added.items():
            tasks[f"{name}_added" if name in tasks else name] = loss
        return tasks, rest

    def _sample_weights(self, outputs, place):
        """The weights of the rows, zero for all outputs but one."""
        given, flat = self.sample_weight, keras.tree.flatten(outputs)
        if isinstance(given, dict):
            given = [given.get(name) for name in self.model.output_names]
        elif not isinstance(given, (list, tuple)):
            given = [given] * len(flat)
        weights = []
        for i, (one, output) in enumerate(zip(given, flat, strict=True)):
            one = ops.ones(ops.shape(output)[:1]) if one is None else one
            weights.append(one if i == place else ops.zeros_like(one))
        return keras.tree.pack_sequence_as(outputs, weights)

    def gradients(self, losses, values, differentiable=False):
        """The losses of `losses(values)`, scalars, and a list of gradients for each.

        differentiable: inside of a function that is differentiated itself.
        """

        def function(values):
            found = losses(values)
            after = self.state, self.metrics, self.loss, self.outputs, self.notes
            return found, after

        found, after, grads = autodiff.gradients(function, values, differentiable)
        self.state, self.metrics, self.loss, self.outputs, self.notes = after
        return found, grads

    def place(self, variable):
        """The place of a trainable variable among the values."""
        for place, other in enumerate(self.model.trainable_variables):
            if other is variable:
                return place
        raise ValueError(
            f"{variable.path!r} is no trainable variable of model "
            f"{self.model.name!r}: make its layer trainable before training."
        )

    def zero_shifts(self, values, layer):
        """Zeros like the vectors that `layer` looks up in one pass: for `Lookups`.

        Their shapes are remembered for batches of the same shapes; compiled programs
        drop the rest of the pass that shows them.
        """
        shapes = [tuple(one.shape) for one in keras.tree.flatten(self.x)]
        key = (layer.path, *shapes)
        if key not in self._memory:
            with Lookups(layer, alone=True) as lookups:
                self.predict([ops.stop_gradient(value) for value in values])
            if any(None in one for one in shapes):  # tensorflow, any length
                return [ops.zeros_like(rows) for rows in lookups.found]
            found = [(tuple(rows.shape), rows.dtype) for rows in lookups.found]
            self._memory[key] = found
        return [ops.zeros(shape, dtype) for shape, dtype in self._memory[key]]


def _places_with_loss(loss, names):
    """Which outputs have a loss in `compile(loss=...)`."""
    if loss is None:
        return []
    if isinstance(loss, dict):
        return [i for i, name in enumerate(names) if loss.get(name) is not None]
    if isinstance(loss, (list, tuple)):
        return [i for i, one in enumerate(loss) if one is not None]
    return range(len(names))


def _named(losses, layers):
    """{name of the layer: loss} of the losses that layers added in this pass."""
    named = {}
    owners = [(layer.name, layer.losses) for layer in layers] if losses else []
    for loss in losses:
        name = next(name for name, own in owners if any(one is loss for one in own))
        total = ops.sum(loss)
        named[name] = named[name] + total if name in named else total
    return named


def _values(scope, variables, before):
    """What the variables are after the pass; a scope forgets those never touched.

    Metrics of several outputs are made in the first pass (tensorflow).
    """
    after = [scope.get_current_value(variable) for variable in variables]
    before = [*before, *after[len(before) :]]
    pairs = zip(after, before, strict=True)
    return [ops.stop_gradient(old if new is None else new) for new, old in pairs]
