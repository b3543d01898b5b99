"""Prompts: texts or ids become padded batches of few shapes. NumPy only."""

from dataclasses import dataclass

import numpy as np

from bert4keras3.utils.padding import LENGTHS, LengthBuckets, sequence_padding

BUCKETS = LengthBuckets((8, 16, 24, *LENGTHS, 640, 768, 1024, 1536, 2048, 4096))


@dataclass(frozen=True)
class Prompt:
    """Token ids to continue, their segment ids, and what an encoder reads.

    ids, segments: lists of the same length; source: list, for encoder-decoders.
    """

    ids: tuple
    segments: tuple
    source: tuple | None = None

    def extended(self, ids, segment=None):
        """With further ids, of that segment or of the last token's."""
        segment = self.segments[-1] if segment is None else segment
        segments = self.segments + (segment,) * len(ids)
        return Prompt(self.ids + tuple(ids), segments, self.source)


def as_prompt(given, encode, start_id, two_sides):
    """Make a Prompt of a text, a list of ids or a pair (ids, segments or prefix).

    encode: text -> ids; start_id: first id of a decoder; two_sides: the model is an
    encoder-decoder, whose encoder reads the prompt; a pair's second part is then what
    the decoder begins with behind start_id. Raises ValueError for anything else.
    """
    if isinstance(given, str):
        given = encode(given)
    if hasattr(given, "__len__") and not len(given):
        raise ValueError("A prompt needs at least one token. Received an empty one.")
    ids, second = given if is_pair(given) else (given, None)
    ids = _ids(ids)
    if two_sides:
        if second is not None and len(second) == len(ids) and set(second) <= {0, 1}:
            raise ValueError(
                "An encoder-decoder reads no segment ids: its prompt is a list of ids, "
                "or a pair of these and the first ids of the answer. Received a pair "
                "whose second part looks like segment ids."
            )
        prefix = () if start_id is None else (start_id,)
        prefix += () if second is None else _ids(second)
        if not prefix:
            raise ValueError(
                "A decoder needs a first token. Pass start_id, for T5 0, for BART its "
                "decoder_start_token_id."
            )
        return Prompt(prefix, (0,) * len(prefix), ids)
    segments = (0,) * len(ids) if second is None else _ids(second)
    if len(segments) != len(ids):
        raise ValueError(
            f"A prompt of {len(ids)} token ids needs as many segment ids. Received: "
            f"{len(segments)}"
        )
    return Prompt(ids, segments)


def is_pair(given):
    """Whether a prompt is a tuple of two lists."""
    return isinstance(given, tuple) and len(given) == 2 and np.ndim(given[0]) == 1


def _ids(values):
    array = np.asarray(values)
    if array.ndim != 1 or array.dtype.kind not in "iu" or not array.size:
        raise ValueError(
            "A prompt must be a text, a list of token ids, or a tuple of two lists. "
            f"Received: {values!r:.200}"
        )
    return tuple(int(one) for one in array)


def check_segments(prompts, new, size):
    """Raise ValueError for segment ids that are no rows of a table of that size."""
    if not size:
        return
    found = {one for prompt in prompts for one in prompt.segments} | {new or 0}
    wrong = [one for one in found if not 0 <= one < size]
    if wrong:
        raise ValueError(f"Segment ids must be in [0, {size}). Received: {wrong[0]}")


def check_ids(prompts, vocab_size, pad_token_id=None):
    """Raise ValueError for ids that are no rows of the token table, and for padding."""
    for number, prompt in enumerate(prompts):
        read = prompt.ids if prompt.source is None else prompt.source
        if pad_token_id is not None and len(read) > 1 and read[-1] == pad_token_id:
            raise ValueError(
                f"Prompt {number} ends with padding (id {pad_token_id}): pass prompts "
                "as long as they are, the decoder pads them."
            )
        for ids in (prompt.ids, prompt.source or ()):
            wrong = [one for one in ids if not 0 <= one < vocab_size]
            if wrong:
                raise ValueError(
                    f"Prompt {number} has token id {wrong[0]}; the model's vocabulary "
                    f"has ids in [0, {vocab_size}). Use its own vocabulary."
                )


def batches(prompts, size, buckets):
    """Lists of prompt numbers, of similar lengths together, the longest first.

    size: prompts per batch; buckets: LengthBuckets by which lengths count, or None.
    """

    def length(number):
        one = prompts[number]
        sizes = [len(one.ids), len(one.source or ())]
        return [bucket(x, buckets) if buckets else x for x in sizes]

    order = sorted(range(len(prompts)), key=length, reverse=True)
    return [order[i : i + size] for i in range(0, len(order), size)]


def bucket(length, buckets):
    """The shape that stands for a length: a bucket, beyond the last its multiple."""
    last = buckets.sizes[-1]
    if length > last:
        return -(-length // last) * last
    return buckets.fit(length)


def bucketed_rows(count, most):
    """The smallest power of two that holds `count` rows, or `most`."""
    return min(1 << (count - 1).bit_length(), max(most, count))


def padded(rows, value, buckets, limit=None):
    """Rows of ids as an int32 array (B, length or bucket), `value` behind them.

    buckets: LengthBuckets or None; limit: length that a bucket must not exceed.
    """
    longest = max(len(row) for row in rows)
    # One key alone makes Keras warn about a softmax over nothing.
    length = bucket(longest, buckets) if buckets else max(longest, 2)
    if limit is not None:
        length = max(min(length, limit), longest)
    return sequence_padding(rows, length=length, value=value).astype("int32")
