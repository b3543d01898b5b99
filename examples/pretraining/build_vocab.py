"""Build a BERT-style vocabulary of characters and frequent Latin pieces.

    python build_vocab.py --corpus corpus/corpus.txt --out vocab.txt --size 6400

Chinese characters by frequency, every ASCII character (letters and digits also
as "##" pieces), then frequent Latin words, numbers and word ends.
"""

import argparse
import collections
import re
import string
import unicodedata
from pathlib import Path

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
SPECIAL += [f"[unused{i}]" for i in range(1, 11)]
ALNUM = string.digits + string.ascii_lowercase


def normalise(text):
    """Lower case without accents, as the tokenizer will see it."""
    text = unicodedata.normalize("NFD", text.lower())
    return "".join(c for c in text if unicodedata.category(c) != "Mn")


def count(lines):
    """Return (characters, words): how often each one stands in the lines."""
    chars, words = collections.Counter(), collections.Counter()
    for line in lines:
        line = normalise(line)
        words.update(re.findall(r"[a-z0-9]+", line))
        chars.update(re.sub(r"[a-z0-9\s]", "", line))
    return chars, words


def word_ends(words, kept):
    """Counts of "##" pieces of 2 to 4 letters that end words left out."""
    ends = collections.Counter()
    for word, n in words.items():
        if word not in kept:
            for size in range(2, min(5, len(word))):
                ends["##" + word[-size:]] += n
    return ends


def build_vocab(lines, size=6400, min_count=2, latin=600):
    """The tokens in order of their ids; at most `size`, `latin` of them words."""
    chars, words = count(lines)
    kept = [w for w, n in words.most_common(latin * 3 // 4) if len(w) > 1]
    kept += [w for w, _ in word_ends(words, set(kept)).most_common(latin // 4)]
    fixed = SPECIAL + list(string.punctuation) + list(ALNUM)
    fixed += ["##" + c for c in ALNUM]
    known = set(fixed)
    room = size - len(fixed) - len(kept)
    if room < 1:
        raise ValueError(
            f"size={size} leaves no room for characters beside {len(fixed)} fixed "
            f"tokens and {len(kept)} Latin pieces. Raise --size or lower --latin."
        )
    common = [c for c, n in chars.most_common() if n >= min_count and c not in known]
    return fixed + common[:room] + kept


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=Path("vocab.txt"))
    parser.add_argument("--size", type=int, default=6400)
    parser.add_argument("--min-count", type=int, default=2)
    parser.add_argument("--latin", type=int, default=600)
    args = parser.parse_args(argv)
    with open(args.corpus, encoding="utf-8", newline="\n") as lines:
        tokens = build_vocab(lines, args.size, args.min_count, args.latin)
    args.out.write_text("\n".join(tokens) + "\n", encoding="utf-8")
    print(f"{len(tokens)} tokens -> {args.out}")


if __name__ == "__main__":
    main()
