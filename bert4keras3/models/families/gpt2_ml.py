"""GPT2_ML: the Chinese GPT-2 of imcaspar in Grover's layout."""

from bert4keras3.checkpoints.names import dense, norm, plain, table
from bert4keras3.models.families.gpt import GPT

_TF, _HF = "newslm/layer{i:02d}/", "newslm.layer.{i}."
_ATTENTION = "Transformer-{i}-MultiHeadSelfAttention"
_FFN = "Transformer-{i}-FeedForward"
_EMBEDDINGS = ("newslm/embeddings/", "newslm.embeddings.")
# Part of the block -> its name; the Hugging Face style is ours, nobody else has one.
_LAYERS = {
    _ATTENTION + "/q": "query_layer",
    _ATTENTION + "/k": "key_layer",
    _ATTENTION + "/v": "value_layer",
    _ATTENTION + "/o": "context_projection_layer",
    _FFN + "/i0": "intermediate",
    _FFN + "/i1": "intermediate_1",
    _FFN + "/o": "output",
}


def _embedding(ours, name, **how):
    tf, hf = (prefix + name for prefix in _EMBEDDINGS)
    return plain(f"{ours}/embeddings", tf, hf + ".weight", **how)


class GPT2_ML(GPT):  # noqa: N801  (legacy public name)
    """Causal decoder with norms around the feed-forward network only.

    https://github.com/imcaspar/gpt2-ml, after Grover (https://arxiv.org/abs/1905.12616).
    Its vocabulary is BERT's, where id 0 is padding.
    """

    model_type = "gpt2_ml"
    names = table(
        _embedding("Embedding-Token", "word_embed", vocab=0),
        _embedding("Embedding-Segment", "token_type_embed"),
        _embedding("Embedding-Position", "pos_embed"),
        norm("Embedding-Norm", *(f"{one}LayerNorm_embed_norm" for one in _EMBEDDINGS)),
        *(dense(ours, _TF + name, _HF + name) for ours, name in _LAYERS.items()),
        norm(_FFN + "-Norm-0", _TF + "LayerNorm_mlp_ln0", _HF + "LayerNorm_mlp_ln0"),
        norm(_FFN + "-Norm-1", _TF + "LayerNorm_mlp_ln1", _HF + "LayerNorm_mlp_ln1"),
    )
    options = {**GPT.options, "embedding_dropout_rate": 0.0}
    defaults = {"segment_vocab_size": 0}
    activations = {}

    def finish_embeddings(self, x):
        """Norm, then GPT's dropout."""
        return super().finish_embeddings(self.norm(x, "Embedding-Norm"))

    def apply_main_layers(self, inputs, index, first=False):
        """x + attention(x), then norm1(x + feed_forward(norm0(x)))."""
        name = self.layer_name(index, "MultiHeadSelfAttention")
        x = self.added(inputs, self.attend(inputs, index, name), name)
        name = self.layer_name(index, "FeedForward")
        y = self.feed_forward(self.norm(x, name + "-Norm-0"), name)
        return self.norm(self.added(x, y, name), name + "-Norm-1")
