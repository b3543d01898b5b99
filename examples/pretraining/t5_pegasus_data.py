"""Pretraining data of T5-PEGASUS: texts to pairs of a source and a pseudo summary.

    python t5_pegasus_data.py --text corpus/corpus.txt --out corpus/pairs.jsonl

Texts are lines; short ones are joined, also with the next text, until a document is
long enough. A line of the output is {"source": ..., "target": ...}; T5-PEGASUS reads
384 tokens of the source and writes 128 of the target.
https://github.com/ZhuiyiTechnology/t5-pegasus
"""

import argparse
import json
from functools import partial
from itertools import islice
from pathlib import Path

from bert4keras3.utils.parallel import parallel_apply
from bert4keras3.utils.pseudo_summary import documents, pseudo_summary

CHUNK = 1 << 16  # characters that are split into documents at a time


def chunks(path):
    """The file's text in pieces of whole lines, CHUNK characters or more each."""
    lines, size = [], 0
    with open(path, encoding="utf-8") as file:
        for line in file:
            lines.append(line)
            size += len(line)
            if size >= CHUNK:
                yield "".join(lines)
                lines, size = [], 0
    if lines:
        yield "".join(lines)


def lines_of(text, least, ratio):
    """The documents of a text as json lines."""
    found = (pseudo_summary(one, ratio) for one in documents(text, least=least))
    return [
        json.dumps({"source": source, "target": target}, ensure_ascii=False)
        for source, target in found
    ]


def parse(argv):
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--text", type=Path, required=True, help="file of texts")
    parser.add_argument("--out", type=Path, default=Path("pairs.jsonl"))
    parser.add_argument("--least", type=int, default=768, help="characters")
    parser.add_argument("--ratio", type=float, default=0.25, help="target / source")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--smoke", action="store_true", help="the first chunk only")
    return parser.parse_args(argv)


def main(argv=None):
    args = parse(argv)
    texts = islice(chunks(args.text), 1 if args.smoke else None)
    job, count = partial(lines_of, least=args.least, ratio=args.ratio), 0
    with open(args.out, "x", encoding="utf-8") as file:  # nothing is overwritten

        def write(lines):
            nonlocal count
            count += len(lines)
            file.writelines(f"{line}\n" for line in lines)

        parallel_apply(
            job, texts, args.workers, 100, callback=write, dummy=args.workers == 1
        )
    print(f"{count} pairs")
    return count


if __name__ == "__main__":
    main()
