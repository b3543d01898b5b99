"""The gradient penalty under fit, against numpy; mistakes with methods."""

import keras
import numpy as np
import pytest
import tiny_models
from tiny_training import (
    assert_near,
    descended,
    differences,
    fitted,
    loss_and_gradients,
    tiny_classifier,
    weights_of,
)

from bert4keras3.backend import runtime
from bert4keras3.layers import GlobalAveragePooling1D
from bert4keras3.training import (
    FGM,
    GradientPenalty,
    RDrop,
    VirtualAdversarial,
    with_methods,
)
from bert4keras3.training.step import Step


def penalized(weights, epsilon, positions=True):
    loss, grads, lookups = loss_and_gradients(weights)
    return loss + 0.5 * epsilon * np.sum((lookups if positions else grads[0]) ** 2)


@pytest.mark.parametrize("positions", [True, False])
def test_gradient_penalty_is_of_second_order(positions):
    model = tiny_classifier()
    start = weights_of(model)
    method = GradientPenalty(20.0, positions=positions)
    found, history = fitted(with_methods(model, method))

    def gradients(weights):
        return differences(lambda w: penalized(w, 20.0, positions), weights)

    assert_near(found, descended(start, gradients), 1e-5)
    assert history["loss"][0] == pytest.approx(loss_and_gradients(start)[0], rel=1e-5)


def test_gradient_penalty_inside_of_fgm_with_loss_scaling():
    model = tiny_classifier()
    start = weights_of(model)
    trained = with_methods(model, GradientPenalty(20.0), FGM(0.5, mode="replace"))
    scaled = keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(0.1), 2.0**10)

    def gradients(weights):
        clean = differences(lambda w: penalized(w, 20.0), weights)
        moved = weights[0] + 0.5 * clean[0] / np.linalg.norm(clean[0])
        return differences(lambda w: penalized(w, 20.0), [moved, *weights[1:]])

    found, _ = fitted(trained, optimizer=scaled)
    assert_near(found, descended(start, gradients), 1e-5)


def test_small_gradients_live_in_float16():
    keras.config.set_dtype_policy("mixed_float16")
    try:
        model = tiny_classifier()
    finally:
        keras.config.set_dtype_policy("float32")
    small = [
        w * 1e-3 if w.ndim > 1 and i else w for i, w in enumerate(weights_of(model))
    ]
    model.set_weights(small)
    start = weights_of(model)
    lookups = loss_and_gradients(start)[2]
    assert 0 < np.abs(lookups).max() < 3e-7  # float16 ends at 6e-8, at few digits
    trained = with_methods(model, GradientPenalty(1e9))
    scaled = keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(0.1), 2.0**15)
    found, _ = fitted(trained, steps=1, optimizer=scaled)
    wanted = differences(lambda w: penalized(w, 1e9), start, 1e-7)
    for place in (1, 3):
        grad = (start[place] - found[place]) / 0.1
        error = np.linalg.norm(grad - wanted[place])
        assert error < 0.05 * np.linalg.norm(wanted[place])


def test_what_it_cannot_do_is_an_error():
    model = tiny_classifier()
    with pytest.raises(ValueError, match="RDrop must be the first"):
        with_methods(model, FGM(), RDrop())
    for method in (GradientPenalty, VirtualAdversarial):
        with pytest.raises(ValueError, match="epsilon must be above 0"):
            method(epsilon=0)
    ids = keras.Input((None,))
    model = keras.Model(ids, keras.layers.Embedding(6, 4, name="words")(ids))
    with pytest.raises(ValueError, match="must be a bert4keras3.layers.Embedding"):
        with_methods(model, GradientPenalty(layer="words"))


@pytest.mark.slow
@pytest.mark.parametrize("positions", [True, False])
def test_gradient_penalty_through_a_transformer(positions):
    keras.utils.set_random_seed(0)
    bert = tiny_models.build()
    states = GlobalAveragePooling1D()(bert.model.output)
    model = keras.Model(bert.model.inputs, keras.layers.Dense(3)(states))
    x = [np.array([[1, 5, 7, 5, 2, 0]], "int32"), np.zeros((1, 6), "int32")]
    trained = with_methods(model, GradientPenalty(1.0, positions=positions))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    trained.compile(keras.optimizers.SGD(0.1), loss)

    def penalized_and_gradients(*values):
        step = Step(trained, (x, np.array([1], "int32")), state, metrics)

        def total(values):
            return [trained.methods[0].loss(step, values, lambda v: step.run(v)[0])]

        losses, grads = step.gradients(total, list(values))
        return [*losses, *grads[0]]

    state = [w.value for w in model.non_trainable_variables]
    metrics = [w.value for w in trained.metrics_variables]
    run = runtime.compiled(penalized_and_gradients, model.variables)
    values = [keras.ops.convert_to_numpy(w) for w in model.trainable_variables]
    grads = [keras.ops.convert_to_numpy(g) for g in run(*map(tensor, values))[1:]]
    slope = np.sqrt(sum(np.sum(g**2) for g in grads))
    ends = []
    for size in (1e-3, -1e-3):
        moved = [w + size / slope * g for w, g in zip(values, grads, strict=True)]
        ends.append(float(run(*map(tensor, moved))[0]))
    assert slope == pytest.approx((ends[0] - ends[1]) / 2e-3, rel=0.01)


def tensor(x):
    return keras.ops.convert_to_tensor(x)
