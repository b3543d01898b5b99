"""Small training steps and decoding loops, built without weights, for other devices."""

import numpy as np

from bert4keras3.backend import ahead
from bert4keras3.generation import Sampling
from bert4keras3.generation.decoder import Decoder
from bert4keras3.models import build_transformer_model, masked_training_model
from bert4keras3.models.flops import decoding_flops, gradient_bytes, step_flops
from bert4keras3.optimizers import AdamW

# Heads of 128 features and texts of 128 tokens fill what a TPU multiplies at once.
SIZES = {
    "vocab_size": 1024, "hidden_size": 256, "num_hidden_layers": 1,
    "num_attention_heads": 2, "intermediate_size": 1024, "max_position": 256,
    "hidden_act": "relu", "dropout_rate": 0.1, "attention_dropout_rate": 0.1,
    "return_keras_model": False,
}
TRAIN, DECODE = ("bert", "roformer", "t5.1.1", "gpt2"), ("unilm", "gpt2")


def transformer(family, **options):
    if family.startswith("t5"):
        options["hidden_act"] = ["relu", "linear"]
    return build_transformer_model(model=family, **{**SIZES, **options})


def training(family, rows, length, chunk=1 << 20, **options):
    """(Program, operations, bytes that chips have to add up) of a training step."""
    optimizer = AdamW(1e-4, weight_decay=0.01)
    with ahead.unallocated():
        if family in ("bert", "roformer"):
            t = transformer(family, with_mlm=True, **options)
            trainer = masked_training_model(t, chunk)
        else:
            t = transformer(family, **options)
            trainer = t.training_model(chunk=chunk)
        trainer.compile(optimizer)
        inputs = [np.zeros((rows, length), one.dtype) for one in trainer.inputs]
        program = ahead.train_step(trainer, inputs)
    target = length if hasattr(t, "encoder") else None
    flops = step_flops(t, rows, length, target).total
    return program, flops, gradient_bytes(t, length)


def decoding(family, rows, length, new, strategy=None, **options):
    """(Program, operations of the prompts and one new token) of a decoding loop."""
    if family == "unilm":
        options["application"] = "unilm"
    with ahead.unallocated():
        t = transformer("bert" if family == "unilm" else family, **options)
        decoder = Decoder(t, maxlen=new, end_id=2, batch_size=rows)
        strategy = strategy or Sampling(topp=0.9)
        program = decoder.program([[5] * length] * rows, strategy)
    flops = decoding_flops(t, rows, length, length + new)
    return program, sum(one.total for one in flops)
