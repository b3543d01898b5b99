"""The pretraining scripts: masking, whole words, batches, resumed training."""

import shutil

import keras
import numpy as np
import pytest
from script_modules import imported

NAMES = ("data", "pretrain_mlm")


@pytest.fixture
def scripts(monkeypatch):
    """The scripts as modules, forgotten again after the test."""
    with imported(NAMES, monkeypatch) as modules:
        yield modules


@pytest.fixture
def stream(scripts):
    names = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    vocab = {t: i for i, t in enumerate(names + [f"t{i}" for i in range(195)])}
    ids = np.random.default_rng(0).integers(5, 200, 5000).astype("int32")
    ids[::40] = 3
    return scripts["data"].Stream(ids, np.arange(5000) % 2 == 0, vocab)


def masked(scripts, stream, starts=None):
    ids, known = scripts["data"].cut_rows(stream, 32)
    starts = np.ones_like(known) if starts is None else known
    rng = np.random.default_rng(1)
    return ids, scripts["data"].mask_rows(ids, starts, stream, 6, rng)


def test_masks_follow_the_bert_recipe(scripts, stream):
    ids, (inputs, positions, labels, weights) = masked(scripts, stream)
    assert positions.shape == (len(ids), 6)
    assert (np.diff(positions, axis=1) > 0).all()
    assert (labels == np.take_along_axis(ids, positions, 1)).all()
    assert weights.min() == 1 and not np.isin(labels, [2, 3]).any()
    changed = inputs != ids
    np.put_along_axis(changed, positions, False, axis=1)
    assert not changed.any()
    shown = np.take_along_axis(inputs, positions, 1)
    assert 0.76 < (shown == stream.mask).mean() < 0.84
    assert 0.06 < (shown == labels).mean() < 0.15


def test_whole_words_are_hidden_together(scripts, stream):
    ids, (_, positions, _, _) = masked(scripts, stream, starts=True)
    hidden = np.zeros(ids.shape, bool)
    np.put_along_axis(hidden, positions, True, axis=1)
    plain = (ids[:, 1:-1:2] != 3) & (ids[:, 2:-1:2] != 3)
    split = hidden[:, 1:-1:2] != hidden[:, 2:-1:2]
    # Six tokens are three words of two unless a [SEP] stood in one of them.
    assert (split & plain).sum() <= (~plain).sum()


def test_rows_short_of_tokens_weigh_nothing(scripts, stream):
    ids = np.full((1, 8), 3, "int32")
    ids[0, 2] = 50
    starts = np.ones_like(ids, bool)
    rng = np.random.default_rng(0)
    inputs, positions, _, weights = scripts["data"].mask_rows(
        ids, starts, stream, 3, rng
    )
    assert weights.sum() == 1 and positions[0][weights[0] > 0] == 2
    assert (np.delete(inputs, 2) == 3).all()


def test_batches_depend_on_seed_and_number_only(scripts, stream):
    first = scripts["data"].Batches(stream, 32, 8, seed=5)
    for index in range(30):
        inputs, labels, _ = first[index]
    again, same, _ = scripts["data"].Batches(stream, 32, 8, seed=5)[29]
    assert (again["Input-Token"] == inputs["Input-Token"]).all()
    assert (same == labels).all()
    other = scripts["data"].Batches(stream, 32, 8, seed=6)[29][1]
    assert (other != labels).any()


def test_too_little_text_says_what_to_do(scripts, stream):
    stream.ids = stream.ids[:10]
    with pytest.raises(ValueError, match="10 tokens.*smaller --length"):
        scripts["data"].cut_rows(stream, 32)


def test_longest_known_word_wins(scripts):
    starts = scripts["data"].word_starts(
        list("中国人民很好"), {"中国", "中国人", "很好"}
    )
    assert starts == [True, False, False, True, True, False]
    assert scripts["data"].word_starts(["a", "##b", "c"], {"x"}) == [True, False, True]


@pytest.mark.slow
def test_a_stopped_run_goes_on_where_it_was(scripts, tmp_path, monkeypatch):
    script, save = scripts["pretrain_mlm"], scripts["pretrain_mlm"].save_state
    whole, part = tmp_path / "whole", tmp_path / "part"
    part.mkdir()

    def save_and_copy(model, step, path):
        save(model, step, path)
        if step == 10:
            shutil.copy(path, part)

    monkeypatch.setattr(script, "save_state", save_and_copy)
    script.main(["--smoke", "--save-every=10", f"--out={whole}"])
    monkeypatch.setattr(script, "save_state", save)
    script.main(["--smoke", f"--out={part}"])
    with np.load(whole / "training.npz") as a, np.load(part / "training.npz") as b:
        assert int(a["step"]) == int(b["step"]) == 20
        for name in a.files:
            np.testing.assert_allclose(a[name], b[name], rtol=1e-3, atol=2e-5)


def test_a_state_of_another_model_is_refused(scripts, tmp_path):
    script = scripts["pretrain_mlm"]
    np.savez(tmp_path / "training.npz", step=3, v0=np.zeros(2))
    with pytest.raises(ValueError, match="holds 1 arrays.*another --out"):
        script.main(["--smoke", f"--out={tmp_path}"])


def test_logits_of_masked_tokens_are_those_of_the_full_model(scripts, stream):
    script = scripts["pretrain_mlm"]
    config = {**script.ZH_TINY, **script.SMOKE_SIZES, "vocab_size": 200}
    transformer = script.build_transformer_model(
        config, model="roformer", with_mlm="linear", return_keras_model=False
    )
    _, (ids, positions, _, _) = masked(scripts, stream)
    ids, positions = ids[:3], positions[:3]
    segments = np.zeros_like(ids)
    full = keras.ops.convert_to_numpy(transformer.model([ids, segments]))
    picked = script.masked_model(transformer)([ids, segments, positions])
    wanted = np.take_along_axis(full, positions[..., None], axis=1)
    picked = keras.ops.convert_to_numpy(picked)
    np.testing.assert_allclose(picked, wanted, rtol=1e-5, atol=1e-6)
