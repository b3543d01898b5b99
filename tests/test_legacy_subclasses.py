"""Subclasses in the way of bert4keras scripts."""

import numpy as np
import pytest
from golden_model import Case
from keras import ops
from tiny_models import batch, build, shared

from bert4keras3.layers import (
    Add,
    Dense,
    Dropout,
    FeedForward,
    LayerNormalization,
    MultiHeadAttention,
)
from bert4keras3.models import BERT


def numpy(x):
    return ops.convert_to_numpy(x)


class Rewritten(BERT):
    """A block written out with `self.apply`, as scripts did to change one."""

    def apply_main_layers(self, inputs, index):
        x, condition = inputs, self.layer_norm_conds[0]
        name = f"Transformer-{index}-MultiHeadSelfAttention"
        mask = self.compute_attention_bias(index)
        xi, x, arguments = x, [x, x, x], {"a_bias": None}
        if mask is not None:
            arguments["a_bias"] = True
            x.append(mask)
        x = self.apply(
            inputs=x, layer=MultiHeadAttention, arguments=arguments,
            heads=self.num_attention_heads, head_size=self.attention_head_size,
            out_dim=self.hidden_size, key_size=self.attention_key_size,
            attention_dropout=self.attention_dropout_rate,
            kernel_initializer=self.initializer, name=name,
        )
        x = self.close(xi, x, name, condition)
        name = f"Transformer-{index}-FeedForward"
        xi = x
        x = self.apply(
            inputs=x, layer=FeedForward, units=self.intermediate_size,
            activation=self.hidden_act, kernel_initializer=self.initializer, name=name,
        )
        return self.close(xi, x, name, condition)

    def close(self, xi, x, name, condition):
        x = self.apply(
            inputs=x, layer=Dropout, rate=self.dropout_rate, name=f"{name}-Dropout"
        )
        x = self.apply(inputs=[xi, x], layer=Add, name=f"{name}-Add")
        return self.apply(
            inputs=self.simplify([x, condition]), layer=LayerNormalization,
            conditional=condition is not None, hidden_initializer=self.initializer,
            hidden_units=self.layer_norm_conds[1], name=f"{name}-Norm",
        )


@pytest.mark.parametrize("application", ["encoder", "lm", "unilm"])
def test_a_rewritten_block_is_the_same_block(application):
    with_mlm = False if application == "encoder" else "linear"
    t = build(Rewritten, application, with_mlm=with_mlm)
    plain = shared("bert", application)
    assert set(t.variables()) == set(plain.variables())
    real = batch()[0] != 0
    found, expected = (numpy(one.model(batch()))[real] for one in (t, plain))
    np.testing.assert_allclose(found, expected, atol=2e-5)


def test_a_rewritten_block_loads_a_checkpoint():
    case = Case("bert_pool")
    t = case.build(model=Rewritten)
    case.check({"output_0": t.model.predict(case.model_inputs(), verbose=0)})


class WithHead(BERT):
    """A head of one's own in `apply_final_layers`, and an argument of one's own."""

    def __init__(self, num_labels=2, **kwargs):
        super().__init__(**kwargs)
        self.num_labels = num_labels

    def apply_final_layers(self, inputs):
        x = super().apply_final_layers(inputs)
        return self.apply(
            inputs=x, layer=Dense, units=self.num_labels, name="Final-Dense",
            kernel_initializer=self.initializer,
        )


def test_a_head_of_ones_own_starts_random():
    """The checkpoint has no such weights; they are drawn, not left at zero."""
    case = Case("bert_pool")
    t = case.build(model=WithHead, num_labels=5)
    found = t.model.predict(case.model_inputs(), verbose=0)
    assert found.shape == (6, 5)
    kernel = numpy(t.layers["Final-Dense"].kernel)
    assert 0.01 < kernel.std() < 0.03
    np.testing.assert_allclose(found, case.outputs["output_0"] @ kernel, atol=1e-5)
