"""Damaged configs: a model with the checkpoint's very weights, or a refusal."""

import json
import pathlib
import random
import warnings

import numpy as np
import pytest
from tiny_bundle import CONFIG, arrays

from bert4keras3.models import build_transformer_model

ODD = (None, -1, 0, 1, 3, 2.5, "", "gelu", "12", True, [], [4], {}, 10**9, 0.1)


def _renamed(values, rng):
    key = rng.choice(sorted(values))
    letters = list(key)
    letters[rng.randrange(len(letters))] = rng.choice("abcdefgh_")
    values["".join(letters)] = values.pop(key)


def _swapped(values, rng):
    a, b = rng.sample(sorted(values), 2)
    values[a], values[b] = values[b], values[a]


def _retyped(values, rng):
    values[rng.choice(sorted(values))] = rng.choice(ODD)


def _dropped(values, rng):
    values.pop(rng.choice(sorted(values)))


def _mutated_text(rng):
    values = dict(CONFIG)
    kind = rng.choice(("rename", "swap", "type", "drop", "cut", "flip"))
    if kind in ("rename", "swap", "type", "drop"):
        change = {
            "rename": _renamed,
            "swap": _swapped,
            "type": _retyped,
            "drop": _dropped,
        }[kind]
        change(values, rng)
        return json.dumps(values)
    text = json.dumps(values)
    place = rng.randrange(len(text))
    if kind == "cut":
        return text[:place]
    flipped = chr(ord(text[place]) ^ (1 << rng.randrange(5)))
    return text[:place] + flipped + text[place + 1 :]


def _loaded_or_refused(path, weights):
    """True when the model holds the checkpoint's weights, False when it was refused."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            t = build_transformer_model(path, weights, return_keras_model=False)
    except ValueError as error:
        assert str(error)
        return False
    variables = t.variables()
    for row in t.rows():
        found = np.asarray(variables[row.ours].numpy())
        assert found.tobytes() == row.read(weights[row.tf], "tf").tobytes()
    return True


@pytest.mark.parametrize("seed", range(4))
def test_mutated_configs(tmp_path, seed):
    rng = random.Random(seed)
    weights = arrays()
    path = pathlib.Path(tmp_path) / "config.json"
    outcomes = set()
    for _ in range(30):
        path.write_text(_mutated_text(rng), encoding="utf-8")
        outcomes.add(_loaded_or_refused(str(path), weights))
    assert outcomes == {True, False}


def test_the_unharmed_config_loads(tmp_path):
    path = tmp_path / "config.json"
    path.write_text(json.dumps(CONFIG), encoding="utf-8")
    assert _loaded_or_refused(str(path), arrays())
