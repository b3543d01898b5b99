"""GradualUnfreezing and EMAEvaluation under fit."""

import keras
import numpy as np
import pytest
from tiny_training import IDS, LABELS, tiny_classifier, weights_of

from bert4keras3.optimizers import extend_with_exponential_moving_average
from bert4keras3.training import (
    FGM,
    EMAEvaluation,
    Evaluation,
    GradualUnfreezing,
    with_methods,
)

LOSS = keras.losses.SparseCategoricalCrossentropy(from_logits=True)


class Watch(keras.callbacks.Callback):
    """The weights at the end of every epoch."""

    def on_train_begin(self, logs=None):
        self.seen = [weights_of(self.model)]

    def on_epoch_end(self, epoch, logs=None):
        self.seen.append(weights_of(self.model))


def moved(before, after):
    return [not np.array_equal(a, b) for a, b in zip(before, after, strict=True)]


@pytest.mark.parametrize("scaled", [False, True])
def test_layers_thaw_one_after_another(scaled):
    unfreezing = GradualUnfreezing({0: "logits", 1: "hidden", 3: "."})
    model = with_methods(tiny_classifier(), FGM(0.1), unfreezing)
    optimizer = keras.optimizers.AdamW(0.01, weight_decay=0.1)
    if scaled:
        optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
    model.compile(optimizer, LOSS)
    watch = Watch()
    model.fit(IDS, LABELS, epochs=4, verbose=0, callbacks=[unfreezing, watch])
    pairs = zip(watch.seen, watch.seen[1:], strict=False)
    assert [moved(*pair) for pair in pairs] == [
        [False, False, False, True, True],
        [False, True, True, True, True],
        [False, True, True, True, True],
        [True, True, True, True, True],
    ]
    assert int(keras.ops.convert_to_numpy(optimizer.iterations)) == 4


def test_unfreezing_mistakes():
    with pytest.raises(ValueError, match="from epoch 0 on"):
        GradualUnfreezing({1: "."})
    with pytest.raises(ValueError, match="'logit' of epoch 2 adds no"):
        with_methods(tiny_classifier(), GradualUnfreezing({0: "logits", 2: "logit"}))
    unfreezing = GradualUnfreezing({0: "."})
    model = tiny_classifier()
    model.compile("sgd", LOSS)
    with pytest.raises(ValueError, match="must also be a method"):
        model.fit(IDS, LABELS, verbose=0, callbacks=[unfreezing])
    model = with_methods(model, unfreezing)
    model.compile("sgd", LOSS)
    with pytest.raises(ValueError, match="must also be a callback"):
        model.fit(IDS, LABELS, verbose=0)


def averaged(kind):
    if kind == "keras":
        return keras.optimizers.SGD(0.1, use_ema=True, ema_momentum=0.5)
    cls = extend_with_exponential_moving_average(keras.optimizers.SGD)
    return cls(learning_rate=0.1, ema_momentum=0.5)


def expected(kind, steps):
    """The average over the steps of a plain run, with momentum 0.5."""
    average, count = [np.zeros_like(w) for w in steps[0]], 0
    if kind == "keras":
        average = steps[1]
    for weights in steps[1:]:
        count += 1
        average = [0.5 * a + 0.5 * w for a, w in zip(average, weights, strict=True)]
    share = 1.0 if kind == "keras" else 1.0 - 0.5**count
    return [a / share for a in average]


@pytest.mark.parametrize("kind", ["keras", "ours"])
def test_averages_are_evaluated_and_training_goes_on(kind, tmp_path):
    plain = tiny_classifier()
    plain.compile(keras.optimizers.SGD(0.1), LOSS)
    watch = Watch()
    plain.fit(IDS, LABELS, epochs=3, verbose=0, callbacks=[watch])

    model, seen = tiny_classifier(), []
    model.compile(averaged(kind), LOSS)

    def evaluate(model):
        seen.append(weights_of(model))
        return {"f1": float(len(seen))}

    best = Evaluation(evaluate, filepath=tmp_path / "best.weights.h5")
    after = Watch()
    callbacks = [EMAEvaluation(best), after]
    history = model.fit(IDS, LABELS, epochs=3, verbose=0, callbacks=callbacks)
    for epoch, found in enumerate(seen):
        for one, other in zip(
            found, expected(kind, watch.seen[: epoch + 2]), strict=True
        ):
            np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)
    for found, wanted in zip(after.seen, watch.seen, strict=True):
        for one, other in zip(found, wanted, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)
    assert history.history["val_f1"] == [1.0, 2.0, 3.0]
    model.load_weights(tmp_path / "best.weights.h5")
    for one, other in zip(weights_of(model), seen[-1], strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6)


def test_an_optimizer_without_averages_is_an_error():
    model = tiny_classifier()
    model.compile("sgd", LOSS)
    with pytest.raises(TypeError, match="averages the weights.*SGD"):
        model.fit(IDS, LABELS, verbose=0, callbacks=[EMAEvaluation()])
