"""Maximum-entropy Markov model over a chain of labels, in both directions."""

from keras import ops

from bert4keras3.backend import chains, runtime
from bert4keras3.layers.base import register
from bert4keras3.layers.chain import LabelChain, for_compile, share


@register
class MaximumEntropyMarkovModel(LabelChain):
    """Bidirectional MEMM (https://kexue.fm/archives/7213).

    The probability of a label given the one before is softmax((x[t] + trans[i]) / 2),
    of the first softmax(x[0]); the same from right to left with `trans` transposed.
    The log-probability of a path is the mean of both directions. `layer(x)` returns
    the logits x: (B, T, C) with minus infinity at masked steps and no mask; masks,
    forbidden labels and lr_multiplier are as in `ConditionalRandomField`.

    hidden_dim: R; `trans` is then the product of (C, R) and (R, C) weights, each
    divided by lr_multiplier, for many labels.
    """

    def __init__(self, lr_multiplier=1, hidden_dim=None, **kwargs):
        super().__init__(lr_multiplier, **kwargs)
        if hidden_dim is not None and hidden_dim < 1:
            raise ValueError(
                f"hidden_dim must be None or at least 1. Received: {hidden_dim}"
            )
        self.hidden_dim = hidden_dim

    def build(self, input_shape):
        self.num_labels = self.label_count(input_shape)
        shape, names = (self.num_labels, self.hidden_dim), ("l_trans", "r_trans")
        if self.hidden_dim is None:
            shape, names = (self.num_labels, self.num_labels), ("trans",)
        self.factors = [self.add_transitions(shape, name) for name in names]

    @property
    def trans(self):
        """Scores (C, C) of label i (row) before label j (column)."""
        k = self.lr_multiplier
        parts = [k * ops.convert_to_tensor(weight) for weight in self.factors]
        if len(parts) == 1:
            return parts[0]
        return ops.matmul(parts[0], ops.transpose(parts[1]))

    def log_prob(self, y, x):
        """Log-probability (B,) of the labels y: (B, T) or (B, T, 1).

        The mean of both directions, whose exponentials need not sum to 1 over paths.
        Raises ValueError for labels that do not exist; where nothing can be raised
        (compiled programs, accelerators) the row is NaN.
        """
        both, labels, wrong, mask = self._sparse(y, x)
        forward, backward = log_probs_of(both, labels, mask)
        value = ops.sum(forward + backward, axis=1) / 2
        return ops.where(wrong, ops.cast(float("nan"), value.dtype), value)

    @for_compile
    def sparse_loss(self, y_true, y_pred):
        """Mean over real steps and directions of -log p, a scalar, for label ids.

        It is one number for the batch, as in bert4keras: sample weights multiply it as
        a whole and do not weight one sample against another.
        """
        both, labels, wrong, mask = self._sparse(y_true, y_pred)
        loss = mean_loss(log_probs_of(both, labels, mask), mask)
        return ops.where(ops.any(wrong), ops.cast(float("nan"), loss.dtype), loss)

    @for_compile
    def dense_loss(self, y_true, y_pred):
        """`sparse_loss` for labels (B, T, C), one-hot or soft."""
        both, labels, mask = self._dense(y_true, y_pred)
        picked = [ops.sum(labels * one, axis=-1) for one in both]
        return mean_loss([_real(one, mask) for one in picked], mask)

    @for_compile
    def sparse_accuracy(self, y_true, y_pred):
        """Share of steps whose most probable label, given the true one beside it, is
        right: the mean of both directions.

        Metrics in a compiled program of jax cannot read weights; there, it is the
        share by the logits alone.
        """
        if not self._readable():
            return super().sparse_accuracy(y_true, y_pred)
        both, labels, _, mask = self._sparse(y_true, y_pred)
        return sum(share(labels, one, mask) for one in both) / 2

    @for_compile
    def dense_accuracy(self, y_true, y_pred):
        """`sparse_accuracy` for labels (B, T, C)."""
        if not self._readable():
            return super().dense_accuracy(y_true, y_pred)
        both, labels, mask = self._dense(y_true, y_pred)
        labels = ops.argmax(labels, axis=-1)
        return sum(share(labels, one, mask) for one in both) / 2

    def _readable(self):
        return all(runtime.has_value(weight) for weight in self.factors)

    def _sparse(self, y, x):
        """Both directions' log p (B, T, C), labels, wrong rows (B,), the mask."""
        scores, trans, mask = self.chain(x)
        labels, wrong = self.checked(y, mask)

        def rows(trans):
            return ops.take(trans, labels, axis=0)

        return local_log_probs(scores, trans, mask, rows), labels, wrong, mask

    def _dense(self, y, x):
        """Both directions' log p (B, T, C), labels, the mask."""
        scores, trans, mask = self.chain(x)
        labels = ops.cast(self.soft(y, mask), scores.dtype)

        def rows(trans):
            return ops.matmul(labels, trans)

        return local_log_probs(scores, trans, mask, rows), labels, mask

    def potentials(self, x):
        """What `decode` maximises: `log_prob`, taken apart into steps and pairs.

        A local normaliser depends on one neighbour only, so that it can be counted
        with the score of that neighbour; what is left of a pair is trans / 2.
        """
        scores, trans, mask = self.chain(x)
        before, after = _sides(mask)
        alone = ops.log_softmax(scores, axis=-1) / 2
        forward, backward = _pair_normalizers(scores, trans)
        nodes = ops.where(before, scores / 4 - _later(backward) / 2, alone)
        nodes = nodes + ops.where(after, scores / 4 - _earlier(forward) / 2, alone)
        return nodes, trans / 2, mask


def _sides(mask):
    """Bool (B, T, 1), twice: whether a step has a real left, and right, neighbour."""
    before = ops.expand_dims(chains.links(mask), -1)
    return before, ops.concatenate([before[:, 1:], before[:, :1]], axis=1)


def _later(x):
    """Move x: (B, T, ...) one step on; the first step repeats itself."""
    return ops.concatenate([x[:, :1], x[:, :-1]], axis=1)


def _earlier(x):
    """Move x: (B, T, ...) one step back; the last step repeats itself."""
    return ops.concatenate([x[:, 1:], x[:, -1:]], axis=1)


def local_log_probs(scores, trans, mask, rows):
    """log p (B, T, C) given the true left neighbour, and given the right one.

    rows: turns trans into the transitions from the true label of every step.
    """
    before, after = _sides(mask)
    given = ops.where(before, (scores + _later(rows(trans))) / 2, scores)
    other = (scores + _earlier(rows(ops.transpose(trans)))) / 2
    other = ops.where(after, other, scores)
    return [ops.log_softmax(one, axis=-1) for one in (given, other)]


def log_probs_of(both, labels, mask):
    """log p (B, T) of the labels (B, T) in both directions, 0 at masked steps."""
    places = ops.expand_dims(labels, -1)
    picked = [ops.take_along_axis(one, places, axis=-1)[..., 0] for one in both]
    return [_real(one, mask) for one in picked]


def _real(values, mask):
    """Masked steps 0, forbidden labels minus infinity."""
    lowest = ops.cast(float("-inf"), values.dtype)
    values = ops.where(values < chains.POSSIBLE, lowest, values)
    return ops.where(mask, values, ops.zeros_like(values))


def mean_loss(both, mask):
    """Mean over real steps and directions of -log p, a scalar."""
    steps = ops.maximum(ops.sum(ops.cast(mask, both[0].dtype)), 1.0)
    return -(ops.sum(both[0]) + ops.sum(both[1])) / (2 * steps)


def _pair_normalizers(scores, trans):
    """(B, T, C), twice: log-sum over the labels here for each label left, and right.

    Step by step, because all steps at once would take (B, T, C, C).
    """
    scores = ops.swapaxes(scores, 0, 1)
    start = (ops.zeros_like(scores[0]),) * 2
    _, both = runtime.scan(_normalize_pairs, start, (scores,), (trans,))
    return tuple(ops.swapaxes(one, 0, 1) for one in both)


def _normalize_pairs(carry, inputs, trans):
    (score,) = inputs
    forward = (ops.expand_dims(score, 1) + trans) / 2
    backward = (ops.expand_dims(score, 2) + trans) / 2
    return carry, (ops.logsumexp(forward, axis=2), ops.logsumexp(backward, axis=1))
