"""The shuffle of a corpus: every record once, and what is refused."""

import os
from collections import Counter
from types import SimpleNamespace

import pytest

from bert4keras3.pretraining import shuffle, shuffle_corpus
from bert4keras3.pretraining.shuffle_scratch import Scratch

ODD = {
    "unterminated": b"first\nsecond\n\nlast without end",
    "windows": b"one\r\n\r\ntwo\r\nthree",
    "empty": b"",
    "bytes": b"\xff\xfe\x00 no utf-8\n" + b"x" * 5000 + b"\n\n\n",
    "many": b"".join(b"%d %b\n" % (i, b"y" * (i % 300)) for i in range(3000)),
}


@pytest.fixture
def sources(tmp_path, monkeypatch):
    monkeypatch.setattr(shuffle, "PART", 40_000)
    for name, content in ODD.items():
        (tmp_path / name).write_bytes(content)
    return [tmp_path / name for name in ODD]


def records(content, unit):
    """The records of one file, each with its own end."""
    lines = [line + b"\n" for line in content.split(b"\n")]
    if content.endswith(b"\n") or not content:
        lines.pop()  # what follows the last end is no line
    if unit == "line":
        return lines
    found, text = [], b""
    for line in [*lines, b"\n"]:
        blank = line in (b"\n", b"\r\n")
        if not blank or text:
            text += line
        if blank and text:
            found, text = [*found, text], b""
    return found


@pytest.mark.parametrize("unit", ["line", "document"])
def test_nothing_lost_or_doubled(sources, tmp_path, unit):
    blank = b"".join(b"doc %d\nmore\n\n" % i + b"\n" * (i % 3) for i in range(2000))
    (tmp_path / "blank").write_bytes(b"\n\r\n" + blank)
    sources = [*sources, tmp_path / "blank", sources[0]]
    target = tmp_path / "new" / "target"
    told = []
    report = shuffle_corpus(
        sources, target, workers=0, unit=unit, progress=lambda *done: told.append(done)
    )
    size = sum(source.stat().st_size for source in sources)
    assert told == sorted(told) and {total for _, total in told} == {2 * size}
    assert [done for done, _ in told].count(2 * size) == 1
    expected = [one for s in sources for one in records(s.read_bytes(), unit)]
    found = records(target.read_bytes(), unit)
    assert Counter(found) == Counter(expected)
    assert found != expected
    assert report.records == len(expected)
    assert report.bytes == sum(map(len, expected)) == target.stat().st_size
    assert os.listdir(target.parent) == ["target"]


def test_the_order_depends_on_seed_and_sources_alone(sources, tmp_path):
    target = tmp_path / "target"

    def shuffled(**options):
        shuffle_corpus(sources, target, force=True, **options)
        return target.read_bytes()

    one = shuffled(workers=0)
    assert shuffled(workers=0, memory="10700KB") == one
    assert shuffled(workers=1) == one
    assert shuffled(workers=2, memory="200MB") == one
    assert shuffled(workers=0, seed=1) != one


def test_no_records(tmp_path):
    (tmp_path / "empty").touch()
    (tmp_path / "blank").write_bytes(b"\n\n\r\n")
    for name, unit in (("empty", "line"), ("blank", "document")):
        target = tmp_path / f"{unit}.txt"
        report = shuffle_corpus(tmp_path / name, target, workers=0, unit=unit)
        assert report.records == target.stat().st_size == 0


def test_more_lines_than_a_sample_tells(tmp_path, monkeypatch):
    """The start of the file has long lines, the rest short ones: dealt again."""
    content = b"z" * (1 << 17) + b"\n" + b"ab\n" * 999_000 + b"cd\n" * 1000
    (tmp_path / "source").write_bytes(content)
    numbers, begin = [], Scratch.begin
    monkeypatch.setattr(
        Scratch, "begin", lambda self, n: (numbers.append(n), begin(self, n))
    )
    memory = "11MB"
    shuffle_corpus(tmp_path / "source", tmp_path / "target", 0, memory, workers=0)
    assert numbers[0] == 8 and len(numbers) == 2 and numbers[1] > 8
    found = (tmp_path / "target").read_bytes().split(b"\n")
    assert Counter(found) == Counter(content.split(b"\n"))
    places = [i for i, line in enumerate(found) if line == b"cd"]
    assert abs(sum(places) / 1000 - 500_000) < 50_000  # 5 standard deviations


def test_a_record_that_is_too_large(tmp_path):
    (tmp_path / "source").write_bytes(b"small\n" * 10 + b"z" * 3_000_000 + b"\n")
    with pytest.raises(ValueError, match="source: the line at byte 60 is larger than"):
        shuffle_corpus(tmp_path / "source", tmp_path / "t", memory="11MB", workers=0)
    report = shuffle_corpus(tmp_path / "source", tmp_path / "t", workers=0)
    assert report.records == 11


BAD = {
    "at least one file": {"sources": []},
    "none.txt does not exist": {"sources": "none.txt"},
    "is no regular file": {"sources": "."},
    "is one of the sources": {"target": "many", "force": True},
    "many exists.*--force": {"sources": "empty", "target": "many"},
    "is a folder": {"target": ".", "force": True},
    "seed: expected 0 to 2": {"seed": -1},
    "unit: expected 'line' or 'document'": {"unit": "word"},
    "memory: expected bytes": {"memory": "256 megs"},
    "memory: 2 workers need [0-9]+MB at least": {"memory": "70MB", "workers": 2},
    "workers: expected an integer from 0": {"workers": -1},
}


@pytest.mark.parametrize("message", BAD)
def test_bad_input(message, sources, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    before = sorted(os.listdir("."))
    with pytest.raises((ValueError, OSError), match=message):
        shuffle_corpus(**{"sources": "many", "target": "out", **BAD[message]})
    assert sorted(os.listdir(".")) == before
    assert (tmp_path / "many").read_bytes() == ODD["many"]


def test_a_small_disk_is_refused_at_once(tmp_path, monkeypatch):
    source = tmp_path / "source"
    source.write_bytes(b"text\n" * 1000)
    monkeypatch.setattr("shutil.disk_usage", lambda path: SimpleNamespace(free=1000))
    with pytest.raises(OSError, match="needs [0-9,]+ bytes of disk in .*, where 1,000"):
        shuffle_corpus(source, tmp_path / "target", workers=0)
    assert os.listdir(tmp_path) == ["source"]
