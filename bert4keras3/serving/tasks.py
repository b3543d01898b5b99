"""Task: what a model does with texts, many at once, in few shapes.

B texts, T tokens.
"""

import numpy as np
from keras import ops

from bert4keras3.backend import runtime
from bert4keras3.utils.padding import LengthBuckets, sequence_padding

MAXLEN = 512  # tokens of a text where the model sets no limit
# Few lengths: while one is compiled, which takes seconds, all requests wait.
LENGTHS = (32, 64, 128, 256, 512, 1024, 2048, 4096)


class Task:
    """Base of the tasks; usable without a server: `task(texts)`.

    tokenizer: of the texts; limit: positions of the model or None; maxlen: tokens of a
    text at most, default what the model has positions for, no more than 512;
    batch_size: texts of one model call. A subclass has `prepare` (an item as users
    give it -> a sample, ValueError if it cannot be), `run` (a list of samples -> a
    list of results), `length` and `fake`, for `warm_up`. Settings are what all
    samples of a call share.
    """

    name = None  # of the endpoint

    def __init__(self, tokenizer, limit=None, maxlen=None, batch_size=32):
        if maxlen is not None and limit is not None and maxlen > limit:
            raise ValueError(
                f"maxlen={maxlen} is more than the model's {limit} positions."
            )
        self.tokenizer = tokenizer
        self.maxlen = maxlen or min(limit or MAXLEN, MAXLEN)
        self.batch_size = batch_size
        self.buckets = LengthBuckets([*(x for x in LENGTHS if x < self.maxlen),
                                      self.maxlen])  # fmt: skip
        # Rows of a call: powers of two, and the largest.
        powers = (1 << i for i in range((batch_size - 1).bit_length()))
        self.rows = (*powers, batch_size)
        self.bucketed = runtime.BACKEND != "torch"  # which compiles nothing

    def prepare(self, item, settings=()):
        """The sample of an item; ValueError for an item that has none."""
        raise NotImplementedError(f"{type(self).__name__} must define prepare.")

    def run(self, samples, settings=()):
        """The results of at most batch_size samples, in one call of the model."""
        raise NotImplementedError(f"{type(self).__name__} must define run.")

    def length(self, sample):
        """Tokens of a sample."""
        return len(sample[0])

    def fake(self, length):
        """A sample of that many tokens."""
        raise NotImplementedError(f"{type(self).__name__} must define fake.")

    def results(self, samples, settings=()):
        """The results of any number of samples, similar lengths together."""
        order = sorted(range(len(samples)), key=lambda i: self.length(samples[i]))
        found = [None] * len(samples)
        for start in range(0, len(order), self.batch_size):
            chosen = order[start : start + self.batch_size]
            results = self.run([samples[i] for i in chosen], settings)
            for i, one in zip(chosen, results, strict=True):
                found[i] = one
        return found

    def warm_up(self, lengths=None, settings=()):
        """Run once in every shape, so that requests find all programs compiled.

        lengths: of texts in tokens, default all buckets. Returns the number of calls;
        torch, which compiles nothing, gets one.
        """
        lengths = [min(x, self.maxlen) for x in lengths or self.buckets]
        lengths = sorted({self.buckets.fit(x) for x in lengths})
        shapes = [(x, n) for x in lengths for n in self.rows]
        shapes = shapes if self.bucketed else shapes[:1]
        for length, count in shapes:
            self.run([self.fake(length)] * count, settings)
        return len(shapes)

    def encoded(self, text, second=None, truncate=False):
        """(token ids, segment ids) of a text or a pair, at most maxlen of them.

        truncate: cut longer texts. Raises ValueError for them otherwise.
        """
        ids, segments = self.tokenizer.encode(
            text, second, maxlen=self.maxlen if truncate else None
        )
        self.check_length(ids, "shorten it, or pass truncate=true")
        return ids, segments

    def check_length(self, ids, advice):
        """Raise ValueError with that advice for more than maxlen ids, or none."""
        if len(ids) > self.maxlen:
            raise ValueError(
                f"A text of {len(ids)} tokens is longer than the {self.maxlen} this "
                f"model reads: {advice}."
            )
        if not ids:
            raise ValueError("A text without any token has no result.")

    def fake_ids(self, length):
        """(token ids, segment ids) of one token, again and again."""
        one = self.tokenizer.encode("中")[0][-1]
        return [one] * length, [0] * length

    def arrays(self, samples, pad=0):
        """Token ids, segment ids (B, T) int32 in a bucket, and lengths (B,).

        samples: (token ids, segment ids, ...); pad: id behind a text. B is one of
        `rows`; the last sample fills it up.
        """
        samples = self.filled(samples)
        ids, segments = ([one[k] for one in samples] for k in (0, 1))
        lengths = np.array([len(one) for one in ids], "int32")
        # One key alone makes Keras warn about a softmax over nothing.
        length = max(int(lengths.max()), 2)
        length = self.buckets.fit(length) if self.bucketed else length
        ids = sequence_padding(ids, length, pad or 0).astype("int32")
        return ids, sequence_padding(segments, length).astype("int32"), lengths

    def filled(self, samples):
        """The samples, filled up to one of `rows` with the last one."""
        count = len(samples)
        rows = min(n for n in self.rows if n >= count) if self.bucketed else count
        return [*samples, *[samples[-1]] * (rows - count)]


class Program:
    """A function of inputs and further arrays, compiled, with a Transformer's weights.

    t: Transformer; function: (Context, *tensors) -> tensors.
    """

    def __init__(self, t, function):
        self.t = t
        self.inputs = 1 + bool(t.segment_vocab_size)
        if len(t.model.inputs) != self.inputs:
            raise ValueError(
                f"This {type(t).__name__} has the inputs "
                f"{[one.name for one in t.model.inputs]}; from a text come token ids "
                "and segment ids only. Build it without additional inputs."
            )

        def program(inputs, *tensors):
            return function(t.context(list(inputs)), *tensors)

        self.compiled = runtime.compiled(program, t.model.variables)

    def __call__(self, ids, segments, *arrays):
        """numpy arrays in, a list of numpy arrays out."""
        inputs = [ids, segments][: self.inputs]
        tensors = [ops.convert_to_tensor(one) for one in arrays]
        with self.t.lock:  # a pass belongs to the builder
            found = self.compiled([ops.convert_to_tensor(one) for one in inputs],
                                  *tensors)  # fmt: skip
        return [finite(ops.convert_to_numpy(one)) for one in found]


def finite(array):
    """The array; RuntimeError if it holds NaN, which a compiled model gives ids."""
    if not np.isfinite(array).all():
        raise RuntimeError(
            "The model answered with NaN: its weights have some, or the vocabulary is "
            "not the model's."
        )
    return array


def unnamed_ids(tokenizer, size):
    """The ids in [0, size) that the tokenizer has no token for.

    Tables of embeddings are often larger than the vocabulary.
    """

    def has_token(i):
        try:
            tokenizer.id_to_token(i)
        except KeyError:
            return False
        return True

    return tuple(i for i in range(size) if not has_token(i))


def builder_of(model, tokenizer, what):
    """The Transformer behind a model, with a vocabulary that holds the tokenizer's.

    Raises ValueError without one: for a model from a .keras file, which has none.
    """
    t = getattr(model, "transformer", model)
    if not hasattr(t, "prefill"):
        raise ValueError(
            f"{what} needs a Transformer, or the model that build_transformer_model "
            "returns; a model that was loaded from .keras has lost its builder. "
            f"Received: {t!r:.200}"
        )
    check_vocabulary(tokenizer, t.vocab_size)
    return t


def check_vocabulary(tokenizer, size):
    """Raise ValueError for a tokenizer with ids that the model has no rows for."""
    own = getattr(tokenizer, "_vocab_size", None)
    if own is not None and size is not None and own > size:
        raise ValueError(
            f"The tokenizer has {own} tokens, the model {size}: they do not belong "
            "together. Use the vocabulary of the model's folder."
        )
