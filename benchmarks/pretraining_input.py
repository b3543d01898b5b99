"""Tokens a second of pretraining batches from token shards, for every objective.

    python benchmarks/pretraining_input.py
    python benchmarks/pretraining_input.py --length 128 --batch 1024 --shards FOLDER

Makes shards of random text itself (documents of Chinese-like sentences, words of 1 to 4
tokens), unless a folder is given. Tokens are those of the input rows, padding included
only as far as rows have any (pairs and summaries). One process, one thread; "prefetch"
takes the batches of a background thread beside a consumer that sleeps. No backend is
loaded. Prints the median of the rounds, in which the objectives take turns.
"""

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np

from bert4keras3.pretraining import (
    CausalLM,
    MaskedLM,
    NextSentence,
    PretrainingData,
    PseudoSummaries,
    SentenceOrder,
    ShardWriter,
    SpanCorruption,
    TokenShards,
    UniLM,
    Vocabulary,
)
from bert4keras3.pretraining.shards import (
    CONTINUES,
    DOCUMENT,
    SENTENCE,
    SPECIAL,
    Summaries,
)
from bert4keras3.pretraining.summary_marks import mark_summaries

VOCABULARY = 21_128
OBJECTIVES = {
    "MLM, whole words": MaskedLM(),
    "MLM, tokens": MaskedLM(whole_word=False),
    "MLM, packed": MaskedLM(packed=True),
    "GPT": CausalLM(),
    "GPT, packed": CausalLM(packed=True),
    "UniLM": UniLM(),
    "T5 spans": SpanCorruption(range(1, 101)),
    "NSP": NextSentence(),
    "SOP": SentenceOrder(),
    "summaries": PseudoSummaries(),
    "summaries, marked": PseudoSummaries(),
}


def with_summaries(shards, folder, size, tokens=500_000):
    """Shards with marked summaries, of the first tokens of others."""
    count = min(tokens, shards.tokens)
    end = shards.document_at(count - 1)[0] or shards.tokens
    ids, flags = shards.read(0, end)
    began = time.perf_counter()
    marks = Summaries(size, PseudoSummaries.ratio)
    flags = mark_summaries(ids, flags, *marks)
    speed = end / (time.perf_counter() - began)
    print(f"marking summaries: {speed / 1e6:.2f} M tokens/s")
    with ShardWriter(folder, shards.vocabulary, summaries=marks) as writer:
        writer.add(ids, flags)
    return TokenShards(folder)


def write(folder, tokens, seed=0):
    """Shards of random tokens, about so many."""
    rng = np.random.default_rng(seed)
    words = Vocabulary(VOCABULARY, 0, 100, 101, 102, 103, "random")
    with ShardWriter(folder, words, words=True) as writer:
        while writer.tokens < tokens:
            lengths = rng.integers(5, 50, 20_000)
            begins = np.cumsum(lengths) - lengths
            total = int(lengths.sum())
            flags = np.where(rng.random(total) < 0.4, CONTINUES, 0)
            flags[begins] = SENTENCE
            # Documents of 1 to 39 sentences.
            first = np.append(0, np.cumsum(rng.integers(1, 40, 900)))
            first = begins[first[first < len(begins)]]
            flags[first] |= DOCUMENT
            ends = np.append(first[1:], total)
            ids = np.insert(rng.integers(104, VOCABULARY, total), ends, words.end)
            writer.add(ids, np.insert(flags, ends, SPECIAL))
    return folder


def measure(data, seconds):
    """Tokens a second of the input rows."""
    data.batch(0)
    tokens = steps = 0
    began = time.perf_counter()
    while (passed := time.perf_counter() - began) < seconds:
        inputs, _, _ = data.batch(1 + steps)
        tokens += int(np.count_nonzero(inputs[0]))
        steps += 1
    return tokens / passed, steps


def ahead(data, pause, steps=20):
    """Seconds that a consumer, busy for `pause`, waits: without and with prefetch."""
    waited = []
    for prefetch in (0, 2):
        stream, total = data.forfit(prefetch), 0.0
        for step in range(steps + 2):
            began = time.perf_counter()
            next(stream)
            if step >= 2:
                total += time.perf_counter() - began
            time.sleep(pause)
        waited.append(total / steps)
        stream.close()
    return waited


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--shards", help="folder; default: random text is written")
    parser.add_argument("--tokens", type=int, default=20_000_000, help="of that text")
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--length", type=int, default=512)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1.0, help="of a round")
    parser.add_argument("--only", nargs="*", default=list(OBJECTIVES))
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        shards = TokenShards(args.shards or write(Path(folder) / "s", args.tokens))
        print(f"{len(shards):,} documents, {shards.tokens:,} tokens "
              f"({time.perf_counter() - began:.1f} s); batches of {args.batch} rows of "
              f"{args.length}")
        sources = {}
        for name in args.only:
            read, objective = shards, OBJECTIVES[name]
            if "marked" in name:
                size = args.length + objective.target
                read = with_summaries(shards, Path(folder) / "m", size)
            sources[name] = PretrainingData(read, objective, args.batch, args.length)
        found = {name: [] for name in sources}
        for _ in range(args.rounds):
            for name, data in sources.items():
                found[name].append(measure(data, args.seconds)[0])
        for name, values in found.items():
            print(f"{name:18} {np.median(values) / 1e6:6.2f} M tokens/s  "
                  f"({min(values) / 1e6:.2f} to {max(values) / 1e6:.2f})")
        name, data = next(iter(sources.items()))
        plain, early = ahead(data, 0.05)
        print(f"{name}: a step of 50 ms waits {plain * 1e3:.1f} ms for its batch, "
              f"{early * 1e3:.1f} ms with prefetch=2")


if __name__ == "__main__":
    main()
