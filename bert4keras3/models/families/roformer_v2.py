"""RoFormerV2: RoFormer without biases and with parameter-free RMS norms."""

from bert4keras3.checkpoints.names import plain, table, without
from bert4keras3.layers import Dropout
from bert4keras3.layers.initializers import DepthScaledNormal
from bert4keras3.models import heads
from bert4keras3.models.families.roformer import RoFormer


class RoFormerV2(RoFormer):
    """RoFormerV2 (https://github.com/ZhuiyiTechnology/roformer-v2)."""

    model_type = "roformer_v2"
    use_bias = False
    foreign_names = (*RoFormer.foreign_names, "/LayerNorm", ".LayerNorm")
    norm_arguments = {"zero_mean": False, "scale": False, "offset": False}
    names = table(
        without(RoFormer.names, "/bias", "/beta", "/gamma", "Pooler", "NSP", "MLM"),
        # bert4keras neither saved nor loaded this one; the name is ours.
        plain(
            "Output-Mapping/kernel",
            "cls/predictions/output_mapping/kernel",
            "cls.predictions.output_mapping.weight",
            turned=("hf",),
        ),
    )
    options = {
        name: default
        for name, default in RoFormer.options.items()
        if name not in ("with_pool", "with_nsp")
    }
    unsupported = {
        "with_pool": "RoFormerV2 has no pooler; take the output's first token",
        "with_nsp": "RoFormerV2 has no next-sentence head",
        "layer_norm_cond": "RoFormerV2's norms have no scale or offset to condition",
    }
    ignored_keys = frozenset({"norm_type", "use_bias", "pooler_activation"})

    @property
    def initializer(self):
        """A new depth-scaled normal initializer."""
        return DepthScaledNormal(self.num_hidden_layers)

    def finish_embeddings(self, x):
        """Dropout comes before the norm here."""
        x = self.apply(x, Dropout, name="Embedding-Dropout", rate=self.dropout_rate)
        x = self.norm(x, "Embedding-Norm")
        return self.mapped(
            x, "Embedding-Mapping", self.embedding_size, self.hidden_size
        )

    def apply_final_layers(self, inputs):
        """(B, T, D) -> (B, T, V) by the tied table alone, or the hidden states."""
        if not self.with_mlm:
            return inputs
        x = self.mapped(inputs, "Output-Mapping", self.hidden_size, self.embedding_size)
        x = self.apply(x, Dropout, name="Output-MLM-Dropout", rate=self.dropout_rate)
        x = heads.vocabulary_scores(self, x)
        return heads.output_activation(self, x, self.with_mlm, "Output-MLM-Activation")
