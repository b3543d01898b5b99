"""Learning rates over the updates."""

import math

import keras
from keras import ops

from bert4keras3.backend import piecewise_linear

register = keras.saving.register_keras_serializable(package="bert4keras3")
Schedule = keras.optimizers.schedules.LearningRateSchedule


def checked_points(schedule):
    """{update: factor} with int keys; ValueError for anything else."""
    try:
        points = {int(step): float(value) for step, value in dict(schedule).items()}
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"A schedule is a dict {{update: factor}}. Received: {schedule!r}"
        ) from error
    if not points or min(points) < 0 or len(points) != len(dict(schedule)):
        raise ValueError(
            "A schedule needs distinct updates >= 0 and at least one. "
            f"Received: {schedule!r}"
        )
    return points


@register
class PiecewiseLinear(Schedule):
    """learning_rate times a factor, linear between the points of `schedule`.

    schedule: {update: factor}, such as {1000: 1, 2000: 0.1}: up to 1 in the first 1000
    updates, down to 0.1 in the next 1000, constant after. A schedule that does not
    start at 0 starts there with 0, so that the first update is without effect. This is
    what bert4keras's `lr_schedule` means.
    """

    def __init__(self, learning_rate, schedule):
        self.learning_rate = learning_rate
        self.schedule = checked_points(schedule)

    def __call__(self, step):
        return self.learning_rate * piecewise_linear(step, self.schedule)

    def get_config(self):
        points = {str(step): value for step, value in self.schedule.items()}
        return {"learning_rate": self.learning_rate, "schedule": points}


DECAYS = ("constant", "linear", "cosine")


@register
class Warmup(Schedule):
    """Up from 0 to `learning_rate`, then constant, linear or cosine down to `end`.

    steps: all updates of the training; warmup: how many of them go up, an int, or a
    share as a float below 1; decay: "constant", "linear" or "cosine"; end: the rate at
    the last update and after it, as a share of `learning_rate`.
    """

    def __init__(self, learning_rate, steps, warmup=0.1, decay="linear", end=0.0):
        if decay not in DECAYS:
            raise ValueError(f"decay must be one of {DECAYS}. Received: {decay!r}")
        self.learning_rate = learning_rate
        self.steps = int(steps)
        self.warmup = warmup
        self.decay = decay
        self.end = end
        share = isinstance(warmup, float) and warmup < 1
        self._first = int(round(warmup * steps)) if share else int(warmup)
        if not 0 <= self._first <= self.steps:
            raise ValueError(
                f"warmup must lie between 0 and steps={steps}. Received: {warmup!r}"
            )

    def __call__(self, step):
        step = ops.cast(step, "float32")
        up = step / max(self._first, 1)
        rest = (step - self._first) / max(self.steps - self._first, 1)
        down = self._down(ops.clip(rest, 0.0, 1.0))
        return self.learning_rate * ops.where(step < self._first, up, down)

    def _down(self, share):
        if self.decay == "constant":
            return ops.ones_like(share)
        if self.decay == "cosine":
            share = 0.5 * (1.0 - ops.cos(math.pi * share))
        return 1.0 - (1.0 - self.end) * share

    def get_config(self):
        names = ("learning_rate", "steps", "warmup", "decay", "end")
        return {name: getattr(self, name) for name in names}
