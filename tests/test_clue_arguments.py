"""The command line of CLUE's runner: what it means, and what it refuses."""

import re

import pytest
from clue_helpers import SAMPLES

from examples.clue.arguments import parse
from examples.clue.run import main


def test_arguments():
    args = parse(["--smoke", "--limit=3", "--tasks", "tnews", "tnews"])
    assert (args.limit, args.epochs, args.tasks) == (3, 1, ["tnews"])
    assert args.output == "clue_smoke" and SAMPLES.is_dir()
    assert parse(["--seeds", "1", "1"], only="csl").tasks == ["csl"]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("--epochs=0", "at least 1. Received: '0'"),
        ("--limit=x", "at least 1. Received: 'x'"),
        ("--maxlen=2", "at least 8"),
        ("--seeds=-1", "at least 0"),
        ("--learning-rate=2", "between 0 and 1"),
        ("--devices=x", "at least 1"),
        ("--checkpoint=chinese_bert", "'chinese_bert' is no folder here.*zh-tiny"),
    ],
)
def test_wrong_arguments(given, message, capsys):
    with pytest.raises(SystemExit):
        main([given, "--smoke", "--tasks", "tnews"])
    assert re.search(message, capsys.readouterr().err)


def test_an_error_on_the_command_line_is_one_line(tmp_path, monkeypatch):
    arguments = ["run", f"--data={tmp_path}", f"--output={tmp_path / 'x'}"]
    monkeypatch.setattr("sys.argv", arguments)
    with pytest.raises(SystemExit, match="^error: .*afqmc"):
        main()
