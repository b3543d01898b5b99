"""The loops over new tokens: pure functions of a step, compiled with it.

step(ids (R,), slot index i of the token, state) -> (logits (R, V), state). B prompts,
R = B * k rows, L room for new tokens, V vocabulary.
"""

from dataclasses import dataclass
from typing import Any

from keras import ops

from bert4keras3.generation.logits import History


@dataclass(frozen=True)
class Ends:
    """When a text is over.

    ids: tokens that end it; least: an end before that many new tokens is none;
    count: number of end tokens it takes.
    """

    ids: tuple = ()
    least: int = 1
    count: int = 1

    def hit(self, ids):
        """Bool, shaped as `ids`: which are end tokens."""
        found = ops.zeros_like(ids, dtype="bool")
        for one in self.ids:
            found = ops.logical_or(found, ids == one)
        return found

    def over(self, i, hit, counts):
        """Bool: which texts end with the token of step i.

        hit: that token is an end token; counts: end tokens so far, this one included.
        """
        over = ops.logical_and(hit, counts >= self.count)
        return ops.logical_and(over, i + 1 >= self.least)


@dataclass
class Start:
    """What a loop starts from: the prompts have been read.

    logits: (B, V) of the first new token; state: see `models.decoding`; tokens:
    (B, S), the prompts without gaps; lengths: (B,) of them; limit: scalar, new tokens
    to make at most; size: L.
    """

    logits: Any
    state: Any
    tokens: Any
    lengths: Any
    limit: Any
    size: int

    def repeated(self, times):
        """Each prompt `times` times, neighbours of each other."""
        fields = (self.logits, self.state, self.tokens, self.lengths)
        return Start(
            *(repeat_rows(one, times) for one in fields), self.limit, self.size
        )


def map_rows(function, tree):
    """`function` of every tensor in nested dicts and tuples."""
    if isinstance(tree, dict):
        return {key: map_rows(function, one) for key, one in tree.items()}
    if isinstance(tree, (tuple, list)):
        return tuple(map_rows(function, one) for one in tree)
    return function(tree)


def repeat_rows(tree, times):
    """Each row of every tensor `times` times."""
    if times == 1:
        return tree
    return map_rows(lambda x: ops.repeat(x, times, axis=0), tree)


def written(rows, columns, values):
    """rows (R, S) with `values: (R,)` at `columns: (R,)`, or nowhere beyond S."""
    places = ops.expand_dims(ops.arange(ops.shape(rows)[1]), 0)
    return ops.where(places == columns[:, None], values[:, None], rows)


def sample_loop(step, start, choose, ends, fill):
    """Generate row by row: ids (R, L), filled up with `fill`, and lengths (R,).

    choose(logits, history) -> ids (R,); ends: Ends. An end token is part of a text.
    """
    rows = ops.shape(start.logits)[0]
    begin = start.lengths

    def pick(i, logits, tokens, done, counts, out):
        history = History(tokens, begin + i, i, begin)
        ids = ops.where(done, fill, choose(logits, history))
        hit = ops.logical_and(ends.hit(ids), ops.logical_not(done))
        counts = counts + ops.cast(hit, "int32")
        column = ops.broadcast_to(ops.expand_dims(i, 0), (rows,))
        out = written(out, column, ids)
        tokens = written(tokens, begin + i, ids)
        over = ends.over(i, hit, counts)
        lengths = ops.cast(ops.logical_not(done), "int32")
        return ids, tokens, ops.logical_or(done, over), counts, out, lengths

    def body(i, ids, tokens, done, counts, out, lengths, state):
        logits, state = step(ids, i - 1, state)
        ids, tokens, after, counts, out, more = pick(
            i, logits, tokens, done, counts, out
        )
        return i + 1, ids, tokens, after, counts, out, lengths + more, state

    def unfinished(i, ids, tokens, done, *rest):
        return ops.logical_and(i < start.limit, ops.logical_not(ops.all(done)))

    zero = ops.convert_to_tensor(0, "int32")
    first = pick(
        zero,
        start.logits,
        start.tokens,
        ops.zeros((rows,), dtype="bool"),
        ops.zeros((rows,), dtype="int32"),
        ops.full((rows, start.size), fill, dtype="int32"),
    )
    variables = (zero + 1, *first, start.state)
    _, _, _, _, _, out, lengths, _ = ops.while_loop(unfinished, body, variables)
    return out, lengths


def reordered(tree, parents):
    """Rows of every tensor by `parents: (B, k)`, indices among a prompt's k rows."""
    batch, beams = ops.shape(parents)
    offsets = ops.expand_dims(ops.arange(batch) * beams, 1)
    rows = ops.reshape(parents + ops.cast(offsets, parents.dtype), (-1,))
    return map_rows(lambda x: ops.take(x, rows, axis=0), tree)


def best_pairs(scores, count):
    """The `count` best of `scores: (B, k, V)`: values, beams and ids, (B, count)."""
    batch, beams, size = ops.shape(scores)
    values, flat = ops.top_k(ops.reshape(scores, (batch, beams * size)), count)
    flat = ops.cast(flat, "int32")
    return values, flat // size, flat % size
