"""Scripts of bert4keras run after a find-and-replace of its name."""

import numpy as np
import pytest
from legacy_world import FOLDER, build_world, run_script


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return build_world(tmp_path_factory.mktemp("world"))


@pytest.fixture(autouse=True)
def here(world, monkeypatch):
    monkeypatch.chdir(world)


@pytest.mark.parametrize("name", sorted(p.stem for p in FOLDER.glob("*.py")))
def test_x(name):
    r = run_script(name)
    print(r.warned)
