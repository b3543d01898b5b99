"""Settings for groups of variables, on any optimizer."""

import functools

import keras
from keras import ops

from bert4keras3.backend import updates
from bert4keras3.backend.untracked import Untracked
from bert4keras3.optimizers.accumulation import Accumulation
from bert4keras3.optimizers.rulebook import RuleBook


class Rules(Accumulation):
    """Mixin: `rules=[(regex, settings), ...]` over the paths of variables.

    settings, a dict, of: "lr", a factor on the learning rate; "decay", a factor on
    the weight decay (0 excludes); "frozen", True for variables that stay as they are.
    Some optimizers know more. For each setting the first rule that matches
    (`re.search` in `variable.path`) and names it decides. A rule that matches nothing
    is an error when the optimizer is built.

    Weight decay is decoupled (https://arxiv.org/abs/1711.05101) and measured on the
    value before the update: new = update(p) - lr * weight_decay * p.
    """

    SETTINGS = ("lr", "decay", "frozen")

    def __init__(self, *args, rules=None, **kwargs):
        if "lr" in kwargs:
            raise ValueError(
                "lr is a name of old versions of Keras. Write learning_rate="
                f"{kwargs['lr']!r}"
            )
        # The base class may call hooks that read the rules.
        book = RuleBook(rules, self.SETTINGS)
        super().__init__(*args, **kwargs)
        self._book = book

    def build(self, variables):
        if self.built:
            return
        super().build(variables)
        paths = [one.path for one in variables]
        self._settings = Untracked(self._book.resolve(paths))
        self._decays = tuple(
            float(self._decay_of(variable) or 0.0) * settings["decay"]
            for variable, settings in zip(variables, self._settings.value, strict=True)
        )

    def _decay_of(self, variable):
        """Weight decay of a variable before rules."""
        if not self._use_weight_decay(variable):
            return 0.0
        if isinstance(self, keras.optimizers.Muon):
            if self._should_use_adamw(variable):
                return self.adam_weight_decay
        return self.weight_decay

    def _settings_of(self, variable):
        return self._settings.value[self._get_variable_index(variable)]

    def _factor_of(self, variable):
        """What the learning rate of one variable is multiplied by, a number."""
        return self._settings_of(variable)["lr"]

    def _rate_of(self, variable, learning_rate):
        """The learning rate of one variable, in its dtype."""
        factor = self._factor_of(variable)
        rate = ops.cast(learning_rate, variable.dtype)
        return rate if factor == 1.0 else rate * ops.cast(factor, variable.dtype)

    def _backend_apply_gradients(self, grads, trainable_variables):
        moving = [
            (self._accepted(grad, variable), variable)
            for grad, variable in zip(grads, trainable_variables, strict=True)
            if not self._settings_of(variable)["frozen"]
        ]
        if moving:
            super()._backend_apply_gradients(*map(list, zip(*moving, strict=True)))

    def _accepted(self, grad, variable):
        """The gradient in a form that the update takes: one tensor."""
        return updates.dense(grad, variable.shape)

    def _apply_weight_decay(self, variables):
        """Nothing: decay is part of `update_step`, where all of it is known."""

    def update_step(self, gradient, variable, learning_rate):
        rate = self._rate_of(variable, learning_rate)
        lost = decayed(variable, rate, self._decays[self._get_variable_index(variable)])
        super().update_step(gradient, variable, rate)
        if lost is not None:
            self.assign_sub(variable, lost)

    def get_config(self):
        return {**super().get_config(), "rules": self._book.config()}


def decayed(variable, rate, decay):
    """What weight decay takes from a variable's present value, None for no decay."""
    if not decay:
        return None
    value = updates.value_of(variable)
    return rate * ops.cast(decay, value.dtype) * value


@functools.cache
def with_rules(optimizer_class):
    """The class with `rules`, `flush` and this package's weight decay.

    optimizer_class: a class of `keras.optimizers` (Muon, Adafactor, SGD, ...) or your
    own. Returns a class, `MuonWithRules`, with the same arguments and `rules`.
    """
    if not (
        isinstance(optimizer_class, type)
        and issubclass(optimizer_class, keras.optimizers.Optimizer)
    ):
        raise ValueError(
            "with_rules expects a class of keras.optimizers. Received: "
            f"{optimizer_class!r}"
        )
    if issubclass(optimizer_class, Rules):
        return optimizer_class
    made = type(f"{optimizer_class.__name__}WithRules", (Rules, optimizer_class), {})
    return keras.saving.register_keras_serializable("bert4keras3")(made)
