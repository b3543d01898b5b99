"""Every recorded BERT, RoBERTa and RoFormer equals the original, eager and compiled."""

import keras
import numpy as np
import pytest
from golden_model import ALL_QUICK_FIRST, CASES, Case
from probes import numpy_of, probe

from bert4keras3.checkpoints import CheckpointError
from bert4keras3.models import build_transformer_model


@pytest.mark.parametrize("name", CASES)
def test_equals_the_recording(name):
    case = Case(name)
    t = case.build()
    found = numpy_of(probe(t)(case.model_inputs()))
    case.check(found)
    if "output_mask" not in case.outputs:
        assert t.outputs[0].ndim == 2  # a pooled vector has no mask
        assert (found["output_mask"] == -1).all()
    assert t.model.name == case.meta["kwargs"].get("name", t.model.name)
    assert [i.name for i in t.model.inputs] == case.meta["input_names"]


@pytest.mark.parametrize("name", ALL_QUICK_FIRST)
def test_compiled_equals_the_recording(name):
    case = Case(name)
    found = probe(case.build()).predict(case.model_inputs(), verbose=0)
    case.check(found)


def test_gated_checkpoint_of_the_original_is_refused():
    """It stores the second branch as the output projection, and that one nowhere.

    Loading it half would be silent; the shapes and names say that it does not fit.
    """
    case = Case("bert_glu")
    with pytest.raises(CheckpointError, match="FeedForward/i1/kernel"):
        case.build(checkpoint_path=case.checkpoint)


def test_output_mapping_is_saved_and_loaded(tmp_path):
    """The original neither saved nor loaded it; its files are refused unless asked."""
    case = Case("roformer_v2_embedding_size")
    with pytest.raises(CheckpointError, match="Output-Mapping/kernel"):
        build_transformer_model(
            case.meta["config"], case.checkpoint, "roformer_v2", with_mlm="linear"
        )
    case.build().save(tmp_path, format="tf")
    again = build_transformer_model(tmp_path, with_mlm="linear", model="roformer_v2")
    found = again.predict(case.model_inputs(), verbose=0)
    case.check({"output_0": found})


@pytest.mark.parametrize("application", ["lm", "unilm"])
def test_residual_scores_with_a_causal_mask(application):
    """bert4keras adds a bool mask to float scores here and raises."""
    case = Case("bert_residual_mlm")
    model = case.build(application=application).model
    inputs = case.model_inputs()
    changed = [array.copy() for array in inputs]
    changed[0][:, -1] = 7
    changed[1][:, -1] = 1  # the last token is generated in both
    inputs[1][:, -1] = 1
    before, after = model.predict(inputs, verbose=0), model.predict(changed, verbose=0)
    assert np.isfinite(before).all()
    np.testing.assert_allclose(before[:, :-1], after[:, :-1], atol=2e-6)
    assert np.abs(before[0, -1] - after[0, -1]).max() > 1e-2


def test_residual_scores_are_cumulative():
    """RealFormer hands on the sum of all scores below, not the last layer's own.

    The original returned the raw scores (arXiv:2012.11747 adds the sum); with two
    layers, as recorded, there is no difference, with three there is.
    """
    t = build_transformer_model(
        Case("bert_residual").meta["config"], None, num_hidden_layers=3,
        residual_attention_scores=True, return_keras_model=False,
    )
    layers = [t.layers[f"Transformer-{i}-MultiHeadSelfAttention"] for i in range(3)]
    found = keras.Model(t.inputs, [(one.input[0], one.output[1]) for one in layers])
    total = 0.0
    ids = np.random.randint(1, 100, (2, 9)).astype("int32")
    for layer, (x, scores) in zip(layers, found([ids, ids * 0]), strict=True):
        x = keras.ops.convert_to_numpy(x)
        heads = []
        for dense in (layer.q_dense, layer.k_dense):
            kernel, bias = (keras.ops.convert_to_numpy(w) for w in dense.weights)
            heads.append((x @ kernel + bias).reshape(2, 9, 4, 8))
        total = total + np.einsum("bthd,bshd->bhts", *heads) / 8**0.5
        scores = keras.ops.convert_to_numpy(scores)
        np.testing.assert_allclose(scores, total, atol=1e-5)
