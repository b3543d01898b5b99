"""The order of the shuffle is uniformly random."""

from types import SimpleNamespace

import numpy as np
import pytest

from bert4keras3.pretraining import shuffle, shuffle_corpus


def z_score(table):
    """Chi-square of a table of counts against independence, in deviations."""
    expected = table.sum(1, keepdims=True) * table.sum(0) / table.sum()
    freedom = (table.shape[0] - 1) * (table.shape[1] - 1)
    return (((table - expected) ** 2 / expected).sum() - freedom) / (2 * freedom) ** 0.5


def numbered(path, count):
    """Lines of several lengths that begin with their number."""
    path.write_text("".join(f"{i} {'x' * (i % 17)}\n" for i in range(count)))


def order(path):
    return np.array([int(line.split()[0]) for line in path.read_text().splitlines()])


def test_places_in_one_large_shuffle(tmp_path, monkeypatch):
    monkeypatch.setattr(shuffle, "PART", 300_000)
    count, cells = 100_000, 50
    numbered(tmp_path / "source", count)
    shuffle_corpus(tmp_path / "source", tmp_path / "target", seed=3, workers=0)
    found = order(tmp_path / "target")
    assert (np.sort(found) == np.arange(count)).all()
    table = np.zeros((cells, cells))
    np.add.at(table, (found * cells // count, np.arange(count) * cells // count), 1)
    assert abs(z_score(table)) < 4
    # Neighbours of the target come from everywhere, not from near each other.
    pairs = np.zeros((cells, cells))
    np.add.at(pairs, (found[:-1] * cells // count, found[1:] * cells // count), 1)
    assert abs(z_score(pairs)) < 4
    assert (found == np.arange(count)).sum() < 8  # about Poisson(1)


def test_records_of_equal_keys_keep_their_order(tmp_path, monkeypatch):
    """As good as never met with 64 bits; an order that no sorting method changes."""
    same = SimpleNamespace(random_raw=lambda count: np.full(count, 5, np.uint64))
    monkeypatch.setattr(np.random, "Philox", lambda key: same)
    monkeypatch.setattr(shuffle, "PART", 3000)
    numbered(tmp_path / "source", 2000)
    shuffle_corpus(tmp_path / "source", tmp_path / "target", workers=0)
    assert (order(tmp_path / "target") == np.arange(2000)).all()


@pytest.mark.parametrize(
    ("seeds", "count"), [(60, 6), pytest.param(2000, 200, marks=pytest.mark.slow)]
)
def test_places_over_seeds(seeds, count, tmp_path, monkeypatch):
    monkeypatch.setattr(shuffle, "_LEAST_BUCKETS", 2)
    monkeypatch.setattr(shuffle, "PART", 500)
    numbered(tmp_path / "source", count)
    table = np.zeros((count, count))
    for seed in range(seeds):
        target = tmp_path / "target"
        shuffle_corpus(tmp_path / "source", target, seed, workers=0, force=True)
        np.add.at(table, (order(target), np.arange(count)), 1)
    assert abs(z_score(table)) < 4
