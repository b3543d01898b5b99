"""Tensor functions equal the recorded ones of the original."""

import numpy as np
import pytest
from golden_layers import CASES, layer_case
from keras import ops

from bert4keras3 import backend
from bert4keras3.backend import K


def arrays_of(name):
    return layer_case(name)[1]


def close(found, recorded, atol=1e-5):
    found = ops.convert_to_numpy(found)
    assert found.shape == recorded.shape
    np.testing.assert_allclose(found, recorded, rtol=1e-5, atol=atol)


@pytest.mark.parametrize("name", ["gelu_erf", "gelu_tanh", "swish", "leaky_relu"])
def test_activations(name):
    arrays = arrays_of("activations")
    x = ops.convert_to_tensor(arrays["x"])
    close(backend.get_activation(name)(x), arrays[name], 2e-6)


def test_leaky_relu_slope():
    arrays = arrays_of("activations")
    x = ops.convert_to_tensor(arrays["x"])
    close(backend.leaky_relu(x, 0.3), arrays["leaky_relu_03"])


@pytest.mark.parametrize("method", ["softmax", "squared_relu", "softmax_plus"])
def test_attention_normalize(method):
    recorded = arrays_of("attention_normalize")
    a, mask, lm = (ops.convert_to_tensor(recorded[key]) for key in ("a", "mask", "lm"))
    close(backend.attention_normalize(a, method=method), recorded[f"{method}_nomask"])
    close(backend.attention_normalize(a, mask, -1, method), recorded[method])
    # Recorded with the gap in the last row's mask filled.
    filled = ops.convert_to_tensor(recorded["mask"] | (np.arange(4) == 3)[:, None])
    found = backend.attention_normalize(a, filled, -1, method, bias=lm)
    close(found, recorded[f"{method}_lm"])


def test_softmax_plus_beyond_sixteen_tokens():
    arrays = arrays_of("attention_normalize")
    a = ops.convert_to_tensor(arrays["a_long"])
    found = backend.attention_normalize(a, method="softmax_plus")
    close(found, arrays["softmax_plus_long"])


def test_a_row_without_any_key_stays_finite():
    """The original gives NaN, which poisons the loss of the whole batch."""
    a = ops.convert_to_tensor(np.random.randn(1, 1, 2, 3).astype("float32"))
    mask = ops.convert_to_tensor(np.zeros((1, 3), bool))
    found = ops.convert_to_numpy(backend.attention_normalize(a, mask))
    np.testing.assert_allclose(found, np.full((1, 1, 2, 3), 1 / 3), atol=1e-6)


def test_rotary():
    arrays = arrays_of("rotary")
    t = {key: ops.convert_to_tensor(value) for key, value in arrays.items()}
    table = backend.sinusoidal_embeddings(t["pos"], 8)
    close(table, arrays["sinusoidal"])
    close(backend.sinusoidal_embeddings(t["pos"], 8, 100), arrays["sinusoidal_base100"])
    rotate = backend.apply_rotary_position_embeddings
    q, k = rotate(t["sinusoidal"], t["q"], t["k"])
    close(q, arrays["rot_q"])
    close(k, arrays["rot_k"])
    close(rotate(t["sinusoidal"], t["q"][:, :, 0]), arrays["rot_3d"])


@pytest.mark.parametrize("number", CASES["piecewise_linear"]["cases"])
def test_piecewise_linear(number):
    case, arrays = layer_case("piecewise_linear")
    arguments = case["cases"][number]
    schedule = {int(step): value for step, value in arguments["schedule"].items()}
    for t, value in zip(arrays["t"], arrays[f"v_{number}"], strict=True):
        found = backend.piecewise_linear(
            ops.convert_to_tensor(t), schedule, from_zero=arguments["from_zero"]
        )
        assert abs(float(found) - value) < 1e-6


def test_sequence_masking():
    arrays = arrays_of("sequence_masking")
    t = {key: ops.convert_to_tensor(value) for key, value in arrays.items()}
    x, mask, bias, sq = t["x"], t["mask"], t["bias"], t["sq"]
    masking = backend.sequence_masking
    close(masking(x, mask), arrays["v0"])
    close(masking(x, mask, "-inf"), arrays["vinf"])
    close(masking(x, ops.cast(mask, "float32")), arrays["v_float_mask"])
    close(masking(sq, mask, "-inf", [2, 3]), arrays["v_axes"])
    close(masking(sq, mask, 5.0, -1), arrays["v_neg_axis"])
    close(masking(x, mask, -9.0, bias=bias), arrays["v_bias"])
    close(masking(x, bias=bias), arrays["v_bias_only"])


def test_misc_functions():
    arrays = arrays_of("misc_functions")
    t = {key: ops.convert_to_tensor(value) for key, value in arrays.items()}
    x = t["x"]
    close(backend.batch_gather(x, t["idx"]), arrays["batch_gather"])
    floats = ops.cast(t["idx"], "float32")
    close(backend.batch_gather(x, floats), arrays["batch_gather_float"])
    close(backend.divisible_temporal_padding(x, 4), arrays["div_pad_4"])
    close(backend.divisible_temporal_padding(x, 7), arrays["div_pad_7"])
    close(backend.root_mean_square(x, axis=-1, keepdims=True), arrays["rms"])
    close(backend.root_mean_square(x), arrays["rms_all"])
    close(backend.flatten(x, 1), arrays["flatten_1"])
    close(backend.flatten(x, 0, 2), arrays["flatten_0_2"])
    close(backend.align(x, [0, 2, -1], 4), arrays["align"])


def test_loss_of_a_language_model_script():
    """The loss that published seq2seq scripts write with K equals the recorded one."""
    arrays = arrays_of("loss_layer")
    y_true, y_mask, y_pred = (
        ops.convert_to_tensor(arrays[key]) for key in ("y_true", "y_mask", "y_pred")
    )
    y_true, y_pred = y_true[:, 1:], y_pred[:, :-1]
    y_mask = K.cast(y_mask, K.floatx())[:, 1:]
    loss = K.sparse_categorical_crossentropy(y_true, y_pred)
    loss = K.sum(loss * y_mask) / K.sum(y_mask)
    close(loss, arrays["loss"])
