"""CLUE's scores equal those of scikit-learn, seqeval and CMRC's rule, at random."""

import random

import pytest
from clue_helpers import task_of

from bert4keras3.extraction import Answer, Entity, Question
from examples.clue.classification import Sample
from examples.clue.cluener import TYPES
from examples.clue.cluener import Sample as Entities


@pytest.mark.parametrize("name", ["tnews", "cmnli", "wsc"])
def test_accuracy_is_that_of_scikit_learn(name):
    metrics = pytest.importorskip("sklearn.metrics")
    task, rng = task_of(name, "zh-tiny"), random.Random(0)
    for count in (1, 7, 500):
        gold, found = (
            [rng.randrange(len(task.labels)) for _ in range(count)] for _ in range(2)
        )
        samples = [Sample(i, ("",), label) for i, label in enumerate(gold)]
        expected = metrics.accuracy_score(gold, found)
        assert task.score(samples, found) == {"accuracy": pytest.approx(expected)}


def random_entities(rng, size, types):
    """Entities of a text of `size` characters that do not overlap, in order."""
    place, found = 0, []
    while (place := place + rng.randrange(4)) < size:
        end = min(place + rng.randint(1, 3), size)
        found.append(Entity(place, end, rng.choice(types)))
        place = end
    return found


def tags(entities, size):
    row = ["O"] * size
    for start, end, label in entities:
        row[start:end] = [f"B-{label}"] + [f"I-{label}"] * (end - start - 1)
    return row


def test_entities_score_as_in_seqeval():
    metrics = pytest.importorskip("seqeval.metrics")
    task, rng = task_of("cluener", "zh-tiny"), random.Random(1)
    for types in (TYPES.names[:2], TYPES.names):
        gold, found = (
            [random_entities(rng, 12, types) for _ in range(200)] for _ in range(2)
        )
        found[0], gold[1] = [], []
        rows = [[tags(one, 12) for one in side] for side in (gold, found)]
        samples = [Entities(i, "字" * 12, one) for i, one in enumerate(gold)]
        scores = task.score(samples, found)
        assert 0 < scores["f1"] < 1
        for name in ("f1", "precision", "recall"):
            expected = getattr(metrics, f"{name}_score")(*rows)
            assert scores[name] == pytest.approx(expected)


IGNORED = "-:_*^/\\~`+=，。：？！“”；’《》·、「」（）－～『』"


def pieces(text):
    """Chinese characters one by one and words of other letters, as CMRC counts them."""
    found, word = [], ""
    for char in text.lower().strip() + "。":
        is_chinese = "\u4e00" <= char <= "\u9fa5"
        if (is_chinese or char == "。" or char.isspace()) and word:
            found, word = found + [word], ""
        if is_chinese:
            found.append(char)
        elif char not in IGNORED and not char.isspace():
            word += char
    return found


def rule(found, truths):
    """(EM, F1) of one answer, from the definition: every pair of starts is tried."""
    exact, best = 0, 0.0
    plain = [
        "".join(c for c in one.lower().strip() if c not in IGNORED)
        for one in (found, *truths)
    ]
    for truth, text in zip(truths, plain[1:], strict=True):
        exact = max(exact, int(plain[0] == text))
        a, b, common = pieces(found), pieces(truth), 0
        for i in range(len(a)):
            for j in range(len(b)):
                run = 0
                while (
                    i + run < len(a) and j + run < len(b) and a[i + run] == b[j + run]
                ):
                    run += 1
                common = max(common, run)
        if common:
            precision, recall = common / len(a), common / len(b)
            best = max(best, 2 * precision * recall / (precision + recall))
    return exact, best


def test_answers_score_by_the_rule_of_cmrc():
    task, rng = task_of("cmrc2018", "zh-tiny"), random.Random(2)
    parts = ["东", "西", "南", "，", "《", "》", "Ab", "19", "3.5", "、", "(", "-", " "]

    def text():
        drawn = rng.choices(parts, k=rng.randint(1, 6))
        return "中".join(drawn)  # words and numbers never touch

    questions, found, expected = [], [], []
    for i in range(300):
        truths = [text() for _ in range(rng.randint(1, 3))]
        answer = rng.choice([text(), text(), rng.choice(truths) + rng.choice("，。 ")])
        answers = tuple(Answer(one, 0) for one in truths)
        questions.append(Question(str(i), "?", "passage", answers))
        found.append(answer)
        expected.append(rule(answer, truths))
    scores = task.score(questions, found)
    assert 0.1 < scores["em"] < scores["f1"] < 0.9
    assert scores["em"] == pytest.approx(sum(em for em, _ in expected) / 300)
    assert scores["f1"] == pytest.approx(sum(f1 for _, f1 in expected) / 300)
