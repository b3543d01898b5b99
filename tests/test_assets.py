"""zh-tiny, the model inside the package: complete, small, and better than chance."""

import json
from pathlib import Path

import keras
import numpy as np
import pytest

from bert4keras3.checkpoints.formats import open_checkpoint
from bert4keras3.models import build_transformer_model
from bert4keras3.tokenizers import Tokenizer, load_vocab
from bert4keras3.utils.assets import asset_path

FOLDER = Path(asset_path("zh-tiny"))
DEV = Path(__file__).resolve().parent.parent / "examples/data/sentiment/dev.tsv"


@pytest.fixture(scope="module")
def tokenizer():
    return Tokenizer("zh-tiny", do_lower_case=True)


@pytest.fixture(scope="module")
def model():
    return build_transformer_model("zh-tiny", with_mlm="linear")


def test_folder_is_complete_and_small():
    names = {path.name for path in FOLDER.iterdir() if path.is_file()}
    assert {"config.json", "model.safetensors", "vocab.txt", "README.md"} <= names
    assert "LICENSE" in names
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) <= 8_000_000


def test_vocabulary_fits_the_model():
    vocab = load_vocab(str(FOLDER / "vocab.txt"))
    config = json.loads((FOLDER / "config.json").read_text(encoding="utf-8"))
    assert config["vocab_size"] == len(vocab) <= 8000
    assert config["model_type"] == "roformer"
    assert vocab["[PAD]"] == 0
    assert {"[UNK]", "[CLS]", "[SEP]", "[MASK]", "的", "##a"} <= set(vocab)


def test_weights_are_finite_half_precision():
    with open_checkpoint(str(FOLDER)) as checkpoint:
        for name, array in checkpoint.items():
            values = array.read()
            assert values.dtype == np.float16, name
            assert np.isfinite(values).all(), name


def predict(model, ids, position):
    """Probabilities (V,) at one position of a list of token ids."""
    ids = np.array([ids])
    logits = np.array(model.predict_on_batch([ids, np.zeros_like(ids)]))
    return keras.ops.convert_to_numpy(keras.ops.softmax(logits[0, position]))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("房间很干[MASK]，服务也很好。", "净"),
        ("改革开[MASK]以来，我国经济发展很快。", "放"),
        ("新华社北京１月１日电（记[MASK]李明）", "者"),
    ],
)
def test_fills_blanks(model, tokenizer, text, expected):
    left, right = text.split("[MASK]")
    tokens = [*tokenizer.tokenize(left)[:-1], "[MASK]", *tokenizer.tokenize(right)[1:]]
    chances = predict(model, tokenizer.tokens_to_ids(tokens), tokens.index("[MASK]"))
    assert tokenizer.id_to_token(int(chances.argmax())) == expected


def test_masked_accuracy_on_unseen_reviews_beats_chance(model, tokenizer):
    texts = [row.split("\t")[0] for row in DEV.read_text("utf-8").split("\n")[:200]]
    rng = np.random.default_rng(0)
    ids = np.zeros((len(texts), 32), "int32")
    for i, text in enumerate(texts):
        one = tokenizer.encode(text, maxlen=32)[0]
        ids[i, : len(one)] = one
    hidden = (rng.random(ids.shape) < 0.15) & (ids > tokenizer.token_to_id("[MASK]"))
    shown = np.where(hidden, tokenizer.token_to_id("[MASK]"), ids)
    logits = np.array(model.predict_on_batch([shown, np.zeros_like(ids)]))
    right = (logits.argmax(-1) == ids)[hidden].mean()
    chance = np.bincount(ids[hidden]).max() / hidden.sum()
    assert right > 3 * chance and right > 0.25
