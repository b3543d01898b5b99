"""The mean of checkpoints, as a script of examples/pretraining."""

import numpy as np
import pytest
from safetensors.numpy import load_file
from script_modules import imported
from tiny_models import build

from bert4keras3.tokenizers import Tokenizer


def test_the_mean_of_two(tmp_path, monkeypatch):
    vocab = tmp_path / "vocab.txt"
    tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    vocab.write_text("\n".join(tokens + [chr(0x4E00 + i) for i in range(45)]), "utf-8")
    folders = [str(tmp_path / name) for name in ("first", "second", "wide", "mean")]
    for seed, (folder, width) in enumerate(zip(folders, (24, 24, 32), strict=False)):
        model = build("bert", with_mlm="linear", seed=seed, intermediate_size=width)
        model.save(folder, vocab=Tokenizer(str(vocab)))
    with imported(("recipes", "average"), monkeypatch) as scripts:
        script = scripts["average"]
        script.main([*folders[:2], f"--out={folders[3]}", "--store=float32"])
        with pytest.raises(ValueError, match="wide has other weights than .*first"):
            script.average(folders[:3])
    first, second, mean = (
        load_file(f"{folders[i]}/model.safetensors") for i in (0, 1, 3)
    )
    assert set(mean) == set(first) and len(mean) > 20
    for name, value in mean.items():
        expected = (first[name] + second[name]) / 2
        np.testing.assert_allclose(value, expected, rtol=1e-6, atol=1e-7)
