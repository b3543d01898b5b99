"""One backend per process (KERAS_BACKEND, jax when unset); every test is seeded."""

import os

import numpy as np
import pytest
from long_tests import in_slow_suite

os.environ.setdefault("KERAS_BACKEND", "jax")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


def pytest_report_header(config):
    return f"keras backend: {os.environ['KERAS_BACKEND']}"


@pytest.hookimpl(tryfirst=True)  # before pytest chooses by the marks
def pytest_collection_modifyitems(items):
    for item in items:
        if in_slow_suite(item, os.environ["KERAS_BACKEND"]):
            item.add_marker(pytest.mark.slow)


@pytest.fixture(autouse=True)
def seeded():
    np.random.seed(0)
