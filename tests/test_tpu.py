"""Training steps and decoding loops as programs for GPU and TPU that are not here.

StableHLO needs nothing but jax; the compiler for TPU comes with libtpu, see
`make test-tpu`.
"""

import importlib.util

import keras
import numpy as np
import pytest

from bert4keras3.backend import ahead, runtime
from bert4keras3.backend.program_report import host_calls

if runtime.BACKEND != "jax":
    pytest.skip("programs ahead of time are a matter of jax", allow_module_level=True)

import programs  # noqa: E402

TINY = {
    "hidden_size": 16, "vocab_size": 64, "intermediate_size": 32, "max_position": 16,
}
tpu = pytest.mark.skipif(
    importlib.util.find_spec("libtpu") is None, reason="libtpu is not installed"
)
CHIPS = pytest.mark.parametrize("chips", [1, 4])
# Scalars: the loss, counts of tokens, whether all texts are over.
SCALARS = 4096


@pytest.mark.parametrize("platform", ["cuda", "tpu"])
@pytest.mark.parametrize("family", programs.TRAIN)
def test_a_training_step_is_stablehlo(family, platform):
    program, *_ = programs.training(family, 2, 8, **TINY)
    exported = program.exported(platform)
    assert exported.platforms == (platform,)
    text = exported.mlir_module()
    assert "stablehlo.dot_general" in text and not host_calls(text)


@pytest.mark.parametrize("platform", ["cuda", "tpu"])
@pytest.mark.parametrize("family", programs.DECODE)
def test_a_decoding_loop_is_stablehlo(family, platform):
    program, _ = programs.decoding(family, 2, 8, 8, **TINY)
    text = program.exported(platform).mlir_module()
    assert "stablehlo.while" in text and not host_calls(text)


def test_a_call_to_the_host_is_found():
    jax = runtime.native()

    def slow(x):
        return jax.pure_callback(lambda y: y, x, x)

    program = ahead.program_of(slow, [], jax.numpy.ones(3))
    with pytest.raises(NotImplementedError, match="host_callbacks"):
        program.exported("cpu")
    assert program.compiled(jax.devices("cpu")[:1]).report().host_calls


def test_a_program_for_this_machine():
    """Any compiled Keras model, with metrics that are made on the way."""
    model = keras.Sequential([keras.Input((64,)), keras.layers.Dense(32)])
    model.compile("sgd", "mse", metrics=["mae"])
    batch = np.zeros((128, 64), "float32"), np.zeros((128, 32), "float32")
    program = ahead.train_step(model, *batch)
    report = program.compiled(runtime.native().devices("cpu")[:1]).report()
    assert report.host_calls == [] and report.collectives == {}
    assert 0 < report.donated < report.arguments < report.memory
    # The gradient for the inputs is not asked for.
    assert 1 < report.flops / (2 * 2 * 128 * 64 * 32) < 1.15


def test_mistakes():
    with pytest.raises(ValueError, match="model.compile"):
        ahead.train_step(programs.transformer("bert", **TINY).model, [])
    program, *_ = programs.training("bert", 2, 8, **TINY)
    with pytest.raises(ValueError, match="platform must be one of.*'gpu'"):
        program.exported("gpu")


@tpu
@CHIPS
@pytest.mark.parametrize("family", programs.TRAIN)
def test_training_on_tpu(family, chips):
    devices = ahead.tpu_devices("v5e:2x2")[:chips]
    program, flops, expected = programs.training(family, 4 * chips, 128)
    report = program.compiled(devices).report()
    assert report.host_calls == []
    assert 0.85 < report.flops * chips / flops < 1.15
    reduced = report.collectives.pop("all-reduce", 0)
    expected = expected if chips > 1 else 0
    assert expected <= reduced <= expected + SCALARS
    assert sum(report.collectives.values()) <= SCALARS  # no rows go from chip to chip


@tpu
@pytest.mark.parametrize("family", ["t5", "t5.1.1"])
def test_every_gradient_is_added_up_once(family):
    """Also of what many layers share, encoder and decoder, look-ups and the loss."""
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        options = {"num_hidden_layers": 7, "cross_position_bias": True}
        program, _, expected = programs.training(family, 16, 128, **options)
    finally:
        keras.config.set_dtype_policy("float32")
    report = program.compiled(ahead.tpu_devices("v5e:2x2")).report()
    assert expected <= report.collectives["all-reduce"] <= expected + SCALARS


@tpu
@CHIPS
@pytest.mark.parametrize("family", programs.DECODE)
def test_decoding_on_tpu(family, chips):
    devices = ahead.tpu_devices("v5e:2x2")[:chips]
    program, flops = programs.decoding(family, 8 * chips, 128, 128)
    report = program.compiled(devices).report()
    assert report.host_calls == []
    assert 0.85 < report.flops * chips / flops < 1.15
    assert sum(report.collectives.values()) <= SCALARS
