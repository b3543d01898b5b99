"""Every layer of the core equals the recorded layer of the original."""

import numpy as np
import pytest
from golden_layers import CASES, layer_case
from keras import ops
from keras.backend import standardize_dtype

from bert4keras3 import layers

LAYER_CASES = [name for name, case in CASES.items() if case["kind"] == "layer"]

# bert4keras hides the keys of this layer by the mask of its queries; `test_gau` shows
# that ours follows the keys' own.
MASKED_BY_QUERIES = {"gau_cross_same_len"}
# A table (T, S, D) has no batch axis; bert4keras gave it the queries' mask (B, T).
NO_MASK = {"relpos", "relpos_t5_bi", "relpos_t5_small", "relpos_t5_uni"}


def as_list(value):
    return list(value) if isinstance(value, (list, tuple)) else [value]


@pytest.mark.parametrize("name", LAYER_CASES)
def test_equals_the_recording(name):
    case, arrays = layer_case(name)
    layer = getattr(layers, case["class"])(**case["init"])
    inputs = [arrays[key] for key in sorted(arrays) if key.startswith("in_")]
    given = case.get("masks_given") or [False] * len(inputs)
    masks = [arrays[f"mask_{i}"] if one else None for i, one in enumerate(given)]
    inputs = [ops.convert_to_tensor(one) for one in inputs]
    masks = [None if one is None else ops.convert_to_tensor(one) for one in masks]
    if name in MASKED_BY_QUERIES:
        masks = [masks[0]] * len(masks)
    many = case["inputs_as_list"]
    if case["call"].get("mode") == "dense":
        layer.build((None, None))
    else:
        shapes = [tuple(one.shape) for one in inputs]
        layer.build(shapes if many else shapes[0])
    for i, weight in enumerate(layer.weights):
        weight.assign(arrays[f"w_{i}"])
    assert len(layer.weights) == len(case["weights"])

    inputs, masks = (inputs, masks) if many else (inputs[0], masks[0])
    given = {"mask": masks} if any(case.get("masks_given") or []) else {}
    takes_mask = "mask" in layer._call_signature.parameters
    arguments = {**case["call"], **(given if takes_mask else {})}
    outputs = as_list(layer(inputs, **arguments))
    for i, output in enumerate(outputs):
        recorded = arrays[f"out_{i}"]
        found = ops.convert_to_numpy(output)
        assert found.shape == recorded.shape
        np.testing.assert_allclose(found, recorded, rtol=1e-5, atol=2e-5)
    assert len(outputs) == case["n_out"]
    if "out_mask_0" in arrays:
        mask = as_list(layer.compute_mask(inputs, **given))[0]
        if name in NO_MASK:
            assert mask is None
            return
        np.testing.assert_array_equal(ops.convert_to_numpy(mask), arrays["out_mask_0"])


@pytest.mark.parametrize("name", LAYER_CASES)
def test_symbolic_shape_and_config(name):
    """The graph promises what the layer makes, and the config rebuilds the layer."""
    case, arrays = layer_case(name)
    made = getattr(layers, case["class"])(**case["init"])
    layer = type(made).from_config(made.get_config())
    inputs = [arrays[key] for key in sorted(arrays) if key.startswith("in_")]
    inputs = [ops.convert_to_tensor(one) for one in inputs]
    inputs = inputs if case["inputs_as_list"] else inputs[0]
    if case["call"].get("mode") == "dense":
        layer.build((None, None))
    promised = layer.compute_output_spec(inputs, **case["call"])
    outputs = as_list(layer(inputs, **case["call"]))
    assert len(as_list(promised)) == len(outputs)
    for one, output in zip(as_list(promised), outputs, strict=True):
        assert tuple(one.shape) == tuple(output.shape)
        assert one.dtype == standardize_dtype(output.dtype)
