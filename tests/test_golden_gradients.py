"""Gradients equal those of the original."""

import numpy as np
import pytest
from golden_model import GRADIENT_CASES, Case
from gradients import gradients
from keras import ops

QUICK = {
    "bert_layer_norm_cond_hidden", "bert_pool", "roformer_v2_mlm_linear",
    "mt5_1_1_linear",
}
CASES = [
    pytest.param(name, marks=() if name in QUICK else pytest.mark.slow)
    for name in GRADIENT_CASES
]


@pytest.mark.parametrize("name", CASES)
def test_equals_the_recording(name):
    case = Case(name)
    t = case.build()
    weights = ops.convert_to_tensor(case.grads["R"])

    def loss(outputs):
        first = outputs[0] if isinstance(outputs, (list, tuple)) else outputs
        return ops.sum(first * weights)

    found = gradients(t.model, loss, case.model_inputs())
    by_variable = {
        variable.path: array
        for variable, array in zip(t.model.trainable_variables, found, strict=True)
    }
    recorded = {k: v for k, v in case.grads.items() if k.startswith("grad/")}
    # Key biases have a zero gradient: only the scale of the whole model says
    # what is noise.
    largest = max(np.abs(array).max() for array in recorded.values())
    compared = 0
    for key, array in recorded.items():
        layer, index = key.removeprefix("grad/").split("|")
        variable = t.layers[layer].trainable_weights[int(index)]
        difference = np.abs(by_variable[variable.path] - array).max()
        assert difference <= 1e-5 * largest, f"{key}: {difference / largest}"
        compared += 1
    assert compared == len(found)
