"""T5: version 1.0 and 1.1, mT5 and T5-PEGASUS; one half or both."""

from bert4keras3.layers import Dropout, FeedForward, ScaleOffset
from bert4keras3.models import heads
from bert4keras3.models import published as configs
from bert4keras3.models.encoder_decoder import Decoder, Encoder, EncoderDecoder
from bert4keras3.models.families import t5_names
from bert4keras3.models.positions import Buckets
from bert4keras3.models.transformer import Transformer


class T5_Base(Transformer):  # noqa: N801  (legacy public names, all of this file)
    """What both halves and all versions share (https://arxiv.org/abs/1910.10683).

    tie_word_embeddings: logits by the token table (1.0) or a table of their own;
    logit_scale: multiply them by hidden_size ** -0.5, None: when tied, as Google
    does; cross_position_bias: scores of distances in cross-attention too. bert4keras
    had both of the last always on.
    """

    model_type = "t5"
    dialects = t5_names.DIALECTS
    position = Buckets()
    pre_norm = True
    use_bias = False
    norm_epsilon = 1e-6
    norm_arguments = {"zero_mean": False, "offset": False}
    defaults = {"segment_vocab_size": 0, "hidden_act": "relu"}
    options = {
        **Transformer.options,
        "with_lm": True,
        "context_mask": False,
        "num_decoder_layers": None,
        "relative_attention_num_buckets": 32,
        "relative_attention_max_distance": 128,
        "tie_word_embeddings": True,
        "cross_position_bias": False,
        "logit_scale": None,
    }
    config_keys = {
        "d_model": "hidden_size",
        "d_kv": "attention_head_size",
        "d_ff": "intermediate_size",
        "num_layers": "num_hidden_layers",
        "num_heads": "num_attention_heads",
        "layer_norm_epsilon": "layer_norm_eps",
        "dropout_rate": "dropout_rate",
    }
    ignored_keys = {"dense_act_fn", "initializer_factor", "is_gated_act", "n_positions"}

    @property
    def names(self):
        """The name table of this FFN and this head."""
        gated = isinstance(self.config.hidden_act, (list, tuple))
        return t5_names.t5_names(gated, self.tie_word_embeddings)

    @classmethod
    def informed(cls, values, checkpoint):
        """See from the checkpoint whether the logits have a table of their own."""
        tied = values.get("tie_word_embeddings", cls.options["tie_word_embeddings"])
        if not tied or not t5_names.has_own_head(checkpoint):
            return values
        values = {**values, "tie_word_embeddings": False}
        if t5_names.HF_HEAD in checkpoint and cls.options["logit_scale"] is None:
            values.setdefault("logit_scale", True)  # as the config, not the file, says
        return values

    @classmethod
    def understood(cls, values):
        """Read feed_forward_proj and what a Hugging Face config implies."""
        values = configs.activation_from_proj(values)
        tied = values.get("tie_word_embeddings", True)
        scaled = values.pop("scale_decoder_outputs", tied)
        if "d_model" not in values:
            return values
        if cls.options["logit_scale"] is None and not scaled:
            values["logit_scale"] = False
        if "attention_probs_dropout_prob" not in values and "dropout_rate" in values:
            values["attention_dropout_rate"] = values["dropout_rate"]
        return values

    def published(self, values):
        """The inverse, with the activation that the layers have."""
        made = [one for one in self.layers.values() if isinstance(one, FeedForward)]
        said = ("attention_head_size", "tie_word_embeddings", "cross_position_bias")
        values = {**values, **{name: getattr(self, name) for name in said}}
        if made:
            values["hidden_act"] = made[0].activation
        values["scale_decoder_outputs"] = self.tie_word_embeddings
        if self.logit_scale is not None:
            values["scale_decoder_outputs"] = values["logit_scale"] = self.logit_scale
        return super().published(configs.proj_from_activation(values))

    def attention_layer(self, name, **arguments):
        """Attention without scaling."""
        return super().attention_layer(name, attention_scale=False, **arguments)

    def finish_embeddings(self, x):
        """Dropout and projection to the hidden size."""
        x = self.apply(x, Dropout, name="Embedding-Dropout", rate=self.dropout_rate)
        sizes = self.embedding_size, self.hidden_size
        return self.mapped(x, "Embedding-Mapping", *sizes)

    def finish_states(self, x):
        """Norm and dropout."""
        x = super().finish_states(x)
        return self.apply(x, Dropout, name="Output-Dropout", rate=self.dropout_rate)


class T5_Encoder(T5_Base, Encoder):
    """T5's encoder."""

    def extra_config(self):
        """The name by which transformers knows an encoder alone."""
        return {"architectures": [f"{self.model_type.upper()}EncoderModel"]}


class T5_Decoder(T5_Base, Decoder):
    """T5's decoder; its context is the encoder's output."""

    def memory_bias(self, ids, memory, positions=None):
        """The scores of its own distances, on request (T5-PEGASUS)."""
        bias, asked = self.position.bias, self.cross_position_bias
        return bias(self, ids, positions, memory=memory) if asked else None

    def finish_states(self, x):
        """Norm, dropout and the scale of the logits."""
        x, scaled = super().finish_states(x), self.logit_scale
        if scaled is None:
            scaled = self.with_lm and self.tie_word_embeddings
        if not scaled:
            return x
        arguments = {"scale": self.hidden_size**-0.5, "offset": False}
        return self.get(ScaleOffset, "Output-Scale", **arguments)(x)

    def vocabulary_scores(self, x):
        """(B, T, E) -> (B, T, V) with the token table or the head's own."""
        return heads.vocabulary_scores(self, x, tied=self.tie_word_embeddings)


class T5(T5_Base, EncoderDecoder):
    """T5, version 1.0 unless config and checkpoint say otherwise."""

    encoder_class, decoder_class = T5_Encoder, T5_Decoder
    end_token_id = 1  # "</s>" of every vocabulary of Google's

    def published(self, values):
        """What transformers generates by; TensorFlow's configs do not say it."""
        told = self.end_token_id, self.keep_tokens
        return super().published(configs.with_generation_ids(values, *told))
