"""The list of long tests names tests that exist, and torch runs all of them soon."""

import re
from pathlib import Path

import keras
import pytest
from long_tests import TABLE, in_slow_suite, long_tests

HERE = Path(__file__).parent


@pytest.mark.parametrize("name", sorted(long_tests()))
def test_it_exists(name):
    file, _, test = name.partition("::")
    source = (HERE / file).read_text("utf-8")
    assert re.search(rf"^def {test.partition('[')[0]}\(", source, re.M)
    assert set(long_tests()[name]) <= {"jax", "tensorflow"}


def test_lines_are_sorted_and_different():
    lines = TABLE.read_text("utf-8").splitlines()
    names = [line.split("  ")[0] for line in lines if not line.startswith("#")]
    assert names == sorted(set(names))


def test_the_fast_suite_is_without_them(request):
    if request.config.option.markexpr == "not slow":
        backend = keras.backend.backend()
        chosen = [one for one in request.session.items if in_slow_suite(one, backend)]
        assert not chosen
