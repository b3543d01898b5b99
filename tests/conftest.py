"""One backend per process (KERAS_BACKEND, jax when unset); every test is seeded."""

import os

import numpy as np
import pytest

os.environ.setdefault("KERAS_BACKEND", "jax")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


def pytest_report_header(config):
    return f"keras backend: {os.environ['KERAS_BACKEND']}"


@pytest.fixture(autouse=True)
def seeded():
    np.random.seed(0)
