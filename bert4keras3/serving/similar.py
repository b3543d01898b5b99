"""Similar: vectors of sentences, their cosines, candidates ranked by them.

B texts, T tokens, D size of a vector.
"""

import numpy as np
from keras import ops

from bert4keras3.backend.tensors import unit_vectors
from bert4keras3.serving.tasks import Program, Task, builder_of
from bert4keras3.utils.vectors import most_similar

POOLINGS = ("pooler", "first", "mean")


class Similar(Task):
    """Compares texts by vectors of length one.

    model: a Transformer or the model of build_transformer_model, an encoder or
    "unilm"; pooling: "mean" of the last states, the "first" one, or the "pooler",
    which is the default of a model built with with_pool (SimBERT: "linear");
    tokenizer, maxlen, batch_size: see `Task`. Raises ValueError for other models.

        Similar(model, tokenizer)(["怎么开通花呗"], candidates=["花呗如何开通", "你好"])
    """

    name = "similar"

    def __init__(self, model, tokenizer, pooling=None, maxlen=None, batch_size=32):
        t = builder_of(model, tokenizer, "Similar")
        if t.visibility == "lm" or getattr(t, "with_lm", False):
            raise ValueError(
                "Similar needs an encoder: build the model with application='encoder' "
                "or 'unilm', of a family that has it."
            )
        pooler = bool(getattr(t, "with_pool", False))
        self.pooling = pooling or ("pooler" if pooler else "mean")
        if self.pooling not in POOLINGS or (self.pooling == "pooler" and not pooler):
            raise ValueError(
                f"pooling must be one of {POOLINGS}, and 'pooler' of a model built "
                f"with with_pool. Received: {pooling!r}"
            )
        super().__init__(tokenizer, t.position_limit, maxlen, batch_size)
        self.pad = t.pad_token_id

        def vectors(ctx, lengths):
            x = t.hidden(ctx, pooled=self.pooling == "pooler")
            x = ops.cast(x, "float32")
            if self.pooling == "first":
                x = x[:, 0]
            elif self.pooling == "mean":
                shown = ops.arange(ops.shape(x)[1])[None] < lengths[:, None]
                x = ops.sum(ops.where(shown[..., None], x, 0.0), axis=1)
            return (unit_vectors(x),)

        self.program = Program(t, vectors)

    def __call__(self, texts, candidates=None, topk=None, truncate=False):
        """The cosines of texts, or for each text its best candidates.

        texts, candidates: lists of str; topk: number of candidates, default all.
        Without candidates a list of lists: the matrix (N, N). With them for each text
        [{"index", "text", "score"}, ...], the most similar first. Raises ValueError
        for texts longer than maxlen unless `truncate`.
        """
        samples = [self.prepare(x, truncate) for x in [*texts, *(candidates or ())]]
        vectors = self.results(samples, truncate)
        if candidates is None:
            return cosines(vectors, vectors)
        return ranked(vectors, candidates, topk)

    def prepare(self, item, settings=False):
        """Ids of a text; settings: truncate."""
        return self.encoded(item, truncate=settings)

    def fake(self, length):
        """A text."""
        return self.fake_ids(length)

    def run(self, samples, settings=False):
        """A vector (D,) for each sample."""
        return list(self.program(*self.arrays(samples, self.pad))[0][: len(samples)])


def cosines(rows, columns):
    """List of lists: the products of vectors of length one, within [-1, 1]."""
    return np.clip(np.stack(rows) @ np.stack(columns).T, -1, 1).tolist()


def ranked(vectors, candidates, topk=None):
    """For each text its candidates, the most similar first.

    vectors: of the texts, then of the candidates.
    """
    count = len(vectors) - len(candidates)
    rows, columns = np.stack(vectors[:count]), np.stack(vectors[count:])
    numbers, scores = most_similar(rows, columns, topk or len(candidates))
    return [
        [
            {"index": i, "text": candidates[i], "score": x}
            for i, x in zip(*one, strict=True)
        ]
        for one in zip(numbers.tolist(), np.clip(scores, -1, 1).tolist(), strict=True)
    ]
