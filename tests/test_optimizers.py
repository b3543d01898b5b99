"""Our AdamW is Keras's AdamW, in one pass where the backend has a kernel for it."""

import keras
import numpy as np

from bert4keras3.optimizers import AdamW


def _trajectory(optimizer, steps=5):
    rng = np.random.default_rng(0)
    variables = [
        keras.Variable(rng.normal(size=(4, 3)).astype("float32"), name="kernel"),
        keras.Variable(rng.normal(size=(3,)).astype("float32"), name="bias"),
    ]
    optimizer.exclude_from_weight_decay(var_names=["bias"])
    optimizer.build(variables)
    for _ in range(steps):
        grads = [rng.normal(size=v.shape).astype("float32") * 1e-4 for v in variables]
        grads = [keras.ops.convert_to_tensor(g) for g in grads]
        optimizer.apply(grads, variables)
    return [keras.ops.convert_to_numpy(v.value) for v in variables]


def test_fused_adamw_follows_keras():
    arguments = {"learning_rate": 0.01, "weight_decay": 0.1, "epsilon": 1e-6}
    ours = _trajectory(AdamW(**arguments))
    theirs = _trajectory(keras.optimizers.AdamW(**arguments))
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(a, b, atol=2e-6)


def test_fused_adamw_trains_and_restores(tmp_path):
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
    model.compile(AdamW(0.05, weight_decay=0.01), "mse")
    x, y = np.ones((8, 4), "float32"), np.zeros((8, 2), "float32")
    first = model.evaluate(x, y, verbose=0)
    model.fit(x, y, epochs=20, verbose=0)
    assert model.evaluate(x, y, verbose=0) < 0.5 * first
    path = str(tmp_path / "model.keras")
    model.save(path)
    again = keras.models.load_model(path)
    assert isinstance(again.optimizer, AdamW)
    assert int(again.optimizer.iterations) == 20
