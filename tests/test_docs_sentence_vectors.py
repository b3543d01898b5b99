"""docs/sentence_vectors.md shows code that runs and names that exist."""

import re
from pathlib import Path

import pytest

import bert4keras3.layers
import bert4keras3.losses
import bert4keras3.metrics

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "docs/sentence_vectors.md").read_text("utf-8")
PAIRS, UNCERTAIN = re.findall(r"```python\n(.*?)```", PAGE, re.S)


@pytest.mark.slow
def test_vectors_from_pairs(capsys):
    assert "epochs=10" in PAIRS
    exec(PAIRS.replace("epochs=10", "epochs=1"), {})
    assert "'spearman'" in capsys.readouterr().out


def test_an_uncertain_prediction():
    names = {}
    exec(UNCERTAIN, names)
    assert names["corrected"][2].round(2).tolist() == [0.27, 0.73]


def test_what_the_page_names_exists():
    for name in re.findall(r"`(task_\w+\.py)", PAGE):
        assert (ROOT / "examples" / name).is_file(), name
    for part, name in re.findall(r"`(losses|layers|metrics)\.(\w+)", PAGE):
        if f"keras.{part}.{name}" not in PAGE:
            assert hasattr(getattr(bert4keras3, part), name), name
