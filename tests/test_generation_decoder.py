"""Decoder: batches, lengths, ends, seeds, texts, and what it refuses."""

import pytest
from generation_models import decoder, model, prompts, uncached_greedy

from bert4keras3.backend import runtime
from bert4keras3.generation import (
    AutoRegressiveDecoder,
    BeamSearch,
    Decoder,
    Greedy,
    Sampling,
)
from bert4keras3.models import build_transformer_model
from bert4keras3.tokenizers import Tokenizer

SLOW = pytest.param("bert-unilm", marks=pytest.mark.slow)
MAIN = ("gpt2", "t5", SLOW)


def lists(outputs):
    return [[one.ids.tolist() for one in row] for row in outputs]


@pytest.mark.parametrize("case", MAIN)
def test_greedy_is_what_the_whole_text_says(case):
    d = decoder(case, maxlen=4)
    given = prompts(d.transformer)
    assert lists(d.generate(given)) == uncached_greedy(d, given, 4)


@pytest.mark.parametrize("strategy", [Greedy(), Sampling(topk=9), BeamSearch(3)])
def test_a_batch_is_its_rows_one_by_one(strategy):
    d = decoder("bert-unilm", end_id=(7, 15))
    given, seeds = prompts(d.transformer, longest=8), [5, 6, 7]
    found = lists(d.generate(given, strategy, seed=seeds))
    alone = [
        lists(d.generate([one], strategy, seed=[seed]))[0]
        for one, seed in zip(given, seeds, strict=True)
    ]
    assert found == alone
    assert lists(d.generate(given[::-1], strategy, seed=seeds[::-1])) == alone[::-1]


def test_one_program_per_shapes_and_none_for_the_second_call():
    d = decoder("bert-lm")
    given = prompts(d.transformer, count=4, longest=8)
    d.generate(given)
    first = d.compilations
    d.generate(given[::-1], maxlen=5)
    d.generate([one[:3] for one in given], maxlen=7)
    d.generate([[9] * 9] * 4)
    if runtime.BACKEND == "torch":
        assert d.compilations == 4  # nothing is compiled, every call runs it
    else:
        assert (first, d.compilations) == (1, 2)


def test_ends_and_lengths():
    d = decoder("gpt2", maxlen=6)
    given = prompts(d.transformer)
    free = lists(d.generate(given))
    end = free[0][0][2]
    ended = lists(d.generate(given, end_id=end))
    for (text,), (other,) in zip(free, ended, strict=True):
        cut = text.index(end) + 1 if end in text else len(text)
        assert other == text[:cut]
    for row in d.generate(given, end_id=end, minlen=6):
        assert len(row[0].ids) == 6
        assert end not in row[0].ids[:5]


def test_seeds_and_answers():
    d = decoder("gpt2", maxlen=5)
    given = prompts(d.transformer)
    first = lists(d.generate(given, Sampling(), n=3, seed=1))
    assert first == lists(d.generate(given, Sampling(), n=3, seed=1))
    assert first != lists(d.generate(given, Sampling(), n=3, seed=2))
    assert len({tuple(one) for row in first for one in row}) == 9


def test_texts_in_texts_out():
    tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *"今天天气很好我想去学校书"]
    vocabulary = {one: i for i, one in enumerate(dict.fromkeys(tokens))}
    tokenizer = Tokenizer(vocabulary)
    sizes = {"vocab_size": len(vocabulary), "hidden_size": 16, "num_hidden_layers": 1}
    sizes.update(num_attention_heads=2, intermediate_size=16, max_position=32)
    net = build_transformer_model(model="bert", application="unilm", **sizes)
    found = net.generate(["今天", "我想去"], tokenizer, maxlen=4)
    assert [type(one) for one in found] == [str, str]
    assert net.generate("今天", tokenizer, maxlen=4) == found[0]
    many = net.generate(["今天"], tokenizer, Sampling(topk=3), n=2, maxlen=4)
    assert [len(one) for one in many] == [2]


@pytest.mark.parametrize("case", ["t5", SLOW])
def test_legacy_decoder_runs_compiled_when_given_a_model(case):
    d = decoder(case)
    prompt = prompts(d.transformer)[1]
    start = d.settings.start_id if d.two_sides else None
    legacy = AutoRegressiveDecoder(start, 7, 6, transformer=model(case))
    inputs = [prompt] if d.two_sides else [prompt, [0] * len(prompt)]
    expected = d.generate([prompt], BeamSearch(3), end_id=7)[0][0].ids.tolist()
    head = [] if start is None else [start]
    assert legacy.beam_search(inputs, topk=3).tolist() == head + expected
    assert len(legacy.random_sample(inputs, 3, topp=0.9, seed=0)) == 3


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda d: d.generate([[]]), "at least one token"),
        (lambda d: d.generate([[3, 99]]), "token id 99; the model's vocabulary"),
        (lambda d: d.generate([[3] * 30]), "32 positions"),
        (lambda d: d.generate(["天"]), "needs a tokenizer"),
        (lambda d: d.generate([[3]], maxlen=0), "maxlen must be 1 or more"),
        (lambda d: d.generate([[3]], max_length=4), "Unknown settings"),
        (lambda d: d.generate([[3]], BeamSearch(2), n=2), "length_penalty"),
        (lambda d: d.generate([[3], [4]], seed=[1]), "seed must be"),
        (lambda d: d.generate([([3, 4], [0])]), "as many segment ids"),
        (lambda d: d.generate([[0.5]]), "list of token ids"),
        (lambda d: Decoder(d.model.model), "end_id"),
        (lambda d: Decoder(3), "needs a Transformer"),
        (lambda d: Sampling(topp=0), "topp must be"),
        (lambda d: Sampling(temperature=0), "Greedy"),
        (lambda d: BeamSearch(4, groups=3), "multiple of groups"),
    ],
)
def test_errors_say_what_to_do(call, message):
    with pytest.raises(ValueError, match=message):
        call(decoder("bert-lm"))


def test_an_encoder_cannot_generate():
    with pytest.raises(ValueError, match="application='lm' or 'unilm'"):
        Decoder(build_transformer_model(
            model="bert", vocab_size=9, hidden_size=8, num_hidden_layers=1,
            num_attention_heads=2, intermediate_size=8, with_mlm=True,
        ))
