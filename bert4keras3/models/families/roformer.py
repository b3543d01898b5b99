"""RoFormer: BERT with rotary positions instead of a position table."""

from bert4keras3.checkpoints.names import renamed, without
from bert4keras3.models.families.bert import BERT
from bert4keras3.models.positions import Rotary


class RoFormer(BERT):
    """Encoder with rotary positions (https://arxiv.org/abs/2104.09864)."""

    model_type = "roformer"
    names = renamed(without(BERT.names, "Embedding-Position"), ("bert.", "roformer."))
    foreign_names = ("embeddings/position_embeddings", "embeddings.position_embeddings")
    position = Rotary()
    norm_epsilon = 1e-7
    options = {
        name: default
        for name, default in BERT.options.items()
        if name != "hierarchical_position"
    }
