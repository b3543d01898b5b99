"""The examples of search over texts and of reading comprehension run with --smoke."""

import numpy as np
import pytest
from test_examples import load


@pytest.mark.parametrize(
    "kind", ["mlm", pytest.param("seq2seq", marks=pytest.mark.slow)]
)
def test_reading_comprehension(kind, tmp_path, capsys):
    module = load(f"task_reading_comprehension_by_{kind}")
    module.buckets, module.window, module.stride = (128,), 48, 40
    weights = tmp_path / "best.weights.h5"
    best = module.main(["--smoke", "--batch-size=4", f"--weights={weights}"])
    assert set(best) == {"em", "f1"} and 0 <= best["em"] <= best["f1"] <= 1
    assert weights.exists() and "->" in capsys.readouterr().out


@pytest.mark.slow
def test_questions_and_answers(tmp_path, capsys):
    module = load("task_question_answer_generation_by_seq2seq")
    module.answer_maxlen = module.question_maxlen = 8
    weights = tmp_path / "best.weights.h5"
    best = module.main(["--smoke", "--batch-size=4", f"--weights={weights}"])
    assert set(best) == {"question_f1"}
    assert weights.exists() and "->" in capsys.readouterr().out


def test_copied_pieces_follow_the_passage():
    copied = load("task_reading_comprehension_by_mlm").copied
    ids, end = [4, 5, 4, 6, 5], 3
    logits = np.full((4, 8), -9.0)
    # 7 is not in the passage; 4 5 is there and 4 6, but 6 follows at another place.
    for place, token in enumerate([4, 6, 3, 5]):
        logits[place, token], logits[place, 7] = 2.0, 5.0
    first, last, score = copied(logits, ids, end)
    assert (first, last) == (2, 3)
    assert score == pytest.approx(np.exp(2) / (np.exp(2) + np.exp(5)), rel=1e-3)
    assert copied(logits[:1], ids, end)[:2] == (0, 0)
    assert copied(logits[3:], ids, end)[:2] == (1, 1)
    logits[:, end] = 9.0
    assert copied(logits, ids, end)[:2] == (0, 0)  # never empty


@pytest.mark.slow
def test_text_search(capsys):
    found = load("basic_text_search_via_mlm").main(["--smoke"])
    assert set(found) == {"keywords", "paraphrase", "summary"}
    assert all(word in found["keywords"][0].best for word in ("房间", "干净"))
    assert len(found["summary"][0].best) <= 12
    assert "summary" in capsys.readouterr().out
