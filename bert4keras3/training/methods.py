"""Training methods under plain `fit`: pieces that change the loss or its gradient."""

import warnings

import keras
from keras import ops

from bert4keras3.backend import Model, autodiff
from bert4keras3.backend.untracked import Untracked
from bert4keras3.training.step import Step


class Method:
    """One piece of a training step. Subclasses write `loss` or `gradients`.

    `inner` is what the pieces before this one, and in the end the plain step, do:
    pieces go together in any number. `only_drops` says that `gradients` computes
    nothing with them, so that they may be `Rows` as well.
    """

    only_drops = False

    def build(self, model):
        """Look at the model once, before the first step."""

    def loss(self, step, values, inner):
        """The loss, a scalar, at the weights `values`; `inner(values)` is without."""
        return inner(values)

    def gradients(self, step, values, inner):
        """The gradients at the weights `values`; `inner(values)` are those without.

        None instead of a gradient leaves the variable as it is.
        """
        return inner(values)


class MethodModel(Model):
    """A functional model, trained by methods: made by `with_methods`.

    It shares the layers and names of `model`, which is trained with it, and is what
    `save` writes.
    """

    def __init__(self, model, methods):
        super().__init__(inputs=model.input, outputs=model.output, name=model.name)
        self.methods = methods
        self._memory = {}
        self._inside = Untracked(model)
        for method in methods:
            method.build(self)

    def save(self, filepath, *args, **kwargs):
        """Save the model inside, without the methods, which are for training alone."""
        self._inside.value.save(filepath, *args, **kwargs)

    def train_step(self, *args):
        return self._pure_step(*args) if len(args) == 2 else self._step(*args)

    def _pure_step(self, state, data):
        """jax: everything that changes goes in and out."""
        trainable, others, slots, metrics = state
        mapping = zip(self.optimizer.variables, slots, strict=True)
        with keras.StatelessScope(mapping):
            step = self._step_of(data, others, metrics)
        grads = self._gradients(step, list(trainable))
        with warnings.catch_warnings():
            # None on purpose: a method leaves variables as they are.
            warnings.filterwarnings("ignore", "Gradients do not exist")
            trainable, slots = self.optimizer.stateless_apply(slots, grads, trainable)
        mapping = zip(self.metrics_variables, step.metrics, strict=True)
        with keras.StatelessScope(mapping) as scope:
            logs = self._logs(step)
        metrics = [scope.get_current_value(v) for v in self.metrics_variables]
        return logs, (trainable, step.state, slots, metrics)

    def _step(self, data):
        """tensorflow and torch: the variables themselves change."""
        values, others, metrics = (
            [ops.convert_to_tensor(variable.value) for variable in variables]
            for variables in (
                self.trainable_variables,
                self.non_trainable_variables,
                self.metrics_variables,
            )
        )
        step = self._step_of(data, others, metrics)
        with autodiff.without_gradients():
            if not self.optimizer.built:
                self.optimizer.build(self.trainable_variables)
        grads = self._gradients(step, values)
        changed = [*step.state, *step.metrics]
        variables = [*self.non_trainable_variables, *self.metrics_variables]
        for variable, value in zip(variables, changed, strict=True):
            variable.assign(value)
        with autodiff.without_gradients():
            pairs = zip(grads, self.trainable_variables, strict=True)
            kept = [pair for pair in pairs if pair[0] is not None]
            self.optimizer.apply(*map(list, zip(*kept, strict=True)))
            return self._logs(step)

    def _step_of(self, data, state, metrics):
        scale = self.optimizer.scale_loss(ops.ones(()))
        count = ops.convert_to_tensor(self.optimizer.iterations)
        return Step(self, data, state, metrics, scale, count, self._memory)

    def _gradients(self, step, values):
        def plain(values):
            return step.run(values)[0]

        loss = _chain("loss", self.methods, step, plain)
        step.objective = lambda values: loss(values) * step.scale

        def plain_gradients(values):
            _, (grads,) = step.gradients(lambda v: [step.objective(v)], values)
            return grads

        return _chain("gradients", self.methods, step, plain_gradients)(values)

    def _logs(self, step):
        rows = ops.shape(keras.tree.flatten(step.x)[0])[0]
        for metric in self.metrics:
            if metric.name == "loss":
                metric.update_state(step.loss, sample_weight=rows)
        return self.compute_metrics(step.x, step.y, step.outputs, step.sample_weight)


def with_methods(model, *methods):
    """`model`, trained by methods under `compile` and `fit` as usual.

    model: a functional `keras.Model`; methods: objects such as `FGM`, the first one
    innermost. Returns a model that shares all layers: compile and fit it, use and
    save either.

        model = with_methods(model, FGM(epsilon=0.5))
        model.compile(optimizer, loss)
        model.fit(x, y)

    Raises TypeError for what is no method or no functional model, ValueError if a
    method does not find in the model what it needs.
    """
    if not isinstance(model, keras.Model) or not getattr(model, "outputs", None):
        raise TypeError(
            "with_methods needs a functional model, keras.Model(inputs, outputs). "
            f"Received: {model!r}"
        )
    for method in methods:
        if not isinstance(method, Method):
            raise TypeError(
                "with_methods takes training methods, such as FGM(epsilon=0.5). "
                f"Received: {method!r}"
            )
    return MethodModel(model, methods)


def _chain(name, methods, step, inner):
    """`inner` inside of the first method, inside of the second, ..."""
    for method in methods:
        inner = _around(getattr(method, name), step, inner)
    return inner


def _around(method, step, inner):
    return lambda values: method(step, values, inner)


def must_be_first(method, model):
    """ValueError unless `method` is the innermost one: it replaces the plain step."""
    name = type(method).__name__
    if model.methods[0] is not method:
        raise ValueError(
            f"{name} must be the first method: with_methods(model, {name}(...), ...). "
            f"Received: {[type(one).__name__ for one in model.methods]}"
        )
