"""DeBERTa-v2 and v3: BERT whose attention scores content and distance apart."""

from bert4keras3.checkpoints.names import dense, norm, plain, renamed, table, without
from bert4keras3.layers import DisentangledAttention, Dropout, MaskedConv1D
from bert4keras3.models.families import deberta_v2_config
from bert4keras3.models.families.bert import BERT
from bert4keras3.models.positions import Distances

_ATTENTION = "Transformer-{i}-MultiHeadSelfAttention/"
_TF, _HF = "bert/encoder/", "deberta.encoder."
_SELF = ("layer_{i}/attention/self/", "layer.{i}.attention.self.")
_TABLE, _CONVOLUTION = "Embedding-Relative-Position", "Transformer-0-Convolution"


def _own_projection(ours, theirs):
    """Kernel and bias of distances, where they do not share those of tokens."""
    return dense(_ATTENTION + ours, _TF + _SELF[0] + theirs, _HF + _SELF[1] + theirs)


def _head_of_the_authors(name):
    """The MLM head under the names it has with legacy=False."""
    theirs = "lm_predictions.lm_head."
    name = name.replace("cls.predictions.transform.", theirs)
    return name.replace("cls.predictions.", theirs)


class DeBERTaV2(BERT):
    """DeBERTa-v2 (https://arxiv.org/abs/2006.03654), v3 and Erlangshen-DeBERTa-v2.

    Options and their meanings are those of transformers' config, by default with the
    values of the published v3 models; pos_att_type may be "p2c|c2p" or a list.
    TensorFlow names are our own. Both MLM heads of transformers are read (they
    differ in names only), the one of legacy=True is written.
    """

    model_type = "deberta-v2"
    names = table(
        renamed(
            without(BERT.names, "Embedding-Mapping", "NSP"),
            ("bert.pooler", "pooler"),
            ("bert.", "deberta."),
            ("self.query", "self.query_proj"),
            ("self.key", "self.key_proj"),
            ("self.value", "self.value_proj"),
        ),
        dense(
            "Embedding-Mapping",
            "bert/embeddings/embed_proj",
            "deberta.embeddings.embed_proj",
            bias=False,
        ),
        plain(
            _TABLE + "/embeddings",
            _TF + "rel_embeddings",
            _HF + "rel_embeddings.weight",
        ),
        norm(_TABLE + "-Norm", _TF + "LayerNorm", _HF + "LayerNorm"),
        _own_projection("position_k", "pos_key_proj"),
        _own_projection("position_q", "pos_query_proj"),
        dense(_CONVOLUTION, _TF + "conv/conv", _HF + "conv.conv"),
        norm(_CONVOLUTION + "-Norm", _TF + "conv/LayerNorm", _HF + "conv.LayerNorm"),
    )
    dialects = (("hf", "MLM head with legacy=False", _head_of_the_authors),)
    position = Distances()
    norm_epsilon = 1e-7
    defaults = {"segment_vocab_size": 0, "layer_norm_eps": 1e-7}
    with_nsp = False
    options = {
        name: default
        for name, default in {**BERT.options, **deberta_v2_config.PUBLISHED}.items()
        if name not in ("with_nsp", "custom_position_ids")
    }
    unsupported = {
        "with_nsp": "DeBERTa has no next-sentence head",
        "custom_position_ids": "DeBERTa sees distances between tokens, not positions",
    }
    ignored_keys = frozenset({"legacy", "pooler_dropout", "pooler_hidden_size"})

    @classmethod
    def understood(cls, values):
        """A published config says less than it means."""
        unsaid = deberta_v2_config.UNSAID if values.get("model_type") else {}
        return {**unsaid, **values}

    def published(self, values):
        """Say everything: the defaults of transformers are not those of the models."""
        said = {name: self.config.options[name] for name in deberta_v2_config.PUBLISHED}
        return {**values, **said, "legacy": True}

    def check_sizes(self, origin):
        """Refuse distances that the table cannot hold, and options of other types."""
        super().check_sizes(origin)
        deberta_v2_config.check(self.config, origin)

    def finish_embeddings(self, x):
        """Projection to the hidden size comes first here, and has no bias."""
        sizes = self.embedding_size, self.hidden_size
        x = self.mapped(x, "Embedding-Mapping", *sizes, use_bias=False)
        x = self.norm(x, "Embedding-Norm")
        return self.apply(x, Dropout, name="Embedding-Dropout", rate=self.dropout_rate)

    def attention_layer(self, name):
        """The disentangled attention of one block."""
        return super().attention_layer(
            name,
            DisentangledAttention,
            position_kinds=self.pos_att_type or (),
            share_projections=self.share_att_key,
            position_dropout=self.dropout_rate,
        )

    def apply_main_layers(self, inputs, index, first=False):
        """One block; the first may have a convolution of the embeddings beside it."""
        x = super().apply_main_layers(inputs, index, first)
        return self._convolved(inputs, x) if index == 0 and self.conv_kernel_size else x

    def _convolved(self, embeddings, x):
        if self.visibility != "encoder":
            raise ValueError(
                f"conv_kernel_size={self.conv_kernel_size} looks at the tokens that "
                "follow: this model cannot be a language model."
            )
        layer = self.get(
            MaskedConv1D,
            _CONVOLUTION,
            filters=self.hidden_size,
            kernel_size=self.conv_kernel_size,
            groups=self.conv_groups,
            activation=self.conv_act,
            pad_token_id=self.pad_token_id,
            kernel_initializer=self.initializer,
        )
        return self.residual(x, layer([embeddings, self.ctx.ids]), _CONVOLUTION)
