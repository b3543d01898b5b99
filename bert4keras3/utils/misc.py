"""Small helpers that old scripts import from `snippets`."""

import functools
from collections.abc import Callable, Iterable

import numpy as np


def to_array(*args):
    """Return the arguments as numpy arrays: one array, or a list of several."""
    arrays = [np.array(a) for a in args]
    return arrays[0] if len(arrays) == 1 else arrays


def softmax(x, axis: int = -1) -> np.ndarray:
    """Softmax of an array along `axis`, safe against overflow."""
    x = np.asarray(x)
    x = np.exp(x - x.max(axis=axis, keepdims=True))
    return x / x.sum(axis=axis, keepdims=True)


def is_one_of(x, ys: Iterable) -> bool:
    """Tell whether `x` is (the very object, not its equal) one of `ys`."""
    return any(x is y for y in ys)


def insert_arguments(**defaults) -> Callable:
    """Decorate `__init__` to take extra keyword arguments, kept as attributes.

    defaults: name = default value; each becomes `self.<name>` before `__init__` runs.
    """

    def decorate(init):
        @functools.wraps(init)
        def wrapped(self, *args, **kwargs):
            for name, value in defaults.items():
                setattr(self, name, kwargs.pop(name, value))
            return init(self, *args, **kwargs)

        return wrapped

    return decorate


def delete_arguments(*names: str) -> Callable:
    """Decorate `__init__` to refuse the keyword arguments `names`."""

    def decorate(init):
        @functools.wraps(init)
        def wrapped(self, *args, **kwargs):
            refused = [name for name in names if name in kwargs]
            if refused:
                raise TypeError(
                    f"{type(self).__name__} takes no argument {refused}. Remove it."
                )
            return init(self, *args, **kwargs)

        return wrapped

    return decorate
