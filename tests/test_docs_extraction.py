"""docs/extraction.md shows code that runs, and the picture that it draws."""

import re
from pathlib import Path

import pytest

import bert4keras3.extraction
import bert4keras3.layers
import bert4keras3.losses
import bert4keras3.metrics

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "docs/extraction.md").read_text("utf-8")
POINTER, CRF, LABELS, DRAWING, _ = re.findall(r"```python\n(.*?)```", PAGE, re.S)


@pytest.mark.slow
def test_both_heads_from_texts_to_entities():
    names = {}
    for block in (POINTER, CRF):
        assert "epochs=30" in block
        exec(block.replace("epochs=30", "epochs=1"), names)  # seconds, not a minute
    for found in (names["found"], names["again"]):
        assert len(found) == 2
        assert all(isinstance(one, names["Entity"]) for row in found for one in row)


def test_labels():
    names = {}
    exec(LABELS, names)
    assert names["labels"].shape[::3] == (1, 2)
    assert [tuple(span) for span in names["spans"][0]] == [("PER", 1, 2), ("LOC", 5, 6)]


def test_the_picture_is_what_the_page_draws():
    names = {}
    exec(DRAWING, names)
    picture = (ROOT / "docs/images/gplinker.svg").read_text("utf-8")
    assert names["svg"] == picture and picture.count("曹") > 4


def test_what_the_tables_name_exists():
    for name in re.findall(r"`(task_\w+\.py)", PAGE):
        assert (ROOT / "examples" / name).is_file(), name
    parts = ("extraction", "layers", "losses", "metrics")
    known = {name for part in parts for name in dir(getattr(bert4keras3, part))}
    tables = "\n".join(line for line in PAGE.split("\n") if line.startswith("|"))
    named = set(re.findall(r"`([a-zA-Z]\w+)`", tables))
    assert len(named) > 25
    assert named - known <= {"History", "Dense"}
