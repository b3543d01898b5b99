"""ALBERT: one BERT block, applied as often as there are layers."""

import re

from bert4keras3.checkpoints.names import renamed
from bert4keras3.models.families.bert import BERT

# BERT's spelling -> ALBERT's, applied in this order.
_TF = (
    ("bert/encoder/layer_{i}/", "bert/encoder/transformer/group_0/inner_group_0/"),
    ("attention/output/LayerNorm", "LayerNorm"),
    ("inner_group_0/output/LayerNorm", "inner_group_0/LayerNorm_1"),
    ("attention/", "attention_1/"),
    ("inner_group_0/output/dense", "inner_group_0/ffn_1/intermediate/output/dense"),
    ("inner_group_0/intermediate/", "inner_group_0/ffn_1/intermediate/"),
)
_HF = (
    ("bert.", "albert."),
    ("embeddings_project", "encoder.embedding_hidden_mapping_in"),
    ("attention.self.", "attention."),
    ("attention.output.", "attention."),
    ("intermediate.dense", "ffn"),
    ("{i}.output.dense", "{i}.ffn_output"),
    ("{i}.output.LayerNorm", "{i}.full_layer_layer_norm"),
    ("encoder.layer.{i}.", "encoder.albert_layer_groups.0.albert_layers.0."),
    ("pooler.dense", "pooler"),
    ("cls.predictions.transform.", "predictions."),
    ("cls.predictions.", "predictions."),
    ("cls.seq_relationship", "sop_classifier.classifier"),
)


class ALBERT(BERT):
    """BERT with one shared block (https://arxiv.org/abs/1909.11942).

    with_nsp is its sentence-order head. bert4keras normalised the block with epsilon
    1e-7; layer_norm_eps=1e-7 sets that for every norm. Configs with several
    groups or inner groups are refused.
    """

    model_type = "albert"
    names = renamed(renamed(BERT.names, *_TF, style="tf"), *_HF)
    names = renamed(names, ("Transformer-{i}-", "Transformer-"), style="ours")
    ignored_keys = frozenset(
        "classifier_dropout_prob down_scale_factor gap_size net_structure_type "
        "num_memory_blocks".split()
    )

    def layer_name(self, index, part):
        """One name for all blocks: a layer is made once and re-used by its name."""
        return f"Transformer-{part}"

    def extra_config(self):
        """transformers takes an embedding_size of 128 where it is absent."""
        return {"embedding_size": self.embedding_size}


def _respelled(name, pairs):
    name = re.sub(r"(layer[._])\d+", r"\g<1>{i}", name)
    for old, new in pairs:
        name = name.replace(old, new)
    return name


class ALBERT_Unshared(BERT):  # noqa: N801  (legacy public name)
    """A BERT that starts every block from ALBERT's one (see ALBERT).

    Its own files carry BERT's names, because the blocks differ after training; with
    bert4keras all of them were called as the shared one.
    """

    also_reads = ("albert",)
    model_type = "albert_unshared"
    ignored_keys = ALBERT.ignored_keys
    dialects = (
        ("tf", "names of ALBERT", lambda name: _respelled(name, _TF)),
        ("hf", "names of ALBERT", lambda name: _respelled(name, _HF)),
        (
            "hf",
            "trunk of ALBERT",
            lambda name: _respelled(name, _HF).removeprefix("albert."),
        ),
    )
