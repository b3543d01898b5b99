"""The accuracy and loss of a masked language model, of one whose answers are known."""

import numpy as np
import pytest
from script_modules import imported

from bert4keras3.tokenizers import Tokenizer


class Constant:
    """A model that always says token 5, with probability e / (e + V - 1)."""

    def __init__(self, size):
        self.model, self.size = self, size

    def predict_on_batch(self, inputs):
        logits = np.zeros((*inputs[0].shape, self.size), "float32")
        logits[..., 5] = 1.0
        return logits


def test_measure(monkeypatch, tmp_path):
    tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"天地人"]
    (tmp_path / "vocab.txt").write_text("\n".join(tokens), encoding="utf-8")
    (tmp_path / "text.txt").write_text("天天地人\n" * 400, encoding="utf-8")
    tokenizer = Tokenizer(str(tmp_path / "vocab.txt"))
    with imported(["evaluate_mlm"], monkeypatch) as scripts:
        measure = scripts["evaluate_mlm"].measure_text
        found = measure(Constant(8), tmp_path / "text.txt", tokenizer, length=16)
    share = found["accuracy"]
    assert found["chance"] == pytest.approx(share) and 0.4 < share < 0.6
    total = np.log(np.e + 7)
    assert found["loss"] == pytest.approx(total - share, abs=1e-5)
    assert 150 < found["count"] < 280
