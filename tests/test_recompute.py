"""recompute=True: the same training with less memory."""

import keras
import numpy as np
import pytest
from keras import ops
from tiny_models import build

from bert4keras3.backend import runtime

IDS = np.random.default_rng(0).integers(1, 50, (4, 8)).astype("int32")


def trained(family, policy="float32", **options):
    """(weights, losses) after two steps of fit with dropout."""
    keras.utils.set_random_seed(3)
    keras.config.set_dtype_policy(policy)
    try:
        t = build(family, dropout_rate=0.2, attention_dropout_rate=0.3, **options)
    finally:
        keras.config.set_dtype_policy("float32")
    x = [IDS if "Segment" not in one.name else IDS * 0 for one in t.model.inputs]
    shape = ops.shape(t.model(x))
    t.model.compile(keras.optimizers.SGD(0.1), "mse")
    keras.utils.set_random_seed(4)
    history = t.model.fit(x, np.ones(shape), batch_size=2, epochs=2, verbose=0)
    return t.model.get_weights(), history.history["loss"]


slow = pytest.mark.slow
others = [pytest.param(name, marks=slow) for name in ("gau_alpha", "nezha", "t5.1.1")]


@pytest.mark.parametrize("family", ["bert", *others])
def test_it_trains_to_the_same_weights(family):
    options = {} if family != "gau_alpha" else {"attention_key_size": 8}
    found = [trained(family, recompute=flag, **options) for flag in (False, True)]
    np.testing.assert_allclose(found[1][1], found[0][1], rtol=1e-5)
    for one, other in zip(found[1][0], found[0][0], strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)


@slow
@pytest.mark.parametrize("family", ["bert", "gau_alpha"])
def test_mixed_precision(family):
    options = {} if family != "gau_alpha" else {"attention_key_size": 8}
    found = [
        trained(family, "mixed_bfloat16", recompute=flag, **options)
        for flag in (False, True)
    ]
    np.testing.assert_allclose(found[1][1], found[0][1], rtol=0.02)


@pytest.mark.skipif(keras.backend.backend() != "jax", reason="jax tells what it keeps")
def test_it_keeps_less():
    assert kept(True) < 0.5 * kept(False)


def kept(recompute):
    """Numbers that wait between the forward and the backward pass."""
    jax = runtime.native()
    t = build(num_hidden_layers=6, dropout_rate=0.1, recompute=recompute)
    groups = t.model.trainable_variables, t.model.non_trainable_variables
    values = [[v.value for v in group] for group in groups]
    x = [np.ones((8, 32), "int32"), np.zeros((8, 32), "int32")]

    def loss(trainable, others):
        y, _ = t.model.stateless_call(trainable, others, x, training=True)
        return ops.mean(ops.square(y))

    found = jax.eval_shape(lambda *values: jax.vjp(loss, *values)[1], *values)
    return sum(np.prod(x.shape) for x in jax.tree.leaves(found))
