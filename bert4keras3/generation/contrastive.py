"""Contrastive search: a probable token whose state is unlike those before it.

B prompts, k candidates, R = B * k rows, L room for new tokens, S slots, E size of a
state.
"""

from dataclasses import dataclass
from numbers import Integral

from keras import ops

from bert4keras3.backend import runtime
from bert4keras3.backend.tensors import batch_gather, first_best, unit_vectors
from bert4keras3.generation.cache import in_slots
from bert4keras3.generation.logits import History
from bert4keras3.generation.loop import reordered, written


@dataclass(frozen=True)
class ContrastiveSearch:
    """Of the `topk` most probable tokens the one that repeats least.

    Chosen is the largest (1 - alpha) p(token) - alpha max cos(its state, those before
    it), https://arxiv.org/abs/2202.06417: coherent without chance. Every candidate is
    read, so that a step costs what one of `topk` beams does.
    """

    topk: int = 4
    alpha: float = 0.6

    def __post_init__(self):
        whole = isinstance(self.topk, Integral)
        if not whole or self.topk < 1 or not 0 <= self.alpha <= 1:
            raise ValueError(
                "topk must be an int >= 1 and alpha in [0, 1]. Received: "
                f"topk={self.topk}, alpha={self.alpha}"
            )


class UnitStates:
    """Keeps the states of all tokens, of length 1, in the slots of the cache."""

    def begin(self, logits, state, batch, slots):
        """Put the states of the prompts into their slots."""
        return logits, {
            **state,
            "units": in_slots(unit_vectors(state["states"]), slots),
        }

    def follow(self, logits, ids, slot, state):
        """Add those of the tokens just read."""
        new = unit_vectors(state["states"])
        units = runtime.write_slot(state["units"], new, slot)
        return logits, {**state, "units": units}


def repetition(state):
    """Largest cosine of each row's newest state with those of its text before, (R,)."""
    before = state["keys"] < state["next"][:, None] - 1
    before = ops.logical_and(state["valid"], before)
    newest = ops.swapaxes(unit_vectors(state["states"]), 1, 2)
    cosines = ops.matmul(state["units"], newest)[..., 0]
    return ops.max(ops.where(before, cosines, -1.0), axis=1)


def most_probable(i, logits, tokens, begin, rules, count):
    """Probabilities and ids (B, count) of what may come as new token i.

    tokens: (B, S) so far; begin: (B,), lengths of the prompts.
    """
    history = History(tokens, begin + i, i, begin)
    for rule in rules:
        logits = rule(logits, history)
    shares, ids = ops.top_k(ops.softmax(logits, axis=-1), count)
    return shares, ops.cast(ids, "int32")


def contrastive_search(step, start, options, ends, fill, rules=()):
    """ids (B, 1, L) and lengths (B, 1); `step` keeps UnitStates."""
    batch, count, alpha = ops.shape(start.logits)[0], options.topk, options.alpha
    begin, how = start.lengths, (start.lengths, rules, count)

    def body(i, v):
        logits, state = step(ops.reshape(v["ids"], (-1,)), i, v["state"])
        alike = ops.reshape(repetition(state), (batch, count))
        best = first_best((1.0 - alpha) * v["shares"] - alpha * alike)[:, None]
        ids = ops.where(v["done"], fill, batch_gather(v["ids"], best)[:, 0])
        logits = batch_gather(ops.reshape(logits, (batch, count, -1)), best)[:, 0]
        tokens = written(v["tokens"], begin + i, ids)
        shares, following = most_probable(i + 1, logits, tokens, *how)
        going = ops.logical_not(v["done"])
        hit = ops.logical_and(ends.hit(ids), going)
        counts = v["counts"] + ops.cast(hit, "int32")
        return i + 1, {
            "ids": following,
            "shares": shares,
            "tokens": tokens,
            "counts": counts,
            "done": ops.logical_or(v["done"], ends.over(i, hit, counts)),
            "out": written(v["out"], ops.broadcast_to(i, (batch,)), ids),
            "lengths": v["lengths"] + ops.cast(going, "int32"),
            "state": reordered(state, ops.repeat(best, count, axis=1)),
        }

    def unfinished(i, v):
        return ops.logical_and(i < start.limit, ops.any(ops.logical_not(v["done"])))

    zero, none = ops.convert_to_tensor(0, "int32"), ops.zeros((batch,), dtype="int32")
    shares, ids = most_probable(zero, start.logits, start.tokens, *how)
    v = {
        "ids": ids,
        "shares": shares,
        "tokens": start.tokens,
        "counts": none,
        "done": none > 0,
        "out": ops.full((batch, start.size), fill, dtype="int32"),
        "lengths": none,
        "state": start.repeated(count).state,
    }
    v = ops.while_loop(unfinished, body, (zero, v))[1]
    return v["out"][:, None], v["lengths"][:, None]
