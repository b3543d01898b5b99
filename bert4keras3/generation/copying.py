"""The copy mechanism: a second head says when the next token comes from the source.

https://kexue.fm/archives/8046. R rows, P length of the source, V vocabulary. Labels of
a target token: FREE, BEGIN (it begins a copied piece of the source), INSIDE (it
continues the piece, with the token that follows in the source).
"""

from keras import ops

from bert4keras3.backend.tensors import batch_gather, first_best
from bert4keras3.generation.logits import HIDDEN, marked

FREE, BEGIN, INSIDE = range(3)


class Copying:
    """Hides the tokens that the label of the next one rules out.

    layer: states (..., E) -> scores (..., 3) of the labels. Its part of a state:
    source (R, P), -1 where nothing can be copied; matched: bool (R, P), the places of
    the source where what was copied last may have come from; label (R,), of the token
    to come.
    """

    def __init__(self, layer):
        self.layer = layer

    def begin(self, logits, state, batch, slots):
        """Label the first new token."""
        last = batch_gather(state["states"], batch["lengths"][:, None] - 1)
        source = batch["copied"]
        copy = {
            "source": source,
            "matched": ops.zeros_like(source, dtype="bool"),
            "label": self._label(last),
        }
        return limited(logits, copy), {**state, "copy": copy}

    def follow(self, logits, ids, slot, state):
        """Find the tokens just read in the source, and label the next ones."""
        copy = state["copy"]
        at = copy["source"] == ops.cast(ids, "int32")[:, None]
        longer = ops.logical_and(_next(copy["matched"]), at)
        inside = ops.logical_and(copy["label"] == INSIDE, ops.any(longer, axis=1))
        copy = {
            **copy,
            "matched": ops.where(inside[:, None], longer, at),
            "label": self._label(state["states"]),
        }
        return limited(logits, copy), {**state, "copy": copy}

    def _label(self, states):
        return first_best(self.layer(states)[:, 0])


def _next(matched):
    """The places that follow matched ones."""
    return ops.pad(matched[:, :-1], [[0, 0], [1, 0]])


def limited(logits, copy):
    """logits (R, V), HIDDEN for tokens that are not in the source where label says so.

    A piece that cannot go on anywhere begins anew; a source of nothing limits nothing.
    """
    real = copy["source"] >= 0
    following = ops.logical_and(_next(copy["matched"]), real)
    goes_on = ops.any(following, axis=1, keepdims=True)
    inside = ops.logical_and(copy["label"][:, None] == INSIDE, goes_on)
    allowed = marked(
        copy["source"], ops.where(inside, following, real), ops.shape(logits)[1]
    )
    free = ops.logical_or(copy["label"] == FREE, ops.logical_not(ops.any(real, axis=1)))
    return ops.where(ops.logical_or(free[:, None], allowed), logits, HIDDEN)
