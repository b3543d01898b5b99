"""The pretraining scripts: every recipe, training that goes on."""

import json
import warnings
from types import SimpleNamespace
from unittest.mock import MagicMock

import keras
import numpy as np
import pytest
from safetensors.numpy import load_file
from script_modules import imported

from bert4keras3.models import build_transformer_model
from bert4keras3.pretraining import write_shards
from bert4keras3.tokenizers import Tokenizer

NAMES = ("recipes", "pretrain")


@pytest.fixture
def scripts(monkeypatch):
    """The scripts as modules, forgotten again after the test."""
    with imported(NAMES, monkeypatch) as modules:
        yield modules


def test_roberta(scripts, tmp_path):
    check_smoke("roberta", scripts, tmp_path)


@pytest.mark.parametrize("recipe", ["gpt", "unilm", "t5-pegasus"])
def test_others(recipe, scripts, tmp_path):
    check_smoke(recipe, scripts, tmp_path)


def check_smoke(recipe, scripts, tmp_path):
    command = ["--smoke", f"--recipe={recipe}", f"--out={tmp_path}", "--peak=1e12"]
    command += ["--accumulate=2"] * (recipe == "roberta")
    history = scripts["pretrain"].main([*command, "--learning-rate=0.01"])
    assert history["loss"][1] < history["loss"][0] < 5.0
    assert len(history["tokens/s"]) == len(history["mfu"]) == 2
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # of weights that are missing or left over
        build_transformer_model(tmp_path, **scripts["recipes"].RECIPES[recipe].model)


def interrupted(monkeypatch, script):
    """Let the next training stop after its first epoch, saved but not told."""

    def stop(self, epoch, logs=None):
        if epoch == 1:
            raise KeyboardInterrupt

    monkeypatch.setattr(script.Export, "on_epoch_begin", stop, raising=False)


def test_a_stopped_run_goes_on_where_it_was(scripts, tmp_path, monkeypatch, capsys):
    script, found = scripts["pretrain"], []
    for part in ("whole", "part"):
        command = ["--smoke", f"--out={tmp_path / part}", "--store=float32"]
        if part == "part":
            with monkeypatch.context() as patch:
                interrupted(patch, script)
                with pytest.raises(KeyboardInterrupt):
                    script.main(command)
        capsys.readouterr()
        history = script.main(command)
        done = "part: 6 steps are done, 6 are left" in capsys.readouterr().out
        assert done == (part == "part")
        weights = load_file(tmp_path / part / "model.safetensors")
        found.append((history["loss"], weights))
    np.testing.assert_allclose(found[0][0], found[1][0], rtol=1e-5)
    for name, value in found[0][1].items():
        np.testing.assert_allclose(value, found[1][1][name], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("summaries", [None, (64, 0.25)])
def test_shards_without_summaries_are_told_of(summaries, scripts, capsys):
    args = SimpleNamespace(recipe="t5-pegasus", steps=4, out="out")
    data = MagicMock(shards=SimpleNamespace(tokens=9, summaries=summaries))
    scripts["pretrain"].tell(data, 0, args)
    assert ("no summaries" in capsys.readouterr().out) == (summaries is None)


def test_going_on_from_a_checkpoint(scripts, tmp_path):
    """It starts where that ended, and its loss on held-out text is told."""
    script, first = scripts["pretrain"], tmp_path / "first"
    command = ["--smoke", "--recipe=gpt", "--store=float32"]
    before = script.main([*command, f"--out={first}", "--learning-rate=0.01"])["loss"]
    words = Tokenizer(str(first / "vocab.txt"), do_lower_case=True)
    write_shards(script.SMOKE_TEXT, tmp_path / "heldout", words)
    command += [f"--checkpoint={first}", f"--heldout={tmp_path / 'heldout'}"]
    after = script.main([*command, f"--out={tmp_path / 'b'}", "--learning-rate=1e-9"])
    assert after["loss"][0] == pytest.approx(after["loss"][1], rel=0.1)
    assert max(after["loss"]) < before[1] < before[0]
    np.testing.assert_allclose(after["val_loss"], after["loss"], rtol=0.1)


def test_bad_settings(scripts, tmp_path, capsys):
    script = scripts["pretrain"]
    with pytest.raises(SystemExit):
        script.main(["--smoke", "--steps=10", "--epoch=4"])
    assert "--steps 10 are no multiple of --epoch 4" in capsys.readouterr().err
    config = {"model_type": "gpt2", **script.SMOKE_SIZES, "embedding_size": 32}
    (tmp_path / "config.json").write_text(json.dumps(config))
    command = ["--smoke", "--recipe=gpt", f"--config={tmp_path / 'config.json'}"]
    with pytest.raises(ValueError, match="a family with segments. Received: GPT2"):
        script.main(command)
    config = {"model_type": "bert", **script.SMOKE_SIZES, "embedding_size": 32}
    config["max_position_embeddings"] = 15
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(ValueError, match="--length 16 is beyond the model's 15 pos"):
        script.main([*command[:1], *command[2:]])
    with pytest.raises(ValueError, match="written with another vocabulary"):
        script.main(["--smoke", "--checkpoint=zh-tiny"])
    with pytest.raises(SystemExit):
        script.main([*command, "--checkpoint=zh-tiny"])
    assert "leave out --config and --vocab" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        script.main(["--smoke", "--steps=10", "--accumulate=4"])
    assert "are no multiple of --accumulate 4" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["adamw", "lamb", "adafactor", "tiger"])
def test_optimizers(name, scripts):
    optimizer = scripts["recipes"].make_optimizer(name, 100, 0.01, accumulate=4)
    weights = keras.Variable(np.ones((4, 3), "float32"), name="kernel")
    others = keras.Variable(np.ones((3,), "float32"), name="bias")
    gradients = [keras.ops.ones((4, 3)), keras.ops.ones((3,))]
    for step in range(12):  # three updates, of which the first has rate 0
        optimizer.apply(gradients, [weights, others])
        moved = np.abs(keras.ops.convert_to_numpy(weights) - 1).max()
        assert (moved > 1e-4) == (step >= 7)


def test_labels_of_a_training_model(scripts):
    recipes = scripts["recipes"].RECIPES
    ids, labels = np.array([[2, 7, 8]]), np.array([[7, 8, 9]])
    inputs = recipes["gpt"].inputs(((ids, 0 * ids), labels, None))
    assert inputs[0].tolist() == [[2, 7, 8, 9]] and not inputs[1].any()
    decoder, labels = np.array([[2, 7, 0]]), np.array([[7, 3, 0]])
    weights = np.array([[1.0, 1.0, 0.0]])
    pair = recipes["t5-pegasus"].inputs(((ids, decoder), labels, weights))
    assert pair[1].tolist() == [[2, 7, 3, 0]]  # the end token is learned
