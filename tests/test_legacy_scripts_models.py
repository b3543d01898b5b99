"""Old scripts that define models of their own, and what of Keras 2 has no way over."""

import importlib
from pathlib import Path

import keras
import numpy as np
import pytest
from legacy_world import EDITS, RECIPE, build_world, learns, run_script

from bert4keras3.backend import K
from bert4keras3.models import build_transformer_model

# What published scripts import, by module.
NAMES = {
    "backend": """keras K set_gelu search_layer batch_gather sequence_masking align
        multilabel_categorical_crossentropy sparse_multilabel_categorical_crossentropy
        apply_rotary_position_embeddings piecewise_linear get_available_gpus
        recompute_grad gelu_erf gelu_tanh swish reshape flatten where""",
    "layers": """Loss LayerNormalization ConditionalRandomField GlobalPointer Embedding
        EfficientGlobalPointer GlobalAveragePooling1D GlobalMaxPooling1D FeedForward
        MaximumEntropyMarkovModel MultiHeadAttention GatedAttentionUnit ScaleOffset
        PositionEmbedding SinusoidalPositionEmbedding RelativePositionEmbedding
        RelativePositionEmbeddingT5 Concatenate1D Dense Lambda Input Layer""",
    "models": """build_transformer_model extend_with_language_model Transformer BERT GPT
        extend_with_unified_language_model data_parallel LM_Mask UniLM_Mask ALBERT
        ALBERT_Unshared NEZHA RoFormer RoFormerV2 ELECTRA GPT2 GPT2_ML T5_Base
        T5_Encoder T5_Decoder T5""",
    "optimizers": """Adam AdaFactor Lion extend_with_weight_decay extend_with_lookahead
        extend_with_layer_adaptation extend_with_piecewise_linear_lr
        extend_with_gradient_accumulation extend_with_lazy_optimization
        extend_with_exponential_moving_average extend_with_parameter_wise_lr""",
    "snippets": """sequence_padding DataGenerator AutoRegressiveDecoder ViterbiDecoder
        to_array open truncate_sequences text_segmentate longest_common_subsequence
        longest_common_substring parallel_apply parallel_apply_generator is_string
        convert_to_unicode lowercase_and_normalize string_matching strQ2B uniout
        orthogonally_resize softmax WebServing insert_arguments delete_arguments""",
    "tokenizers": "Tokenizer SpTokenizer TokenizerBase load_vocab save_vocab",
}


@pytest.mark.parametrize("module", NAMES)
def test_every_name_that_scripts_import(module):
    found = importlib.import_module(f"bert4keras3.{module}")
    assert [name for name in NAMES[module].split() if not hasattr(found, name)] == []


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return build_world(tmp_path_factory.mktemp("world"))


@pytest.fixture(autouse=True)
def here(world, monkeypatch):
    monkeypatch.chdir(world)


def test_gau_alpha_of_a_script():
    """Its order of the weights is that of an older bert4keras."""
    script = run_script("gau_alpha")
    ours = build_transformer_model("gau/config.json", "gau/model.ckpt", "gau_alpha")
    inputs = [script.token_ids, script.segment_ids]
    expected = ours.predict(inputs, verbose=0)
    np.testing.assert_allclose(script.features, expected, atol=1e-5)
    # 1.1368 / sqrt(16) * 2 ** (-1/3), truncated at two sigma
    assert 0.17 < script.kernel.std() < 0.23


@pytest.mark.slow
def test_siamese_and_shared_layers():
    script = run_script("siamese")
    assert learns(script)
    ids, zeros = script.left, script.zeros
    expected = script.second.model.predict([ids, zeros], verbose=0)
    found = script.branch.predict([ids.astype("float32"), zeros], verbose=0)
    np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.slow
def test_layers_of_ones_own():
    script = run_script("custom_layer")
    assert learns(script)
    np.testing.assert_allclose(script.probas.sum(axis=1), 1.0, atol=1e-5)
    assert script.again.h_dim == 16
    assert script.embedding_layer.name == "Embedding-Token"
    assert isinstance(script.embedding_layer, keras.layers.Embedding)


@pytest.mark.slow
def test_data_parallel_and_tf_data():
    pytest.importorskip("tensorflow")
    script = run_script("multi_gpu")
    assert np.isfinite(script.losses).all()
    assert "data_parallel returns the model as it is" in script.warned


@pytest.mark.slow
def test_theseus():
    script = run_script("theseus")
    assert np.isfinite(script.losses).all()
    frozen = script.predecessor.model.weights
    assert not {id(w) for w in frozen} & {
        id(w) for w in script.theseus_model.trainable_weights
    }
    np.testing.assert_array_equal(K.get_value(frozen[-1]), script.before)


@pytest.mark.parametrize(
    "name, error, message",
    [
        ("gradient_penalty", NotImplementedError, "K.gradients.*bert4keras3.training"),
        ("integrated_gradients", NotImplementedError, "K.gradients has no meaning"),
        ("adversarial_fgm", AttributeError, "_make_train_function"),
        ("theseus", (NotImplementedError, ValueError), "in_train_phase|SeedGenerator"),
    ],
)
def test_what_cannot_work_says_so(name, error, message):
    with pytest.raises(error, match=message):
        run_script(name, edits=())


def test_our_model_names_the_way_for_adversarial_training():
    edits = [
        ("from bert4keras3.models import ", "from bert4keras3.models import Model, "),
        ("keras.models.Model(", "Model("),
    ]
    with pytest.raises(NotImplementedError, match="bert4keras3.training"):
        run_script("adversarial_fgm", edits)


def test_the_recipe_is_the_documented_one():
    page = Path(__file__).parent.parent / "docs" / "migration.md"
    text = page.read_text("utf-8")
    for old, new in RECIPE:
        assert f"s/{old}/{new}/g" in text
    for edits in EDITS.values():
        for _, new in edits:
            assert new.split("\n")[0].split("K.sum")[0].strip() in text, new
