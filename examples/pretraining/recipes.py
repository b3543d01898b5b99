"""What RoBERTa, GPT, UniLM and T5-PEGASUS learn: model, objective, batches."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from bert4keras3.models import masked_training_model
from bert4keras3.optimizers import AdaFactor, AdamW, Lamb, Tiger, Warmup
from bert4keras3.pretraining import CausalLM, MaskedLM, PseudoSummaries, UniLM

# zh-tiny's sizes; the encoder is a RoFormer unless --config says otherwise.
SIZES = {
    "hidden_size": 256,
    "embedding_size": 128,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "intermediate_size": 768,
    "hidden_act": "gelu",
    "hidden_dropout_prob": 0.0,
    "attention_probs_dropout_prob": 0.0,
    "type_vocab_size": 2,
    "max_position_embeddings": 512,
    "layer_norm_eps": 1e-12,
    "initializer_range": 0.02,
}
ONE_WIDTH = {k: v for k, v in SIZES.items() if k != "embedding_size"}
T5_SIZES = {
    **{k: v for k, v in ONE_WIDTH.items() if k != "type_vocab_size"},
    "attention_head_size": 64,
    "intermediate_size": 512,
    "hidden_act": ["gelu", "linear"],
}


class Recipe(NamedTuple):
    """A kind of pretraining.

    family: unless the config names one; sizes: unless there is a config; model: what
    `build_transformer_model` is told; objective: function (rate, target) of what a
    batch is; inputs: function of a batch (inputs, labels, weights) that gives the
    inputs of the training model; trainer: function of the Transformer that makes it,
    a Keras model that computes its own loss; share: of the tokens that have a label;
    further: tokens that `inputs` adds to a row.
    """

    family: str
    sizes: dict
    model: dict
    objective: Callable
    inputs: Callable
    trainer: Callable
    share: Callable
    further: int = 0


def with_labels(batch):
    """Masked tokens: labels and weights are inputs too."""
    inputs, labels, weights = batch
    return (*inputs, labels, weights)


def whole_rows(batch):
    """Next tokens: a row with its last label, of which the model takes all labels."""
    (ids, segments), labels, _ = batch
    ids = np.hstack([ids[:, :1], labels])
    return ids, np.zeros_like(ids)


def pairs(batch):
    """A source, and a target with its start and end token."""
    (source, decoder), labels, weights = batch
    written = np.where(weights > 0, labels, 0)
    return source, np.hstack([decoder[:, :1], written])


def next_tokens(transformer):
    return transformer.training_model()


RECIPES = {
    "roberta": Recipe(
        "roformer",
        {**SIZES, "rotary_value": False},
        {"with_mlm": "linear"},
        lambda rate, target: MaskedLM(rate),
        with_labels,
        masked_training_model,
        lambda rate: rate,
    ),
    "gpt": Recipe(
        "gpt",
        ONE_WIDTH,
        {},
        lambda rate, target: CausalLM(),
        whole_rows,
        next_tokens,
        lambda rate: 1.0,
        further=1,
    ),
    "unilm": Recipe(
        "roformer",
        {**SIZES, "rotary_value": False},
        {"application": "unilm"},
        lambda rate, target: UniLM(),
        lambda batch: batch[0],
        next_tokens,
        lambda rate: 0.5,
    ),
    "t5-pegasus": Recipe(
        "t5_pegasus",
        T5_SIZES,
        {},
        lambda rate, target: PseudoSummaries(target),
        pairs,
        next_tokens,
        lambda rate: 1.0,
    ),
}
VECTORS = "bias|beta|gamma"  # neither decayed nor scaled
OPTIMIZERS = {
    # name: (class, learning rate, arguments); rates for zh-tiny's sizes.
    "adamw": (
        AdamW,
        1e-3,
        {"beta_2": 0.98, "global_clipnorm": 1.0, "rules": [(VECTORS, {"decay": 0})]},
    ),
    "lamb": (
        Lamb,
        5e-3,
        {"global_clipnorm": 1.0, "rules": [(VECTORS, {"decay": 0, "adapt": False})]},
    ),
    "adafactor": (AdaFactor, 1e-2, {}),
    "tiger": (Tiger, 2e-3, {}),
}


def make_optimizer(name, steps, rate=None, accumulate=1, warmup=0.06):
    """An optimizer with warm-up and linear decay over `steps` updates.

    accumulate: steps of `fit` for one update, for batches that do not fit in memory.
    """
    kind, usual, arguments = OPTIMIZERS[name]
    schedule = Warmup(rate or usual, max(1, steps // accumulate), warmup)
    return kind(schedule, gradient_accumulation_steps=accumulate, **arguments)
