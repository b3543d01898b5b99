"""Linear chains of labels: normaliser, scores of paths, marginals, the best path.

Legend: B batch, T steps, C labels. Everywhere here

scores: (B, T, C) float, the score of each label at each step;
trans: (C, C) float, trans[i, j] is the score of going from label i to label j;
mask: (B, T) bool, True = a real step.

A transition counts between adjacent real steps only, so that a gap in the mask cuts
the chain into independent pieces. Minus infinity forbids a label or a transition: pass
both through `finite` first.
"""

from keras import ops

from bert4keras3.backend import runtime
from bert4keras3.backend.tensors import first_best

# Finite stand-in for minus infinity: sums of it over any number of steps stay finite
# in float32, so that nothing ever computes inf - inf.
FORBIDDEN = -1e30
# No sum without a forbidden part comes below this.
POSSIBLE = -1e20

UNROLLED = 32  # labels up to which a step of Viterbi is written out


def finite(x):
    """Replace values below FORBIDDEN, minus infinity above all, with zero gradient."""
    return ops.where(x < FORBIDDEN, ops.cast(FORBIDDEN, x.dtype), x)


def real_steps(scores):
    """Mask (B, T) of scores whose masked steps are minus infinity for all labels."""
    return ops.any(scores != float("-inf"), axis=-1)


def links(mask):
    """Bool (B, T): whether step t and step t - 1 are both real."""
    joint = ops.logical_and(mask[:, 1:], mask[:, :-1])
    return ops.concatenate([ops.zeros_like(mask[:, :1]), joint], axis=1)


def path_score(scores, trans, mask, labels):
    """Score (B,) of the paths `labels: (B, T)` int32."""
    count = trans.shape[0]
    picked = ops.take_along_axis(scores, ops.expand_dims(labels, -1), axis=-1)
    moves = labels[:, :-1] * count + labels[:, 1:]
    moved = ops.take(ops.reshape(trans, [-1]), moves)
    return _masked_sum(picked[..., 0], mask) + _masked_sum(moved, links(mask)[:, 1:])


def soft_path_score(scores, trans, mask, labels):
    """Score (B,) of `labels: (B, T, C)` float, one-hot or soft."""
    picked = ops.sum(labels * scores, axis=-1)
    moved = ops.sum(ops.matmul(labels[:, :-1], trans) * labels[:, 1:], axis=-1)
    return _masked_sum(picked, mask) + _masked_sum(moved, links(mask)[:, 1:])


def log_likelihood(scores, trans, mask, labels):
    """Log-probability (B,) of labels: (B, T) int32, or (B, T, C) one-hot or soft.

    Minus infinity, not NaN, where the path is forbidden.
    """
    score_of = path_score if len(labels.shape) == 2 else soft_path_score
    score = score_of(scores, trans, mask, labels)
    known = ops.logical_or(score > POSSIBLE, ops.isnan(score))
    lowest = ops.cast(float("-inf"), score.dtype)
    return ops.where(known, score - log_normalizer(scores, trans, mask), lowest)


def log_normalizer(scores, trans, mask):
    """Log of the sum over all paths of exp(score), (B,).

    0 for a row without real steps, minus infinity (and zero gradient) for a row all of
    whose paths are forbidden. The gradient is the recursion of the marginals and not
    the derivative of the loop: it stores (B, T, C) instead of (B, T, C, C), and XLA
    can compile it whatever T is. Only first derivatives are defined.
    """
    keep, linked = _time_major(mask)

    @ops.custom_gradient
    def normalizer(scores, trans):
        value, history = _forward(scores, trans, keep, linked)

        def gradient(*args, upstream=None):
            upstream = args[0] if upstream is None else upstream
            return _backward(upstream, history, trans, keep, linked)

        return value, gradient

    return normalizer(scores, trans)


def marginals(scores, trans, mask):
    """Probability of each label at each step, (B, T, C).

    Zeros at masked steps, and in rows all of whose paths are forbidden.
    """
    keep, linked = _time_major(mask)
    value, history = _forward(scores, trans, keep, linked)
    return _backward(ops.ones_like(value), history, trans, keep, linked)[0]


def best_path(scores, trans, mask, starts=None, ends=None):
    """Labels int32 (B, T) of the best path, -1 at masked steps.

    starts, ends: bool (C,), labels allowed at the first and the last real step.
    """
    keep, linked = _time_major(mask)
    scores = ops.transpose(_limited(scores, mask, starts, ends), (1, 2, 0))
    start, inputs = (_start(scores[0]),), (scores, keep, linked)
    (best,), (before,) = runtime.scan(_reach, start, inputs, (trans,))
    last, inputs = (first_best(best, axis=0),), (before, keep, linked)
    _, (labels,) = runtime.scan(_trace, last, inputs, (trans,), reverse=True)
    return ops.where(mask, ops.transpose(labels), -1)


def _masked_sum(x, mask):
    return ops.sum(ops.where(mask, x, ops.zeros_like(x)), axis=1)


# Inside the loops time comes first and the batch last, (T, C, B): the reductions over
# labels then run along contiguous memory, twice as fast on a CPU.


def _time_major(mask):
    """(keep, linked), each (T, 1, B)."""
    mask = ops.stop_gradient(mask)
    return tuple(
        ops.expand_dims(ops.transpose(part), 1) for part in (mask, links(mask))
    )


def _limited(scores, mask, starts, ends):
    """Forbid labels at the first and at the last real step of every row."""
    forbidden = ops.cast(FORBIDDEN, scores.dtype)
    count = ops.cumsum(ops.cast(mask, "int32"), axis=1)
    for allowed, edge in ((starts, 1), (ends, count[:, -1:])):
        if allowed is not None:
            here = ops.expand_dims(ops.logical_and(mask, count == edge), -1)
            no = ops.logical_not(ops.convert_to_tensor(allowed, dtype="bool"))
            scores = ops.where(ops.logical_and(here, no), forbidden, scores)
    return scores


def _start(scores):
    """State (C, B) before the first step: the sum over it is 1, its logarithm 0."""
    first = ops.expand_dims(ops.arange(scores.shape[0]) == 0, -1)
    state = ops.where(first, 0.0, FORBIDDEN)
    return ops.zeros_like(scores) + ops.cast(state, scores.dtype)


def _paths(state, trans):
    """(C to, C from, B): the state plus the transition."""
    return ops.expand_dims(state, 0) + ops.expand_dims(ops.transpose(trans), -1)


def _reach(carry, inputs, trans):
    """One step of Viterbi: the best score of a path to each label."""
    (best,), (score, keep, linked) = carry, inputs
    top = ops.max(best, axis=0, keepdims=True)
    reached = ops.where(linked, _best_paths(best, trans), top)
    # Only differences matter, and small numbers keep their precision.
    return (ops.where(keep, reached + (score - top), best),), (best,)


def _best_paths(best, trans):
    """Score of the best path to each label, (C, B)."""
    labels = trans.shape[0]
    if labels > UNROLLED or not runtime.is_traced(best):
        return ops.max(_paths(best, trans), axis=1)
    # XLA fuses a running maximum into one loop, a fifth faster than its reduction.
    to = ops.expand_dims(ops.transpose(trans), -1)
    reached = best[:1] + to[:, 0]
    for label in range(1, labels):
        reached = ops.maximum(reached, best[label : label + 1] + to[:, label])
    return reached


def _trace(carry, inputs, trans):
    """One step back along the best path; which label it came from is looked up."""
    (label,), (before, keep, linked) = carry, inputs
    arrival = ops.take(trans, label, axis=1)
    arrival = ops.where(linked, arrival, ops.zeros_like(arrival))
    previous = first_best(before + arrival, axis=0)
    return (ops.where(keep[0], previous, label),), (label,)


def _forward(scores, trans, keep, linked):
    """Log normaliser (B,) and what `_backward` needs.

    The states are shifted to a maximum of 0 at every step and the shifts are summed
    apart: the error of a gradient then does not grow with the length.
    """
    scores = ops.transpose(scores, (1, 2, 0))
    start, inputs = (_start(scores[0]),) * 2, (scores, keep, linked)
    (last, _), (before, totals) = runtime.scan(_sum_up, start, inputs, (trans,))
    shifts = ops.max(totals + scores, axis=1)
    shifts = ops.where(keep[:, 0], shifts, ops.zeros_like(shifts))
    value = ops.sum(shifts, axis=0) + ops.logsumexp(last, axis=0)
    possible = ops.logical_not(value < POSSIBLE)
    value = ops.where(possible, value, ops.cast(float("-inf"), value.dtype))
    return value, (before, totals, last, possible)


def _sum_up(carry, inputs, trans):
    """One step of the forward algorithm; the outputs are what it began with."""
    (state, _), (score, keep, linked) = carry, inputs
    paths = _paths(state, trans)
    top = ops.max(paths, axis=1, keepdims=True)
    total = ops.log(ops.sum(ops.exp(paths - top), axis=1)) + top[:, 0]
    alone = ops.log(ops.sum(ops.exp(state), axis=0, keepdims=True))
    total = ops.where(linked, total, alone)
    reached = total + score
    reached = reached - ops.max(reached, axis=0, keepdims=True)
    return (ops.where(keep, reached, state), total), (state, total)


def _backward(upstream, history, trans, keep, linked):
    """Gradients for the scores, (B, T, C), and for trans, (C, C)."""
    before, totals, last, possible = history
    upstream = ops.where(possible, upstream, ops.zeros_like(upstream))
    share = upstream * ops.softmax(last, axis=0)
    start, inputs = (share, ops.zeros_like(trans)), (before, totals, keep, linked)
    _, (given, pairs) = runtime.scan(_share_out, start, inputs, (trans,), reverse=True)
    return ops.transpose(given, (2, 0, 1)), ops.transpose(ops.sum(pairs, axis=0))


def _share_out(carry, inputs, trans):
    """One step back: each label's share goes to the labels that it came from."""
    (share, _), (state, total, keep, linked) = carry, inputs
    here = ops.where(keep, share, ops.zeros_like(share))
    alone = ops.softmax(state, axis=0) * ops.sum(here, axis=0, keepdims=True)
    # Without a link nothing came along a transition: the exponential must be 0.
    total = ops.where(linked, total, ops.cast(-FORBIDDEN, total.dtype))
    parts = ops.exp(_paths(state, trans) - ops.expand_dims(total, 1))
    parts = parts * ops.expand_dims(here, 1)
    earlier = ops.where(linked, ops.sum(parts, axis=0), alone)
    pairs = ops.sum(parts, axis=2)
    return (ops.where(keep, earlier, share), pairs), (here, pairs)
