"""C3 and ChID: options with their contexts, their scores, and who gets which idiom."""

import sys

import numpy as np
import pytest
from clue_helpers import smoke, task_of, tiny_checkpoint
from keras import ops

from bert4keras3.snippets import GroupedGenerator
from examples.clue.choices import Question, choice_loss
from examples.clue.submission import check_submission

__all__ = ["tiny_checkpoint"]


@pytest.mark.parametrize("name", ["c3", "chid"])
def test_smoke(name, tiny_checkpoint, tmp_path):
    task = task_of(name, tiny_checkpoint)
    result, answers = smoke(task, tmp_path)
    assert result["samples"]["train"] == 12
    assert set(answers) == {f"{name}10_predict.json", f"{name}11_predict.json"}
    for path, submission in task.test_files().items():
        assert check_submission(name, path, tmp_path / submission) > 2


def test_all_texts_of_a_sample_are_neighbours():
    data = [([([i] * (i + 1),), ([9],), ([8, 8],)], i) for i in range(1, 6)]
    batches = list(GroupedGenerator(data, 2, buckets=(4, 8), seed=0))
    assert [len(labels) for _, labels in batches] == [6, 6, 3]
    (ids,), labels = batches[0]
    assert labels.tolist() == [1, 1, 1, 2, 2, 2] and ids.shape == (6, 4)
    assert ids[3].tolist() == [2, 2, 2, 0] and ids[4:, 0].tolist() == [9, 8]
    stream, seen = GroupedGenerator(data, 1, buckets=(4, 8), seed=0).forfit(), set()
    for _ in range(5):
        (ids,), labels = next(stream)
        assert ids.shape == (3, 4 if labels[0] < 4 else 8)
        seen.add(int(labels[0]))
    assert seen == {1, 2, 3, 4, 5}


def test_loss_leaves_out_what_is_no_option():
    scores = np.array([1.0, 2.0, 0.5, -1.0, 0.3, 7.0], "float32")[:, None]
    labels = np.repeat([[0.0, 1, 0], [1, 0, -1]], 3, axis=0).astype("float32")
    found = ops.convert_to_numpy(choice_loss(labels, ops.convert_to_tensor(scores)))
    first = -np.log(np.exp(2.0) / np.exp([1.0, 2.0, 0.5]).sum())
    second = -np.log(np.exp(-1.0) / np.exp([-1.0, 0.3]).sum())
    np.testing.assert_allclose(found, [first, second], atol=1e-5)


def test_options_are_scored_alone_and_come_back_in_order(tiny_checkpoint):
    task = task_of("c3", tiny_checkpoint)

    class Sum:
        def predict_on_batch(self, inputs):
            return inputs[0].sum(axis=1, keepdims=True) / 1000

    samples = task.split("dev")[-12:]
    features = task.encode(samples)
    assert {len(texts) for texts, _ in features} == {2, 3, 4}
    for (texts, _), found in zip(features, task.predict(Sum(), features), strict=True):
        expected = np.array([sum(ids) / 1000 for ids, _ in texts])
        expected -= np.log(np.exp(expected).sum())
        np.testing.assert_allclose(found, expected, atol=1e-3)
    batch, labels = next(iter(task.batches(features, 0)))
    assert batch[0].shape[0] == labels.shape[0] == 24 and labels.shape[1] == 4
    missing = np.diagonal(labels.reshape(6, 4, 4), axis1=1, axis2=2).ravel() < 0
    assert ((batch[0] == 0).all(axis=1) == missing).all() and missing.any()


def test_passage_gives_way_first(tiny_checkpoint):
    task = task_of("c3", tiny_checkpoint)
    samples = [Question(0, ("天" * 50, "问" * 9), ("答" * 5, "好"), 1)]
    samples.append(Question(1, ("天" * 50, "问" * 40), ("答" * 40,), 0))
    (((ids, _), (other, _)), _), (((last, _),), _) = task.encode(samples)
    text = task.tokenizer.ids_to_tokens(ids)
    assert "".join(text) == f"[CLS]{'天' * 14}[SEP]{'问' * 9}[SEP]{'答' * 5}[SEP]"
    assert task.tokenizer.ids_to_tokens(other).count("天") == 18
    assert len(ids) == len(other) == len(last) == 32
    assert task.tokenizer.ids_to_tokens(last).count("答") == 14


def test_blank_asked_for_is_one_mask(tiny_checkpoint):
    task = task_of("chid", tiny_checkpoint)
    pieces = ("上" * 30, "#idiom1#", "中", "#idiom2#", "下" * 3)
    rows = []
    for place in (1, 3):
        (((ids, segments),), _) = task.encode(
            [Question("x", (1, pieces, place), ("一心一意",), 0)]
        )[0]
        assert len(ids) == len(segments) == 32 and not any(segments)
        rows.append("".join(task.tokenizer.ids_to_tokens(ids)).replace("[MASK]", "_"))
    start = "[CLS]一心一意[SEP]"
    assert rows[0] == f"{start}{'上' * 16}_中____下下下[SEP]"
    assert rows[1] == f"{start}{'上' * 16}____中_下下下[SEP]"


def test_no_idiom_twice_in_a_line(tiny_checkpoint, monkeypatch):
    task = task_of("chid", tiny_checkpoint)
    blank = [
        Question(f"#idiom{i}#", (i // 2, (), 1), ("a", "b"), i % 2) for i in (0, 1, 2)
    ]
    logs = np.log([[0.6, 0.4], [0.9, 0.1], [0.8, 0.2]])
    assert task.choose(blank, logs) == [1, 0, 0]
    assert task.score(blank, logs) == {"accuracy": 1 / 3, "independent": 2 / 3}
    assert task.answers(blank, logs) == {"#idiom0#": 1, "#idiom1#": 0, "#idiom2#": 0}
    monkeypatch.setitem(sys.modules, "scipy.optimize", None)
    with pytest.raises(ImportError, match=r"pip install .*bert4keras3\[clue\]"):
        task.choose(blank, logs)


def test_majority_is_the_most_frequent_number(tiny_checkpoint):
    task = task_of("c3", tiny_checkpoint)
    train = [Question(i, (), ("a",) * 4, label) for i, label in enumerate([3, 3, 1])]
    dev = [Question(0, (), ("a",) * n, 0) for n in (4, 3)]
    assert task.choose(dev, task.majority(train, dev)) == [3, 1]
