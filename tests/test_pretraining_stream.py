"""The stream of batches: hosts share it, epochs cover the corpus, any step is ready."""

from itertools import islice

import numpy as np
import pytest
from pretraining_corpus import counting_shards, random_shards, vocabulary

from bert4keras3.pretraining import (
    CausalLM,
    MaskedLM,
    NextSentence,
    PretrainingData,
    ShardWriter,
    SpanCorruption,
    TokenShards,
    UniLM,
)
from bert4keras3.pretraining.shards import CONTINUES, DOCUMENT, SENTENCE, SPECIAL
from bert4keras3.training import Checkpoint

OBJECTIVES = [
    MaskedLM(packed=True),
    CausalLM(),
    UniLM(),
    SpanCorruption((5, 6, 7)),
    NextSentence(),
]


@pytest.fixture(scope="module")
def shards(tmp_path_factory):
    return TokenShards(random_shards(tmp_path_factory.mktemp("c") / "s", 9_000))


def leaves(batch):
    return [x for part in batch for x in (part if isinstance(part, tuple) else (part,))]


def assert_equal(one, other):
    for x, y in zip(leaves(one), leaves(other), strict=True):
        assert x.dtype == y.dtype
        np.testing.assert_array_equal(x, y)


@pytest.mark.parametrize("objective", OBJECTIVES, ids=lambda x: type(x).__name__)
def test_hosts_share_one_stream(objective, shards):
    whole = PretrainingData(shards, objective, 24, 32, seed=5)
    for step in (0, len(whole) - 1, 2 * len(whole) + 1):
        expected = whole.batch(step)
        for hosts in (2, 3, 8):
            parts = [
                leaves(
                    PretrainingData(
                        shards, objective, 24, 32, seed=5, host=host, hosts=hosts
                    ).batch(step)
                )
                for host in range(hosts)
            ]
            assert_equal(
                [np.concatenate(x) for x in zip(*parts, strict=True)], expected
            )


def test_the_same_seed_twice_and_a_start_anywhere(shards):
    streams = [
        PretrainingData(shards.folder, MaskedLM(), 16, 32, seed=9).forfit()
        for _ in range(2)
    ]
    steps = [list(islice(one, 12)) for one in streams]
    for one, other in zip(*steps, strict=True):
        assert_equal(one, other)
    data = PretrainingData(shards, MaskedLM(), 16, 32, seed=9)
    for one, other in zip(data.forfit(2, start=7), steps[0][7:], strict=False):
        assert_equal(one, other)
    other = PretrainingData(shards, MaskedLM(), 16, 32, seed=2**64 - 1).batch(0)
    assert (other[1] != steps[0][0][1]).any()


def test_an_epoch_goes_over_every_token_once(tmp_path):
    folder = counting_shards(tmp_path / "s", [[40, 30], [21], [200]] * 9, 500)
    data = PretrainingData(folder, CausalLM(), 1, 32)
    tokens = data.shards.tokens
    assert len(data) == tokens // 32
    orders = set()
    for epoch in range(3):
        labels = np.concatenate(
            [data.batch(epoch * len(data) + i)[1].ravel() for i in range(len(data))]
        )
        ids, counts = np.unique(labels[labels > 4], return_counts=True)
        assert counts.max() == 1 and len(labels) > tokens - 32
        orders.add(tuple(labels[:64]))
    assert len(orders) == 3


def test_a_checkpoint_notes_the_step(shards, tmp_path):
    data = PretrainingData(shards, UniLM(), 16, 32, seed=1)
    passes = data.recorded()
    expected = list(islice(data.forfit(), 40))[33:]
    again = PretrainingData(shards, UniLM(), 16, 32, seed=1)
    batches = again.forfit()  # before the checkpoint is made, as in a call of fit
    again.recorded(passes.at(33))
    for one, other in zip(batches, expected, strict=False):
        assert_equal(one, other)
    for changed, match in [
        (
            PretrainingData(shards, UniLM(), 16, 33, seed=1),
            "length was 32. Received: 33",
        ),
        (PretrainingData(shards, CausalLM(), 16, 32, seed=1), "objective was 'UniLM"),
        (PretrainingData(shards, UniLM(), 16, 32), "seed was 1. Received: 0"),
    ]:
        with pytest.raises(ValueError, match=match):
            changed.recorded(passes.at(33))
    assert Checkpoint(tmp_path, data=again).passes.settings == passes.settings


def test_shards_written_anew_are_told(tmp_path):
    """Of the same sizes, with the same tokens in another order."""
    found = []
    for seed, name in ((0, "a"), (0, "b"), (1, "c")):
        text = np.random.default_rng(seed).permutation(np.arange(5, 205))
        flags = np.full(201, CONTINUES)
        flags[0], flags[-1] = DOCUMENT + SENTENCE, SPECIAL
        with ShardWriter(tmp_path / name, vocabulary(300)) as writer:
            writer.add(np.append(text, 3), flags)
        found.append(PretrainingData(tmp_path / name, CausalLM(), 2, 16))
    state = found[0].recorded().at(1)
    found[1].recorded(state)
    with pytest.raises(ValueError, match="content was"):
        found[2].recorded(state)


def test_mistakes_are_errors(shards):
    for options in ({"batch_size": 0}, {"hosts": 3}, {"host": 1}, {"hosts": 0}):
        with pytest.raises(ValueError, match="multiple of hosts"):
            PretrainingData(shards, CausalLM(), **{"batch_size": 16, **options})
    with pytest.raises(ValueError, match=r"enough for 1\d rows of 512"):
        PretrainingData(shards, CausalLM(), 32)
    with pytest.raises(ValueError, match="seed must be"):
        PretrainingData(shards, CausalLM(), 1, seed=-1)
