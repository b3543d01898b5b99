"""Texts with blanks and the words that stand for classes: PET without a model."""

import re
from collections.abc import Mapping

import numpy as np

from bert4keras3.utils.corruption import mask_words
from bert4keras3.utils.text import balanced_lengths

_PARTS = re.compile(r"(\{\w+\}|\[[^\[\]{}\s]+\])")


class Cloze:
    """A pattern with blanks, and a word for every class to fill them with.

    tokenizer: of the model; pattern: text with [MASK] where the word belongs and the
    fields of a record in braces, such as "[MASK]满意。{sentence}"; anything else in
    brackets is a token of the vocabulary, such as [unused1] or [SEP]; words: {label:
    word}, each of as many tokens as the pattern has [MASK]; maxlen: tokens at most,
    the longest fields are shortened. `labels`: in the order of `words`; `words`: ids
    (C, K), for `models.cloze_model`; `mask_id`.
    https://arxiv.org/abs/2001.07676, https://kexue.fm/archives/7764
    Raises ValueError for a pattern without [MASK] or field, an unknown token in
    brackets, and words of another length, unknown or the same.
    """

    def __init__(self, tokenizer, pattern, words, maxlen=128):
        if not isinstance(words, Mapping) or len(words) < 2:
            raise ValueError(
                f"words must be {{label: word}} of two or more. Received: {words!r}"
            )
        self.tokenizer, self.pattern, self.maxlen = tokenizer, pattern, maxlen
        self.mask = tokenizer._token_mask
        self.mask_id = tokenizer.token_to_id(self.mask)
        self.parts = [self._part(one) for one in _PARTS.split(pattern) if one]
        fixed = [one for part in self.parts if isinstance(part, list) for one in part]
        self.blanks = fixed.count(self.mask)
        self.room = maxlen - len(fixed) - len(self._around())
        fields = [part for part in self.parts if isinstance(part, str)]
        if not self.blanks or not fields or self.room < len(fields):
            raise ValueError(
                "pattern must have [MASK] and a field such as {sentence}, and leave "
                f"it room within maxlen={maxlen}. Received: {pattern!r}"
            )
        self.labels = list(words)
        self.words = np.array([self._word(one, words[one]) for one in words], "int32")
        if len({tuple(one) for one in self.words.tolist()}) < len(words):
            raise ValueError(f"Two labels have the same word. Received: {dict(words)}")
        self._index = {label: i for i, label in enumerate(self.labels)}

    def index(self, label):
        """Number of a label. Raises ValueError for one without a word."""
        if label not in self._index:
            raise ValueError(
                f"There is no word for the label {label!r}. Known: {self.labels}"
            )
        return self._index[label]

    def encode(self, record):
        """(token ids, segment ids) of a record, {field: text}, with blanks."""
        ids = self._filled(record)[0]
        return ids, [0] * len(ids)

    def example(self, record, label=None, rate=0.0, generator=None):
        """(token ids, segment ids, targets, weights) for `masked_training_model`.

        label: its word is the target of the blanks; None: the blanks have none, a text
        without label; rate: share of the fields' tokens that are hidden too, as in
        pretraining, so that unlabelled texts teach as well; generator: a
        np.random.Generator, None for one without seed. Weights are 1 for targets.
        """
        ids, free = self._filled(record)
        targets, weights = list(ids), [0.0] * len(ids)
        if label is not None:
            word = self.words[self.index(label)].tolist()
            places = [i for i, one in enumerate(ids) if one == self.mask_id]
            for place, one in zip(places, word, strict=True):
                targets[place], weights[place] = one, 1.0
        if rate:
            generator = generator or np.random.default_rng()
            ids, hidden = self._hide(ids, free, rate, generator)
            weights = np.maximum(weights, hidden).tolist()
        return ids, [0] * len(ids), targets, weights

    def _hide(self, ids, free, rate, generator):
        """New ids, and 1.0 where a token was chosen, even if it stays what it is."""
        numbers = np.where(free, np.arange(len(ids)), -1)
        chosen = (numbers >= 0) & (generator.random(len(ids)) < rate)
        size = self.tokenizer._vocab_size
        new = mask_words(
            [ids],
            [np.where(chosen, numbers, -1)],
            generator,
            self.mask_id,
            size,
            rate=1.0,
            lowest_id=min(self.mask_id + 1, size - 1),
        )
        return new[0].tolist(), chosen.astype("float64")

    def _filled(self, record):
        """Ids of a record, and whether each is of a field."""
        tokens = [
            self._field(record, part) if isinstance(part, str) else part
            for part in self.parts
        ]
        open_ = [i for i, part in enumerate(self.parts) if isinstance(part, str)]
        kept = balanced_lengths([len(tokens[i]) for i in open_], self.room)
        for i, length in zip(open_, kept, strict=True):
            tokens[i] = tokens[i][:length]
        free = [isinstance(part, str) for part in self.parts]
        flat = [(token, free[i]) for i, part in enumerate(tokens) for token in part]
        start, end = self.tokenizer._token_start, self.tokenizer._token_end
        if start is not None:
            flat.insert(0, (start, False))
        if end is not None:
            flat.append((end, False))
        names, free = zip(*flat, strict=True)
        return self.tokenizer.tokens_to_ids(names), list(free)

    def _field(self, record, field):
        """Tokens of a field; [MASK] in it is no blank."""
        if field not in record:
            raise ValueError(
                f"The pattern has the field {field!r}. The record has: {list(record)}"
            )
        unknown = self.tokenizer._token_unk
        tokens = self._tokens(record[field])
        return [unknown if one == self.mask else one for one in tokens]

    def _around(self):
        pair = (self.tokenizer._token_start, self.tokenizer._token_end)
        return [one for one in pair if one is not None]

    def _tokens(self, text):
        """Tokens of a text without those around it."""
        tokens = self.tokenizer.tokenize(text)
        start = self.tokenizer._token_start is not None
        return tokens[start : len(tokens) - (self.tokenizer._token_end is not None)]

    def _part(self, text):
        """Name of a field, or the tokens of anything else."""
        if text[0] == "{" and _PARTS.fullmatch(text):
            return text[1:-1]
        if not _PARTS.fullmatch(text):
            return self._tokens(text)
        if self.tokenizer.id_to_token(self.tokenizer.token_to_id(text)) != text:
            raise ValueError(f"{text} in the pattern is no token of the vocabulary.")
        return [text]

    def _word(self, label, word):
        tokens = self._tokens(word)
        ids = self.tokenizer.tokens_to_ids(tokens)
        unknown = self.tokenizer.token_to_id(self.tokenizer._token_unk)
        if len(ids) != self.blanks or unknown in ids:
            raise ValueError(
                f"The word of {label!r} must have {self.blanks} known tokens, one for "
                f"each [MASK] of {self.pattern!r}. Received {word!r}: {tokens}"
            )
        return ids
