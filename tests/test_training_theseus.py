"""theseus_model: modules of a small model in the place of those of a large one."""

import keras
import numpy as np
import pytest
from keras import ops
from tiny_models import build

from bert4keras3.training import theseus_model
from bert4keras3.training.theseus import Replacement

IDS = np.random.default_rng(0).integers(1, 50, (4, 6)).astype("int32")
INPUTS = [IDS, np.zeros_like(IDS)]


def pair(**options):
    """Four layers, and two; of other weights."""
    old = build(num_hidden_layers=4, **options)
    new = build(num_hidden_layers=2, seed=1, prefix="Successor-", **options)
    return old, new


def assert_same(one, other):
    one, other = (ops.convert_to_numpy(x) for x in (one, other))
    np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)


def number(x):
    return float(ops.convert_to_numpy(x))


def mixed(old, new, drawn):
    """The outputs when the modules of `drawn` (embedding, 0, 1) are the successor's."""
    given = [ops.convert_to_tensor(x) for x in INPUTS]
    outer = old.ctx, new.ctx
    old.ctx, new.ctx = old.context(given), new.context(given)
    x = (new if drawn[0] else old).apply_embeddings(given)
    for index in range(2):
        if drawn[index + 1]:
            x = new.apply_main_layers(x, index)
        else:
            for place in (2 * index, 2 * index + 1):
                x = old.apply_main_layers(x, place)
    old.ctx, new.ctx = outer
    return ops.convert_to_numpy(x)


def test_a_pass_is_one_of_the_mixtures_and_all_occur():
    old, new = pair()
    model = theseus_model(old, new, rate=0.5)
    assert_same(model(INPUTS), new.model(INPUTS))
    drawings = [(i // 4, i // 2 % 2, i % 2) for i in range(8)]
    known = [mixed(old, new, drawn) for drawn in drawings]
    counts = [0] * 8
    for _ in range(60):
        found = ops.convert_to_numpy(model(INPUTS, training=True))
        errors = [np.abs(found - one).max() for one in known]
        assert min(errors) < 1e-4
        counts[int(np.argmin(errors))] += 1
    assert min(counts) > 0


def test_rate_grows_and_ends_at_one():
    layer = Replacement(rate=0.25, growth=0.25)
    x = [np.zeros((2, 3), "float32"), np.ones((2, 3), "float32")]
    steps = [number(layer(x, training=True)[0, 0]) for _ in range(5)]
    assert steps[3:] == [1.0, 1.0]  # 0.25, 0.5, 0.75, then 1
    first = []
    for _ in range(200):
        layer.steps.assign(0)
        first.append(number(layer(x, training=True)[0, 0]))
    assert 0.15 < np.mean(first) < 0.35
    with pytest.raises(ValueError, match="rate must be"):
        Replacement(rate=0.0)


def test_only_the_successor_learns_and_then_alone():
    old, new = pair(dropout_rate=0.1)
    head = keras.layers.Dense(3, name="head")
    model = theseus_model(old, new, rate=0.5, growth=0.1)
    head.build((None, 16))
    head.trainable = False
    model = keras.Model(model.inputs, head(model.output[:, 0]))
    before = [old.model.get_weights(), new.model.get_weights(), head.get_weights()]
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(0.01), loss)
    labels = np.array([0, 1, 2, 0])
    model.fit(INPUTS, labels, batch_size=1, epochs=5, verbose=0)
    after = [old.model.get_weights(), new.model.get_weights(), head.get_weights()]
    for part, changes in ((0, False), (2, False), (1, True)):
        pairs = zip(before[part], after[part], strict=True)
        same = [np.array_equal(a, b) for a, b in pairs]
        assert not any(same) if changes else all(same)
    steps = [
        number(layer.steps)
        for layer in model.layers
        if isinstance(layer, Replacement)
    ]
    assert steps == [20, 20, 20]
    alone = keras.Model(new.model.inputs, head(new.model.output[:, 0]))
    assert_same(alone(INPUTS), model(INPUTS))


def test_models_that_do_not_fit_together():
    old, new = pair()
    with pytest.raises(ValueError, match="return_keras_model=False"):
        theseus_model(old.model, new)
    with pytest.raises(ValueError, match="another prefix"):
        theseus_model(old, build(num_hidden_layers=2))
    with pytest.raises(ValueError, match="multiple.*4 and 3"):
        theseus_model(old, build(num_hidden_layers=3, prefix="S-"))
    with pytest.raises(ValueError, match="one family"):
        theseus_model(old, build("roformer", prefix="S-"))
    wide = build(num_hidden_layers=2, hidden_size=32, prefix="S-")
    with pytest.raises(ValueError, match="one width"):
        theseus_model(old, wide)
