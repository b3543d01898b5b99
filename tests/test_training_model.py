"""The loss without logits is the loss of the logits, and so are its gradients."""

import keras
import numpy as np
import pytest
from generation_models import CASES
from keras import ops
from score_gradients import value_and_gradient
from tiny_models import build

from bert4keras3.backend.vocabulary import linear_cross_entropy


def problem(seed=0, tokens=50, size=8, vocabulary=33):
    generator = np.random.default_rng(seed)
    x, table, bias = (
        generator.normal(size=shape).astype("float32")
        for shape in ((tokens, size), (vocabulary, size), (vocabulary,))
    )
    labels = generator.integers(0, vocabulary, tokens).astype("int32")
    weights = generator.random(tokens) * (generator.random(tokens) > 0.6)
    return [x, table, bias], labels, weights.astype("float32")


@pytest.mark.parametrize("smoothing, topk", [(0.0, None), (0.1, None), (0.0, 5)])
def test_value_and_gradients(smoothing, topk):
    arrays, labels, weights = problem()
    labels, weights = ops.convert_to_tensor(labels), ops.convert_to_tensor(weights)

    sizes = np.cumsum([one.size for one in arrays])[:-1].tolist()

    def parts(flat):
        split = ops.split(flat, sizes)
        return [ops.reshape(x, y.shape) for x, y in zip(split, arrays, strict=True)]

    def plain(flat):
        x, table, bias = parts(flat)
        logits = ops.matmul(x, ops.transpose(table)) + bias
        kept = logits
        if topk is not None:
            least = ops.stop_gradient(ops.top_k(logits, topk)[0][:, -1:])
            kept = ops.where(logits >= least, logits, -1e9)
        logs = logits - ops.logsumexp(kept, axis=-1, keepdims=True)
        target = ops.take_along_axis(logs, labels[:, None], axis=-1)[:, 0]
        target = (1 - smoothing) * target + smoothing * ops.mean(logs, axis=-1)
        return -ops.sum(weights * target)

    def ours(flat):
        return linear_cross_entropy(
            *parts(flat), labels, weights, smoothing, topk, chunk=16
        )

    flat = np.concatenate([one.reshape(-1) for one in arrays])
    expected, known = value_and_gradient(plain, flat)
    found, gradient = value_and_gradient(ours, flat)
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    np.testing.assert_allclose(gradient, known, atol=2e-6)


def batch(t, rows=3, length=10):
    """Inputs as of the model, and the labels and weights of its next tokens."""
    generator = np.random.default_rng(1)
    model, pad = t.language_model, t.language_model.pad_token_id
    ids = generator.integers(2, model.vocab_size, (rows, length)).astype("int32")
    for row in range(rows if pad is not None else 0):
        ids[row, length - row :] = pad
    real = np.ones(ids.shape) if pad is None else ids != pad
    real[:, 0] = 1
    inputs = [ids]
    if model.reads_memory:
        inputs.insert(0, ids[:, ::-1].copy())
    elif model.segment_vocab_size:
        segments = (np.arange(length) > 4) * np.ones_like(ids) * (ids != pad)
        inputs.append(segments.astype("int32"))
        real = inputs[1] if model.visibility == "unilm" else real
    labels = np.pad(ids[:, 1:], [[0, 0], [0, 1]])
    return inputs, labels, np.pad(np.asarray(real)[:, 1:], [[0, 0], [0, 1]])


@pytest.mark.parametrize(
    "case",
    [
        *("bert-unilm", "llama", "t5"),
        *(
            pytest.param(case, marks=pytest.mark.slow)
            for case in ("gau_alpha-lm", "gpt2", "mt5", "bart")
        ),
    ],
)
def test_training_model_has_the_loss_of_the_logits(case):
    family, options = CASES[case]
    head = {} if "application" not in options else {"with_mlm": "linear"}
    head = head or {"with_lm": "linear"}
    t = build(family, **options, **head)
    model = t.training_model()
    inputs, labels, weights = batch(t)
    model.compile(keras.optimizers.SGD(0.5))
    expected = []
    for _ in range(2):
        logits = ops.convert_to_numpy(t.model(inputs)).astype("float64")
        logs = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
        target = np.take_along_axis(logs, labels[..., None], axis=-1)[..., 0]
        expected.append(-(target * weights).sum() / weights.sum())
        found = model.train_on_batch(inputs)
        assert found == pytest.approx(expected[-1], rel=1e-4)
    assert expected[1] != pytest.approx(expected[0], rel=1e-3)
    assert model.test_on_batch(inputs) < expected[1] * 1.5


def test_fit_from_a_generator_of_several_lengths():
    t = build("bert", "unilm")
    model = t.training_model(chunk=8)
    model.compile(keras.optimizers.SGD(0.1))

    def batches():
        for length in (8, 12, 8, 12):
            yield tuple(batch(t, length=length)[0]), None

    history = model.fit(batches(), steps_per_epoch=4, verbose=0, shuffle=False)
    assert np.isfinite(history.history["loss"][0])


def test_smoothing_is_checked():
    with pytest.raises(ValueError, match="smoothing must be in"):
        build("gpt2").training_model(smoothing=1.0)
