"""FillMask: what a masked language model puts in the places of [MASK].

B texts, K masks of a text, V vocabulary.
"""

from typing import NamedTuple

import numpy as np
from keras import ops

from bert4keras3.serving.tasks import Program, Task, builder_of, unnamed_ids

TOP = 20  # candidates of a mask at most
MASKS = 16  # of a text at most


class Masked(NamedTuple):
    """A text with masks: token ids, segment ids, places of the masks, text between."""

    ids: list
    segments: list
    places: list
    pieces: list


class FillMask(Task):
    """Fills the masks of texts.

    model: a Transformer or the model of build_transformer_model, with_mlm=True, or of
    application "unilm", which reads a text like an encoder; tokenizer: its own; maxlen,
    batch_size: see `Task`. A text holds the mask token as it is, such as [MASK].
    Raises ValueError for a model without masked-LM head, a tokenizer without mask.

        FillMask(model, tokenizer)(["今天天[MASK]很好"], topk=3)
    """

    name = "fill-mask"

    def __init__(self, model, tokenizer, maxlen=None, batch_size=32):
        t = builder_of(model, tokenizer, "FillMask")
        if t.visibility == "lm" or not getattr(t, "with_mlm", False):
            raise ValueError(
                "FillMask needs a model that sees both sides of a mask and has a "
                f"masked-LM head: build the {type(t).__name__} with with_mlm=True, or "
                "with application='unilm'."
            )
        super().__init__(tokenizer, t.position_limit, maxlen, batch_size)
        if getattr(tokenizer, "_token_mask_id", None) is None:
            raise ValueError("FillMask needs a tokenizer with a mask token.")
        self.pad, self.mask = t.pad_token_id, tokenizer._token_mask
        unnamed = unnamed_ids(tokenizer, t.vocab_size)
        self.top = min(TOP, t.vocab_size - len(unnamed))
        named = np.ones(t.vocab_size, "float32")
        named[list(unnamed)] = 0

        def best(ctx, places):
            scores = ops.softmax(t.logits_of(ctx, places), axis=-1)
            return ops.top_k(scores * ops.convert_to_tensor(named), self.top)

        self.program = Program(t, best)

    def __call__(self, texts, topk=5):
        """For each text {"text": filled with the best, "masks": [candidates, ...]}.

        texts: list of str; topk: candidates of each mask, {"token", "score"} with the
        probability as score, at most 20. Raises ValueError for a text without mask.
        """
        results = self.results([self.prepare(one) for one in texts])
        return [self.shown(one, topk) for one in results]

    def shown(self, result, topk):
        """A result with the `topk` best candidates of each mask."""
        return {**result, "masks": [one[:topk] for one in result["masks"]]}

    def prepare(self, item, settings=()):
        """The Masked of a text."""
        pieces = item.split(self.mask)
        if len(pieces) == 1:
            raise ValueError(f"A text needs a {self.mask} for what is to be filled in.")
        if len(pieces) - 1 > MASKS:
            raise ValueError(
                f"A text may have {MASKS} masks. Received: {len(pieces) - 1}"
            )
        tokenizer, ids, places = self.tokenizer, [], []
        start, end = tokenizer._token_start, tokenizer._token_end
        for number, piece in enumerate(pieces):
            tokens = tokenizer.tokenize(piece)
            first, last = start is not None, len(tokens) - (end is not None)
            if number:
                places.append(len(ids))
                ids.append(tokenizer._token_mask_id)
            ids += tokenizer.tokens_to_ids(tokens[first:last])
        around = [getattr(tokenizer, f"_token_{x}_id", None) for x in ("start", "end")]
        if start is not None:
            ids, places = [around[0], *ids], [place + 1 for place in places]
        if end is not None:
            ids.append(around[1])
        self.check_length(ids, "shorten it")
        return Masked(ids, [0] * len(ids), places, pieces)

    def fake(self, length):
        """A text of one mask."""
        return Masked(*self.fake_ids(length), [0], ["", ""])

    def run(self, samples, settings=()):
        """Results with `self.top` candidates for each mask."""
        ids, segments, _ = self.arrays(samples, self.pad)
        count = max(len(one.places) for one in samples)
        count = 1 << (count - 1).bit_length() if self.bucketed else count
        places = np.zeros((len(ids), count), "int32")
        for row, one in enumerate(samples):
            places[row, : len(one.places)] = one.places
        scores, tokens = self.program(ids, segments, places)
        rows = zip(samples, scores.tolist(), tokens.tolist(), strict=False)
        return [self._result(*row) for row in rows]

    def _result(self, sample, scores, ids):
        masks, text = [], sample.pieces[0]
        pairs = zip(scores, ids, sample.pieces[1:], strict=False)
        for values, best, piece in pairs:
            tokens = [self.tokenizer.id_to_token(one) for one in best]
            masks.append(
                [{"token": token, "score": value}
                 for token, value in zip(tokens, values, strict=True)]
            )  # fmt: skip
            text += self.tokenizer.decode(best[:1]) + piece
        return {"text": text, "masks": masks}
