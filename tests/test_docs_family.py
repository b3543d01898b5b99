"""docs/add-a-family.md shows the code that there is."""

import re
from dataclasses import fields
from pathlib import Path

import pytest

from bert4keras3.models import Transformer, registry
from bert4keras3.models.context import Context

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "docs/add-a-family.md").read_text("utf-8")
MODELS = ROOT / "bert4keras3/models"
CODE = {
    name: (MODELS / name).read_text("utf-8")
    for name in ("families/ernie.py", "registry.py")
}
*BLOCKS, OUTSIDE = re.findall(r"```python\n(.*?)```", PAGE, re.S)


@pytest.mark.parametrize("number", range(len(BLOCKS)))
def test_the_page_quotes_the_code(number):
    assert any(BLOCKS[number] in text for text in CODE.values())


def test_the_example_is_as_short_as_the_page_says():
    assert len(BLOCKS) == 8
    assert len(CODE["families/ernie.py"].splitlines()) <= 60
    assert registry.find("ernie").__name__ == "ERNIE"


def test_files_and_attributes_of_the_page_exist():
    files = re.findall(r"`((?:bert4keras3|tests|models)/[\w/]+\.py)`", PAGE)
    assert len(files) >= 8
    for name in files:
        assert (ROOT / name).is_file() or (ROOT / "bert4keras3" / name).is_file()
    declared = re.search(r"Other declarations: (.*?)\.\n", PAGE, re.S).group(1)
    hooks = re.search(r"The other hooks, .*?: (.*?)\. Two", PAGE, re.S).group(1)
    for text in (declared, hooks):
        names = re.findall(r"`(\w+)(?: = [^`]*)?`", text)
        assert len(names) > 7
        assert [name for name in names if not hasattr(Transformer, name)] == []


def test_the_page_knows_every_field_of_the_context():
    paragraph = PAGE[PAGE.index("The `Context` (") :].split("\n\n")[0]
    named = set(re.findall(r"`(\w+)`", paragraph))
    assert {one.name for one in fields(Context)} <= named
    assert {"attend", "attend_memory"} <= named


def test_a_family_from_outside_is_registered_as_shown(monkeypatch):
    monkeypatch.setattr(registry, "FAMILIES", dict(registry.FAMILIES))
    exec(compile(OUTSIDE, "docs/add-a-family.md", "exec"), {})
    assert registry.FAMILIES["my-bert"] == "my_package.my_bert:MyBERT"
    with pytest.raises(ModuleNotFoundError, match="my_package"):
        registry.find("my-bert")
