"""Small corpora as token shards: of texts, of random tokens, of tokens that count."""

import numpy as np

from bert4keras3.pretraining import ShardWriter, Vocabulary, write_shards
from bert4keras3.pretraining.shards import CONTINUES, DOCUMENT, SENTENCE, SPECIAL
from bert4keras3.tokenizers import Tokenizer

SPECIALS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]


def tokenizer(**options):
    pieces = [*"今天气很好我们去公园散步吧书写得不错。，！", "un", "##able", "b", "##c"]
    tokens = dict.fromkeys([*SPECIALS, *pieces, *(f"[unused{i}]" for i in range(1, 9))])
    vocabulary = {token: i for i, token in enumerate(tokens)}
    return Tokenizer(vocabulary, do_lower_case=True, **options)


def text_shards(folder, texts, **options):
    write_shards(texts, folder, tokenizer(), **options)
    return folder


def vocabulary(size, start=2):
    return Vocabulary(size, pad=0, unk=1, start=start, end=3, mask=4, hash="toy")


def counting_shards(folder, sizes, shard_tokens=1 << 20, start=2):
    """Documents of so many sentences of so many tokens: [[3, 4], [5], ...].

    Every token has an id of its own, 5, 6, ... in order; words are pairs of tokens.
    """
    total = sum(map(sum, sizes))
    number = 5
    words = vocabulary(total + 5, start)
    with ShardWriter(folder, words, shard_tokens=shard_tokens) as writer:
        for sentences in sizes:
            flags = [np.arange(n) % 2 * CONTINUES for n in sentences]
            for one in flags:
                one[0] = SENTENCE
            flags = np.concatenate([*flags, [SPECIAL]])
            flags[0] |= DOCUMENT
            count = sum(sentences)
            writer.add(np.append(np.arange(number, number + count), 3), flags)
            number += count
    return folder


def random_shards(folder, tokens, size=1000, seed=0):
    """Random tokens: words of 1 to 4, sentences of 5 to 40, documents of 1 to 20."""
    rng = np.random.default_rng(seed)
    lengths = rng.integers(5, 40, tokens // 22)
    begins = np.cumsum(lengths) - lengths
    total = int(lengths.sum())
    flags = np.where(rng.random(total) < 0.5, CONTINUES, 0)
    flags[begins] = SENTENCE
    documents = begins[np.cumsum(rng.integers(1, 20, len(begins) // 21))]
    documents = np.append(0, documents)
    flags[documents] |= DOCUMENT
    ends = np.append(documents[1:], total)
    ids = np.insert(rng.integers(5, size, total), ends, 3)
    with ShardWriter(folder, vocabulary(size), shard_tokens=tokens // 3) as writer:
        writer.add(ids, np.insert(flags, ends, SPECIAL))
    return folder


def rows(shards, objective, positions, length, noise=None):
    """A batch of rows at places of the corpus."""
    draws = objective.plan(length, shards.vocabulary).draws
    if noise is None:
        rng = np.random.default_rng(0)
        noise = rng.integers(0, 2**64, (len(positions), draws), "uint64")
    return objective.batch(shards, np.array(positions), noise, length)
