"""Scores of generated texts against references: ROUGE of characters, and BLEU."""

from importlib import import_module

NAMES = ("rouge-l", "rouge-1", "rouge-2")


def text_scores(texts, references):
    """ROUGE F of characters and BLEU of generated texts, in percent.

    texts, references: lists of N str, lower-cased before they are compared; an empty
    text counts 0. Returns {"rouge-l", "rouge-1", "rouge-2", "bleu": float}: the means
    of rouge-chinese's F over texts, and sacrebleu's corpus BLEU with its "zh" tokens.
    Raises ValueError for another number of references or an empty one, and ImportError
    if a package is missing.
    Reference: https://github.com/ZhuiyiTechnology/t5-pegasus
    """
    if isinstance(texts, str) or isinstance(references, str):
        raise ValueError("text_scores needs lists of texts: put a single one into one.")
    rouge, sacrebleu = _package("rouge_chinese"), _package("sacrebleu")
    texts, references = ([one.lower() for one in x] for x in (texts, references))
    spaced = [
        [" ".join("".join(one.split())) for one in x] for x in (texts, references)
    ]
    if len(texts) != len(references) or not texts or not all(spaced[1]):
        empty = [i for i, one in enumerate(spaced[1]) if not one]
        raise ValueError(
            "text_scores needs one text or more and a reference for each, which is not "
            f"empty. Received: {len(texts)} texts, {len(references)} references, empty "
            f"ones at {empty[:10]}"
        )
    pairs = [pair for pair in zip(*spaced, strict=True) if pair[0]]
    found = (
        rouge.Rouge().get_scores(*map(list, zip(*pairs, strict=True))) if pairs else []
    )
    result = {
        name: 100 * sum(one[name]["f"] for one in found) / len(texts) for name in NAMES
    }
    bleu = sacrebleu.corpus_bleu(texts, [references], tokenize="zh")
    return {**result, "bleu": bleu.score}


def _package(name):
    """An optional package; ImportError says how to install it."""
    try:
        return import_module(name)
    except ImportError as error:
        raise ImportError(
            f"text_scores needs the package {name}: "
            'pip install "bert4keras3[scores]" (or rouge-chinese and sacrebleu).'
        ) from error
