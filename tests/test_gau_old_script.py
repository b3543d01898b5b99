"""A GAU-alpha that a script of the original library defines for itself still works."""

import pytest
from golden_model import Case

from bert4keras3.layers import GatedAttentionUnit
from bert4keras3.models import RoFormerV2


class OldGAU(RoFormerV2):
    """The class as scripts of the original library write it."""

    def apply_main_layers(self, inputs, index):
        name = f"Transformer-{index}-GatedAttentionUnit"
        mask = self.compute_attention_bias(index)
        extra = [] if mask is None else [mask]
        x = self.apply(
            inputs=[inputs, *extra, self.compute_position_bias(inputs)],
            layer=GatedAttentionUnit,
            arguments={"a_bias": True if extra else None, "p_bias": "rotary"},
            units=self.intermediate_size,
            key_size=self.attention_key_size,
            activation=self.hidden_act,
            use_bias=False,
            normalization="softmax_plus",
            attention_dropout=self.attention_dropout_rate,
            name=name,
        )
        return self.residual(inputs, x, name)

    def variable_mapping(self):
        mapping = super().variable_mapping()
        for i in range(self.num_hidden_layers):
            prefix = f"GAU_alpha/encoder/layer_{i}/gau/"
            mapping[f"Transformer-{i}-GatedAttentionUnit"] = [
                f"{prefix}{part}/{weight}"
                for part, weight in (
                    ("i_dense", "kernel"), ("q_scaleoffset", "gamma"),
                    ("k_scaleoffset", "gamma"), ("o_dense", "kernel"),
                )
            ]
        return mapping


@pytest.mark.parametrize("name", ["gau_alpha", "gau_alpha_unilm"])
def test_class_of_an_old_script(name):
    case = Case(name)
    found = case.build(model=OldGAU).model.predict(case.model_inputs(), verbose=0)
    case.check({"output_0": found})
