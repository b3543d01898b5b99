"""Settings of a Decoder: lengths, ends, rules and how texts become prompts."""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from numbers import Integral

import numpy as np

from bert4keras3.generation.logits import MinLength

_NAMES = "maxlen, minlen, start_id, end_id, segment_id, rules, copying, min_ends, least"


@dataclass(frozen=True)
class Settings:
    """What all calls of a decoder share; see Decoder for the fields.

    min_ends: number of end tokens that end a text; least: an end before that many new
    tokens is a token like others, as in bert4keras (minlen forbids it).
    """

    maxlen: int = 64
    minlen: int = 0
    start_id: int | None = None
    end_ids: tuple = ()
    segment_id: int | None = None
    rules: tuple = ()
    copying: bool = False
    min_ends: int = 1
    least: int = 1
    encode: Callable | None = None
    size: int | None = None  # of the vocabulary

    def __post_init__(self):
        whole = all(isinstance(x, Integral) for x in (self.maxlen, self.minlen))
        if not whole or self.maxlen < 1 or not 0 <= self.minlen <= self.maxlen:
            raise ValueError(
                "maxlen must be 1 or more, and minlen in [0, maxlen], both int. "
                f"Received: maxlen={self.maxlen!r}, minlen={self.minlen!r}"
            )
        if not all(map(callable, self.rules)):
            raise ValueError(
                "rules must be functions of logits and history, such as "
                f"RepetitionPenalty(1.2). Received: {self.rules!r}"
            )

    @classmethod
    def of(cls, transformer, tokenizer, given):
        """Fill in what the tokenizer and the config say."""
        model = transformer.language_model
        two_sides = model.reads_memory
        given = dict(given)
        if two_sides and given.get("start_id") is None:
            given["start_id"] = _start_id(transformer, tokenizer)
        if given.get("end_id") is None:
            given["end_id"] = _end_id(transformer, tokenizer)
        if given.get("segment_id") is None and model.visibility == "unilm":
            given["segment_id"] = 1
        drop_end = not two_sides and model.visibility == "lm"
        own = cls(encode=_encoder(tokenizer, drop_end), size=model.vocab_size)
        return own.changed(**given)

    def changed(self, **changes):
        """The same with other values; end_id may be one id or several."""
        if "end_id" in changes:
            ends = changes.pop("end_id")
            changes["end_ids"] = self._ends(ends)
        if "rules" in changes:
            rules = changes["rules"]
            changes["rules"] = (rules,) if callable(rules) else tuple(rules)
        unknown = sorted(set(changes) - {one.name for one in dataclasses.fields(self)})
        if unknown:
            raise ValueError(f"Unknown settings {unknown}. Expected some of: {_NAMES}")
        return dataclasses.replace(self, **changes)

    def _ends(self, given):
        """End ids as a tuple; None keeps those there are."""
        if given is None:
            return self.end_ids
        ends = tuple(int(one) for one in np.atleast_1d(np.asarray(given)))
        wrong = [one for one in ends if self.size and not 0 <= one < self.size]
        if wrong:
            raise ValueError(
                f"end_id must be ids in [0, {self.size}), or (). Received: {given!r}"
            )
        return ends

    def all_rules(self):
        """The rules, and that which keeps a text from ending before minlen."""
        if not self.minlen:
            return self.rules
        ends = tuple(MinLength(self.minlen - 1, one) for one in self.end_ids)
        return self.rules + ends

    def program_key(self):
        """What a compiled program depends on; maxlen is its argument."""
        own = self.minlen, self.end_ids, self.rules, self.copying
        return (*own, self.min_ends, self.least)


def _start_id(transformer, tokenizer):
    """First id of an encoder-decoder's answer: the config's, for T5 its padding."""
    told = transformer.told_id("decoder_start_token_id")
    if told is not None:
        return told
    if getattr(transformer, "end_token_id", None) is None:  # a vocabulary like BERT's
        start = getattr(tokenizer, "_token_start_id", None)
        if start is not None:
            return start
    return transformer.language_model.pad_token_id


def _end_id(transformer, tokenizer):
    """The id that ends a text. Raises ValueError when nobody says it."""
    end = getattr(tokenizer, "_token_end_id", None)
    end = transformer.told_id("eos_token_id") if end is None else end
    if end is None:
        raise ValueError(
            "Neither the tokenizer nor the config names a token that ends a text. Pass "
            "the tokenizer (an object, such as Tokenizer(...)), or end_id: an id or "
            f"several, or () to generate maxlen tokens. Tokenizer: {tokenizer!r:.100}"
        )
    return end


def _encoder(tokenizer, drop_end):
    """text -> ids; a text to be continued does not end yet."""

    def encode(text):
        if tokenizer is None:
            raise ValueError(
                "A prompt that is a text needs a tokenizer: pass one to Decoder, or "
                "token ids."
            )
        ids = tokenizer.encode(text)[0]
        end = getattr(tokenizer, "_token_end_id", None)
        return ids[:-1] if drop_end and end is not None and ids[-1] == end else ids

    return encode
