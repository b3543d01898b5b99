"""application= : which families take which, and the errors of those that do not."""

import numpy as np
import pytest
from keras import ops
from tiny_models import CONFIG, build

from bert4keras3.models import build_transformer_model, extend_with_language_model
from bert4keras3.models import extend_with_unified_language_model as extend_unilm
from bert4keras3.models.registry import FAMILIES, find


def refused(match, **arguments):
    with pytest.raises(ValueError, match=match) as caught:
        build_transformer_model(**{**CONFIG, **arguments})
    assert "Exception encountered" not in str(caught.value)  # Keras did not wrap it


@pytest.mark.parametrize("family", ["llama", "qwen2", "qwen3"])
def test_decoders_without_segments_refuse_unilm(family):
    name = find(family).__name__
    told = f"application='unilm' is not possible with {name}.*segment ids.*'lm'"
    refused(told, model=family, application="unilm")
    refused(told, model=family, application="unilm", segment_vocab_size=2)
    with pytest.raises(ValueError, match=told):
        extend_unilm(find(family))
    assert extend_with_language_model(find(family)).visibility == "lm"


@pytest.mark.parametrize("family", ["gpt2", "gpt2_ml", "deberta_v2", "bert"])
def test_unilm_asks_for_the_segments_that_are_off(family):
    sizes = {"segment_vocab_size": 0, "position_buckets": 8}
    sizes = {k: v for k, v in sizes.items() if k[0] == "s" or family[0] == "d"}
    told = f"'unilm' of {find(family).__name__} needs.*segment_vocab_size=2.*'lm'"
    refused(told, model=family, application="unilm", **sizes)
    t = build(family, "unilm", **{**sizes, "segment_vocab_size": 2})
    assert [one.name for one in t.model.inputs] == ["Input-Token", "Input-Segment"]
    assert tuple(t.model.output.shape) == (None, None, CONFIG["vocab_size"])


@pytest.mark.parametrize("family", ["llama", "t5", "t5_decoder", "bart", "mbart"])
@pytest.mark.parametrize("key", ["segment_vocab_size", "type_vocab_size"])
def test_segments_of_a_family_that_has_none(family, key):
    told = "segment_vocab_size=2 is not possible.*no table of segments"
    refused(told, model=family, **{key: 2})
    refused(f"config: {told}", config_path={**CONFIG, key: 2}, model=family)
    t = build_transformer_model(
        {**CONFIG, key: 2}, model=family, segment_vocab_size=0, return_keras_model=False
    )
    assert not any("Segment" in one.name for one in t.model.inputs)


def test_every_family_that_takes_an_application_builds_with_it():
    """... or says itself that it cannot: no error comes from inside Keras."""
    for name in sorted(set(FAMILIES) - {"roberta", "openai-gpt", "deberta_v2", "gau"}):
        cls = find(name)
        extra = {"position_buckets": 8} if name == "deberta-v2" else {}
        for application in ("lm", "unilm"):
            if {"application", application} & set(cls.unsupported):
                refused("not possible|cannot", model=name, application=application)
                continue
            segments = {"segment_vocab_size": 2} if application == "unilm" else {}
            t = build(name, application, **segments, **extra)
            assert t.visibility == application


def test_electra_as_a_language_model_is_its_generator(tmp_path):
    transformers = pytest.importorskip("transformers")
    torch = pytest.importorskip("torch")
    config = transformers.ElectraConfig(
        vocab_size=50, embedding_size=8, hidden_size=16, num_hidden_layers=2,
        num_attention_heads=2, intermediate_size=24, max_position_embeddings=32,
        is_decoder=True, initializer_range=0.3,
    )
    torch.manual_seed(0)
    theirs = transformers.ElectraForCausalLM(config).eval()
    theirs.save_pretrained(tmp_path)
    ids = np.random.default_rng(0).integers(1, 50, (2, 9)).astype("int32")
    with torch.no_grad():
        expected = theirs(torch.tensor(ids.astype("int64"))).logits.numpy()
    model = build_transformer_model(tmp_path, application="lm", with_mlm="linear")
    found = ops.convert_to_numpy(model([ids, np.zeros_like(ids)]))
    assert np.abs(found - expected).max() < 1e-5 < np.abs(expected).max()
    with pytest.raises(ValueError, match="Build one of the two"):
        build("electra", "lm", with_discriminator=True)
