"""`Transformer.forward`: the same pass on real tensors, and the seam of the cache."""

import numpy as np
import pytest
from keras import ops
from tiny_models import FAMILIES, batch, shared


class Recorder:
    """A cache that only looks on: it attends as a pass without cache does."""

    def __init__(self):
        self.calls = []

    def attend(self, layer, x, index, ctx, pair, bias):
        self.calls.append((layer.name, tuple(x.shape), index, pair, bias))
        ctx.cache = None
        try:
            return ctx.attend(layer, x, index, pair, bias)
        finally:
            ctx.cache = self


@pytest.mark.parametrize("application", ["encoder", "unilm"])
@pytest.mark.parametrize("family", FAMILIES)
def test_forward_is_the_model(family, application):
    t = shared(family, application)
    expected = ops.convert_to_numpy(t.model(batch(), training=False))
    found = ops.convert_to_numpy(t.forward([ops.array(x) for x in batch()]))
    np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_cache_takes_over_every_attention_once(family):
    t = shared(family, "lm")
    inputs = [ops.array(x) for x in batch()]
    ctx, outer = t.context(inputs), t.ctx
    ctx.cache = recorder = Recorder()
    found = ops.convert_to_numpy(t.forward(inputs, ctx))
    expected = ops.convert_to_numpy(t.model(batch(), training=False))
    np.testing.assert_allclose(found, expected, atol=1e-5)
    names = [f"Transformer-{i}-MultiHeadSelfAttention" for i in range(2)]
    assert recorder.calls == [
        (name, (3, 8, 16), i, None, None) for i, name in enumerate(names)
    ]
    assert t.ctx is outer


def test_a_failed_forward_leaves_the_builder_as_it_was():
    t = shared("bert", "lm")
    outer = t.ctx
    with pytest.raises(ValueError, match="expects ids"):
        t.forward([ops.array([[1, 999]]), ops.array([[0, 0]])])
    assert t.ctx is outer
