"""The parameters and gradients that the recorded optimizers were given."""

import functools
import json
import pathlib
import warnings

import keras
import numpy as np
from keras import ops

from bert4keras3 import optimizers

FOLDER = pathlib.Path(__file__).parent / "golden" / "optimizers"
CASES = json.loads((FOLDER / "cases.json").read_text("utf-8"))
PROBLEM = CASES.pop("problem")
NAMES = [key.removeprefix("init/") for key in PROBLEM if key.startswith("init/")]
STEPS = 20


@functools.cache
def _arrays():
    return dict(np.load(FOLDER / "arrays.npz"))


def start():
    """{path: first value}"""
    return {name: _arrays()[PROBLEM[f"init/{name}"]] for name in NAMES}


def gradients(name):
    """(20, ...) gradients of one parameter; they do not depend on its value."""
    return _arrays()[PROBLEM[f"grad/{name}"]]


def recorded(case, kind="traj"):
    """{path: (20, ...) values after each step} of the original."""
    arrays = CASES[case]["arrays"]
    return {name: _arrays()[arrays[f"{kind}/{name}"]] for name in NAMES}


def variables():
    made = []
    for name, value in start().items():
        scope, leaf = name.split("/")
        with keras.name_scope(scope):
            made.append(keras.Variable(value, name=leaf))
    return made


def stacked(base, *extensions):
    """The class of this package under its extensions, by their names."""
    cls = getattr(optimizers, base)
    for extension in extensions:
        cls = getattr(optimizers, f"extend_with_{extension}")(cls)
    return cls


def feed(optimizer, made, step):
    grads = [ops.convert_to_tensor(gradients(one.path)[step]) for one in made]
    optimizer.apply(grads, made)


def numbers(made):
    return {one.path: np.array(ops.convert_to_numpy(one.value)) for one in made}


def trajectory(optimizer, steps=STEPS):
    """{path: (steps, ...) values after each step} of an optimizer, uncompiled."""
    made = variables()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # lists of legacy factories that match nothing
        optimizer.build(made)
    values = []
    for step in range(steps):
        feed(optimizer, made, step)
        values.append(numbers(made))
    return {name: np.stack([one[name] for one in values]) for name in NAMES}


def check(found, expected, bound=1e-6):
    """Differences are relative to the largest value of a parameter's trajectory."""
    for name, values in expected.items():
        difference = np.abs(found[name] - values).max() / np.abs(values).max()
        assert difference <= bound, f"{name}: {difference:.2e}"


RNG = np.random.default_rng(0)
X = RNG.normal(size=(20, 4)).astype("float32")
Y = RNG.normal(size=(20, 1)).astype("float32")


def small_model(optimizer, seed=0):
    keras.utils.set_random_seed(seed)
    layers = [
        keras.Input((4,)),
        keras.layers.Dense(6, name="hidden", activation="tanh"),
        keras.layers.Dense(1, name="head"),
    ]
    model = keras.Sequential(layers)
    model.compile(optimizer, "mse")
    return model


def fit(model, batch, epochs=1, **kwargs):
    model.fit(X, Y, batch, epochs, verbose=0, shuffle=False, **kwargs)
    return [ops.convert_to_numpy(one) for one in model.get_weights()]


def same(found, expected, bound=1e-6):
    for a, b in zip(found, expected, strict=True):
        assert np.abs(a - b).max() <= bound * np.abs(b).max()
