"""Noise on the source of a sequence-to-sequence model: BART's text with holes."""

import numpy as np


def mask_words(
    ids, words, generator, mask_id, vocab_size, rate=0.15, share=1.0, lowest_id=1
) -> np.ndarray:
    """Hide whole words: 80% of their tokens masked, 10% kept, 10% random ids.

    ids: int (B, T), a text per row; words: int (B, T), tokens with the same number in
    a row are one word, and those below 0 (special tokens, padding, a target) are never
    touched; generator: np.random.Generator; mask_id: id of [MASK]; vocab_size,
    lowest_id: random ids are in [lowest_id, vocab_size); rate: probability that a word
    is hidden; share: probability that a row is changed at all, RoFormer-Sim has 0.5.
    Returns new ids (B, T) of the same dtype. Raises ValueError for other shapes, and
    for probabilities outside [0, 1].
    https://kexue.fm/archives/8454, https://arxiv.org/abs/1910.13461
    """
    ids, words = np.asarray(ids), np.asarray(words)
    if ids.ndim != 2 or ids.shape != words.shape:
        raise ValueError(
            "mask_words needs ids (B, T) and words of the same shape. Received: "
            f"{ids.shape} and {words.shape}"
        )
    if not (0 <= rate <= 1 and 0 <= share <= 1):
        raise ValueError(
            f"rate and share must be in [0, 1]. Received: rate={rate}, share={share}"
        )
    # One number for each word: tokens look up that of theirs.
    size = max(int(words.max(initial=0)) + 1, 1)
    drawn = generator.random((len(ids), size)) < rate
    hidden = np.take_along_axis(drawn, np.maximum(words, 0), axis=1)
    hidden &= (words >= 0) & (generator.random((len(ids), 1)) < share)
    kind = generator.random(ids.shape)
    others = generator.integers(lowest_id, vocab_size, ids.shape)
    changed = np.where(kind < 0.8, mask_id, np.where(kind < 0.9, ids, others))
    return np.where(hidden, changed, ids).astype(ids.dtype)


def word_ids(tokenizer, words, maxlen=None) -> tuple[list[int], list[int]]:
    """Token ids of a text given as words, and each token's word, for `mask_words`.

    words: list of str, such as `jieba_pre_tokenize()(text)`; maxlen: tokens at most,
    with the tokenizer's start and end token, whose word is -1.
    """
    ids, numbers = [], []
    for number, word in enumerate(words):
        own = tokenizer.tokens_to_ids(tokenizer.tokenize(word)[1:-1])
        ids += own
        numbers += [number] * len(own)
    room = None if maxlen is None else maxlen - 2
    start, end = tokenizer._token_start_id, tokenizer._token_end_id
    return [start, *ids[:room], end], [-1, *numbers[:room], -1]
