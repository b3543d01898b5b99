"""Scripts of bert4keras run after a find-and-replace of its name."""

from pathlib import Path

import numpy as np
import pytest
from legacy_world import build_world, learns, run_script

from bert4keras3.backend import K
from bert4keras3.models import build_transformer_model


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return build_world(tmp_path_factory.mktemp("world"))


@pytest.fixture(autouse=True)
def here(world, monkeypatch):
    monkeypatch.chdir(world)


def test_classification_with_an_evaluator(world):
    script = run_script("sentiment_albert")
    assert learns(script)
    assert type(script.model.optimizer).__name__ == "AdamLR"
    assert script.evaluate(script.valid_generator) == script.evaluator.best_val_acc > 0
    assert (world / "best_model.weights.h5").exists()


@pytest.mark.slow
def test_crf_and_viterbi():
    script = run_script("ner_crf")
    assert learns(script)
    assert script.NER.trans.shape == (5, 5)
    assert np.abs(script.NER.trans - script.before).max() > 1.0  # lr_multiplier
    found = script.NER.recognize("小明今天去北京")
    assert all(label in ("PER", "LOC") for _, _, label in found)


def test_seq2seq_with_a_loss_layer_and_a_decoder():
    script = run_script("seq2seq_title")
    assert learns(script)
    assert 4.0 > script.losses[0] > 3.0  # near log of the vocabulary kept
    assert len(script.title) <= 3


@pytest.mark.slow
def test_language_model():
    script = run_script("language_model")
    assert learns(script)
    assert "add_metric('accuracy') shows nothing in Keras 3" in script.warned
    assert all(story.startswith("小明今天") for story in script.stories)


@pytest.mark.slow
def test_t5():
    script = run_script("seq2seq_t5")
    assert learns(script)
    assert isinstance(script.title, str)


@pytest.mark.slow
def test_averaged_weights_around_an_evaluation():
    script = run_script("relation_subject")
    assert learns(script)
    for before, averaged, after in script.evaluator.kernels:
        np.testing.assert_array_equal(before, after)
        assert 0 < np.abs(before - averaged).max() < 0.1
    assert script.extract_spoes("小明今天去北京")[1].shape == (1, 9, 2, 2)
    assert script.bert.model.layers[-2].name == "Transformer-1-FeedForward-Add"
    assert "backend.get_output_at(layer, index)" in script.warned


@pytest.mark.slow
def test_global_pointer_on_an_intermediate_layer():
    script = run_script("ner_global_pointer")
    assert learns(script)
    assert "backend.get_output_at(layer, index)" in script.warned
    assert script.history.history["global_pointer_f1_score"][-1] >= 0


@pytest.mark.slow
def test_relations_with_sparse_labels():
    script = run_script("gplinker")
    assert learns(script)
    assert [x.shape for x in script.outputs] == [(2, 9, 9)] * 3


@pytest.mark.slow
def test_cosent():
    pytest.importorskip("scipy")
    script = run_script("cosent")
    assert learns(script)
    assert -1 <= script.spearman <= 1


@pytest.mark.slow
def test_pairs_with_a_pooler():
    script = run_script("similarity_lcqmc")
    assert learns(script)
    assert script.scores.shape == (8,)


@pytest.mark.slow
def test_simbert():
    script = run_script("simbert")
    assert learns(script)
    assert len(script.synonyms) <= 2


@pytest.mark.slow
def test_conditional_language_model():
    script = run_script("conditional_lm")
    assert learns(script)
    assert len(script.texts) == 2


@pytest.mark.slow
def test_pretraining_with_a_stack_of_extensions(world):
    pytest.importorskip("tensorflow")
    script = run_script("pretraining")
    assert np.isfinite(script.losses).all()
    config = world / "bert" / "bert_config.json"
    before = build_transformer_model(config, world / "bert" / "bert_model.ckpt")
    after = build_transformer_model(config, world / "trained" / "bert_model.ckpt")
    for one, other in zip(before.weights, after.weights, strict=True):
        changed = K.get_value(one) - K.get_value(other)
        assert 0 < np.abs(changed).max() < 0.5, one.path
    assert type(script.optimizer).__name__ == "LAMBLRG"


def test_whole_model_and_nested_lists():
    script = run_script("whole_model")
    same = [script.nested, script.reloaded, script.restored]
    for found in same:
        np.testing.assert_allclose(found, script.features, atol=1e-6)
    assert np.abs(script.perturbed - script.features).max() > 1e-2
    assert "to_array" in script.warned
    assert script.probas.shape == (6, 66)


@pytest.mark.slow
def test_multiple_choice():
    script = run_script("multiple_choice")
    assert np.isfinite(script.losses).all()
    assert len(Path("c3_predict.txt").read_text().split()) == 4
    widths = {x[0].shape for x, _ in script.train_generator}
    assert widths == {(8, 14)}  # the script uses its own lists after truncating
