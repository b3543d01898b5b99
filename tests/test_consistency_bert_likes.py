"""ALBERT, ELECTRA and ERNIE give transformers' numbers, in both directions."""

import json

import numpy as np
import pytest
from probes import numpy_of, probe
from tiny_models import randomize

from bert4keras3.models import build_transformer_model

transformers = pytest.importorskip("transformers")
torch = pytest.importorskip("torch")

BOUND, PAD = 1e-5, 7
SIZES = {
    "vocab_size": 60, "hidden_size": 32, "num_hidden_layers": 3,
    "num_attention_heads": 4, "intermediate_size": 48, "max_position_embeddings": 24,
    "initializer_range": 0.15, "pad_token_id": PAD,
}
FAMILIES = {
    "albert": {"embedding_size": 16, "hidden_act": "gelu_new"},
    "electra": {"embedding_size": 16},
    "ernie": {"use_task_id": True, "task_type_vocab_size": 4},
}
# transformers class -> (how to build it here, names of its outputs in our order)
KINDS = {
    "AlbertForPreTraining": (
        {"with_nsp": True, "with_mlm": "linear"}, ("sop_logits", "prediction_logits")
    ),
    "AlbertForMaskedLM": ({"with_mlm": "linear"}, ("logits",)),
    "AlbertModel": ({"with_pool": True}, ("pooler_output",)),
    "ElectraForPreTraining": ({"with_discriminator": "linear"}, ("logits",)),
    "ElectraForMaskedLM": ({"with_mlm": "linear"}, ("logits",)),
    "ElectraModel": ({}, ("last_hidden_state",)),
    "ErnieForPreTraining": (
        {"with_nsp": True, "with_mlm": "linear", "custom_task_ids": True},
        ("seq_relationship_logits", "prediction_logits"),
    ),
    "ErnieForMaskedLM": ({"with_mlm": "linear"}, ("logits",)),
    "ErnieModel": ({"with_pool": True}, ("pooler_output",)),
}


def family_of(kind):
    return next(name for name in FAMILIES if kind.lower().startswith(name))


def reference(kind, **changes):
    """A random transformers model in evaluation mode."""
    torch.manual_seed(0)
    family = family_of(kind)
    config = getattr(transformers, f"{family.capitalize()}Config")
    config = config(**{**SIZES, **FAMILIES[family], **changes})
    config._attn_implementation = "eager"
    model = getattr(transformers, kind)(config).eval()
    with torch.no_grad():  # biases and norms are trivial in a fresh model
        for parameter in model.parameters():
            if parameter.ndim == 1:
                parameter += 0.1 * torch.randn(parameter.shape)
    return model


def inputs(t):
    """Inputs of our model by name: padded at the end, id 0 a token like any other."""
    generator = np.random.default_rng(0)
    ids = generator.integers(0, SIZES["vocab_size"], (3, 10)).astype("int32")
    ids[ids == PAD], ids[0, 3] = PAD + 1, 0
    ids[1, 7:] = ids[2, 4:] = PAD
    values = {
        "Input-Token": ids,
        "Input-Segment": (np.arange(10) >= 5).astype("int32") * (ids != PAD),
        "Input-Task": generator.integers(0, 4, (3, 10)).astype("int32"),
    }
    return {one.name: values[one.name] for one in t.model.inputs}


def run_theirs(model, named):
    """(hidden states of every block, outputs) with the padding masked."""
    tensors = {name: torch.tensor(one).long() for name, one in named.items()}
    ids = tensors["Input-Token"]
    task = tensors.get("Input-Task")
    extra = {} if task is None else {"task_type_ids": task}
    with torch.no_grad():
        outputs = model(
            input_ids=ids, token_type_ids=tensors["Input-Segment"],
            attention_mask=(ids != PAD).long(), output_hidden_states=True, **extra,
        )
    return [state.numpy() for state in outputs.hidden_states], outputs


def assert_same(t, theirs, names):
    named = inputs(t)
    states, outputs = run_theirs(theirs, named)
    found = numpy_of(probe(t)([named[one.name] for one in t.model.inputs]))
    real = named["Input-Token"] != PAD
    for i in range(1, t.num_hidden_layers + 1):
        assert np.abs(found[f"hidden_{i}"] - states[i])[real].max() <= BOUND
    for i, name in enumerate(names):
        expected = getattr(outputs, name)
        if name in ("sop_logits", "seq_relationship_logits"):
            expected = torch.softmax(expected, -1)
        ours = found[f"output_{i}"]
        difference = np.abs(ours.reshape(expected.shape) - expected.numpy())
        assert difference[real if ours.ndim == 3 else slice(None)].max() <= BOUND


def build(source, **arguments):
    return build_transformer_model(source, return_keras_model=False, **arguments)


@pytest.mark.parametrize("kind", KINDS)
def test_saved_there_and_loaded_here(kind, tmp_path):
    theirs = reference(kind)
    theirs.save_pretrained(tmp_path)
    arguments, names = KINDS[kind]
    t = build(tmp_path, **arguments)
    assert t.model_type == family_of(kind)
    assert_same(t, theirs, names)


@pytest.mark.parametrize("kind", KINDS)
def test_saved_here_and_loaded_there(kind, tmp_path):
    arguments, names = KINDS[kind]
    family = family_of(kind)
    config = {"model_type": family, **SIZES, **FAMILIES[family]}
    t = randomize(build(config, **arguments), scale=0.15)
    t.save(tmp_path)
    written = json.loads((tmp_path / "config.json").read_text("utf-8"))
    assert written["model_type"] == family
    theirs, info = getattr(transformers, kind).from_pretrained(
        tmp_path, output_loading_info=True, attn_implementation="eager"
    )
    keys = ("missing_keys", "unexpected_keys", "mismatched_keys")
    assert not any(info[key] for key in keys), info
    assert_same(t, theirs.eval(), names)


def test_no_projection_where_the_sizes_are_equal(tmp_path):
    """transformers would take an embedding size of 128 if the config were silent."""
    config = {"model_type": "electra", **SIZES}
    t = randomize(build(config), scale=0.15)
    t.save(tmp_path)
    theirs = transformers.ElectraModel.from_pretrained(tmp_path)
    assert_same(t, theirs.eval(), ("last_hidden_state",))
