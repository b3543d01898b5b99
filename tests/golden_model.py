"""Build the models whose outputs were recorded from the original bert4keras 0.11.5."""

import contextlib
import functools
import json
import pathlib

import keras
import numpy as np
import pytest

from bert4keras3.backend import set_gelu
from bert4keras3.checkpoints.formats import open_checkpoint
from bert4keras3.models import build_transformer_model

MODELS = pathlib.Path(__file__).parent / "golden" / "models"
CASES = json.loads((MODELS / "cases.json").read_text("utf-8"))
# Where the original deviates from a model's authors we follow the authors; these
# options, by model, bring the original's behaviour back.
ORIGINAL = {
    "gpt": {"layer_norm_eps": 1e-12, "pad_token_id": 0},
    "gpt2": {"pad_token_id": 0},
    **{
        version + half: {"cross_position_bias": True, "logit_scale": True}
        for version in ("t5.1.0", "t5.1.1", "mt5.1.1")
        for half in ("", "_decoder")
    },
}
GRADIENT_CASES = [name for name, case in CASES.items() if case["grads"]]
# One model of each kind; the others compile and reload in the slow suite only.
QUICK = {
    "bert_attention_caches", "bert_embedding_size", "bert_glu", "bert_hierarchical",
    "bert_layer_norm_cond_hidden", "bert_lm_linear", "bert_nsp_mlm", "bert_pool",
    "bert_residual", "bert_shared_segment", "bert_simbert", "roformer",
    "roformer_custom_position_ids", "roformer_unilm", "roformer_v2_embedding_size",
    "gau_alpha_unilm", "t5_1_0_linear", "t5_1_1_decoder", "mt5_1_1_keep_tokens",
}
ALL_QUICK_FIRST = [
    pytest.param(name, marks=() if name in QUICK else pytest.mark.slow)
    for name in CASES
]
WARNINGS = {
    "bert_autoresize": "resized",
    "roformer_v2_embedding_size": "Output-Mapping",
}


@functools.cache
def arrays():
    """Every recorded array by content key."""
    return dict(np.load(MODELS / "arrays.npz"))


class Case:
    """One recorded model: config, arguments, checkpoint, inputs, outputs."""

    def __init__(self, name):
        self.name = name
        self.meta = CASES[name]
        self.checkpoint = str(MODELS / self.meta["checkpoint"])
        for part in ("inputs", "outputs", "extra_weights", "grads"):
            keys = self.meta[part].items()
            setattr(self, part, {key: arrays()[where].copy() for key, where in keys})

    def build(self, **overrides):
        """Build with the recorded arguments; returns the Transformer."""
        if self.name == "bert_glu":
            overrides.setdefault("checkpoint_path", self.gated())
        if self.name == "roformer_v2_embedding_size":
            overrides.setdefault("ignore_invalid_weights", True)
        kwargs = _revived(self.meta["kwargs"], {})
        arguments = {
            "config_path": self.meta["config"],
            "checkpoint_path": self.checkpoint,
            "model": self.meta["model"],
            "return_keras_model": False,
            **ORIGINAL.get(self.meta["model"].lower(), {}),
            **kwargs,
            **overrides,
        }
        set_gelu(self.meta["set_gelu"])
        try:
            with self.warning():
                t = build_transformer_model(**arguments)
        finally:
            set_gelu("erf")
        self.set_extra(t)
        return t

    def gated(self):
        """The gated checkpoint under the names it should have had.

        bert4keras maps four names onto the six weights of a gated FeedForward, so
        that the second branch is stored as ".../output/dense" and the real output
        projection nowhere.
        """
        with open_checkpoint(self.checkpoint) as source:
            named = {name: source[name].read() for name in source}
        for i in range(self.meta["config"]["num_hidden_layers"]):
            block = f"bert/encoder/layer_{i}/"
            for index, part in ((4, "kernel"), (5, "bias")):
                second = named[f"{block}output/dense/{part}"]
                named[f"{block}intermediate/dense_1/{part}"] = second
                key = f"Transformer-{i}-FeedForward|trainable|{index}|{part}"
                named[f"{block}output/dense/{part}"] = self.extra_weights[key]
        return named

    def set_extra(self, t):
        """Assign recorded weights that no checkpoint holds (conditional norms...)."""
        for key, value in self.extra_weights.items():
            layer, kind, index, _ = key.split("|")
            if kind == "trainable":
                t.layers[layer].trainable_weights[int(index)].assign(value)

    def warning(self):
        """Two of the recorded models must warn; no other may."""
        if self.name in WARNINGS:
            return pytest.warns(UserWarning, match=WARNINGS[self.name])
        return contextlib.nullcontext()

    def model_inputs(self):
        inputs = [self.inputs[name] for name in self.meta["input_names"]]
        return inputs if len(inputs) > 1 else inputs[0]

    def bound(self, key):
        """Largest |difference| allowed: a little over the recordings' float32 noise."""
        if self.name == "bert_autoresize":
            return 1e-4
        if "t5" in self.name and key.startswith("hidden"):
            return 1e-4  # sums that no norm has scaled yet
        states = self.outputs["hidden_0"].shape
        vocabulary = self.outputs[key].ndim == 3 and self.outputs[key].shape != states
        return 4e-5 if vocabulary else 2e-5

    def check(self, found):
        """Compare {name: array} with every recorded array of a name in `found`."""
        assert "output_0" in found
        for key in sorted(set(found) & set(self.outputs)):
            if key == "output_mask":
                np.testing.assert_array_equal(found[key] == 1, self.outputs[key])
                continue
            assert found[key].shape == self.outputs[key].shape
            difference = np.abs(found[key] - self.outputs[key]).max()
            assert difference <= self.bound(key), f"{key}: {difference}"


def _revived(value, made):
    """Turn the JSON form of build arguments back: Inputs, references, tuples."""
    if isinstance(value, list):
        return [_revived(one, made) for one in value]
    if not isinstance(value, dict):
        return value
    if "__input__" in value:
        spec = value["__input__"]
        made[spec["name"]] = keras.Input(spec["shape"], name=spec["name"])
        return made[spec["name"]]
    if "__ref__" in value:
        return made[value["__ref__"]]
    if "__tuple__" in value:
        return tuple(_revived(one, made) for one in value["__tuple__"])
    return {key: _revived(one, made) for key, one in value.items()}
