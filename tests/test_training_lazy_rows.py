"""`LazyRows` under fit: lazy Adam of numpy on the rows of the batch, and its errors."""

import keras
import numpy as np
import pytest
from tiny_training import (
    IDS,
    LABELS,
    assert_near,
    fitted,
    loss_and_gradients,
    tiny_classifier,
    weights_of,
)

from bert4keras3.backend.rows import Rows
from bert4keras3.layers import Embedding, GlobalAveragePooling1D
from bert4keras3.optimizers import Adam, AdamW, Lamb
from bert4keras3.training import (
    FGM,
    GradientPenalty,
    LazyRows,
    RDrop,
    VirtualAdversarial,
    with_methods,
)

RULES = [("Embedding-Token", {"lazy": True})]
LOSS = keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def lazy_adam(weights, batches, rate=0.01):
    """Adam without bias correction, whose table moves only where it has a gradient."""
    moments = [np.zeros((2, *w.shape)) for w in weights]
    for ids, labels in batches:
        grads = loss_and_gradients(weights, ids, labels)[1]
        weights = [w.copy() for w in weights]
        for place, (w, kept, g) in enumerate(zip(weights, moments, grads, strict=True)):
            rows = np.abs(g).sum(-1) > 0 if place == 0 else np.ones(len(g), bool)
            kept[0, rows] += 0.1 * (g[rows] - kept[0, rows])
            kept[1, rows] += 0.001 * (g[rows] ** 2 - kept[1, rows])
            w[rows] -= rate * kept[0, rows] / (np.sqrt(kept[1, rows]) + 1e-6)
    return weights


def test_rows_add_repeated_ids():
    values = np.arange(12, dtype="float32").reshape(6, 2)
    ids = np.array([4, 1, 4, 0, 1, 4], "int32")
    rows = Rows.summed(ids, values, (7, 2))
    wanted = np.zeros((7, 2))
    np.add.at(wanted, ids, values)
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(rows.dense()), wanted)
    halved = keras.ops.convert_to_numpy((rows / 2.0 * 3.0).dense())
    np.testing.assert_array_equal(halved, 1.5 * wanted)
    assert len(rows.values) == 6 and rows.shape == (7, 2)


def test_lazy_adam_on_the_rows_of_each_batch():
    model = tiny_classifier()
    start = weights_of(model)
    trained = with_methods(model, LazyRows())
    trained.compile(Adam(0.01, bias_correction=False, rules=RULES), LOSS)
    ids = np.concatenate([IDS[::3], IDS[:2], IDS[::3]])  # no 4, 0; then both; then none
    labels = np.concatenate([LABELS[::3], LABELS[:2], LABELS[::3]])
    batches = [(ids[i : i + 2], labels[i : i + 2]) for i in (0, 2, 4)]
    trained.fit(ids, labels, batch_size=2, shuffle=False, verbose=0)
    assert_near(weights_of(model), lazy_adam(start, batches), 2e-5)
    # Row 5 is in no batch.
    np.testing.assert_array_equal(weights_of(model)[0][5], start[0][5])


def two_lookups():
    """Tokens of two lengths; padding, whose rows get no gradient."""
    keras.utils.set_random_seed(0)
    ids = keras.Input((3,), dtype="int32")
    table = Embedding(6, 4, mask_zero=True, name="Embedding-Token")
    x, y = (GlobalAveragePooling1D()(table(one)) for one in (ids, ids[:, :2]))
    return keras.Model(ids, keras.layers.Dense(3)(keras.layers.Concatenate()([x, y])))


@pytest.mark.parametrize(
    "settings",
    [{}, {"clipnorm": 0.1, "gradient_accumulation_steps": 2}],
    ids=["plain", "clipped and accumulated"],
)
def test_as_with_the_gradient_of_the_whole_table(settings):
    found = []
    for methods in ([LazyRows()], []):
        optimizer = AdamW(0.05, weight_decay=0.1, rules=RULES, **settings)
        model = with_methods(two_lookups(), *methods)
        start = weights_of(model)[0]
        found.append(fitted(model, optimizer=optimizer)[0])
    assert_near(*found, 1e-5)
    np.testing.assert_array_equal(found[0][0][0], start[0])


def test_under_loss_scaling_and_a_changed_loss():
    found = []
    for methods in ([LazyRows(), GradientPenalty()], [GradientPenalty()]):
        optimizer = keras.optimizers.LossScaleOptimizer(Adam(0.05, rules=RULES), 64.0)
        model = with_methods(tiny_classifier(), *methods)
        found.append(fitted(model, optimizer=optimizer)[0])
    assert_near(*found, 1e-5)


def tied_model():
    ids = keras.Input((None,), dtype="int32")
    table = Embedding(6, 4, name="Embedding-Token")
    x = keras.layers.GlobalAveragePooling1D()(table(ids))
    return keras.Model(ids, table(x, mode="dense"))


def test_what_it_cannot_do_is_an_error():
    with pytest.raises(ValueError, match="LazyRows must be the first method"):
        with_methods(tiny_classifier(), FGM(), LazyRows())
    with pytest.raises(ValueError, match="does not go with FGM"):
        with_methods(tiny_classifier(), LazyRows(), FGM())
    with pytest.raises(ValueError, match="RDrop must be the first"):
        with_methods(tiny_classifier(), LazyRows(), RDrop())
    cases = [
        (tiny_classifier(), "adam", r"with the rule \('Embedding-Token/embeddings'"),
        (tiny_classifier(), Adam(), "{'lazy': True}.*Received: Adam"),
        (tiny_classifier(), Lamb(), "{'lazy': True}.*Received: Lamb"),
        (tied_model(), Adam(rules=RULES), "only looked up in.*tied output"),
    ]
    for model, optimizer, message in cases:
        with pytest.raises(ValueError, match=message):
            fitted(with_methods(model, LazyRows()), 1, optimizer=optimizer)
    model = with_methods(tiny_classifier(), LazyRows(), VirtualAdversarial())
    with pytest.raises(ValueError, match="which looked up"):
        fitted(model, 1, optimizer=Adam(rules=RULES))
