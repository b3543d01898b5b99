"""Beam search, batched and compiled: bert4keras's, and the one with length penalty.

B prompts, k beams, R = B * k rows, L room for new tokens, V vocabulary. Beams stand in
the order of their scores, sums of log-probabilities.
"""

from dataclasses import dataclass
from numbers import Integral

from keras import ops

from bert4keras3.backend.tensors import batch_gather
from bert4keras3.generation.logits import History
from bert4keras3.generation.loop import best_pairs, reordered, written

NEVER = -1e9  # score of what must not be chosen


@dataclass(frozen=True)
class BeamSearch:
    """Keep the `size` most probable texts so far.

    By default a search ends as bert4keras's: as soon as the best beam has ended; ended
    beams that are not the best are dropped, and the search goes on with fewer.
    length_penalty: with a number, ended beams are kept with their score divided by
    length ** penalty, and the best of all is returned, as transformers does
    (https://arxiv.org/abs/1609.08144); early_stopping: then stop as soon as `size`
    texts have ended; temperature: divides the logits.
    groups: search in that many groups of size / groups beams, each of which avoids
    the tokens that the groups before it took at the same step, by `diversity` per
    group (https://arxiv.org/abs/1610.02424); needs a length_penalty.
    """

    size: int = 4
    length_penalty: float | None = None
    early_stopping: bool = False
    temperature: float = 1.0
    groups: int = 1
    diversity: float = 0.5

    def __post_init__(self):
        whole = isinstance(self.size, Integral) and isinstance(self.groups, Integral)
        if not whole or min(self.size, self.groups) < 1 or self.size % self.groups:
            raise ValueError(
                "size must be an int >= 1, and a multiple of groups. Received: "
                f"size={self.size}, groups={self.groups}"
            )
        if not self.temperature > 0:
            raise ValueError(
                f"temperature must be positive. Received: {self.temperature!r}"
            )
        if self.groups > 1 and self.length_penalty is None:
            raise ValueError(
                "groups need a length_penalty (1.0 divides by the length): without one "
                "a search returns a single text as soon as it ends."
            )


def log_softmax(logits):
    """Log-probabilities (..., V) in float32."""
    return ops.log_softmax(ops.cast(logits, "float32"), axis=-1)


class Beams:
    """What both searches share: one step of k beams per prompt.

    A search is a dict `v` of tensors that its loop carries: ids (B, k), the tokens of
    the last step; scores (B, k); out (B, k, L); tokens (R, S) and state, see Start;
    done: what its `unfinished` looks at; and what it has of its own.
    """

    def __init__(self, step, start, options, rules, fill):
        self.options, beams = options, options.size
        self.step_rows, self.rules, self.beams = step, rules, beams
        self.batch, self.vocabulary = ops.shape(start.logits)
        self.start, self.limit, self.size = start, start.limit, start.size
        self.lengths = ops.repeat(start.lengths, beams, axis=0)
        self.out = ops.full((self.batch, beams, start.size), fill, dtype="int32")

    def begin(self):
        """log p (B, k, V) of the first token, which only a first beam has."""
        start = self.start
        first = self.log_probabilities(0, start.logits, start.tokens, start.lengths)
        width = [[0, 0], [0, self.beams // self.options.groups - 1], [0, 0]]
        group = ops.pad(first, width, constant_values=NEVER)
        return ops.tile(group, (1, self.options.groups, 1))

    def log_probabilities(self, i, logits, tokens, lengths):
        """log p (B, rows, V) with the rules applied to it."""
        scores = log_softmax(logits / self.options.temperature)
        history = History(tokens, lengths + i, ops.convert_to_tensor(i), lengths)
        for rule in self.rules:
            scores = rule(scores, history)
        return ops.reshape(scores, (self.batch, -1, self.vocabulary))

    def totals(self, i, v):
        """Read the tokens of step i - 1: scores (B, k, V) of what follows, state."""
        ids = ops.reshape(v["ids"], (-1,))
        logits, state = self.step_rows(ids, i - 1, v["state"])
        logs = self.log_probabilities(i, logits, v["tokens"], self.lengths)
        return ops.maximum(v["scores"][..., None] + logs, NEVER), state

    def placed(self, out, i, ids):
        """out (B, n, L) with `ids: (B, n)` at place i."""
        return ops.where(ops.arange(self.size) == i, ids[..., None], out)

    def run(self, own, select, unfinished):
        """The loop; returns the variables of the last step.

        own: the search's own part of `v`; select(i, totals, v) -> (the changed part of
        v, parents (B, k)).
        """
        start = self.start.repeated(self.beams)

        def chosen(i, totals, v):
            changed, parents = select(i, totals, v)
            tokens, state = reordered((v["tokens"], v["state"]), parents)
            column = self.lengths + i
            tokens = written(tokens, column, ops.reshape(changed["ids"], (-1,)))
            return {**v, **changed, "tokens": tokens, "state": state}

        def body(i, v):
            totals, state = self.totals(i, v)
            return i + 1, chosen(i, totals, {**v, "state": state})

        zero = ops.convert_to_tensor(0, "int32")
        v = {"out": self.out, "tokens": start.tokens, "state": start.state, **own}
        v = chosen(zero, self.begin(), v)
        return ops.while_loop(unfinished, body, (zero + 1, v))[1]


def legacy_search(step, start, options, ends, fill, rules=()):
    """bert4keras's search: ids (B, 1, L), lengths (B, 1), scores (B, 1)."""
    k = options.size
    beams = Beams(step, start, options, rules, fill)
    batch = beams.batch

    def select(i, totals, v):
        scores, parents, ids = best_pairs(totals, k)
        # A beam that was dropped leaves the search with one beam less.
        ranks = ops.expand_dims(ops.arange(k), 0)
        scores = ops.where(ranks < v["width"][:, None], scores, NEVER)
        out = beams.placed(batch_gather(v["out"], parents), i, ids)
        hit = ends.hit(ids)
        counts = batch_gather(v["counts"], parents) + ops.cast(hit, "int32")
        ended = ops.logical_and(ends.over(i, hit, counts), scores > NEVER)
        over = ops.logical_or(ended[:, 0], i + 1 >= beams.limit)
        new = ops.logical_and(over, ops.logical_not(v["done"]))
        changed = {
            "ids": ids,
            "scores": ops.where(ended, NEVER, scores),
            "out": out,
            "counts": counts,
            "width": v["width"] - ops.sum(ops.cast(ended, "int32"), axis=1),
            "done": ops.logical_or(v["done"], over),
            "best": ops.where(new[:, None], out[:, 0], v["best"]),
            "length": ops.where(new, i + 1, v["length"]),
            "score": ops.where(new, scores[:, 0], v["score"]),
        }
        return changed, parents

    own = {
        "counts": ops.zeros((batch, k), dtype="int32"),
        "width": ops.full((batch,), k, dtype="int32"),
        "done": ops.zeros((batch,), dtype="bool"),
        "best": beams.out[:, 0],
        "length": ops.zeros((batch,), dtype="int32"),
        "score": ops.zeros((batch,), dtype="float32"),
    }
    v = beams.run(own, select, lambda i, v: ops.logical_not(ops.all(v["done"])))
    return v["best"][:, None], v["length"][:, None], v["score"][:, None]
