"""A shuffle with workers that is killed again and again."""

import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bert4keras3.pretraining import shuffle, shuffle_corpus

ROOT = Path(__file__).resolve().parents[1]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT)}


def steps(folder):
    """How many parts and buckets are done."""
    return len([*folder.glob("*-*.cuts"), *folder.glob("*.done")])


@pytest.mark.slow
def test_killed_at_ten_moments(tmp_path, monkeypatch):
    """Each run does a step or more before it is killed; the last reuses all."""
    part, source, target = 1 << 18, tmp_path / "source", tmp_path / "target"
    monkeypatch.setattr(shuffle, "PART", part)
    source.write_bytes(b"".join(b"%d some text\n" % i for i in range(2_000_000)))
    shuffle_corpus(source, tmp_path / "whole", workers=0)
    script = [sys.executable, ROOT / "tests" / "killed_shuffle.py", "", "", "0"]
    command = [*script, str(part), source, target, "2"]
    folder, done = tmp_path / ".target.shuffle", 0
    for _ in range(10):
        process = subprocess.Popen(command, env=ENVIRONMENT)
        while process.poll() is None and steps(folder) <= done:
            time.sleep(0.001)
        time.sleep(random.uniform(0, 0.02))
        process.kill()
        assert process.wait() == -9
        assert steps(folder) > done
        done = steps(folder)
    last = subprocess.run(command, env=ENVIRONMENT, stdout=subprocess.PIPE, check=True)
    assert int(last.stdout) >= done >= 10
    assert target.read_bytes() == (tmp_path / "whole").read_bytes()
    assert sorted(os.listdir(tmp_path)) == ["source", "target", "whole"]
