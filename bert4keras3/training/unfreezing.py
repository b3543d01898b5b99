"""Train the upper layers first, then more and more of the model."""


import keras

from bert4keras3.training.methods import Method
from bert4keras3.utils.checks import as_regex


class GradualUnfreezing(keras.callbacks.Callback, Method):
    """From epoch to epoch more variables train, the others stay as they are (ULMFiT).

        unfreezing = GradualUnfreezing({0: "logits", 1: "Transformer-(2|3)", 2: "."})
        model = with_methods(model, unfreezing)  # the last of the methods
        model.compile(optimizer, loss)
        model.fit(x, y, epochs=5, callbacks=[unfreezing])

    schedule: {epoch: regular expression}, searched in the paths of the trainable
    variables; from that epoch on those that match train too. Others get no gradient at
    all: no weight decay, no change of their moments. The layers stay trainable, so that
    the optimizer is built once, for all variables. Cost: the step is compiled anew at
    every epoch of the schedule. https://arxiv.org/abs/1801.06146
    Raises ValueError for an expression that adds no variable, or no epoch 0.
    """

    only_drops = True

    def __init__(self, schedule):
        super().__init__()
        if 0 not in schedule:
            raise ValueError(
                f"schedule must say what trains from epoch 0 on. Received: {schedule!r}"
            )
        self.schedule = {epoch: schedule[epoch] for epoch in sorted(schedule)}
        self._trained = None

    def build(self, model):
        self._stages = {}
        active = frozenset()
        for epoch, pattern in self.schedule.items():
            found = {
                place
                for place, variable in enumerate(model.trainable_variables)
                if as_regex(pattern, "schedule").search(variable.path)
            }
            if not found - active:
                raise ValueError(
                    f"{pattern!r} of epoch {epoch} adds no trainable variable of model "
                    f"{model.name!r}. Their paths: "
                    f"{[variable.path for variable in model.trainable_variables]}"
                )
            active = active | found
            self._stages[epoch] = active

    def on_train_begin(self, logs=None):
        if self not in getattr(self.model, "methods", ()):
            raise ValueError(
                "GradualUnfreezing must also be a method of the model: "
                "model = with_methods(model, unfreezing)."
            )

    def on_epoch_begin(self, epoch, logs=None):
        now = self._stages[max(one for one in self._stages if one <= epoch)]
        if now != self._trained:
            self._trained = now
            self.model.make_train_function(force=True)

    def gradients(self, step, values, inner):
        if self._trained is None:
            raise ValueError(
                "GradualUnfreezing must also be a callback: "
                "model.fit(..., callbacks=[unfreezing])."
            )
        grads = inner(values)
        return [g if i in self._trained else None for i, g in enumerate(grads)]
