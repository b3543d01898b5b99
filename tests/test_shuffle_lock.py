"""Two shuffles to one target: the second is refused and touches nothing."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from bert4keras3.pretraining import shuffle, shuffle_corpus, shuffle_lock
from bert4keras3.pretraining.shuffle_command import main

fcntl = pytest.importorskip("fcntl")
ROOT = Path(__file__).resolve().parents[1]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT)}
PART = 20_000


@pytest.fixture
def corpus(tmp_path, monkeypatch):
    monkeypatch.setattr(shuffle, "PART", PART)
    (tmp_path / "source").write_bytes(b"".join(b"%d\n" % i for i in range(20_000)))
    shuffle_corpus(tmp_path / "source", tmp_path / "whole", workers=0)
    return tmp_path


def run(corpus, event, ending):
    """A shuffle in a process that is killed before that operation."""
    script = [sys.executable, ROOT / "tests" / "killed_shuffle.py", event, ending, "1"]
    paths = [str(PART), corpus / "source", corpus / "target"]
    options = {"env": ENVIRONMENT, "capture_output": True, "text": True}
    return subprocess.run([*script, *paths], **options)


def files(folder):
    """Names, sizes and times of all files in it."""
    stats = {path: path.stat() for path in folder.rglob("*")}
    return {path: (stat.st_size, stat.st_mtime_ns) for path, stat in stats.items()}


@pytest.mark.parametrize("options", [{}, {"force": True}, {"seed": 1}])
def test_a_second_run_is_refused_all_the_time(options, corpus):
    paths = corpus / "source", corpus / "target"
    refused = 0

    def second(done, total):
        nonlocal refused
        before = files(corpus)
        with pytest.raises(BlockingIOError, match="another shuffle to .*target is run"):
            shuffle_corpus(*paths, workers=0, memory="20MB", **options)
        assert files(corpus) == before
        refused += 1

    shuffle_corpus(*paths, workers=0, progress=second)
    assert refused > 10  # in both passes
    assert (corpus / "target").read_bytes() == (corpus / "whole").read_bytes()
    assert sorted(os.listdir(corpus)) == ["source", "target", "whole"]


def test_another_process_is_refused(corpus, capsys):
    paths = [str(corpus / "source"), str(corpus / "target")]
    with shuffle_lock.locked(corpus / "target"):
        found = run(corpus, "none", "none")
        assert found.returncode == 1 and "BlockingIOError" in found.stderr
        assert main(["shuffle", *paths]) == 1
    assert "error: another shuffle to" in capsys.readouterr().err
    assert not (corpus / ".target.shuffle").exists()
    assert run(corpus, "none", "none").returncode == 0


def test_a_killed_process_holds_no_lock(corpus):
    source, target = corpus / "source", corpus / "target"
    assert run(corpus, "os.rename", "8-3.cuts").returncode == -9
    assert (corpus / ".target.shuffle.lock").exists()
    assert shuffle_corpus(source, target, workers=0).reused >= 3
    assert sorted(os.listdir(corpus)) == ["source", "target", "whole"]


def test_a_lock_that_was_removed_meanwhile_is_none(tmp_path, monkeypatch):
    """Its holder ends between `open` and `flock`, and a third one may begin."""
    lock, events = tmp_path / ".t.shuffle.lock", []

    def flock(file, how):
        events.append(how)
        if len(events) == 1:
            lock.unlink()
        if len(events) == 2:
            lock.rename(tmp_path / "old")
            lock.touch()

    monkeypatch.setattr(shuffle_lock.fcntl, "flock", flock)
    with shuffle_lock.locked(tmp_path / "t"):
        assert len(events) == 3 and lock.exists()
    assert not lock.exists()


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.EOPNOTSUPP, errno.EIO])
def test_file_systems_without_locks(number, corpus, monkeypatch):
    def flock(file, how):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(shuffle_lock.fcntl, "flock", flock)
    paths = corpus / "source", corpus / "target"
    if number == errno.EIO:
        with pytest.raises(OSError, match=os.strerror(number)):
            shuffle_corpus(*paths, workers=0)
    else:
        assert shuffle_corpus(*paths, workers=0).records == 20_000
        assert sorted(os.listdir(corpus)) == ["source", "target", "whole"]


def test_systems_without_locks(corpus, monkeypatch):
    monkeypatch.setattr(shuffle_lock, "fcntl", None)
    shuffle_corpus(corpus / "source", corpus / "target", workers=0)
    assert sorted(os.listdir(corpus)) == ["source", "target", "whole"]
