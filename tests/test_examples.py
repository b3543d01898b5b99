"""Every example runs, in seconds, with --smoke."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[1]
EXAMPLES = ROOT / "examples"


def load(name):
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", ["task_sentiment", "task_sentence_similarity"])
def test_classification(name, tmp_path):
    weights = tmp_path / "best.weights.h5"
    best = load(name).main(["--smoke", "--weights", str(weights)])
    assert 0.3 < best <= 1 and weights.exists()


def test_features_survive_saving():
    vectors, again = load("basic_extract_features").main(["--smoke"])
    assert vectors.shape[:2] == (1, 6)  # [CLS] 语 言 模 型 [SEP]
    np.testing.assert_allclose(vectors, again, rtol=1e-5, atol=1e-5)


def test_masked_language_model():
    filled = load("basic_masked_language_model").main(
        ["--smoke", "--data", "房间很干净，服务很好。", "--positions", "5"]
    )
    assert len(filled) == 1


def test_quickstart_as_a_user_runs_it(tmp_path):
    """Its own process, from elsewhere, with sentences on the command line."""
    run = subprocess.run(
        [sys.executable, EXAMPLES / "quickstart.py", "--smoke", "房间很干净", ""],
        cwd=tmp_path,
        env={
            **os.environ,
            "KERAS_BACKEND": keras.config.backend(),
            "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path]),
            "PYTHONIOENCODING": "utf-8",
        },
        capture_output=True,
        encoding="utf-8",
    )
    assert run.returncode == 0, run.stderr
    assert "largest difference" in run.stdout and "房间很干净" in run.stdout
    assert list(tmp_path.iterdir()) == []
