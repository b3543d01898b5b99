"""ELECTRA: the discriminator, and the generator it was trained against."""

from bert4keras3.checkpoints.names import dense, norm, plain, renamed, table
from bert4keras3.layers import Dense
from bert4keras3.models import heads
from bert4keras3.models.families.bert import BERT, BLOCK_NAMES, EMBEDDING_NAMES

_TRUNK = renamed(
    renamed(
        table(EMBEDDING_NAMES, BLOCK_NAMES),
        ("bert/encoder/embedding_hidden_mapping_in", "electra/embeddings_project"),
        ("bert/", "electra/"),
        style="tf",
    ),
    ("cls.predictions.decoder.", "generator_lm_head."),
    ("bert.", "electra."),
)
_HEAD = "discriminator_predictions"
DISCRIMINATOR_NAMES = table(
    _TRUNK,
    dense("Discriminator-Dense", f"{_HEAD}/dense", f"{_HEAD}.dense"),
    dense("Discriminator-Prediction", f"{_HEAD}/dense_1", f"{_HEAD}.dense_prediction"),
)
# A TensorFlow checkpoint holds both models. They share the embeddings, and each has a
# trunk of its own.
_GENERATOR = "generator_predictions"
_GENERATOR_CLASSES = {"ElectraForMaskedLM", "ElectraForCausalLM"}
GENERATOR_NAMES = table(
    renamed(
        _TRUNK,
        ("electra/enc", "generator/enc"),
        ("electra/embeddings_project", "generator/embeddings_project"),
        style="tf",
    ),
    dense("MLM-Dense", f"{_GENERATOR}/dense", f"{_GENERATOR}.dense"),
    norm("MLM-Norm", f"{_GENERATOR}/LayerNorm", f"{_GENERATOR}.LayerNorm"),
    plain(
        "MLM-Bias/beta",
        f"{_GENERATOR}/output_bias",
        "generator_lm_head.bias",
        vocab=0,
    ),
)


class ELECTRA(BERT):
    """Encoder trained to find replaced tokens (https://arxiv.org/abs/2003.10555).

    with_discriminator: probability (B, T, 1) that a token was replaced, or the name
    of another activation; with_mlm: the generator with its vocabulary head;
    generator: the generator even without head, default what the config says.
    """

    model_type = "electra"
    options = {
        name: default
        for name, default in BERT.options.items()
        if name not in ("with_pool", "with_nsp")
    } | {"with_discriminator": False, "generator": False}
    unsupported = {
        "with_pool": "ELECTRA has no pooler; take the output's first token",
        "with_nsp": "ELECTRA has no next-sentence head",
    }
    ignored_keys = frozenset(
        "summary_activation summary_last_dropout summary_type summary_use_proj".split()
    )
    dialects = (
        (
            "tf",
            "generator with embeddings of its own",
            lambda name: name.replace("electra/emb", "generator/emb"),
        ),
        (
            "tf",
            "generator under the discriminator's names",
            lambda name: name.replace("generator/", "electra/"),
        ),
    )

    @classmethod
    def understood(cls, values):
        """transformers tells the generator by its class with a vocabulary head."""
        if set(values.get("architectures") or ()) & _GENERATOR_CLASSES:
            return {"generator": True, **values}
        return values

    @property
    def is_generator(self):
        """Whether the weights are the generator's."""
        return bool(self.with_mlm or self.generator)

    @property
    def names(self):
        """The generator's trunk has names of its own in TensorFlow checkpoints."""
        return GENERATOR_NAMES if self.is_generator else DISCRIMINATOR_NAMES

    def apply_final_layers(self, inputs):
        """(B, T, D) -> (B, T, 1), (B, T, V), or the hidden states."""
        if self.is_generator and self.with_discriminator:
            raise ValueError(
                "with_discriminator is not possible: with_mlm, generator=True or the "
                "config's architectures ask for the generator. Build one of the two."
            )
        if self.with_mlm:
            return heads.masked_lm(self, inputs)
        if not self.with_discriminator:
            return inputs
        inner = heads.hidden_activation(self, "with_discriminator")
        outer = heads.activation_of(self.with_discriminator, "sigmoid")
        x = self._dense("Discriminator-Dense", self.hidden_size, inner)(inputs)
        return self._dense("Discriminator-Prediction", 1, outer)(x)

    def _dense(self, name, units, activation):
        return self.get(
            Dense,
            name,
            units=units,
            activation=activation,
            kernel_initializer=self.initializer,
        )

    def extra_config(self):
        """transformers takes an embedding_size of 128 where it is absent."""
        return {
            "embedding_size": self.embedding_size,
            "generator": self.is_generator,
        }
