"""BERT and everything that shares its graph: RoBERTa-wwm, MacBERT, WoBERT, SimBERT."""

from bert4keras3.checkpoints.names import BOTH, dense, norm, plain, table
from bert4keras3.models import heads
from bert4keras3.models.positions import Learned
from bert4keras3.models.transformer import Transformer

_TF = "bert/encoder/layer_{i}/"
_HF = "bert.encoder.layer.{i}."
_ATTENTION = "Transformer-{i}-MultiHeadSelfAttention"
_FFN = "Transformer-{i}-FeedForward"
_CLS, _CLS_HF = "cls/predictions/", "cls.predictions."

EMBEDDING_NAMES = table(
    plain(
        "Embedding-Token/embeddings",
        "bert/embeddings/word_embeddings",
        "bert.embeddings.word_embeddings.weight",
        vocab=0,
        aliases=("cls.predictions.decoder.weight",),
    ),
    plain(
        "Embedding-Segment/embeddings",
        "bert/embeddings/token_type_embeddings",
        "bert.embeddings.token_type_embeddings.weight",
    ),
    plain(
        "Embedding-Position/embeddings",
        "bert/embeddings/position_embeddings",
        "bert.embeddings.position_embeddings.weight",
    ),
    norm("Embedding-Norm", "bert/embeddings/LayerNorm", "bert.embeddings.LayerNorm"),
    dense(
        "Embedding-Mapping",
        "bert/encoder/embedding_hidden_mapping_in",
        "bert.embeddings_project",
    ),
)

BLOCK_NAMES = table(
    dense(
        _ATTENTION + "/q", _TF + "attention/self/query", _HF + "attention.self.query"
    ),
    dense(_ATTENTION + "/k", _TF + "attention/self/key", _HF + "attention.self.key"),
    dense(
        _ATTENTION + "/v", _TF + "attention/self/value", _HF + "attention.self.value"
    ),
    dense(
        _ATTENTION + "/o",
        _TF + "attention/output/dense",
        _HF + "attention.output.dense",
    ),
    norm(
        _ATTENTION + "-Norm",
        _TF + "attention/output/LayerNorm",
        _HF + "attention.output.LayerNorm",
    ),
    dense(_FFN + "/i0", _TF + "intermediate/dense", _HF + "intermediate.dense"),
    # No published BERT is gated; the second branch follows the first one's name.
    dense(_FFN + "/i1", _TF + "intermediate/dense_1", _HF + "intermediate.dense_1"),
    dense(_FFN + "/o", _TF + "output/dense", _HF + "output.dense"),
    norm(_FFN + "-Norm", _TF + "output/LayerNorm", _HF + "output.LayerNorm"),
)

HEAD_NAMES = table(
    dense("Pooler-Dense", "bert/pooler/dense", "bert.pooler.dense"),
    plain(
        "NSP-Proba/kernel",
        "cls/seq_relationship/output_weights",
        "cls.seq_relationship.weight",
        turned=BOTH,
    ),
    plain(
        "NSP-Proba/bias",
        "cls/seq_relationship/output_bias",
        "cls.seq_relationship.bias",
    ),
    dense("MLM-Dense", _CLS + "transform/dense", _CLS_HF + "transform.dense"),
    norm("MLM-Norm", _CLS + "transform/LayerNorm", _CLS_HF + "transform.LayerNorm"),
    plain(
        "MLM-Bias/beta",
        _CLS + "output_bias",
        _CLS_HF + "bias",
        vocab=0,
        aliases=(_CLS_HF + "decoder.bias",),
    ),
)


class BERT(Transformer):
    """Bidirectional encoder, post-norm (https://arxiv.org/abs/1810.04805)."""

    model_type = "bert"
    names = table(EMBEDDING_NAMES, BLOCK_NAMES, HEAD_NAMES)
    position = Learned()
    norm_epsilon = 1e-12
    options = {
        **Transformer.options,
        "with_pool": False,
        "with_nsp": False,
        "with_mlm": False,
        "hierarchical_position": None,
        "custom_position_ids": False,
        "shared_segment_embeddings": False,
    }

    def only_first_token(self):
        """True when the pooler is the only head and nothing reads the other tokens."""
        overridden = any(
            getattr(type(self), hook) is not getattr(Transformer, hook)
            for hook in ("apply_main_layers", "attend", "compute_attention_bias")
        )
        if overridden or self.residual_attention_scores:
            return False
        final = type(self).apply_final_layers
        if self.with_first_token:  # without heads ours hand the tokens on as they are
            return final.__module__.startswith("bert4keras3.")
        pooled = final is BERT.apply_final_layers and (self.with_pool or self.with_nsp)
        return bool(pooled and not self.with_mlm)

    def apply_final_layers(self, inputs):
        """Heads on the last hidden states: [pooled or NSP][, MLM], or the states."""
        outputs = []
        if (self.with_pool or self.with_nsp) and self.ctx.wanted != "logits":
            x = heads.pooled(self, inputs)
            outputs.append(heads.next_sentence(self, x) if self.with_nsp else x)
        if self.with_mlm:
            outputs.append(heads.masked_lm(self, inputs))
        return self.simplify(outputs or [inputs])
