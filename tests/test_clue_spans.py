"""CLUENER and CMRC 2018 from files to submissions, and what their models are given."""

import json
from types import SimpleNamespace

import keras
import numpy as np
import pytest
from clue_helpers import SAMPLES, read, smoke, task_of, tiny_checkpoint
from gradients import gradients

from examples.clue.cmrc2018 import best_spans, span_crossentropy

__all__ = ["tiny_checkpoint"]


def test_entities(tiny_checkpoint, tmp_path):
    task = task_of("cluener", tiny_checkpoint)
    result, answers = smoke(task, tmp_path / "run")
    assert set(result["scores"]) == {"f1", "precision", "recall"}
    assert result["majority"] == 0
    lines, tests = answers["cluener_predict.json"], read(SAMPLES / "cluener/test.json")
    assert [one["id"] for one in lines] == [one["id"] for one in tests]


def test_answers(tiny_checkpoint, tmp_path):
    task = task_of("cmrc2018", tiny_checkpoint, maxlen=48, limit=6, batch_size=16)
    result, answers = smoke(task, tmp_path / "run")
    assert set(result["scores"]) == {"em", "f1"}
    tests = task.read(SAMPLES / "cmrc2018" / "test.json", labelled=False)
    found = answers["cmrc2018_predict.json"]
    assert list(found) == [one.id for one in tests]
    assert all(found[one.id] in one.passage and found[one.id] for one in tests)


def knowing(batches, heads, is_label):
    """A model whose scores are 5 at the labels of `batches` and -5 elsewhere."""
    known = {}
    for inputs, labels in batches:
        for ids, label in zip(inputs[0], labels, strict=True):
            known[tuple(ids[ids > 0].tolist())] = label

    def predict(inputs):
        size = inputs[0].shape[1]
        scores = np.full((len(inputs[0]), heads, size, size), -5.0)
        for row, ids in zip(scores, inputs[0], strict=True):
            for head, places in enumerate(is_label(known[tuple(ids[ids > 0])])):
                for i, j in places:
                    row[head, i, j] = 5.0
        return scores

    return SimpleNamespace(predict_on_batch=predict)


def test_labels_read_back_are_the_entities():
    task = task_of("cluener", "zh-tiny", maxlen=64)
    samples = task.split("dev")
    features = task.encode(samples)
    model = knowing(task.batches(features, 0), 10, lambda label: label)
    found = task.predict(model, features)
    assert task.score(samples, found)["f1"] == 1
    lines = task.answers(samples, found)
    labels = [one["label"] for one in read(SAMPLES / "cluener" / "dev.json")]
    assert [one["label"] for one in lines] == labels


def test_windows_read_back_are_the_answers():
    task = task_of("cmrc2018", "zh-tiny", maxlen=64)
    samples = task.split("dev")
    features = task.encode(samples)
    assert len(features.windows) > 2 * len(samples)
    assert all(len(ids) <= 64 for ids, _, _ in features.inputs)
    model = knowing(task.batches(features, 0), 1, lambda label: [[label]])
    found = task.predict(model, features)
    assert task.score(samples, found) == {"em": 1, "f1": 1}
    assert task.answers(samples, found) == {
        one.id: one.answers[0].text for one in samples
    }


def test_the_best_span_is_never_none():
    scores = np.random.default_rng(0).normal(size=(5, 1, 7, 7)).astype("float32")
    scores[:, 0, 0, 0] = 9
    for row, (odds, i, j) in zip(
        scores[:, 0], best_spans(scores, range(5)), strict=True
    ):
        assert i > 0 and row[i, j] == row[1:].max()
        assert odds == pytest.approx(row[i, j] - 9)


def test_masked_spans_have_no_part_in_the_loss():
    scores = np.random.default_rng(1).normal(size=(2, 1, 4, 4)).astype("float32")
    hidden = np.tri(4, k=-1, dtype=bool) | (np.arange(4) == 3)
    masked = np.where(hidden, -np.inf, scores)
    places = np.array([[0, 0], [1, 2]], "int32")
    shown = np.exp(scores[:, 0][:, ~hidden]).sum(-1)
    expected = np.log(shown) - scores[[0, 1], 0, places[:, 0], places[:, 1]]
    loss = keras.ops.convert_to_numpy(span_crossentropy(places, masked))
    assert loss == pytest.approx(expected, rel=1e-5)
    x = keras.Input((16,))
    z = keras.layers.Dense(16, use_bias=False)(x)
    z = keras.ops.reshape(z, (-1, 1, 4, 4))
    model = keras.Model(x, keras.ops.where(hidden[None, None], float("-inf"), z))
    (found,) = gradients(
        model,
        lambda outputs: keras.ops.sum(span_crossentropy(places, outputs)),
        scores.reshape(2, 16),
    )
    assert np.isfinite(found).all() and np.abs(found).max() > 0
    assert not found[:, hidden.ravel()].any()


def test_questions_without_answers_are_told(tmp_path):
    task = task_of("cmrc2018", "zh-tiny")
    path = SAMPLES / "cmrc2018" / "test.json"
    with pytest.raises(ValueError, match="test.json: question '.*' has no answers"):
        task.read(path)
    content = json.loads(path.read_text("utf-8"))
    content["data"][0]["paragraphs"][0]["context"] = " "
    (tmp_path / "test.json").write_text(json.dumps(content), "utf-8")
    with pytest.raises(ValueError, match="has no passage"):
        task.read(tmp_path / "test.json", labelled=False)
