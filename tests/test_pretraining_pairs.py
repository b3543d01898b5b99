"""Objectives over pieces of documents: pairs of sentences, pseudo summaries."""

import numpy as np
import pytest
from pretraining_corpus import counting_shards, rows, text_shards, tokenizer

from bert4keras3.pretraining import (
    MaskedLM,
    NextSentence,
    PseudoSummaries,
    SentenceOrder,
    TokenShards,
)
from bert4keras3.pretraining.draws import below
from bert4keras3.pretraining.pairs import piece
from bert4keras3.pretraining.shards import DOCUMENT, SENTENCE
from bert4keras3.utils.pseudo_summary import pseudo_summary


def test_pseudo_summaries(tmp_path):
    sentences = ["今天天气很好。", "我们去公园。", "今天去公园散步。", "书写得不错。"]
    texts = ["".join(sentences), "好吧"]
    shards = TokenShards(text_shards(tmp_path / "s", texts))
    objective, words = PseudoSummaries(12), tokenizer()
    (source, decoder), labels, weights = rows(shards, objective, [9, 29], 40)
    wanted = pseudo_summary(sentences)
    for array, text in zip((source, labels), wanted, strict=True):
        ids = [i for i in array[0].tolist() if i]
        assert words.decode(ids) == text and ids[-1] == 3
    assert source[0, 0] == 2 and decoder[0, 0] == 2
    end = int(weights[0].sum())
    assert decoder[0, 1:end].tolist() == labels[0, : end - 1].tolist()
    assert not decoder[0, end:].any() and not labels[0, end:].any()
    # Of a single sentence the second half.
    assert words.decode(source[1]) == "好" and words.decode(labels[1]) == "吧"
    short = rows(shards, PseudoSummaries(4), [9], 8)
    assert words.decode(short[0][0][0]) == "我们去" and short[0][0][0, 4] == 3
    assert words.decode(short[1][0]) == "公园。" and short[1][0, 3] == 3


@pytest.fixture(scope="module")
def counting(tmp_path_factory):
    rng = np.random.default_rng(1)
    sizes = [rng.integers(2, 12, rng.integers(2, 30)).tolist() for _ in range(200)]
    return TokenShards(counting_shards(tmp_path_factory.mktemp("c") / "s", sizes, 5000))


@pytest.mark.parametrize("kind", [NextSentence, SentenceOrder])
def test_pairs(kind, counting):
    objective = kind(MaskedLM(0.2), short=0)
    positions = np.random.default_rng(0).integers(0, counting.tokens, 4000)
    batch = rows(counting, objective, positions, 64)
    (shown, segments), (classes, ids), (ones, weights) = batch
    assert abs(classes.sum() - 2000) < 5 * np.sqrt(1000) and ones.all()
    assert not weights[ids <= 4].any() and (shown == ids)[weights == 0].all()
    stream, flags = counting.read(0, counting.tokens)
    place = {int(token): i for i, token in enumerate(stream) if token > 4}
    begins = {int(token) for token in stream[flags & 2 > 0]}
    sizes = []
    for row in range(0, 4000, 3):
        ends = np.flatnonzero(ids[row] == 3)
        assert len(ends) == 2 and ids[row, 0] == 2 and not ids[row, ends[1] + 1 :].any()
        assert segments[row].tolist() == [
            int(ends[0] < i <= ends[1]) for i in range(64)
        ]
        parts = [ids[row, 1 : ends[0]], ids[row, ends[0] + 1 : ends[1]]]
        for one in parts:
            assert (np.diff([place[int(t)] for t in one]) == 1).all()
            assert int(one[0]) in begins
        if classes[row] and kind is SentenceOrder:
            parts = parts[::-1]
        documents = [counting.document_at(place[int(one[0])]) for one in parts]
        if classes[row] and kind is NextSentence:
            assert documents[0] != documents[1]
        else:
            assert documents[0] == documents[1]
            assert parts[1][0] == parts[0][-1] + 1
        sizes.append(ends[1] + 1)
    assert np.median(sizes) > 50


@pytest.mark.parametrize("size", [1, 5, 61, 400])
def test_a_piece_holds_the_token_of_its_place(size, tmp_path):
    """So that every token is read: ends of documents, and sentences that are long."""
    sizes = [[3, 9, 4], [200], [1], [7] * 30, [150, 2, 2]]
    shards = TokenShards(counting_shards(tmp_path / "s", sizes))
    for place in range(shards.tokens):
        ids, _ = piece(shards, place, size)
        first, end = shards.document_at(place)
        assert 1 <= len(ids) <= size and first <= place <= end
        token = shards.read(min(place, end - 1), 1)[0][0]
        assert token in ids


def test_no_second_part_tells_the_class_by_its_beginning(counting):
    positions = np.random.default_rng(0).integers(0, counting.tokens, 6000)
    (_, _), (classes, ids), _ = rows(counting, NextSentence(short=0), positions, 64)
    tokens, flags = counting.read(0, counting.tokens)
    marks = np.zeros(counting.vocabulary.size, "uint8")
    marks[tokens] = flags
    ends = np.argmax(ids == 3, axis=1)
    begins = marks[ids[np.arange(len(ids)), ends + 1]]
    sizes = (ids > 3).sum(axis=1)
    for marked in (begins & DOCUMENT, begins & SENTENCE):
        shares = [np.mean(marked[classes == one] > 0) for one in (0, 1)]
        assert abs(shares[0] - shares[1]) < 0.01, shares
    sizes = [sizes[classes == one] for one in (0, 1)]
    larger = (sizes[1][:, None] > sizes[0]).mean()
    same = (sizes[1][:, None] == sizes[0]).mean()
    assert 0.35 < larger + same / 2 < 0.65


def test_short_pairs(counting):
    """The length is drawn from 2 .. 61 for `short` of the rows."""
    positions = np.random.default_rng(0).integers(0, counting.tokens, 4000)
    noise = np.random.default_rng(1).integers(0, 2**64, (4000, 142), "uint64")
    batch = rows(counting, SentenceOrder(short=1), positions, 64, noise)
    lengths = (batch[1][1] > 4).sum(axis=1)
    drawn = 2 + below(noise[:, 0], 60)
    assert (lengths <= drawn).all() and (drawn - lengths).mean() < 7
    part = rows(counting, SentenceOrder(short=0.25), positions, 64, noise)
    same = (part[1][1] == batch[1][1]).all(axis=1)
    assert same[noise[:, 0] < 2**62].all() and same.mean() < 0.35


def test_pairs_of_the_smallest_documents(tmp_path):
    shards = TokenShards(counting_shards(tmp_path / "s", [[1], [2], [9]]))
    for kind in (NextSentence(short=1), SentenceOrder()):
        (_, _), (_, ids), _ = rows(shards, kind, range(shards.tokens), 10)
        assert ((ids == 3).sum(axis=1) == 2).all()
    with pytest.raises(ValueError, match="short must be"):
        NextSentence(short=2)
    with pytest.raises(ValueError, match="must not be packed"):
        SentenceOrder(MaskedLM(packed=True))
