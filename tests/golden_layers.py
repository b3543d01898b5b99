"""Recorded layers and functions of the original bert4keras 0.11.5."""

import functools
import json
import pathlib

import numpy as np

LAYERS = pathlib.Path(__file__).parent / "golden" / "layers"
CASES = json.loads((LAYERS / "cases.json").read_text("utf-8"))


@functools.cache
def _arrays():
    return dict(np.load(LAYERS / "arrays.npz"))


def layer_case(name):
    """(description, {name: array}) of one case."""
    case = CASES[name]
    return case, {key: _arrays()[where].copy() for key, where in case["arrays"].items()}
