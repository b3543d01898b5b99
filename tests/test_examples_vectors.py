"""The examples of sentence vectors run, and grades become classes where they must."""

import numpy as np
import pytest
from test_examples import load


@pytest.mark.slow
@pytest.mark.parametrize("method", ["cosent", "sbert", "interact", "interact_cosent"])
def test_similarity_by_each_method(method, tmp_path, capsys):
    weights = tmp_path / "best.weights.h5"
    main = load("task_sentence_vectors").main
    best = main(["--smoke", f"--method={method}", f"--weights={weights}"])
    assert {"spearman", "accuracy", "f1"} < set(best) and weights.exists()
    assert "best on dev" in capsys.readouterr().out


def test_classes_of_graded_labels():
    """A classifier learns what is above the middle, CoSENT the grades."""
    module = load("task_sentence_vectors")
    data = [("甲", "乙", 5.0), ("丙", "丁", 2.0), ("戊", "己", 3.0)]
    for method, expected in (
        ("sbert", [1, 1, 0, 0, 1, 1]),
        ("cosent", [5, 5, 2, 2, 3, 3]),
        ("interact", [1, 0, 1]),
    ):
        similarity = module.Similarity("zh-tiny", method, 32)
        (ids, _), labels = next(iter(similarity.generator(data, 3)))
        assert labels.tolist() == expected and len(ids) == len(labels)


@pytest.mark.slow
def test_whitening(capsys):
    result = load("task_sentence_whitening").main(["--smoke", "--poolings", "cls"])
    (key, found), *rest = result.items()
    assert key == ("similarity", "cls") and set(found) == {"raw", "all", 8} and not rest
    assert np.isfinite(list(found.values())).all()
    assert "similarity cls: raw" in capsys.readouterr().out
