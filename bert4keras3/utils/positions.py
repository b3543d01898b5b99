"""Where an endless stream of batches stands, so that another process can go on."""

import random

import numpy as np


def random_state() -> dict:
    """State of the global generators of numpy and `random`, as JSON can hold it."""
    version, numbers, gauss = random.getstate()
    python = [version, list(numbers), gauss]
    return {"numpy": _listed(np.random.get_state()), "python": python}


def set_random_state(state: dict) -> None:
    """Put the global generators where `random_state` found them."""
    np.random.set_state(state["numpy"])
    version, numbers, gauss = state["python"]
    random.setstate((version, tuple(numbers), gauss))


def _listed(state) -> list:
    name, numbers, *rest = state
    return [name, [int(x) for x in numbers], *rest]


class Passes:
    """The passes of a `DataGenerator` over its data: recorded, and started inside.

    A stream runs ahead of what is trained, so its own place says nothing: `at` tells
    how to come to any batch counted from the first one. It keeps the random state of
    the passes' beginnings, from which the same batches are made again.
    """

    def __init__(self, generator, state: dict | None = None):
        self.generator = generator
        self.settings = {
            "samples": _length(generator.data),
            "batch_size": generator.batch_size,
            "generator": type(generator).__name__,
            "own seed": generator.rng is not np.random,
            **{name: getattr(generator, name) for name in generator.noted},
        }
        self.start = state
        self.made = self.wanted = 0  # batches made, and those to leave out of them
        self.begun = []
        self.streams = 0
        if state is not None:
            self._compare(state["settings"])
            self.made, self.wanted = state["begun"], state["batch"]

    def _compare(self, saved: dict) -> None:
        for name, value in saved.items():
            if self.settings[name] != value:
                raise ValueError(
                    f"The data are others than those of the checkpoint: {name} was "
                    f"{value!r}. Received: {self.settings[name]!r}"
                )

    def begin(self, grouper=None) -> None:
        """A pass begins; grouper: what waits from the passes before, if anything."""
        if self.start is not None:
            self._restore(self.start, grouper)
            self.start = None
        state = {"global": random_state(), "waiting": None}
        if self.generator.rng is not np.random:
            state["own"] = _listed(self.generator.rng.get_state())
        if grouper is not None:
            state["waiting"] = grouper.numbers()
        self.begun.append((self.made, state))

    def _restore(self, state: dict, grouper) -> None:
        if grouper is not None:
            for bucket, numbers in state["waiting"] or ():
                for number in numbers:
                    grouper.waiting.setdefault(bucket, []).append(
                        self.generator.numbered(number)
                    )
        set_random_state(state["global"])
        if "own" in state:
            self.generator.rng.set_state(state["own"])

    def batches(self, stream):
        """The stream's batches, without those before the one to start at."""
        self.streams += 1
        if self.streams > 1:
            raise RuntimeError(
                f"{type(self.generator).__name__} is recorded for a checkpoint, and "
                "two streams of its batches cannot be: call forfit() once for a "
                "training, and use another generator to evaluate."
            )
        for batch in stream:
            self.made += 1
            if self.made > self.wanted:
                yield batch

    def at(self, batch: int) -> dict:
        """How to start at `batch`, counted from 0; it must not go back later."""
        if not self.begun:
            raise RuntimeError(
                f"No batch of the {type(self.generator).__name__} of the checkpoint "
                "was made. Train on the forfit() of the same generator."
            )
        at = max(i for i, (first, _) in enumerate(self.begun) if first <= batch)
        del self.begun[:at]
        first, state = self.begun[0]
        return {"begun": first, "batch": batch, "settings": self.settings, **state}


def _length(data) -> int | None:
    return len(data) if hasattr(data, "__len__") else None
