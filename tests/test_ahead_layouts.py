"""A program for weights that are cut has the optimizer's numbers cut as they are."""

import pytest
from process_runs import with_devices

from bert4keras3.backend import runtime

SCRIPT = """
import jax, numpy as np
from bert4keras3.backend import ahead
from bert4keras3.models import build_transformer_model, masked_training_model
from bert4keras3.models.layouts import model_parallel
from bert4keras3.optimizers import AdamW

how = dict(
    model="bert", vocab_size=64, hidden_size=64, num_hidden_layers=2, max_position=8,
    num_attention_heads=4, intermediate_size=256, hidden_act="relu",
)

def memory(parts, **options):
    optimizer = AdamW(1e-3)
    with ahead.unallocated():
        trainer = masked_training_model(
            build_transformer_model(with_mlm=True, return_keras_model=False, **how)
        )
        trainer.compile(optimizer)
        inputs = [np.zeros((2, 8), one.dtype) for one in trainer.inputs]
        program = ahead.train_step(trainer, inputs, **options)
    compiled = program.compiled(jax.devices(), parts)
    cut = [
        one for one in trainer.optimizer.variables
        if any(parts.get_variable_layout(one).axes)
    ]
    return compiled.report().arguments, len(cut)

parts = model_parallel(mesh=(1, 4), **how)
whole, uncut = memory(parts)
mine, cut = memory(parts, distribution=parts)
assert uncut == 0 and cut > 20, (uncut, cut)
assert mine < 0.5 * whole, (mine, whole)
"""


@pytest.mark.skipif(runtime.BACKEND != "jax", reason="programs are a matter of jax")
def test_moments_are_cut():
    with_devices(4, "-c", SCRIPT)
