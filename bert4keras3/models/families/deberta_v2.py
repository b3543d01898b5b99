"""DeBERTa-v2 and v3: BERT whose attention scores content and distance apart."""

from bert4keras3.checkpoints.names import dense, norm, plain, renamed, table, without
from bert4keras3.layers import DisentangledAttention, Dropout, MaskedConv1D
from bert4keras3.layers.disentangled import POSITION_KINDS
from bert4keras3.models.families.bert import BERT
from bert4keras3.models.positions import Distances

_ATTENTION = "Transformer-{i}-MultiHeadSelfAttention/"
_TF, _HF = "bert/encoder/", "deberta.encoder."
_SELF = ("layer_{i}/attention/self/", "layer.{i}.attention.self.")
_TABLE, _CONVOLUTION = "Embedding-Relative-Position", "Transformer-0-Convolution"

# The published v3 models; the names are those of transformers' config.
_PUBLISHED = {
    "relative_attention": True,
    "position_biased_input": False,
    "pos_att_type": ("p2c", "c2p"),
    "position_buckets": 256,
    "max_relative_positions": -1,
    "norm_rel_ebd": "layer_norm",
    "share_att_key": True,
    "conv_kernel_size": 0,
    "conv_groups": 1,
    "conv_act": "tanh",
    "pooler_hidden_act": "gelu",
}
# What transformers takes when a config does not say.
_UNSAID = {
    "relative_attention": False,
    "position_biased_input": True,
    "pos_att_type": (),
    "position_buckets": -1,
    "norm_rel_ebd": "none",
    "share_att_key": False,
}


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
        for name, default in {**BERT.options, **_PUBLISHED}.items()
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
        return {**_UNSAID, **values} if values.get("model_type") else values

    def published(self, values):
        """Say everything: the defaults of transformers are not those of the models."""
        said = {name: self.config.options[name] for name in _PUBLISHED}
        return {**values, **said, "legacy": True}

    def check_sizes(self, origin):
        """Refuse distances that the table cannot hold, and options of other types."""
        super().check_sizes(origin)
        options = self.config.options
        if not options["relative_attention"]:
            raise ValueError(
                f"{origin}: relative_attention=False is not supported, only True is. "
                "Without it DeBERTa is a BERT; the published models all have it."
            )
        for name in ("position_buckets", "max_relative_positions", "conv_kernel_size"):
            value = options[name]
            if isinstance(value, bool) or not isinstance(value, int):
                raise ValueError(
                    f"{origin}: {name} must be an integer. Received: {value!r}"
                )
        if options["norm_rel_ebd"] not in ("layer_norm", "none"):
            raise ValueError(
                f"{origin}: norm_rel_ebd must be 'layer_norm' or 'none'. Received: "
                f"{options['norm_rel_ebd']!r}"
            )
        _check_kinds(options["pos_att_type"], origin)
        _check_convolution(self.config, origin)
        _check_reach(self.config, origin)

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


def _check_kinds(kinds, origin):
    """Raise for a pos_att_type that is no text and no list of the known kinds."""
    listed = kinds or ()
    if isinstance(listed, str):
        listed = listed.lower().replace(" ", "").split("|")
    is_list = isinstance(listed, (list, tuple))
    if not is_list or any(one not in POSITION_KINDS for one in listed):
        raise ValueError(
            f"{origin}: pos_att_type may hold {POSITION_KINDS}, as a list or as "
            f"'c2p|p2c'. Received: {kinds!r}"
        )


def _check_convolution(config, origin):
    """Raise for a convolution whose groups do not share the features out."""
    size, groups = config.options["conv_kernel_size"], config.options["conv_groups"]
    if size < 0:
        raise ValueError(f"{origin}: conv_kernel_size must be >= 0. Received: {size}")
    if size and (groups not in range(1, 2**15) or config.hidden_size % groups):
        raise ValueError(
            f"{origin}: conv_groups must divide hidden_size={config.hidden_size}. "
            f"Received: {groups!r}"
        )


def _check_reach(config, origin):
    """Raise for position_buckets that max_relative_positions leaves no room for."""
    buckets = max(config.options["position_buckets"], 0)
    if buckets % 2:
        raise ValueError(
            f"{origin}: position_buckets must be even: half of them hold one distance "
            f"each, half the far ones. Received: {buckets}"
        )
    source, reach = "max_relative_positions", config.options["max_relative_positions"]
    if reach < 1:  # transformers takes it from the other key then
        source, reach = "max_position", config.max_position
    if reach <= buckets // 2 + 1:
        raise ValueError(
            f"{origin}: {source} must be beyond {buckets // 2 + 1}, half of "
            f"position_buckets={buckets} plus one. Received: {source}={reach}; raise "
            "it or lower position_buckets (0: each distance has a row of its own)."
        )
