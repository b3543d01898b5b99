"""The command `bert4keras3 shuffle`: where it starts, Ctrl-C, and what it tells."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bert4keras3.pretraining import shuffle_command, shuffle_corpus
from bert4keras3.pretraining.shuffle_command import main
from bert4keras3.pretraining.shuffle_workers import Workers

ROOT = Path(__file__).resolve().parents[1]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT)}
HINT = "to go on, give the same command again\n"


def test_workers_import_nothing_of_the_current_folder(tmp_path, monkeypatch):
    (tmp_path / "source").write_bytes(b"one\ntwo\n")
    for name in ("runpy", "queue", "json", "signal", "enum", "numpy", "threading"):
        (tmp_path / f"{name}.py").write_text("raise ImportError('of the folder')")
    monkeypatch.chdir(tmp_path)
    assert shuffle_corpus("source", "target", workers=1).records == 2
    assert sorted((tmp_path / "target").read_bytes().split()) == [b"one", b"two"]


@pytest.mark.skipif(os.name != "posix", reason="process groups")
@pytest.mark.parametrize("workers", ["0", "2"])
def test_control_c(workers, tmp_path):
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(b"".join(b"%d\n" % i for i in range(1_500_000)))
    command = [sys.executable, "-m", "bert4keras3", "shuffle", source, target]
    options = {"env": ENVIRONMENT, "stderr": subprocess.PIPE, "text": True}
    process = subprocess.Popen(
        [*command, "--workers", workers], **options, start_new_session=True
    )
    while not list(tmp_path.glob(".target.shuffle/*.tmp")):  # pass 1 is at work
        time.sleep(0.01)
        assert process.poll() is None
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does
    assert process.communicate()[1] == f"interrupted: {HINT}"
    assert process.returncode == 130
    subprocess.run(command, env=ENVIRONMENT, check=True)
    assert sorted(os.listdir(tmp_path)) == ["source", "target"]


@pytest.mark.skipif(os.name != "posix", reason="sessions")
def test_workers_are_ended_by_the_command_alone(tmp_path):
    job = {"do": "gather", "folder": str(tmp_path), "buckets": 1, "bucket": 0}
    for name in ("blocks", "cuts", "output"):
        (tmp_path / name).touch()
    with Workers(1) as pool:
        pid = pool._processes[0].pid
        assert os.getsid(pid) != os.getsid(0)
        for _ in range(2):
            assert list(pool.run([job | {"offset": 0}]))
            os.kill(pid, signal.SIGINT)


ERRORS = {
    KeyboardInterrupt(): f"interrupted: {HINT}",
    OSError("disk full"): f"{HINT}error: disk full\n",
    ChildProcessError("died"): f"{HINT}error: died\n",
    FileExistsError("t exists"): "error: t exists\n",
    BlockingIOError("another"): "error: another\n",
    FileNotFoundError("no source"): "error: no source\n",
    ValueError("other settings"): "error: other settings\n",
}


@pytest.mark.parametrize("error", ERRORS, ids=repr)
def test_the_hint_is_given_where_it_holds(error, tmp_path, monkeypatch, capsys):
    def fail(**options):
        raise error

    monkeypatch.setattr(shuffle_command, "shuffle_corpus", fail)
    status = 130 if isinstance(error, KeyboardInterrupt) else 1
    folder = tmp_path / ".target.shuffle"
    folder.mkdir()  # with no manifest: there is nothing to go on with
    assert main(["shuffle", "source", str(tmp_path / "target")]) == status
    alone = ERRORS[error].replace(HINT, "").replace("interrupted: ", "interrupted\n")
    assert capsys.readouterr().err == alone
    (folder / "manifest.json").touch()
    assert main(["shuffle", "source", str(tmp_path / "target")]) == status
    assert capsys.readouterr().err == ERRORS[error]


def test_an_unfinished_shuffle_whose_target_exists(tmp_path, capsys):
    """The same command cannot go on: it tells about --force alone."""
    (tmp_path / "source").write_bytes(b"one\n")
    (tmp_path / "target").touch()
    paths = [str(tmp_path / "source"), str(tmp_path / "target")]
    assert main(["shuffle", *paths, "--workers", "0"]) == 1
    told = capsys.readouterr().err
    assert told.startswith("error: ") and "--force" in told and HINT not in told
