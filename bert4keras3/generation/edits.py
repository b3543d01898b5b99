"""Edits of texts, one token each: chosen, made, and weighed against the way back.

C texts, W width of the buffers (start and end token included), V vocabulary.
"""

import math

from keras import ops

REPLACE, INSERT, DELETE = range(3)


def chosen_edit(uniform, lengths, moves):
    """A move (C,) and its place (C, 1), from uniform numbers (C, 3)."""
    first, second = math.exp(moves[REPLACE]), math.exp(moves[DELETE])
    draw = uniform[:, 0]
    move = ops.where(
        draw < first, REPLACE, ops.where(draw < 1 - second, INSERT, DELETE)
    )
    # An insertion has one place more: behind the last token.
    places = lengths - 2 + ops.cast(move == INSERT, "int32")
    place = ops.floor(uniform[:, 1] * ops.cast(places, "float32"))
    place = ops.minimum(ops.cast(place, "int32"), places - 1)
    return move, 1 + place[:, None]


def shifted(ids, place, insert, token):
    """ids (C, W) with a token at `place: (C, 1)`, before what was there if `insert`."""
    columns = ops.expand_dims(ops.arange(ops.shape(ids)[1]), 0)
    behind = ops.logical_and(insert[:, None], columns > place)
    moved = ops.take_along_axis(ids, columns - ops.cast(behind, "int32"), axis=1)
    return ops.where(columns == place, token, moved)


def edited(ids, masked, lengths, move, place, new, pad):
    """Texts (C, W) and lengths after the moves; masked: with a mask at the place."""
    width = ops.shape(ids)[1]
    columns = ops.expand_dims(ops.arange(width), 0)
    after = ops.minimum(columns + ops.cast(columns >= place, "int32"), width - 1)
    shorter = ops.take_along_axis(ids, after, axis=1)
    filled = ops.where(columns == place, new, masked)
    delete = move == DELETE
    lengths = lengths + ops.cast(move == INSERT, "int32") - ops.cast(delete, "int32")
    texts = ops.where(delete[:, None], shorter, filled)
    return ops.where(columns < lengths[:, None], texts, pad), lengths


def way_back(kept, old, new, move, moves, allowed):
    """log of how probable the way back is against the way there, (C,).

    The place cancels out: n + 1 gaps to insert at, n + 1 tokens to delete. All three
    moves ask the masked model about the same text without the token in question.
    """
    logs = kept - ops.logsumexp(kept, axis=-1, keepdims=True)
    there = ops.take_along_axis(logs, new, axis=1)[:, 0]
    back = ops.take_along_axis(logs, old, axis=1)[:, 0]
    # A token that is never drawn is outside of the distribution: leave at once.
    known = ops.take_along_axis(
        ops.broadcast_to(allowed, ops.shape(kept)), old, axis=1
    )[:, 0]
    back = ops.where(known, back, 1e6)
    turn = moves[DELETE] - moves[INSERT]
    return ops.where(
        move == REPLACE,
        back - there,
        ops.where(move == INSERT, turn - there, back - turn),
    )
