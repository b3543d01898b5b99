"""Cross entropy of cosines with a margin: AM-softmax, ArcFace, circle loss.

B rows, C classes.
"""

import math

import keras
from keras import ops

from bert4keras3.backend import runtime
from bert4keras3.backend.losses import class_numbers
from bert4keras3.layers.base import register

# The margins and scales that the papers use.
KINDS = {"am": (0.35, 30.0), "arc": (0.5, 64.0), "circle": (0.25, 256.0)}


def margin_softmax(y_true, y_pred, kind="am", margin=None, scale=None):
    """Cross entropy of scaled cosines, where the right class must win by a margin.

    y_true: class numbers (B,) or (B, 1); y_pred: (B, C) cosines of a text's vector and
    the classes', as the layer `CosineDense` gives them.
    kind: what is made of the cosine c of the right class before it is scaled:
        "am": c - margin, AM-softmax (https://arxiv.org/abs/1801.05599, for sentences
        https://kexue.fm/archives/5743);
        "arc": the cosine of its angle plus margin, ArcFace (arXiv 1801.07698);
        "circle": (1 + margin - c) (c - 1 + margin), and (c + margin) (c - margin) of
        the others; the first factors, not below 0, are taken as constants: circle loss
        of classes (arXiv 2002.10857); `keras.losses.Circle` is that of pairs.
    margin, scale: by default those of the papers, see `KINDS`.
    Returns float32 (B,). Raises ValueError for another kind, for cosines beyond 1 and
    for labels that are no classes (in compiled code these two give NaN).
    """
    check_kind(kind)
    usual = KINDS[kind]
    margin = usual[0] if margin is None else margin
    scale = usual[1] if scale is None else scale
    cosines = ops.cast(y_pred, "float32")
    good = ops.abs(cosines) <= 1.01  # bfloat16 rounds
    if not runtime.is_traced(good) and not bool(ops.all(good)):
        raise ValueError(
            "margin_softmax needs cosines, numbers from -1 to 1. Received larger ones: "
            "end the model with layers.CosineDense instead of Dense."
        )
    ids, inside = class_numbers(ops.reshape(y_true, (-1, 1)), cosines.shape[-1])
    right = ops.arange(cosines.shape[-1]) == ids
    logits = scale * _with_margin(cosines, right, kind, margin)
    loss = ops.logsumexp(logits, -1) - ops.sum(ops.where(right, logits, 0.0), -1)
    good = ops.logical_and(ops.all(good, axis=-1), inside[:, 0])
    return ops.where(good, loss, float("nan"))


def _with_margin(c, right, kind, margin):
    if kind == "am":
        return ops.where(right, c - margin, c)
    if kind == "arc":
        sine = ops.sqrt(ops.maximum(1.0 - ops.square(c), 1e-12))
        turned = c * math.cos(margin) - sine * math.sin(margin)
        # Beyond 180 degrees the cosine would grow again: go on in a straight line.
        beyond = c <= -math.cos(margin)
        turned = ops.where(beyond, c - margin * math.sin(margin), turned)
        return ops.where(right, turned, c)
    fixed = ops.stop_gradient(c)
    wanted = ops.relu(1 + margin - fixed) * (c - (1 - margin))
    unwanted = ops.relu(fixed + margin) * (c - margin)
    return ops.where(right, wanted, unwanted)


def check_kind(kind):
    """ValueError unless it is one of KINDS."""
    if kind not in KINDS:
        raise ValueError(f"kind must be one of {tuple(KINDS)}. Received: {kind!r}")


@register
class MarginSoftmax(keras.losses.Loss):
    """AM-softmax, ArcFace or circle loss of classes, over cosines.

    y_true: class numbers; y_pred: (B, C) cosines of a `CosineDense` layer; kind: "am",
    "arc" or "circle"; margin, scale: None = those of the papers. See `margin_softmax`.
    """

    def __init__(
        self,
        kind="am",
        margin=None,
        scale=None,
        reduction="sum_over_batch_size",
        name="margin_softmax",
    ):
        check_kind(kind)
        super().__init__(name=name, reduction=reduction, dtype="float32")
        self.kind = kind
        self.margin = margin
        self.scale = scale

    def call(self, y_true, y_pred):
        return margin_softmax(y_true, y_pred, self.kind, self.margin, self.scale)

    def get_config(self):
        own = {"kind": self.kind, "margin": self.margin, "scale": self.scale}
        return {**super().get_config(), **own}
