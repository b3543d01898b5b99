"""A killed shuffle goes on; others are told apart."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from bert4keras3.pretraining import shuffle, shuffle_corpus, shuffle_workers
from bert4keras3.pretraining.shuffle_command import main

ROOT = Path(__file__).resolve().parents[1]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT)}
PART = 20_000


@pytest.fixture
def corpus(tmp_path, monkeypatch):
    monkeypatch.setattr(shuffle, "PART", PART)
    lines = (b"%d %b\n" % (i, b"w" * (i % 50)) for i in range(4000))
    (tmp_path / "source").write_bytes(b"".join(lines))
    shuffle_corpus(tmp_path / "source", tmp_path / "whole", workers=0)
    return tmp_path


def lines(path):
    return path.read_bytes().splitlines()


def kill(corpus, event, ending, number):
    """Shuffle in a process that is killed before that operation."""
    script = ROOT / "tests" / "killed_shuffle.py"
    paths = (str(corpus / "source"), str(corpus / "target"))
    run = [sys.executable, script, event, ending, str(number), str(PART), *paths]
    done = subprocess.run(run, env=ENVIRONMENT, capture_output=True, text=True)
    assert done.returncode == -9, done.stderr


# Operations of the two passes, and of the end: those, then the least work left over.
FAST = {("os.rename", "8-3.cuts", 1): 3, ("open", ".done", 4): 6 + 3}
SLOW = {
    ("os.rename", "manifest.json", 1): 0,
    ("os.rename", ".target.shuffle", 1): 0,
    ("os.rename", "manifest.json", 2): 0,
    ("open", ".cuts.tmp", 1): 0,
    ("open", "blocks", 1): 6,
    ("open", "output", 3): 6 + 1,
    ("os.rename", "manifest.json", 3): 6 + 8,
    ("os.rename", "target", 1): 6 + 8,
    ("os.remove", ".done", 1): 0,
    ("os.remove", "manifest.json", 1): 0,
}
POINTS = [*FAST, *(pytest.param(*one, marks=pytest.mark.slow) for one in SLOW)]


@pytest.mark.parametrize(("event", "ending", "number"), POINTS)
def test_killed_at_a_point(event, ending, number, corpus):
    kill(corpus, event, ending, number)
    assert (corpus / "target").exists() == (event == "os.remove")
    paths = corpus / "source", corpus / "target"
    report = shuffle_corpus(*paths, memory="20MB", workers=0)  # memory may change
    assert report.reused >= {**FAST, **SLOW}[event, ending, number]
    assert (corpus / "target").read_bytes() == (corpus / "whole").read_bytes()
    assert sorted(os.listdir(corpus)) == ["source", "target", "whole"]


@pytest.mark.slow
def test_killed_before_the_last_operation(corpus):
    kill(corpus, "os.rmdir", ".target.shuffle", 1)
    assert (corpus / "target").read_bytes() == (corpus / "whole").read_bytes()
    with pytest.raises(FileExistsError, match="target exists"):
        shuffle_corpus(corpus / "source", corpus / "target", workers=0)
    assert sorted(os.listdir(corpus)) == ["source", "target", "whole"]


@pytest.mark.slow
def test_a_target_that_is_gone_is_made_again(corpus):
    kill(corpus, "os.remove", "manifest.json", 1)
    (corpus / "target").unlink()
    assert not shuffle_corpus(corpus / "source", corpus / "target", workers=0).reused
    assert (corpus / "target").read_bytes() == (corpus / "whole").read_bytes()


def test_other_settings_do_not_go_on(corpus, capsys):
    kill(corpus, "os.rename", "8-2.cuts", 1)
    source, target = str(corpus / "source"), str(corpus / "target")
    other = {"seed": 7, "unit": "document"}
    with pytest.raises(ValueError, match="seed was 0, now 7; unit was 'line', now"):
        shuffle_corpus(source, target, **other)
    with pytest.raises(ValueError, match="sources were .*source, now .*whole"):
        shuffle_corpus(corpus / "whole", target)
    os.utime(source, (1, 1))
    assert main(["shuffle", source, target]) == 1
    assert f"source {source} has changed" in capsys.readouterr().err


def test_a_dead_worker_is_told(corpus, monkeypatch):
    monkeypatch.setattr(shuffle_workers, "_START", "import sys; sys.exit(3)")
    with pytest.raises(ChildProcessError, match="ended early with status 3"):
        shuffle_corpus(corpus / "source", corpus / "target", workers=1)
    assert (corpus / ".target.shuffle" / "manifest.json").exists()
    pool = [one for one in threading.enumerate() if "PoolExecutor" in one.name]
    assert not any(one.join(5) or one.is_alive() for one in pool)  # none waits on


def test_a_full_disk_is_told(corpus):
    paths = f"{corpus / 'source'} {corpus / 'target'}"
    script = f"{sys.executable} -m bert4keras3 shuffle {paths} --workers 1"
    run = {"shell": True, "env": ENVIRONMENT, "capture_output": True, "text": True}
    found = subprocess.run(f"ulimit -f 20; {script}", **run)
    assert found.returncode == 1 and "File too large" in found.stderr
    assert "give the same command again" in found.stderr
    assert subprocess.run(script, **run).returncode == 0
    assert sorted(lines(corpus / "target")) == sorted(lines(corpus / "source"))


def test_the_command_starts_without_keras(corpus):
    command = [sys.executable, "-X", "importtime", "-m", "bert4keras3", "shuffle"]
    paths = [str(corpus / name) for name in ("source", "whole", "target")]
    environment = {**ENVIRONMENT, "PYTHONPROFILEIMPORTTIME": "1"}  # of workers too
    process = subprocess.run(
        [*command, *paths, "--workers", "1"],
        env=environment,
        capture_output=True,
        text=True,
    )
    assert process.stdout.startswith("8,000 records, "), process.stderr
    loaded = {line.split("|")[-1].strip() for line in process.stderr.splitlines()}
    assert "numpy" in loaded and "bert4keras3.pretraining.shuffle" in loaded
    roots = {name.split(".")[0] for name in loaded}
    assert not roots & {"keras", "jax", "tensorflow", "torch"}
