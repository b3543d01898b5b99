"""GAU-alpha: RoFormerV2 whose blocks are gated attention units."""

from bert4keras3.checkpoints.names import dense, plain, renamed, table, without
from bert4keras3.layers import GatedAttentionUnit
from bert4keras3.layers.initializers import DepthScaledNormal
from bert4keras3.models.families.roformer_v2 import RoFormerV2

_GAU = "Transformer-{i}-GatedAttentionUnit"
_TF = "GAU_alpha/encoder/layer_{i}/gau/"
_HF = "gau_alpha.encoder.layer.{i}.gau."


class GAU_alpha(RoFormerV2):  # noqa: N801  (legacy public name)
    """GAU-alpha (https://github.com/ZhuiyiTechnology/GAU-alpha).

    normalization, attention_scale, clamp_length: see GatedAttentionUnit. The last
    one is about texts shorter than 16 tokens: bert4keras clamps since 2023-03, which
    the published weights were trained without, and the PyTorch ports do not.
    """

    model_type = "gau_alpha"
    names = table(
        renamed(without(RoFormerV2.names, "{i}"), ("roformer.", "gau_alpha.")),
        dense(_GAU + "/i", _TF + "i_dense", _HF + "i_dense", bias=False),
        plain(
            _GAU + "/q/gamma", _TF + "q_scaleoffset/gamma", _HF + "q_scaleoffset.weight"
        ),
        plain(
            _GAU + "/k/gamma", _TF + "k_scaleoffset/gamma", _HF + "k_scaleoffset.weight"
        ),
        dense(_GAU + "/o", _TF + "o_dense", _HF + "o_dense", bias=False),
    )
    defaults = {"hidden_act": "swish", "attention_key_size": 128}
    options = {
        **RoFormerV2.options,
        "normalization": "softmax_plus",
        "attention_scale": True,
        "clamp_length": True,
    }
    unsupported = {
        **RoFormerV2.unsupported,
        "residual_attention_scores": "a gated attention unit does not return scores",
    }

    @classmethod
    def understood(cls, values):
        """Published configs do not count the heads: there is one."""
        return {"num_attention_heads": 1, **values}

    @property
    def initializer(self):
        """A new depth-scaled normal initializer."""
        return DepthScaledNormal(self.num_hidden_layers, order=3)

    def layer_name(self, index, part):
        """Name of a part: attention and feed-forward network are one layer here."""
        for one in ("MultiHeadSelfAttention", "FeedForward"):
            part = part.replace(one, "GatedAttentionUnit")
        return super().layer_name(index, part)

    def apply_main_layers(self, inputs, index, first=False):
        """One block: a gated attention unit with residual and norm."""
        name = self.layer_name(index, "GatedAttentionUnit")
        return self.sublayer(inputs, name, lambda x: self.attend(x, index, name))

    def attention_layer(self, name):
        """The gated attention unit of one block."""
        return self.get(
            GatedAttentionUnit,
            name,
            units=self.intermediate_size,
            key_size=self.attention_key_size,
            activation=self.hidden_act,
            use_bias=self.use_bias,
            normalization=self.normalization,
            attention_scale=self.attention_scale,
            attention_dropout=self.attention_dropout_rate,
            clamp_length=self.clamp_length,
            kernel_initializer=self.initializer,
        )
