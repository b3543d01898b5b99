"""Old scripts that define models of their own, and what of Keras 2 has no way over."""

from pathlib import Path

import numpy as np
import pytest
from legacy_world import EDITS, RECIPE, build_world, run_script

from bert4keras3.backend import K
from bert4keras3.models import build_transformer_model


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
