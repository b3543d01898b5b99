"""CRF, MEMM and Viterbi decoder equal the recordings of the original."""

import numpy as np
import pytest
from chain_helpers import MODES, with_gradients
from golden_layers import CASES, layer_case
from keras import ops

from bert4keras3 import layers
from bert4keras3.snippets import ViterbiDecoder

CHAINS = [name for name, case in CASES.items() if case["kind"] in ("crf", "memm")]
CLOSE = {"rtol": 1e-5, "atol": 1e-5}


def recorded(name):
    case, arrays = layer_case(name)
    layer = getattr(layers, case["class"])(**case["init"])
    layer.build(arrays["in_0"].shape)
    assert len(layer.weights) == len(case["weights"])
    for i, weight in enumerate(layer.weights):
        weight.assign(arrays[f"w_{i}"])
    return layer, arrays


def outputs(layer, arrays):
    return layer(arrays["in_0"], mask=arrays.get("mask_0"))


@pytest.mark.parametrize("name", CHAINS)
def test_outputs_and_transitions(name):
    layer, arrays = recorded(name)
    out = ops.convert_to_numpy(outputs(layer, arrays))
    np.testing.assert_array_equal(out, arrays["out_0"])
    known = arrays.get("trans_property", arrays.get("trans"))
    np.testing.assert_allclose(ops.convert_to_numpy(layer.trans), known, **CLOSE)


@pytest.mark.parametrize("name", CHAINS)
def test_losses_and_accuracies(name):
    layer, arrays = recorded(name)
    out = outputs(layer, arrays)
    for kind, labels in (("sparse", "y_sparse"), ("dense", "y_dense")):
        for what in ("loss", "accuracy"):
            found = getattr(layer, f"{kind}_{what}")(arrays[labels], out)
            found = ops.convert_to_numpy(found)
            assert found.shape == arrays[f"{kind}_{what}"].shape
            np.testing.assert_allclose(found, arrays[f"{kind}_{what}"], **CLOSE)
    for labels in (arrays["y_sparse"][..., None], arrays["y_sparse"].astype("float32")):
        found = ops.convert_to_numpy(layer.sparse_loss(labels, out))
        np.testing.assert_allclose(found, arrays["sparse_loss"], **CLOSE)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", CHAINS)
def test_gradients(name, mode):
    layer, arrays = recorded(name)
    for kind, labels in (("sparse", "y_sparse"), ("dense", "y_dense")):
        labels = ops.convert_to_tensor(arrays[labels])

        def function(x, kind=kind, labels=labels):
            x = layer(x, mask=arrays.get("mask_0"))
            return getattr(layer, f"{kind}_loss")(labels, x)

        value, grads = with_gradients(layer, function, arrays["in_0"], mode)
        np.testing.assert_allclose(value, arrays[f"{kind}_loss"], **CLOSE)
        of = (
            "sparse_loss" if "grad_in_0_of_sparse_loss" in arrays else "sum_sparse_loss"
        )
        for found, where in zip(grads, ("in_0", "w_0", "w_1"), strict=False):
            known = arrays[f"grad_{where}_of_{of}"]
            np.testing.assert_allclose(found, known, **CLOSE)


@pytest.mark.parametrize("name", CHAINS)
def test_viterbi_of_the_trained_transitions(name):
    layer, arrays = recorded(name)
    real = arrays["viterbi"] >= 0
    decoder = ViterbiDecoder(ops.convert_to_numpy(layer.trans))
    found = decoder.decode_batch(arrays["in_0"], real)
    np.testing.assert_array_equal(found, arrays["viterbi"])
    if name.startswith("crf"):
        out = layer(arrays["in_0"], mask=real)
        found = ops.convert_to_numpy(layer.decode(out))
        np.testing.assert_array_equal(found, arrays["viterbi"])


def test_viterbi_decoder():
    case, arrays = layer_case("viterbi")
    for number, limits in case["cases"].items():
        decoder = ViterbiDecoder(arrays[f"trans_{number}"], **limits)
        found = decoder.decode(arrays[f"nodes_{number}"])
        assert found.dtype == "int64"
        np.testing.assert_array_equal(found, arrays[f"path_{number}"])
