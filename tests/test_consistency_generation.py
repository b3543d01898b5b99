"""Greedy and beam search give the tokens of transformers' `generate`."""

import numpy as np
import pytest

from bert4keras3.generation import (
    BeamSearch,
    Decoder,
    Greedy,
    NoRepeatNgram,
    RepetitionPenalty,
)
from bert4keras3.models import build_transformer_model

transformers = pytest.importorskip("transformers")
torch = pytest.importorskip("torch")

VOCABULARY, END, NEW = 60, 1, 12
SIZES = {
    "gpt2": {"n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 40},
    "t5": {
        "d_model": 32, "d_kv": 8, "d_ff": 48, "num_layers": 2, "num_heads": 4,
        "decoder_start_token_id": 0, "pad_token_id": 0,
    },
}
CLASSES = {"gpt2": ("GPT2Config", "GPT2LMHeadModel")}
CLASSES["t5"] = ("T5Config", "T5ForConditionalGeneration")


@pytest.fixture(scope="module", params=SIZES)
def pair(request, tmp_path_factory):
    """(kind, their model, our decoder), the same random weights."""
    kind = request.param
    config, model = (getattr(transformers, name) for name in CLASSES[kind])
    torch.manual_seed(0)
    sizes = {"vocab_size": VOCABULARY, "eos_token_id": END, **SIZES[kind]}
    theirs = model(config(**sizes)).eval()
    generator = np.random.default_rng(0)
    with torch.no_grad():
        for one in theirs.parameters():  # so that texts differ, and end
            if one.ndim > 1:
                one.copy_(torch.tensor(generator.normal(0, 0.25, tuple(one.shape))))
    folder = tmp_path_factory.mktemp(kind)
    theirs.save_pretrained(folder)
    ours = build_transformer_model(str(folder), return_keras_model=False)
    return kind, theirs, Decoder(ours, end_id=END, maxlen=NEW, batch_size=64)


def prompts(count):
    """Token ids in groups of one length: transformers pads decoders on the left."""
    generator = np.random.default_rng(1)
    for length in (3, 5, 9, 14):
        yield generator.integers(2, VOCABULARY, (count // 4, length)).tolist()


def expected(kind, model, group, **options):
    """New tokens that transformers gives, up to the end token."""
    ids = torch.tensor(group)
    with torch.no_grad():
        found = model.generate(
            ids, attention_mask=torch.ones_like(ids), max_new_tokens=NEW,
            do_sample=False, eos_token_id=END, pad_token_id=0, **options,
        )
    start = 1 if kind == "t5" else ids.shape[1]
    return [cut(row[start:].tolist()) for row in found]


def cut(ids):
    return ids[: ids.index(END) + 1] if END in ids else ids


CASES = {
    "greedy": (Greedy(), {}, {}),
    "beam": (BeamSearch(4, length_penalty=1.0), {}, {"num_beams": 4}),
    "early": (
        BeamSearch(3, length_penalty=0.6, early_stopping=True), {},
        {"num_beams": 3, "length_penalty": 0.6, "early_stopping": True},
    ),
    "rules": (
        Greedy(),
        {"rules": [RepetitionPenalty(1.5, True), NoRepeatNgram(2, True)]},
        {"repetition_penalty": 1.5, "no_repeat_ngram_size": 2},
    ),
}


def compare(pair, name, count):
    kind, theirs, decoder = pair
    strategy, ours, options = CASES[name]
    texts = 0
    for group in prompts(count):
        rows = decoder.generate(group, strategy, **ours)
        found = [row[0].ids.tolist() for row in rows]
        assert found == expected(kind, theirs, group, **options)
        texts += len({tuple(one) for one in found})
    assert texts > count // 3  # the model says different things


def test_the_same_tokens(pair):
    compare(pair, "beam", 16)


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_the_same_tokens_for_200_prompts(pair, name):
    compare(pair, name, 200)
