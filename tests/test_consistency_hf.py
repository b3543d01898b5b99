"""The same weights give the same numbers in transformers, in both directions."""

import json

import keras
import numpy as np
import pytest
from keras import ops
from tiny_models import randomize

from bert4keras3.models import build_transformer_model

pytest.importorskip("transformers")
torch = pytest.importorskip("torch")

BOUND = 1e-5
SIZES = {
    "vocab_size": 60, "hidden_size": 32, "num_hidden_layers": 2,
    "num_attention_heads": 4, "intermediate_size": 48, "max_position_embeddings": 24,
    "initializer_range": 0.15,
}


def reference(kind):
    """A random transformers model in evaluation mode."""
    import transformers

    torch.manual_seed(0)
    if kind.startswith("RoFormer"):
        config = transformers.RoFormerConfig(embedding_size=32, **SIZES)
    else:
        config = transformers.BertConfig(**SIZES)
    config._attn_implementation = "eager"
    model = getattr(transformers, kind)(config).eval()
    with torch.no_grad():  # biases and norms are trivial in a fresh model
        for name, parameter in model.named_parameters():
            if parameter.ndim == 1:
                parameter += 0.1 * torch.randn(parameter.shape)
            assert torch.isfinite(parameter).all(), name
    return model


def inputs():
    generator = np.random.default_rng(0)
    ids = generator.integers(1, SIZES["vocab_size"], (3, 10)).astype("int32")
    ids[1, 7:] = ids[2, 4:] = 0
    segments = (np.arange(10) >= 5).astype("int32") * (ids > 0)
    return ids, segments.astype("int32")


def run_theirs(model):
    """(hidden states of every block, outputs) on the padded batch."""
    ids, segments = (torch.tensor(one, dtype=torch.long) for one in inputs())
    with torch.no_grad():
        outputs = model(
            input_ids=ids, token_type_ids=segments,
            attention_mask=(ids != 0).long(), output_hidden_states=True,
        )
    return [state.numpy() for state in outputs.hidden_states], outputs


def run_ours(t):
    """{name: array}: outputs of the model and of each block."""
    found = {f"output_{i}": x for i, x in enumerate(t.outputs)}
    for i in range(t.num_hidden_layers):
        name = f"Transformer-{i}-FeedForward-Norm"
        found[f"hidden_{i + 1}"] = t.model.get_layer(name).output
    outputs = keras.Model(t.model.inputs, found)(list(inputs()))
    return {name: ops.convert_to_numpy(x) for name, x in outputs.items()}


def assert_close(ours, theirs):
    theirs = theirs.numpy() if hasattr(theirs, "numpy") else theirs
    real = inputs()[0] != 0
    if ours.ndim == 3:  # what stands at padding concerns nobody
        ours, theirs = ours[real], theirs[real]
    assert np.abs(ours - theirs).max() <= BOUND


def assert_hidden(ours, states):
    for i in range(1, len(states)):
        assert_close(ours[f"hidden_{i}"], states[i])


def build(folder, **arguments):
    return build_transformer_model(folder, return_keras_model=False, **arguments)


def test_bert_for_pretraining(tmp_path):
    theirs = reference("BertForPreTraining")
    theirs.save_pretrained(tmp_path)
    states, outputs = run_theirs(theirs)
    found = run_ours(build(tmp_path, with_nsp=True, with_mlm="linear"))
    assert_hidden(found, states)
    relationship = torch.softmax(outputs.seq_relationship_logits, -1)
    assert_close(found["output_0"], relationship)
    assert_close(found["output_1"], outputs.prediction_logits)


def test_bert_pooler(tmp_path):
    theirs = reference("BertModel")
    theirs.save_pretrained(tmp_path)
    found = run_ours(build(tmp_path, with_pool=True))
    states, outputs = run_theirs(theirs)
    assert_hidden(found, states)
    assert_close(found["output_0"], outputs.pooler_output)


@pytest.mark.parametrize("kind", ["BertForMaskedLM", "RoFormerForMaskedLM"])
def test_masked_lm(kind, tmp_path):
    theirs = reference(kind)
    theirs.save_pretrained(tmp_path)
    states, outputs = run_theirs(theirs)
    found = run_ours(build(tmp_path, with_mlm="linear"))
    assert_hidden(found, states)
    assert_close(found["output_0"], outputs.logits)


HEADS = {
    "BertForPreTraining": {"with_nsp": True, "with_mlm": "linear"},
    "BertForMaskedLM": {"with_mlm": "linear"},
    "BertModel": {"with_pool": True},
    "RoFormerForMaskedLM": {"with_mlm": "linear"},
}


@pytest.mark.parametrize("kind", HEADS)
def test_saved_here_and_loaded_there(kind, tmp_path):
    import transformers

    family = "roformer" if kind.startswith("RoFormer") else "bert"
    t = randomize(build(SIZES, model=family, **HEADS[kind]), scale=0.15)
    t.save(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text("utf-8"))
    assert config["model_type"] == family
    theirs, info = getattr(transformers, kind).from_pretrained(
        tmp_path, output_loading_info=True, attn_implementation="eager"
    )
    # transformers computes this fixed table itself, and nobody stores it.
    missing = set(info["missing_keys"]) - {"roformer.encoder.embed_positions.weight"}
    assert not (missing or info["unexpected_keys"] or info["mismatched_keys"])
    states, outputs = run_theirs(theirs.eval())
    found = run_ours(t)
    assert_hidden(found, states)
    if "with_mlm" in HEADS[kind]:
        logits = getattr(outputs, "prediction_logits", None)
        logits = outputs.logits if logits is None else logits
        assert_close(found[f"output_{len(t.outputs) - 1}"], logits)
    else:
        assert_close(found["output_0"], outputs.pooler_output)
