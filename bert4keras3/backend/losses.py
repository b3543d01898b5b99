"""Losses as plain functions: ZLPR, pointer matrices, divergence of distributions.

B batch, H heads (types), T tokens, C classes, K labels per row (padded).
"""

from keras import ops

from bert4keras3.backend import runtime

HEAD_REDUCTIONS = ("sum", "mean")


def log_one_plus_sum(x):
    """log(1 + sum(exp(x))) along the last axis, exact for any size of x, -inf too."""
    top = ops.stop_gradient(ops.max(x, axis=-1, keepdims=True, initial=0.0))
    total = ops.sum(ops.exp(x - top), axis=-1)
    top = top[..., 0]
    # exp(-top) + total - 1, so that a loss far below one keeps its digits, too.
    return top + ops.log1p(ops.expm1(-top) + total)


def multilabel_categorical_crossentropy(y_true, y_pred):
    """ZLPR loss: log(1 + sum_neg e^s) + log(1 + sum_pos e^-s).

    y_true: (..., C), 0 or 1, or anything between for soft labels; y_pred: (..., C)
    scores without activation, positive = predicted. Scores of -inf (masked) leave
    both sums, even where labelled. Returns float32 (...), one value per row.
    A threshold t other than 0 is this loss of `y_pred - t`.
    https://kexue.fm/archives/7359, https://arxiv.org/abs/2208.02955
    """
    same = len(y_true.shape) == len(y_pred.shape) and all(
        a is None or b is None or a == b
        for a, b in zip(y_true.shape, y_pred.shape, strict=True)
    )
    if not same:
        raise ValueError(
            "multilabel_categorical_crossentropy needs labels and scores of one "
            f"shape. Received: y_true {tuple(y_true.shape)}, "
            f"y_pred {tuple(y_pred.shape)}. Class numbers instead of 0/1 go to the "
            "sparse loss."
        )
    y_true, y_pred = ops.cast(y_true, "float32"), ops.cast(y_pred, "float32")
    low = float("-inf")
    kept = y_pred != low  # NaN stays: a broken model must not look perfect
    scores = ops.where(kept, y_pred, 0.0)
    negative = ops.logical_and(kept, y_true < 1.0)
    positive = ops.logical_and(kept, y_true > 0.0)
    # The inner `where` keeps log(0) out of the unused branch: its gradient is NaN.
    against = scores + ops.log(ops.where(negative, 1.0 - y_true, 1.0))
    in_favour = ops.log(ops.where(positive, y_true, 1.0)) - scores
    return log_one_plus_sum(ops.where(negative, against, low)) + log_one_plus_sum(
        ops.where(positive, in_favour, low)
    )


def sparse_multilabel_categorical_crossentropy(y_true, y_pred, mask_zero=False):
    """ZLPR loss of class numbers: equal to the dense loss of the 0/1 labels.

    y_true: (..., K) class numbers of any dtype, a repeated one counts once; y_pred:
    (..., C); mask_zero: 0 is padding, and class 0 leaves both sums. Returns float32
    (...). Anything but a whole number in [0, C) raises ValueError, in compiled code
    it gives NaN.
    The sum over negatives leaves the positives out instead of subtracting them from
    the sum over all (https://kexue.fm/archives/8888): confident scores stay exact.
    """
    if len(y_true.shape) != len(y_pred.shape):
        raise ValueError(
            "sparse_multilabel_categorical_crossentropy needs y_true (..., K) and "
            "y_pred (..., C) of one rank. Received: y_true "
            f"{tuple(y_true.shape)}, y_pred {tuple(y_pred.shape)}"
        )
    ids, inside = class_numbers(y_true, ops.shape(y_pred)[-1])
    return sparse_rows(ids, y_pred, inside, mask_zero)


def class_numbers(labels, classes):
    """labels as int32, and which are whole numbers in [0, classes): bool.

    Raises ValueError for others when the values are known.
    """
    ids, inside = _whole(labels, classes)
    refuse_outside(inside, labels, f"class numbers from 0 to {classes - 1}")
    return ids, inside


def _whole(labels, limit):
    labels = ops.convert_to_tensor(labels)
    ids = ops.cast(labels, "int32")
    whole = ops.cast(ids, labels.dtype) == labels  # false for NaN, too
    inside = ops.logical_and(ids >= 0, ids < limit)
    return ids, ops.logical_and(whole, inside)


def refuse_outside(inside, labels, expected):
    """ValueError for labels out of range; compiled code cannot raise and goes on."""
    if not runtime.is_traced(inside) and not bool(ops.all(inside)):
        wrong = ops.convert_to_numpy(labels)[~ops.convert_to_numpy(inside)][0]
        raise ValueError(
            f"Sparse labels must be {expected}. Received: {wrong.tolist()}. Leave "
            "out what the truncation of the text cut off."
        )


def sparse_rows(ids, scores, inside, mask_zero):
    """Sparse ZLPR of ids: int32 (..., K) in scores: (..., C) -> float32 (...).

    inside: bool (..., K), False where an id is not a class; the loss is NaN there.
    """
    leading, classes = ops.shape(scores)[:-1], ops.shape(scores)[-1]
    scores = ops.reshape(ops.cast(scores, "float32"), (-1, classes))
    rows = (ops.shape(scores)[0], ops.shape(ids)[-1])
    ids = ops.reshape(ops.clip(ids, 0, classes - 1), rows)
    inside = ops.reshape(inside, rows)
    low = float("-inf")
    positive = ops.take_along_axis(scores, ids, axis=-1)
    wanted = ops.logical_and(first_of_equals(ids, mask_zero), positive != low)
    in_favour = ops.where(wanted, -ops.where(wanted, positive, 0.0), low)
    in_favour = ops.where(inside, in_favour, float("nan"))
    # Marks of one byte instead of scores with holes: a quarter of the memory.
    left_out = ops.pad(ids, [[0, 0], [0, 1]]) if mask_zero else ids
    negative = ops.where(marked(left_out, ops.shape(scores)), low, scores)
    loss = log_one_plus_sum(negative) + log_one_plus_sum(in_favour)
    return ops.reshape(loss, leading)


def first_of_equals(ids, mask_zero):
    """True at one of each group of equal ids: (N, K) -> bool (N, K); never at 0."""
    order = ops.argsort(ids, axis=-1)
    ranked = ops.take_along_axis(ids, order, axis=-1)
    fresh = ops.concatenate(
        [ops.ones_like(ranked[:, :1], "bool"), ranked[:, 1:] != ranked[:, :-1]], -1
    )
    back = ops.argsort(order, axis=-1)
    first = ops.take_along_axis(fresh, back, axis=-1)
    return ops.logical_and(first, ids > 0) if mask_zero else first


def marked(ids, shape):
    """bool of `shape` (N, C), True at ids (N, K)."""
    rows = ops.arange(shape[0], dtype="int32")[:, None]
    places = ops.stack([ops.broadcast_to(rows, ops.shape(ids)), ids], axis=-1)
    places = ops.reshape(places, (-1, 2))
    hits = ops.ones((ops.shape(places)[0],), dtype="bool")
    return ops.scatter_update(ops.zeros(shape, dtype="bool"), places, hits)


def global_pointer_crossentropy(y_true, y_pred, head_reduction="sum"):
    """ZLPR loss of a pointer matrix, every head a multi-label question of its own.

    y_true: (B, H, T, T) of 0 and 1; y_pred: (B, H, T, T), -inf where masked;
    head_reduction: "sum" over the heads, so that a head counts the same however many
    there are (bert4keras's relation example), or "mean" (its NER example).
    Returns float32 (B,). https://kexue.fm/archives/8373
    """
    _check_matrix(y_pred)
    loss = multilabel_categorical_crossentropy(_flat(y_true), _flat(y_pred))
    return reduce_heads(loss, head_reduction)


def sparse_global_pointer_crossentropy(y_true, y_pred, head_reduction="sum"):
    """`global_pointer_crossentropy` of index pairs.

    y_true: (B, H, K, 2) pairs (i, j) of any dtype, filler (0, 0): ignored, and cell
    (0, 0), the [CLS] token, leaves the negatives too, as in bert4keras; y_pred:
    (B, H, T, T); head_reduction: as there. Returns float32 (B,). A pair outside the
    matrix raises ValueError, in compiled code it gives NaN.
    """
    _check_matrix(y_pred)
    check_pairs(y_true, y_pred.shape[1])
    ids, inside = flat_pairs(y_true, ops.shape(y_pred)[-1])
    loss = sparse_rows(ids, _flat(y_pred), inside, mask_zero=True)
    return reduce_heads(loss, head_reduction)


def check_pairs(pairs, heads):
    """ValueError unless pairs is (B, heads, K, 2)."""
    if len(pairs.shape) != 4 or pairs.shape[-1] not in (2, None):
        raise ValueError(
            "Sparse pointer labels must be index pairs (B, H, K, 2). Received: shape "
            f"{tuple(pairs.shape)}. Matrices of 0 and 1 go to the dense loss."
        )
    if None not in (pairs.shape[1], heads) and pairs.shape[1] != heads:
        raise ValueError(
            f"The scores have {heads} heads, so sparse pointer labels must have a "
            f"list of pairs for each. Received: shape {tuple(pairs.shape)}"
        )


def _check_matrix(scores):
    if len(scores.shape) != 4:
        raise ValueError(
            "A pointer loss needs scores (B, H, T, T) as GlobalPointer returns them. "
            f"Received: y_pred {tuple(scores.shape)}"
        )


def flat_pairs(pairs, length):
    """Pairs (..., K, 2) as numbers i * length + j, and which are in the matrix.

    Raises ValueError for a pair outside when the values are known.
    """
    ids, valid = _whole(pairs, length)
    inside = ops.logical_and(valid[..., 0], valid[..., 1])
    refuse_outside(inside, pairs, f"pairs (i, j) below the length {length}")
    return ids[..., 0] * length + ids[..., 1], inside


def _flat(x):
    shape = ops.shape(x)
    return ops.reshape(x, (*shape[:-2], shape[-2] * shape[-1]))


def reduce_heads(loss, head_reduction):
    """(B, H) -> (B,) by "sum" or "mean"."""
    check_head_reduction(head_reduction)
    return (ops.sum if head_reduction == "sum" else ops.mean)(loss, axis=-1)


def check_head_reduction(head_reduction):
    """ValueError unless it is one of HEAD_REDUCTIONS."""
    if head_reduction not in HEAD_REDUCTIONS:
        raise ValueError(
            f"head_reduction must be one of {HEAD_REDUCTIONS}. "
            f"Received: {head_reduction!r}"
        )


def kl_divergence(p, q, from_logits=False):
    """KL(p || q) = sum p (log p - log q) over the last axis.

    p, q: (..., C) probabilities, or scores if from_logits. Returns float32 (...).
    Raises ValueError for C = 1, which is no distribution.
    """
    if p.shape[-1] == 1:
        raise ValueError(
            "A divergence needs the probabilities or scores of two or more classes, "
            f"(..., C). Received: shape {tuple(p.shape)}. Give a yes or no two classes."
        )
    p, q = (log_probabilities(one, from_logits) for one in (p, q))
    return ops.sum(ops.exp(p) * (p - q), axis=-1)


def log_probabilities(y, from_logits=False):
    """Logarithms, float32, of y (..., C): probabilities, or scores if from_logits."""
    y = ops.cast(y, "float32")
    if from_logits:
        return ops.log_softmax(y, axis=-1)
    return ops.log(ops.maximum(y, 1e-7))
