"""P-tuning: nothing but the rows of the prompt's tokens is trained."""

import numpy as np
import pytest
from gradients import gradients
from keras import ops
from tiny_models import batch, build

from bert4keras3.models import cloze_model, masked_training_model
from bert4keras3.models.adapters import variables_of

IDS = [7, 3, 11]
ROWS = "Embedding-Token/prompt_rows"
TABLE = "Embedding-Token/embeddings"


def model(seed=0):
    return build("bert", with_mlm="linear", seed=seed, num_hidden_layers=1)


def inputs():
    ids, segments = batch()
    ids[:, 1:4] = IDS
    ids[0, 6] = IDS[0]
    return [ids, segments]


def out(t):
    return ops.convert_to_numpy(t.model(inputs()))


def values(t):
    return {n: ops.convert_to_numpy(v) for n, v in variables_of(t).items()}


def test_gradient_is_that_of_the_table():
    """Lookups and the tied output projection both count."""

    def loss(y):
        return ops.sum(ops.square(y[..., :20])) + ops.logsumexp(y)

    t = model()
    expected = dict(
        zip(
            [v.path for v in t.model.trainable_variables],
            gradients(t.model, loss, inputs()),
            strict=True,
        )
    )[TABLE][IDS]
    before = out(t)
    t.enable_prompt(IDS)
    np.testing.assert_array_equal(out(t), before)
    assert [v.path for v in t.model.trainable_variables] == [ROWS]
    (found,) = gradients(t.model, loss, inputs())
    scale = np.abs(expected).max()
    np.testing.assert_allclose(found / scale, expected / scale, atol=2e-6)


def test_five_steps_change_those_rows_alone():
    t = model()
    table = values(t)[TABLE]
    t.enable_prompt(IDS)
    trainer = masked_training_model(t, chunk=8)
    trainer.compile("sgd")
    trainer.optimizer.learning_rate = 0.05
    ids, segments = inputs()
    weights = np.zeros(ids.shape, "float32")
    weights[:, 2:5] = 1
    before = values(t)
    for _ in range(5):
        trainer.train_on_batch([ids, segments, ids[:, ::-1], weights])
    after = values(t)
    changed = {name for name in before if (before[name] != after[name]).any()}
    assert changed == {ROWS}
    expected = out(t)
    t.merge_prompt()
    np.testing.assert_allclose(out(t), expected, atol=1e-5)
    rows = np.flatnonzero((values(t)[TABLE] != table).any(axis=1))
    assert set(rows) == set(IDS)
    assert ROWS not in variables_of(t)


def test_files(tmp_path):
    t = model()
    t.enable_prompt(IDS, train="^MLM-Bias")
    t.model.get_layer("Embedding-Token").prompt_rows.assign(np.ones((3, 16)))
    path = t.save_adapter(tmp_path / "a.safetensors")
    again = model()
    again.load_adapter(path)
    np.testing.assert_array_equal(out(again), out(t))
    trained = {n for n, v in variables_of(again).items() if v.trainable}
    assert trained == {ROWS, "MLM-Bias/beta"}
    t.model.save_weights(tmp_path / "a.weights.h5")
    for other in (model(3), again):
        other.model.load_weights(tmp_path / "a.weights.h5")
        np.testing.assert_allclose(out(other), out(t), atol=1e-6)
    t.save(tmp_path / "m")
    other = model(3)
    other.load(tmp_path / "m")
    np.testing.assert_allclose(out(other), out(t), atol=1e-6)
    again.load(tmp_path / "m")  # the rows start from the table that was loaded
    np.testing.assert_allclose(out(again), out(t), atol=1e-6)
    np.testing.assert_array_equal(values(again)[ROWS], values(again)[TABLE][IDS])


def test_with_lora():
    t = model()
    t.enable_prompt(IDS)
    t.enable_lora(2)
    kinds = {n.split("/")[-1] for n, v in variables_of(t).items() if v.trainable}
    assert kinds == {"prompt_rows", "lora_kernel_a", "lora_kernel_b"}
    t.merge_lora()
    assert [n for n, v in variables_of(t).items() if v.trainable] == [ROWS]
    t.merge_prompt()
    assert all(v.trainable for v in variables_of(t).values())


@pytest.mark.parametrize("ids", [[], [3, 3], [50], [-1], [2.0]])
def test_wrong_ids(ids):
    t = model()
    with pytest.raises(ValueError, match="distinct ids"):
        t.enable_prompt(ids)
    assert all(v.trainable for v in variables_of(t).values())


def test_mistakes():
    t = model()
    with pytest.raises(ValueError, match="no trained prompt tokens"):
        t.merge_prompt()
    t.enable_prompt(IDS)
    with pytest.raises(ValueError, match="merge_prompt"):
        t.enable_prompt([4])


def test_words_in_the_place_of_masks():
    """The classifier equals the product of the full softmax's probabilities."""
    t = model()
    ids, segments = inputs()
    ids[:, 2] = ids[:, 4] = 9
    words = np.array([[20, 30], [21, 31], [20, 33]])
    found = ops.convert_to_numpy(cloze_model(t, words, 9)([ids, segments]))
    logits = ops.convert_to_numpy(t.model([ids, segments])).astype("float64")
    scores = logits[:, 2][:, words[:, 0]] + logits[:, 4][:, words[:, 1]]
    expected = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(found, expected, atol=1e-5)
    for wrong in ([20, 30], [[20, 50]]):
        with pytest.raises(ValueError, match="words must be"):
            cloze_model(t, wrong, 9)
    with pytest.raises(ValueError, match="with_mlm"):
        cloze_model(build("bert"), words, 9)
