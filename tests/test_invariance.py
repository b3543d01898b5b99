"""What must not change an output: padding, neighbours in the batch, the future."""

import itertools

import keras
import numpy as np
import pytest
from keras import ops
from tiny_models import APPLICATIONS, FAMILIES, batch, build, shared

ALL = list(itertools.product(FAMILIES, APPLICATIONS))
every = pytest.mark.parametrize("family, application", ALL)
# Each family and each application once; the other pairs in the slow suite.
QUICK = set(zip(FAMILIES, APPLICATIONS, strict=True))
each = pytest.mark.parametrize(
    "family, application",
    [pytest.param(*p, marks=() if p in QUICK else pytest.mark.slow) for p in ALL],
)
CLOSE = 2e-5


def run(t, inputs):
    return ops.convert_to_numpy(t.model(inputs))


@every
def test_padding(family, application):
    """More padding leaves the outputs of the real tokens alone."""
    t, inputs = shared(family, application), batch()
    longer = [np.pad(one, [(0, 0), (0, 5)]) for one in inputs]
    real = inputs[0] != 0
    short, long = run(t, inputs), run(t, longer)[:, : real.shape[1]]
    np.testing.assert_allclose(short[real], long[real], atol=CLOSE)
    assert np.abs(short[real]).max() > 0.1


@each
def test_batch_order(family, application):
    t, inputs = shared(family, application), batch()
    order = [2, 0, 1]
    shuffled = run(t, [one[order] for one in inputs])
    np.testing.assert_allclose(run(t, inputs)[order], shuffled, atol=CLOSE)


@each
def test_eager_equals_compiled(family, application):
    t, inputs = shared(family, application), batch()
    compiled = t.model.predict(inputs, verbose=0)
    np.testing.assert_allclose(run(t, inputs), compiled, atol=CLOSE)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("application", ["lm", "unilm"])
def test_no_look_ahead(family, application):
    """Changing a generated token changes nothing before it, and everything after."""
    t, (ids, segments) = shared(family, application), batch(rows=1)
    changed = ids.copy()
    changed[0, 5] = ids[0, 5] % 40 + 1
    before, after = run(t, [ids, segments]), run(t, [changed, segments])
    np.testing.assert_allclose(before[:, :5], after[:, :5], atol=CLOSE)
    assert (np.abs(before - after).max(axis=-1)[0, 5:] > 1e-3).all()


@pytest.mark.parametrize("family", FAMILIES)
def test_unilm_source_sees_itself_only(family):
    """The source is bidirectional; the target sees it and never the reverse."""
    t, (ids, segments) = shared(family, "unilm"), batch(rows=1)
    assert list(segments[0]) == [0, 0, 0, 1, 1, 1, 1, 1]
    changed = ids.copy()
    changed[0, 2] = ids[0, 2] % 40 + 1
    difference = np.abs(run(t, [ids, segments]) - run(t, [changed, segments]))
    assert (difference.max(axis=-1) > 1e-3).all()


@pytest.mark.parametrize("family", FAMILIES)
def test_encoder_sees_everything(family):
    t, (ids, segments) = shared(family), batch(rows=1)
    changed = ids.copy()
    changed[0, -1] = ids[0, -1] % 40 + 1
    difference = np.abs(run(t, [ids, segments]) - run(t, [changed, segments]))
    assert (difference.max(axis=-1) > 1e-3).all()


@pytest.mark.parametrize("family", FAMILIES)
def test_position_matters(family):
    """Without positions a self-attention encoder would not see the order."""
    t, (ids, segments) = shared(family), batch(rows=1)
    swapped = ids[:, [0, 2, 1, 3, 4, 5, 6, 7]]
    difference = np.abs(run(t, [ids, 0 * segments]) - run(t, [swapped, 0 * segments]))
    assert difference[0, 0].max() > 1e-3


@each
def test_mixed_bfloat16(family, application):
    """Half the memory, nearly the same numbers; logits stay float32."""
    full, inputs = shared(family, application), batch()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        with_mlm = False if application == "encoder" else "linear"
        t = build(family, application, with_mlm=with_mlm)
    finally:
        keras.config.set_dtype_policy("float32")
    for name, variable in t.variables().items():
        variable.assign(full.variables()[name] * 0.3)
    low = np.asarray(ops.convert_to_numpy(ops.cast(t.model(inputs), "float32")))
    reference = build(family, application, with_mlm=with_mlm)
    for name, variable in reference.variables().items():
        variable.assign(full.variables()[name] * 0.3)
    exact = run(reference, inputs)
    real = inputs[0] != 0
    assert np.isfinite(low).all()
    error = np.linalg.norm(low[real] - exact[real]) / np.linalg.norm(exact[real])
    assert 0 < error < 3e-2
    if application != "encoder":
        assert keras.backend.standardize_dtype(t.model.output.dtype) == "float32"
