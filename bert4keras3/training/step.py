"""One training step as functions of explicit weights, the same on every backend."""

import keras
from keras import ops

from bert4keras3.backend import autodiff
from bert4keras3.backend.lookups import Lookups


class Step:
    """A batch and a model, whose loss is a function of the weights: training methods
    are written on this.

    model: a compiled `keras.Model`; data: x, (x, y) or (x, y, sample_weight); state:
    values of its non-trainable variables; metrics: values of its metric variables.
    `values` are tensors, one for each of `model.trainable_variables`.
    Passes may be run several times with other values: the seeds of dropout go on from
    pass to pass, while `loss`, `outputs` and the metrics are those of the first one.
    """

    def __init__(self, model, data, state, metrics):
        self.model = model
        self.x, self.y, self.sample_weight = keras.utils.unpack_x_y_sample_weight(data)
        self.state = list(state)
        self.metrics = list(metrics)
        self.loss = self.outputs = None

    def run(self, values, x=None):
        """The loss, a scalar, and the outputs of one pass with dropout."""
        model, x = self.model, self.x if x is None else x
        variables = [*model.trainable_variables, *model.non_trainable_variables]
        variables += model.metrics_variables
        given = [*values, *self.state, *self.metrics]
        mapping = zip(variables, given, strict=True)
        with keras.StatelessScope(mapping, collect_losses=True) as scope:
            outputs = model(x, training=True)
            loss = model.compute_loss(x, self.y, outputs, self.sample_weight, True)
        self.state = _values(scope, model.non_trainable_variables, self.state)
        if self.loss is None:
            self.metrics = _values(scope, model.metrics_variables, self.metrics)
            self.loss = ops.stop_gradient(loss)
            self.outputs = keras.tree.map_structure(ops.stop_gradient, outputs)
        return loss, outputs

    def gradients(self, losses, values, differentiable=False):
        """The losses of `losses(values)`, scalars, and a list of gradients for each.

        differentiable: inside of a function that is differentiated itself.
        """

        def function(values):
            found = losses(values)
            return found, (self.state, self.metrics, self.loss, self.outputs)

        found, after, grads = autodiff.gradients(function, values, differentiable)
        self.state, self.metrics, self.loss, self.outputs = after
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

        Compiled programs drop the rest of the pass that shows their shapes.
        """
        kept = self.state, self.metrics, self.loss, self.outputs
        with Lookups(layer) as lookups:
            self.run([ops.stop_gradient(value) for value in values])
        self.state, self.metrics, self.loss, self.outputs = kept
        return [ops.zeros_like(rows) for rows in lookups.found]


def _values(scope, variables, before):
    """What the variables are after the pass; a scope forgets those never touched."""
    after = [scope.get_current_value(variable) for variable in variables]
    pairs = zip(after, before, strict=True)
    return [ops.stop_gradient(old if new is None else new) for new, old in pairs]
