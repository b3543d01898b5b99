"""Pretraining corpora: shuffled, as token shards, as batches of objectives.

Names are imported on first use: the command `bert4keras3 shuffle` needs none of them,
and little memory.
"""

import importlib

_PLACES = {
    "encoding": ("read_documents", "split_sentences"),
    "masking": ("MaskedLM",),
    "next_tokens": ("CausalLM", "UniLM"),
    "objective": ("Objective", "Plan"),
    "pairs": ("NextSentence", "SentenceOrder"),
    "shards": ("TokenShards", "Vocabulary"),
    "shuffle": ("ShuffleReport", "shuffle_corpus"),
    "spans": ("SpanCorruption", "sentinel_ids"),
    "stream": ("PretrainingData",),
    "summaries": ("PseudoSummaries",),
    "writing": ("ShardWriter", "write_shards"),
}
_FILES = {name: file for file, names in _PLACES.items() for name in names}
__all__ = sorted(_FILES)


def __dir__():
    return sorted({*globals(), *__all__})


def __getattr__(name):
    """Import a public name from its file."""
    if name not in _FILES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_FILES[name]}"), name)
