"""GPLinker's scores to relations: one text at a time with loops, and ours.

    python benchmarks/gplinker.py --data dev_data.json --spurious 0.2 --rounds 5

The loops are those of the original's example: the scores of one text, which are not
padded, its positive spans, two searches over the predicates for each pair. The example
also tokenizes, aligns and encodes the text anew at each evaluation; that is measured
apart, with our tokenizer, which is faster than the original's. Ours take padded batches
of scores, or the positions of the positives that a compiled model returned, and the
offsets that the training has anyway. Without --data (LIC2019's json lines): synthetic
texts of like lengths.

Medians of rounds in turn; quote the ratios. Every contestant finds the same relations.
"""

import argparse
import json
import statistics
import time

import numpy as np

from bert4keras3.extraction.labels import Labels
from bert4keras3.extraction.pairs import find_relations, join_relations
from bert4keras3.extraction.relations import decode_relations, to_relations
from bert4keras3.tokenizers import Tokenizer

COUNT, MAXLEN, PREDICATES = 1000, 128, 49
NAMES = Labels([f"predicate {n}" for n in range(PREDICATES)])


def real_texts(path, count):
    """(tokens, relations in tokens, text) of json lines, cut as by an encoder."""
    numbers, result = {}, []
    with open(path, encoding="utf-8") as file:
        lines = file.read().split("\n")
    for line in filter(None, lines[:count]):
        row, found = json.loads(line), set()
        text = row["text"][: MAXLEN - 2]
        for spo in row["spo_list"]:
            p = numbers.setdefault(spo["predicate"], len(numbers)) % PREDICATES
            a, b = text.find(spo["subject"]), text.find(spo["object"])
            if min(a, b) >= 0:
                ends = a + len(spo["subject"]), b + len(spo["object"])
                found.add((a + 1, ends[0], p, b + 1, ends[1]))
        result.append((len(text) + 2, sorted(found), text))
    return result


def synthetic_texts(count, rng):
    """As `real_texts`: one to five relations that share some of their spans."""
    result = []
    for _ in range(count):
        size = int(np.clip(rng.lognormal(3.9, 0.5), 12, MAXLEN))
        firsts = rng.integers(1, size - 6, 1 + rng.poisson(1.5) + 1).tolist()
        spans = [(i, i + int(rng.integers(1, 5))) for i in firsts]
        found = {
            (*spans[0], int(rng.integers(PREDICATES)), *other) for other in spans[1:]
        }
        text = "".join(map(chr, rng.integers(0x4E00, 0x9FA0, size - 2)))
        result.append((size, sorted(found), text))
    return result


def scores_of(size, relations, spurious, rng, pool):
    """The three matrices of one text, with some positives that are wrong."""
    entity, head, tail = (
        np.resize(np.roll(pool, int(rng.integers(1 << 20))), (n, size, size))
        for n in (2, PREDICATES, PREDICATES)
    )
    entity[:, np.tri(size, k=-1, dtype=bool)] = -np.inf
    for i, j, p, k, m in relations:
        entity[0, i, j] = entity[1, k, m] = head[p, i, k] = tail[p, j, m] = 3
    right = len({r[:2] for r in relations}) + len({r[3:] for r in relations})
    for _ in range(rng.poisson(right * spurious)):
        i = int(rng.integers(1, size - 1))
        j = min(i + int(rng.integers(6)), size - 2)
        entity[int(rng.integers(2)), i, j] = 1
    for matrix in (head, tail):
        for _ in range(rng.poisson(len(relations) * spurious)):
            matrix[tuple(rng.integers((PREDICATES, size, size)))] = 1
    return entity, head, tail


def padded(samples, size):
    """The matrices of many texts as three arrays."""
    result = []
    for matrices in zip(*samples, strict=True):
        shape = (len(matrices), len(matrices[0]), size, size)
        result.append(np.full(shape, -np.inf, "float32"))
        for row, matrix in zip(result[-1], matrices, strict=True):
            row[:, : matrix.shape[1], : matrix.shape[1]] = matrix
    return result


def loops(scores, offsets, threshold=0):
    """The relations of one text, character spans, as the original looks for them."""
    entity, head, tail = scores
    entity[:, [0, -1]] -= np.inf
    entity[:, :, [0, -1]] -= np.inf
    subjects, objects = set(), set()
    for label, i, j in zip(*np.where(entity > threshold), strict=True):
        (objects if label else subjects).add((i, j))
    found = set()
    for i, j in subjects:
        for k, m in objects:
            heads = np.where(head[:, i, k] > threshold)[0]
            tails = np.where(tail[:, j, m] > threshold)[0]
            for p in set(heads) & set(tails):
                spans = offsets[i][0], offsets[j][1], offsets[k][0], offsets[m][1]
                found.add((spans[:2], NAMES[p], spans[2:]))
    return list(found)


def timed(times, name, function):
    # Thread time: other programs of the machine do not count.
    start = time.thread_time()
    result = function()
    times[name].append(time.thread_time() - start)
    return result


def run_batch(texts, args, rng, pool, totals):
    """Time one batch; returns what the rest needs: relations in tokens, positions."""
    samples = [scores_of(*text[:2], args.spurious, rng, pool) for text in texts]
    size = args.length or max(text[0] for text in texts)
    batch = padded(samples, size)
    places = [[(0, 0), *((i, i + 1) for i in range(n - 2)), (0, 0)] for n, *_ in texts]
    offsets, times = [np.array(one) for one in places], {name: [] for name in totals}
    for _ in range(args.rounds):
        one = timed(times, "loops", lambda: list(map(loops, samples, places)))
        two = timed(
            times, "decode_relations", lambda: decode_relations(*batch, offsets, NAMES)
        )
        found = timed(times, "find_relations", lambda: find_relations(*batch))
    if [sorted(row) for row in one] != two:
        raise SystemExit("the contestants do not find the same relations")
    for name, measured in times.items():
        totals[name] += statistics.median(measured)
    return offsets, found, [np.argwhere(one > 0) for one in batch], sum(map(len, two))


def prepare(texts, tokenizer):
    """What the original's example does with every text before its loops."""
    for _, _, text in texts:
        tokens = tokenizer.tokenize(text, maxlen=MAXLEN)
        tokenizer.rematch(text, tokens)
        tokenizer.encode(text, maxlen=MAXLEN)


def report(name, seconds, totals, count):
    part, whole = totals["loops"] / seconds, totals["example"] / seconds
    each = seconds / count * 1e6
    print(f"{name:52}{each:8.1f} us/text{part:8.1f} x{whole:8.1f} x")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    add = parser.add_argument
    add("--data", help="json lines of LIC2019; none: synthetic texts")
    add("--spurious", type=float, default=0.2, help="wrong positives for each right")
    add("--batch", type=int, default=64)
    add("--length", type=int, help="pad to this; none: to the longest of the batch")
    add("--unsorted", action="store_true", help="texts in their order, not by length")
    add("--rounds", type=int, default=5)
    args = parser.parse_args()
    rng = np.random.default_rng(0)
    texts = real_texts(args.data, COUNT) if args.data else synthetic_texts(COUNT, rng)
    if not args.unsorted:
        texts.sort(key=lambda text: text[0])
    pool = np.minimum(rng.normal(-8, 2, 1 << 20), -0.5).astype("float32")
    totals = dict.fromkeys(("loops", "decode_relations", "find_relations"), 0.0)
    tokenizer, times = Tokenizer("zh-tiny", do_lower_case=True), {"prepare": []}
    for _ in range(args.rounds):
        timed(times, "prepare", lambda: prepare(texts, tokenizer))
    offsets, found, positions, count = [], [], [], 0
    for low in range(0, len(texts), args.batch):
        parts = run_batch(texts[low : low + args.batch], args, rng, pool, totals)
        for rows in (parts[1], *parts[2]):
            rows[:, 0] += low
        offsets += parts[0]
        found.append(parts[1])
        positions.append(parts[2])
        count += parts[3]
    found = np.concatenate(found)
    positions = [np.concatenate(one) for one in zip(*positions, strict=True)]
    totals["example"] = totals["loops"] + statistics.median(times["prepare"])
    times = {"assemble": [], "join": []}
    for _ in range(4 * args.rounds):
        timed(times, "assemble", lambda: to_relations(found, offsets, NAMES))
        timed(
            times,
            "join",
            lambda: to_relations(join_relations(*positions), offsets, NAMES),
        )
    assemble, join = (statistics.median(one) for one in times.values())
    print(f"{len(texts)} texts, {count} relations found, {len(positions[0])} spans")
    print(f"{'':70}faster than the loops, the example")
    for name, seconds in (
        ("the example without its model", totals["example"]),
        ("its loops alone", totals["loops"]),
        ("decode_relations, batch by batch", totals["decode_relations"]),
        ("find_relations by batch, once", totals["find_relations"] + assemble),
        ("join_relations of positions, to_relations once", join),
    ):
        report(name, seconds, totals, len(texts))


if __name__ == "__main__":
    main()
