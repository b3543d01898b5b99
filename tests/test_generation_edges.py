"""Corners of generation: ids of a cut vocabulary, starts, ends, what a stream says."""

import pytest
from generation_models import decoder, model, prompts
from tiny_models import CONFIG, build

from bert4keras3.generation import (
    Allow,
    AutoRegressiveDecoder,
    BeamSearch,
    Decoder,
    Force,
)
from bert4keras3.generation.streaming import stream_text
from bert4keras3.models import build_transformer_model


def ids_of(outputs):
    return [one.ids.tolist() for row in outputs for one in row]


def test_the_configs_ids_follow_keep_tokens():
    def ends(eos):
        net = build_transformer_model(
            {**CONFIG, "eos_token_id": eos}, model="llama", keep_tokens=[0, 5, 1, 9]
        )
        return Decoder(net).settings.end_ids

    assert ends(9) == (3,)
    with pytest.raises(ValueError, match="eos_token_id=7 is not among keep_tokens"):
        ends(7)


def test_a_start_id_stands_behind_the_prompt_of_a_language_model():
    d = decoder("bert-lm", end_id=9)
    expected = ids_of(d.generate([[5, 6, 7, 9]], BeamSearch(2)))[0]
    legacy = AutoRegressiveDecoder(9, 9, 6, transformer=model("bert-lm"))
    found = legacy.beam_search([[5, 6, 7], [0, 0, 0]], topk=2).tolist()
    assert found == [9, *expected]


def test_call_level_settings_count():
    d = decoder("bert-unilm")
    other = decoder("bert-unilm", segment_id=0)
    given = prompts(d.transformer)
    assert ids_of(d.generate(given, segment_id=0)) == ids_of(other.generate(given))
    assert ids_of(d.generate(given, segment_id=0)) != ids_of(d.generate(given))
    assert d.generate([]) == []


def test_beams_that_break_a_rule_are_no_answers():
    d = decoder("gpt2", maxlen=1)
    beams = BeamSearch(3, length_penalty=1.0)
    (row,) = d.generate([[3, 4]], beams, n=3, rules=Allow((5, 6)))
    assert sorted(one.ids.tolist() for one in row) == [[], [5], [6]]
    forced = {"rules": [Force((5, 7))], "end_id": 7}
    (row,) = decoder("gpt2").generate([[3]], beams, n=2, **forced)
    assert row[0].ids.tolist() == [5, 7] and not len(row[1].ids)


def test_a_model_is_used_up_to_its_last_position():
    d = decoder("bert-lm", maxlen=1)
    assert len(ids_of(d.generate([[3] * 32]))[0]) == 1
    d.log_prob([[3] * 31], [[4]])


class Unhashable:
    """A rule that no compiled program can be found by."""

    __hash__ = None

    def __call__(self, logits, history):
        return logits


class Letters:
    """A tokenizer whose third letter changes the text before it."""

    def decode(self, ids):
        return {1: "a", 2: "a'", 3: "a'\ufffd", 4: "they're", 5: "they're x"}[len(ids)]


def test_a_stream_says_all_of_the_text():
    d = decoder("bert-lm")
    d.tokenizer = Letters()
    pieces = list(stream_text(d, iter([5, 6, 7, 8, 9])))
    assert pieces[:2] == ["a", "'"] and "\ufffd" not in "".join(pieces)
    assert pieces[-2:] == ["they're", " x"]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda d: d.generate("今天"), "must be a list of prompts"),
        (lambda d: d.generate(([3, 4], [0, 0])), "must be a list of prompts"),
        (lambda d: d.generate([3, 4]), "list of token ids"),
        (lambda d: d.generate([[3, 4, 0, 0]]), "ends with padding"),
        (lambda d: d.generate([[3]], segment_id=2), r"Segment ids must be in \[0, 2\)"),
        (lambda d: d.generate([[3]], end_id=99), r"end_id must be ids in \[0, 50\)"),
        (lambda d: d.generate([[3]], rules=[Force((99,))]), r"ids in \[0, 50\)"),
        (lambda d: d.generate([[3]], rules=[Unhashable()]), "must be hashable"),
        (lambda d: d.generate([[3]], "beam"), "strategy must be"),
        (lambda d: d.generate([[3]], conditions=[[1, 2]]), "a row for each of 1"),
        (lambda d: d.perplexity([[3]]), "two tokens or more"),
    ],
)
def test_errors_say_what_to_do(call, message):
    with pytest.raises((ValueError, TypeError), match=message):
        call(decoder("bert-lm"))


def test_an_encoder_decoder_refuses_segment_ids():
    with pytest.raises(ValueError, match="looks like segment ids"):
        decoder("bart").generate([([9, 10, 11], [0, 0, 0])])


def test_programs_are_kept_but_not_all_of_them():
    d = decoder("gpt2", maxlen=1)
    for number in range(40):
        d.kept(number, lambda: lambda: None)
    assert list(d.programs) == list(range(8, 40))
    d.kept(8, None)  # used again: the next to go is another
    d.kept("new", lambda: lambda: None)
    assert 8 in d.programs and 9 not in d.programs


def test_a_prefix_changes_no_side():
    t = build("t5", prefix="my-")
    found = Decoder(t, end_id=(), maxlen=3).generate([[5, 6, 7]])
    expected = Decoder(build("t5"), end_id=(), maxlen=3).generate([[5, 6, 7]])
    assert ids_of(found) == ids_of(expected)
    with pytest.raises(ValueError, match="alone has no encoder"):
        Decoder(build("t5_decoder"), end_id=())
