"""Pseudo summaries marked in shards are those that are found while reading."""

import numpy as np
import pytest
from pretraining_corpus import random_shards, rows, text_shards, tokenizer, vocabulary

from bert4keras3.pretraining import PseudoSummaries, ShardWriter, TokenShards
from bert4keras3.pretraining.shards import DOCUMENT, PIECE, SENTENCE, SUMMARY, Summaries
from bert4keras3.pretraining.summary_marks import mark_summaries, summary_of
from bert4keras3.utils.pseudo_summary import pseudo_summary, summary_sentences


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    return TokenShards(random_shards(tmp_path_factory.mktemp("c") / "s", 4000, 60))


def marked(plain, folder, size):
    ids, flags = plain.read(0, plain.tokens)
    marks = Summaries(size, 0.25)
    with ShardWriter(folder, vocabulary(60), 1500, summaries=marks) as writer:
        writer.add(ids, mark_summaries(ids, flags, *marks))
    return TokenShards(folder)


def test_documents_that_fit(plain, tmp_path):
    """A document that is one piece gives the same rows with marks and without."""
    sizes = [len(plain.document(i)) for i in range(len(plain))]
    shards = marked(plain, tmp_path / "s", max(sizes))
    assert shards.summaries == (max(sizes), 0.25) and plain.summaries is None
    places = np.random.default_rng(0).integers(0, plain.tokens, 40)
    places = np.append(places, [0, plain.tokens - 1])
    for target in (50, 9):
        objective, length = PseudoSummaries(target), max(sizes) - 9
        found = rows(shards, objective, places, length)
        expected = rows(plain, objective, places, length)
        for one, other in zip(flat(found), flat(expected), strict=True):
            assert one.dtype == other.dtype
            np.testing.assert_array_equal(one, other)


def flat(batch):
    (source, decoder), labels, weights = batch
    return source, decoder, labels, weights


@pytest.mark.parametrize("size", [7, 60, 200])
def test_pieces(size, plain):
    """Whole sentences, as many as fit; every piece with its own summary."""
    ids, flags = plain.read(0, plain.tokens)
    found = mark_summaries(ids, flags, size)
    np.testing.assert_array_equal(found & ~np.uint8(PIECE | SUMMARY), flags)
    starts = np.flatnonzero(found & PIECE)
    assert (found[flags & DOCUMENT > 0] & PIECE).all()
    for first, after in zip(starts, [*starts[1:], len(ids)], strict=True):
        end = after - bool(flags[after - 1] & 8)  # without the end token
        assert 1 <= end - first <= size
        chosen = summary_of(ids[first:end], flags[first:end], 0.25)
        np.testing.assert_array_equal(found[first:end] & SUMMARY > 0, chosen)
        if end < after or after == len(ids):
            continue
        # The document goes on: the next sentence had no room, or was cut itself.
        more = np.flatnonzero(flags[after:] & (SENTENCE | 8))
        if flags[after] & SENTENCE:
            assert after - first + more[1] > size
        else:
            assert after - first == size


def test_marks_of_texts_without_tokens():
    empty = np.zeros(0, "int32"), np.zeros(0, "uint8")
    assert len(mark_summaries(*empty, 9)) == 0


def test_many_short_sentences_count_as_one():
    """Time grows with the square of their number: 40 are compared, or fewer."""
    ids = np.arange(200) % 50
    flags = np.where(np.arange(200) % 2, 0, SENTENCE)
    borders = np.flatnonzero(np.diff(summary_of(ids, flags, 0.25), prepend=False))
    assert len(borders) and not (borders % 6).any()  # of three sentences, 200 / 40 = 5


def test_announced_marks_are_there(tmp_path):
    words = vocabulary(60)
    with ShardWriter(tmp_path / "s", words, summaries=Summaries(9, 0.25)) as writer:
        with pytest.raises(ValueError, match="the flags have no marks"):
            writer.add(np.array([5, 3]), np.array([6, 8], "uint8"))
        writer.add(np.array([5, 3]), mark_summaries(*np.array([[5, 3], [6, 8]]), 9))


def test_every_place_gives_its_piece(plain, tmp_path):
    shards = marked(plain, tmp_path / "s", 60)
    ids, flags = shards.read(0, shards.tokens)
    (source, _), labels, weights = rows(
        shards, PseudoSummaries(61), range(shards.tokens), 62
    )
    assert (weights.sum(axis=1) >= 1).all()
    for place in range(0, shards.tokens, 7):
        at = place - bool(flags[place] & 8)
        first = np.flatnonzero(flags[: at + 1] & PIECE)[-1]
        rest = np.flatnonzero(flags[at + 1 :] & (PIECE | 8))[0]
        inside = slice(first, at + 1 + rest)
        text, chosen = ids[inside], flags[inside] & SUMMARY
        read = [2, *text[chosen == 0], 3]
        assert source[place, : len(read)].tolist() == read
        assert not source[place, len(read) :].any()
        written = [*text[chosen > 0], 3]
        assert labels[place, : len(written)].tolist() == written
        assert weights[place].sum() == len(written)


def test_marks_are_written_with_the_text(tmp_path):
    sentences = ["今天天气很好。", "我们去公园。", "今天去公园散步。", "书写得不错。"]
    folder = text_shards(tmp_path / "s", ["".join(sentences)], summaries=40)
    shards = TokenShards(folder)
    (source, _), labels, _ = rows(shards, PseudoSummaries(20), [3], 40)
    wanted = pseudo_summary(sentences)
    assert [tokenizer().decode(one[0][one[0] > 0]) for one in (source, labels)] == [
        *wanted
    ]
    assert wanted[1] == "".join(sentences[i] for i in summary_sentences(sentences))
    for objective, length in [(PseudoSummaries(9), 30), (PseudoSummaries(9, 0.5), 99)]:
        with pytest.raises(ValueError, match="pieces of up to 40 tokens with ratio"):
            rows(shards, objective, [3], length)
    for wrong in ({"summaries": 1}, {"summaries": 9, "summary_ratio": 0}):
        with pytest.raises(ValueError, match="pieces need 2 tokens or more"):
            text_shards(tmp_path / "w", ["今天。"], **wrong)
