"""docs/generation.md shows code that runs, and names what exists."""

import re
from pathlib import Path

import pytest

import bert4keras3.generation

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "docs/generation.md").read_text("utf-8")


@pytest.mark.filterwarnings("ignore:.*not in the checkpoint")  # no pooler
@pytest.mark.slow
def test_the_page_runs(capsys):
    names = {}
    for block in re.findall(r"```python\n(.*?)```", PAGE, re.S):
        exec(block, names)
    printed = capsys.readouterr().out
    assert "[" in printed
    assert names["outputs"][0][0].score < 0


def test_what_the_tables_name_exists():
    named = set(re.findall(r"`([A-Z]\w+)\(", PAGE))
    assert {"Greedy", "Sampling", "BeamSearch"} <= named
    assert named <= set(dir(bert4keras3.generation))
