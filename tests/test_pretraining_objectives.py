"""Objectives of full rows, by hand and by statistics: GPT, UniLM, T5."""

import numpy as np
import pytest
from pretraining_corpus import counting_shards, rows, tokenizer, vocabulary

from bert4keras3.pretraining import (
    CausalLM,
    Objective,
    SpanCorruption,
    TokenShards,
    UniLM,
    sentinel_ids,
)


def test_gpt_by_hand(tmp_path):
    sizes = [[3], [2, 2], [4]]  # 5 6 7 | 8 9 10 11 | 12 13 14 15, each with 3 after it
    shards = TokenShards(counting_shards(tmp_path / "s", sizes))
    (ids, segments), labels, weights = rows(shards, CausalLM(), [1], 6)
    assert ids.tolist() == [[2, 6, 7, 3, 8, 9]] and not segments.any()
    assert labels.tolist() == [[6, 7, 3, 8, 9, 10]] and weights.all()
    packed = CausalLM(packed=True, texts=2, segments=False)
    (ids, starts), labels, weights = rows(shards, packed, [1, 7], 7)
    assert ids.tolist() == [[2, 6, 7, 3, 2, 8, 9], [2, 11, 3, 2, 12, 13, 14]]
    assert starts.tolist() == [[0, 4], [0, 3]]
    assert labels.tolist() == [[6, 7, 3, 2, 8, 9, 10], [11, 3, 2, 12, 13, 14, 15]]
    assert weights.tolist() == [[1, 1, 1, 0, 1, 1, 1], [1, 1, 0, 1, 1, 1, 1]]
    one = CausalLM(packed=True, texts=1, segments=False)
    (ids, _), labels, weights = rows(shards, one, [1], 6)
    assert ids.tolist() == [[2, 6, 7, 3, 0, 0]]
    assert weights.tolist() == [[1, 1, 1, 0, 0, 0]]
    bare = TokenShards(counting_shards(tmp_path / "b", sizes, start=None))
    (ids,), labels, _ = rows(bare, CausalLM(segments=False), [1], 6)
    assert ids.tolist() == [[6, 7, 3, 8, 9, 10]]
    assert labels.tolist() == [[7, 3, 8, 9, 10, 11]]
    (ids, starts), labels, weights = rows(bare, packed, [1], 6)
    assert starts.tolist() == [[0, 3]] and ids.tolist() == [[6, 7, 3, 8, 9, 10]]
    assert weights.tolist() == [[1, 1, 0, 1, 1, 1]]


def test_unilm_by_hand_and_its_cuts(tmp_path):
    shards = TokenShards(counting_shards(tmp_path / "s", [[900]]))
    noise = np.array([[0], [2**32 - 1], [2**31]], "uint64")
    (ids, segments), labels, weights = rows(shards, UniLM(), [0] * 3, 8, noise)
    assert ids.tolist() == [
        [2, 5, 3, 6, 7, 8, 9, 10],
        [2, 5, 6, 7, 8, 9, 3, 10],
        [2, 5, 6, 7, 3, 8, 9, 10],
    ]
    assert segments.sum(axis=1).tolist() == [5, 1, 3] == weights.sum(axis=1).tolist()
    assert labels[0].tolist() == [5, 3, 6, 7, 8, 9, 10, 0]
    assert weights[1].tolist() == [0] * 6 + [1, 0]
    (_, segments), _, _ = rows(shards, UniLM(), [0] * 20_000, 8)
    counts = np.bincount(segments.sum(axis=1), minlength=6)
    assert counts[0] == 0 and np.abs(counts[1:] - 4000).max() < 5 * np.sqrt(3200)


def restored(source, target, marks, end=3):
    """The text of a source and its target, and the lengths of the spans."""
    source, target = source.tolist(), target.tolist()
    assert source[-1] == target[-1] == end and target[0] == marks[0]
    places = [i for i, x in enumerate(target) if x in marks] + [len(target) - 1]
    spans = [target[a + 1 : b] for a, b in zip(places, places[1:], strict=False)]
    assert [x for x in source if x in marks] == list(marks[: len(spans)])
    text = []
    for one in source[:-1]:
        text += spans[marks.index(one)] if one in marks else [one]
    return text, [len(one) for one in spans]


def test_t5_restores_the_text(tmp_path):
    shards = TokenShards(counting_shards(tmp_path / "s", [[400, 700], [300], [900]]))
    objective = SpanCorruption(range(3000, 3060))
    # Rows of 512 tokens are made of 568, and the target has 114, as in T5's code.
    assert objective.sizes(512) == (512, 114)
    positions = np.arange(2000) % shards.tokens
    (source, decoder), labels, weights = rows(shards, objective, positions, 128)
    size, answer = objective.sizes(128)
    assert source.shape == (2000, size) and size == 128 and weights.all()
    assert labels.shape == decoder.shape == (2000, answer)
    assert (decoder[:, 1:] == labels[:, :-1]).all() and not decoder[:, 0].any()
    lengths, tokens = [], shards.windows([0], shards.tokens)[0][0]
    for row in range(0, 2000, 7):
        text, spans = restored(source[row], labels[row], list(objective.sentinels))
        stream = np.roll(tokens, -positions[row])
        assert text == stream[stream != 3][: len(text)].tolist()
        lengths.append(spans)
    cut = sum(lengths[0])
    assert {sum(one) for one in lengths} == {cut} and cut == round(0.15 * len(text))
    assert {len(one) for one in lengths} == {round(cut / 3)}
    # Compositions are uniform: any span has n tokens equally often, the first too.
    first, rest = np.mean([x[0] for x in lengths]), np.mean([x[-1] for x in lengths])
    assert abs(first - 3) < 0.8 and abs(rest - 3) < 0.8


def test_compositions_are_uniform():
    objective, counts = SpanCorruption((90, 91), rate=0.5, span=2), {}
    noise = np.random.default_rng(0).integers(0, 2**64, (9000, 8), "uint64")
    source, _ = objective.corrupt(np.tile(np.arange(1, 9), (9000, 1)), noise)
    for row in map(tuple, source.tolist()):
        counts[row] = counts.get(row, 0) + 1
    assert len(counts) == 9  # 4 = 1 + 3 = 2 + 2 = 3 + 1, of what stays and is cut
    assert max(abs(n - 1000) for n in counts.values()) < 5 * np.sqrt(1000)
    assert (1, 2, 90, 4, 5, 91) in counts


def test_sentinels():
    assert sentinel_ids(tokenizer(), 3) == sentinel_ids(tokenizer())[:3]
    assert tokenizer().ids_to_tokens(sentinel_ids(tokenizer(), 1)) == ["[unused1]"]
    with pytest.raises(ValueError, match="sentinels"):
        SpanCorruption((5,)).plan(128, vocabulary(50))
    for wrong in [(5, 5), (5, 3), (-1, 5)]:  # 3 is the end token
        with pytest.raises(ValueError, match="must be different ids"):
            SpanCorruption(wrong).plan(16, vocabulary(50))
    with pytest.raises(ValueError, match="start=-1"):
        SpanCorruption((5, 60), start=-1).plan(16, vocabulary(50))
    with pytest.raises(ValueError, match="span must be"):
        SpanCorruption((5,), span=0.5)


def test_an_own_objective_is_told_apart():
    """By what a checkpoint compares, without a `repr` of its own."""

    class Own(Objective):
        def __init__(self, rate):
            self.rate = rate

    assert repr(Own(0.1)) == repr(Own(0.1)) == "Own(rate=0.1)" != repr(Own(0.2))
