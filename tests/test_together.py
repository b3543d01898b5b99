"""What several processes do together succeeds or fails in all of them."""

import numpy as np
import pytest
from pretended import in_processes

from bert4keras3.backend.sharding import by_first, from_all, together
from bert4keras3.checkpoints.errors import CheckpointError
from bert4keras3.training.saves import newest_save, write_save


def failing(error, where):
    def run(number):
        def function():
            if number == where:
                raise error
            return number

        return together(function)

    return run


@pytest.mark.parametrize(
    "error, kind",
    [
        (CheckpointError("damaged"), CheckpointError),
        (FileNotFoundError("gone"), FileNotFoundError),
        (UnicodeDecodeError("utf8", b"a", 0, 1, "bad"), RuntimeError),
        (ZeroDivisionError("by 0"), RuntimeError),
    ],
)
def test_a_failure_of_one_is_one_of_all(error, kind, monkeypatch):
    found = in_processes(monkeypatch, 3, failing(error, 1))
    for number in (0, 2):
        assert type(found[number]) is kind
        assert str(error) in str(found[number])
        assert "in process 1" in str(found[number])
    assert found[1] is error


def test_without_failures(monkeypatch):
    assert in_processes(monkeypatch, 2, failing(None, 5)) == [0, 1]
    found = in_processes(monkeypatch, 2, lambda number: by_first(lambda: number + 7))
    assert found == [7, None]
    assert in_processes(monkeypatch, 2, from_all) == [[0, 1]] * 2
    assert (together(lambda: 3), by_first(lambda: 4), from_all(5)) == (3, 4, [5])


def save(folder, step=4):
    def run(number):
        noted = {"trained": step, "own": number}
        write_save(folder, step, noted, {"a": np.full(2, number)}, keep=1)
        return newest_save(folder)

    return run


def test_the_first_writes_what_each_noted(monkeypatch, tmp_path):
    (tmp_path / ".step-000000001.safetensors.0123.tmp").write_bytes(b"torn")
    save(tmp_path, 2)(0)
    for number, found in enumerate(in_processes(monkeypatch, 2, save(tmp_path))):
        assert found[0] == {"trained": 4, "own": number}
        assert found[1]["a"].tolist() == [0, 0]
    assert [one.name for one in tmp_path.iterdir()] == ["step-000000004.safetensors"]
    with pytest.raises(ValueError, match="of 2 processes. Received a run of 1"):
        newest_save(tmp_path)


def test_a_folder_that_is_not_shared(monkeypatch, tmp_path):
    save(tmp_path / "0")(0)
    found = in_processes(monkeypatch, 2, lambda n: newest_save(tmp_path / str(n)))
    for error in found:
        assert isinstance(error, ValueError) and "[4, None]" in str(error)


def test_a_folder_that_cannot_be_written(monkeypatch, tmp_path):
    (tmp_path / "file").write_bytes(b"")
    for error in in_processes(monkeypatch, 2, save(tmp_path / "file" / "folder")):
        assert isinstance(error, OSError)
