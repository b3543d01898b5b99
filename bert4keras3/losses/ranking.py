"""CoSENT: pairs of texts in the right order of similarity.

B rows, D size of a vector, P pairs.
"""

import keras
from keras import ops

from bert4keras3.backend import runtime
from bert4keras3.backend.losses import log_one_plus_sum
from bert4keras3.backend.tensors import unit_vectors
from bert4keras3.layers.base import register
from bert4keras3.layers.pairs import pairs_of


def cosent(y_true, y_pred, scale=20.0):
    """log(1 + sum of exp(s_i - s_j) over all i, j where label_i < label_j), a scalar.

    y_pred: vectors (B, D), rows 2i and 2i + 1 being a pair, whose score s is scale
    times its cosine; or scores (B, 1) of one pair a row, as a model that reads both
    texts at once gives them: taken as they are, without scale.
    y_true: any numbers that grow with similarity (0 and 1, 0 to 5, or contradiction 0,
    neutral 1, entailment 2), (B,) or (B, 1), both rows of a pair the same, or one for
    each pair. Computed in float32; memory P * P.
    Raises ValueError for other shapes, for NaN as a label and for two labels of one
    pair that differ; compiled code, which cannot raise, gives NaN for the latter two.
    https://kexue.fm/archives/8847, https://kexue.fm/archives/9341
    """
    y_pred = ops.convert_to_tensor(y_pred)
    if len(y_pred.shape) == 2 and y_pred.shape[-1] == 1:
        scores, per_pair = ops.cast(y_pred[:, 0], "float32"), 1
    else:
        u, v = pairs_of(unit_vectors(y_pred))
        scores, per_pair = scale * ops.sum(u * v, axis=-1), 2
    labels, good = _of_pairs(y_true, scores, per_pair)
    lower = ops.expand_dims(labels, 1) < ops.expand_dims(labels, 0)
    gaps = ops.expand_dims(scores, 1) - ops.expand_dims(scores, 0)
    gaps = ops.where(lower, gaps, float("-inf"))
    loss = log_one_plus_sum(ops.reshape(gaps, (-1,)))
    return ops.where(ops.all(good), loss, float("nan"))


def _of_pairs(y_true, scores, per_pair):
    """The label of each pair (P,), and whether it is one: bool (P,)."""
    labels = ops.reshape(ops.cast(y_true, "float32"), (-1,))
    found, pairs = labels.shape[0], scores.shape[0]
    if None not in (found, pairs) and found not in (pairs, pairs * per_pair):
        raise ValueError(
            f"CoSENT needs a label for each of the {pairs} pairs"
            f"{' or for each row of them' if per_pair == 2 else ''}. Received: y_true "
            f"{tuple(y_true.shape)}"
        )
    labels = ops.reshape(labels, (ops.shape(scores)[0], -1))
    good = labels[:, 0] == labels[:, -1]  # false for NaN, too
    if not runtime.is_traced(good) and not bool(ops.all(good)):
        raise ValueError(
            "CoSENT needs the same label in rows 2i and 2i + 1, the two texts of one "
            "pair, and no NaN. Received: labels that differ. Shuffle pairs, not rows: "
            "`fit(..., shuffle=False)` with a generator such as PairedGenerator."
        )
    return labels[:, 0], good


@register
class CoSENT(keras.losses.Loss):
    """Rank all pairs of a batch by similarity, as they will be judged (Spearman).

    y_true: (B,) graded or 0/1 labels; y_pred: (B, D) vectors, partners in neighbouring
    rows, or (B, 1) scores of pairs; scale: of the cosines. One number for a whole
    batch: sample weights are refused. See `cosent`.
    """

    def __init__(self, scale=20.0, reduction="sum_over_batch_size", name="cosent"):
        super().__init__(name=name, reduction=reduction, dtype="float32")
        self.scale = scale

    def __call__(self, y_true, y_pred, sample_weight=None):
        if sample_weight is not None:
            raise ValueError(
                "CoSENT compares the pairs of a batch with each other, there is no "
                "loss of one row to weigh. Received: sample_weight"
            )
        return super().__call__(y_true, y_pred)

    def call(self, y_true, y_pred):
        return cosent(y_true, y_pred, self.scale)

    def get_config(self):
        return {**super().get_config(), "scale": self.scale}
