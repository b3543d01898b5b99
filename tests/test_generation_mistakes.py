"""Mistakes of callers get an error that says what was expected."""

import keras
import numpy as np
import pytest
from generation_models import decoder
from tiny_models import build

from bert4keras3.generation import (
    BeamSearch,
    ContrastiveSearch,
    Decoder,
    GibbsSampler,
    Sampling,
    keyword_array,
)
from bert4keras3.metrics import text_scores
from bert4keras3.tokenizers import Tokenizer
from bert4keras3.utils.vectors import sentence_vectors

TOKENS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"今天气很好我想"]
TOKENIZER = Tokenizer({one: i for i, one in enumerate(TOKENS)})


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda d: d.generate([[3]], maxlen="9"), "both int"),
        (lambda d: d.generate([[3]], BeamSearch), "strategy must be"),
        (lambda d: d.generate([[3]], Sampling(), n=0), "n must be an int"),
        (lambda d: d.generate([[3]], Sampling(), n=2.0), "n must be an int"),
        (lambda d: d.generate([[3]], rules=["x"]), "rules must be functions"),
        (lambda d: d.generate([[3]], seed=1.5), "seed must be whole"),
        (lambda d: d.generate([[3]], seed="a"), "seed must be whole"),
        (lambda d: d.generate(5), "prompts must be a list"),
        (lambda d: d.generate([[3]], conditions=np.ones(1)), "a list of arrays"),
        (lambda d: d.log_prob("今天", [[3]]), "prompts must be a list"),
        (lambda d: d.log_prob([[3]], "好"), "answers must be a list"),
        (lambda d: Decoder(d.model, batch_size=0), "batch_size must be"),
        (lambda d: Decoder(d.model, "zh-tiny"), "an object, such as Tokenizer"),
        (lambda d: Sampling(topk=2.5), "topk must be an int"),
        (lambda d: BeamSearch(2.0), "size must be an int"),
        (lambda d: ContrastiveSearch(2.0), "topk must be an int"),
        (lambda d: keyword_array(TOKENIZER, ["好"]), "keywords of a text must be"),
        (lambda d: keyword_array(TOKENIZER, []), "a list for every text"),
    ],
)
def test_calls(call, message):
    with pytest.raises(ValueError, match=message):
        call(decoder("gpt2"))


def test_chains():
    sampler = GibbsSampler(build("bert", with_mlm=True), TOKENIZER)
    assert sampler([]) == []
    with pytest.raises(ValueError, match="texts must be a list"):
        sampler("今天")
    with pytest.raises(ValueError, match="steps and every must be 1 or more"):
        sampler(["今天"], steps=0)
    with pytest.raises(ValueError, match="no place that may change"):
        sampler(["今天"], free=[[100]])


def test_a_training_model_is_saved_as_weights(tmp_path):
    t = build("bert", application="unilm")
    trainer = t.model.training_model(copying=True)
    with pytest.raises(ValueError, match="save_weights"):
        trainer.save(tmp_path / "trainer.keras")
    trainer.save_weights(tmp_path / "trainer.weights.h5")
    other = build("bert", application="unilm")
    again = other.training_model(copying=True)
    again.load_weights(tmp_path / "trainer.weights.h5")
    for one, two in zip(t.copy_layer.weights, other.copy_layer.weights, strict=True):
        np.testing.assert_array_equal(one.numpy(), two.numpy())


def test_single_texts():
    model = keras.Model(*[keras.Input((3,))] * 2)
    with pytest.raises(ValueError, match="texts must be a list"):
        sentence_vectors(model, TOKENIZER, "今天")
    pytest.importorskip("rouge_chinese")
    with pytest.raises(ValueError, match="lists of texts"):
        text_scores("今天", "今天")
