"""NEZHA: BERT whose attention knows the distance between two tokens."""

from bert4keras3.checkpoints.names import renamed, without
from bert4keras3.models.families.bert import BERT
from bert4keras3.models.positions import RelativeSinusoidal


class NEZHA(BERT):
    """Encoder with fixed relative positions (https://arxiv.org/abs/1909.00204).

    max_relative_position: distances beyond it count as it. bert4keras normalised
    with epsilon 1e-7; layer_norm_eps=1e-7 sets that for every norm.
    NEZHA-GEN, despite its name, is a BERT with a position table: load it with
    model="bert", application="lm", segment_vocab_size=0.
    """

    model_type = "nezha"
    names = renamed(without(BERT.names, "Embedding-Position"), ("bert.", "nezha."))
    dialects = (
        ("hf", "names of BERT", lambda name: name.replace("nezha.", "bert.", 1)),
    )
    foreign_names = ("embeddings/position_embeddings", "embeddings.position_embeddings")
    position = RelativeSinusoidal()
    options = {**BERT.options, "max_relative_position": 64}
    unsupported = {
        "custom_position_ids": "NEZHA sees distances between tokens, not positions",
        "hierarchical_position": "NEZHA has no position table to continue",
    }

    @classmethod
    def understood(cls, values):
        """Drop the switch that published configs set; off, they mean a BERT."""
        values = dict(values)
        if not values.pop("use_relative_position", True):
            raise ValueError(
                "use_relative_position=False in the config means absolute positions: "
                "pass model='bert'."
            )
        return values
