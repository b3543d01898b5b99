"""Tests that take long where every program is compiled first."""

import keras
import pytest

COMPILED = ("jax", "tensorflow")


def slow_on(*backends):
    """Decorator: in the slow suite of these backends, in the fast suite of others."""
    if keras.backend.backend() in backends:
        return pytest.mark.slow
    return lambda test: test
