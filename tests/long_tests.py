"""Tests that are in the slow suite of some backends: long_tests.txt lists them."""

import functools
from pathlib import Path

TABLE = Path(__file__).with_name("long_tests.txt")


@functools.cache
def long_tests():
    """{"<file>::<test>" with or without [parameters]: backends}."""
    found = {}
    for line in TABLE.read_text("utf-8").splitlines():
        if line and not line.startswith("#"):
            name, backends = line.rsplit("  ", 1)
            found[name.strip()] = backends.split(",")
    return found


def in_slow_suite(item, backend):
    """Whether a test that pytest has found is in the slow suite of a backend."""
    test = getattr(item, "originalname", item.name)
    names = {f"{item.path.name}::{name}" for name in (test, item.name)}
    return any(backend in long_tests().get(name, ()) for name in names)
