"""Texts to padded ids: encode_batch, a loop of encode, transformers' fast tokenizer.

    python benchmarks/tokenization.py --lines corpus.txt --vocab vocab.txt --rounds 5

Prints medians of runs side by side, and the ratios. Without arguments: a synthetic
Chinese corpus and the vocabulary of zh-tiny.
"""

import argparse
import random
import statistics
import time

import numpy as np

from bert4keras3.tokenizers import Tokenizer
from bert4keras3.tokenizers.vocab import find_vocab

WORDS = "hello world BERT iPhone 2024 12345 NBA 3.5 5G covid model Keras".split()
PUNCTUATION = "，。！？、：“”《》"


def synthetic(count, characters, seed=0):
    """Lines of some 10 to 150 Chinese characters with a few words and punctuation."""
    rng = random.Random(seed)
    lines = []
    for _ in range(count):
        size = min(int(rng.lognormvariate(3.4, 0.7)) + 4, 400)
        line = rng.choices(characters, k=size)
        for _ in range(size // 12):
            line[rng.randrange(size)] = rng.choice(PUNCTUATION)
        if rng.random() < 0.3:
            line[rng.randrange(size)] = rng.choice(WORDS)
        lines.append("".join(line))
    return lines


def corpus(args):
    if args.lines:
        with open(args.lines, encoding="utf-8") as file:
            return [line.rstrip("\n") for line in file][: args.count]
    tokens = Tokenizer(args.vocab)._token_dict
    return synthetic(args.count, [t for t in tokens if len(t) == 1 and t > "\u4e00"])


def contestants(args, lines):
    """Name -> function that encodes all lines (the loop: every tenth, times ten)."""
    ours = Tokenizer(args.vocab, do_lower_case=True)
    functions = {
        "encode_batch": lambda: ours.encode_batch(lines, maxlen=args.maxlen),
        "encode_batch, new tokenizer": lambda: Tokenizer(
            args.vocab, do_lower_case=True
        ).encode_batch(lines, maxlen=args.maxlen),
        "loop of encode": lambda: [
            ours.encode(line, maxlen=args.maxlen) for line in lines[::10]
        ],
    }
    try:
        from transformers import BertTokenizerFast
    except ImportError:
        print("transformers is not installed: left out")
        return functions
    theirs = BertTokenizerFast(str(find_vocab(args.vocab)), do_lower_case=True)
    options = {"truncation": True, "max_length": args.maxlen, "padding": True}
    functions["transformers, fast"] = lambda: theirs(
        lines, return_tensors="np", **options
    )
    same = functions["transformers, fast"]()["input_ids"]
    found, _ = functions["encode_batch"]()
    rows = (found == same).all(1).sum() if found.shape == same.shape else 0
    print(f"{rows} of {len(lines)} rows have the ids of transformers")
    return functions


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--lines", help="text file, one text a line")
    parser.add_argument("--vocab", default="zh-tiny")
    parser.add_argument("--count", type=int, default=50_000)
    parser.add_argument("--maxlen", type=int, default=128)
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    lines = corpus(args)
    mean = np.mean([len(line) for line in lines])
    print(f"{len(lines)} lines of {mean:.1f} characters on average")
    functions = contestants(args, lines)
    times = {name: [] for name in functions}
    for _ in range(args.rounds):
        for name, function in functions.items():
            start = time.perf_counter()
            function()
            scale = 10 if name == "loop of encode" else 1
            times[name].append((time.perf_counter() - start) * scale)
    best = statistics.median(times["encode_batch"])
    print(f"{'':30}{'texts/s':>10}{'encode_batch is':>18}")
    for name, measured in times.items():
        median = statistics.median(measured)
        print(f"{name:30}{len(lines) / median:10,.0f}{median / best:15.1f} x")


if __name__ == "__main__":
    main()
