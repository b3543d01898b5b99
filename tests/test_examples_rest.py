"""Chess, captions, similar cases, cased models: the examples run in seconds."""

import json

import keras
import numpy as np
import pytest
from test_examples import load

from bert4keras3.models import build_transformer_model
from bert4keras3.tokenizers import Tokenizer


def test_a_cased_model_begins_where_the_uncased_was(tmp_path, capsys):
    module = load("basic_make_uncased_model_cased")
    assert module.main(["--smoke", f"--save={tmp_path}/cased"]) == 0
    assert "'Be'" in capsys.readouterr().out
    model = build_transformer_model(f"{tmp_path}/cased")
    tokenizer = Tokenizer(f"{tmp_path}/cased", do_lower_case=False)
    assert tokenizer.encode("Bert") != tokenizer.encode("bert")
    cased, lower = (module.features(model, tokenizer, one) for one in ("Bert", "bert"))
    np.testing.assert_array_equal(cased, lower)


def test_new_tokens_of_a_vocabulary():
    cased = load("basic_make_uncased_model_cased").cased
    found, compound = cased({"[UNK]": 0, "be": 1, "##t5": 2, "Be": 3, "ß": 4, "中": 6})
    assert list(found)[6:] == ["BE", "##T5"] and compound == [[1], [2]]
    assert found["BE"] == 7 and found["##T5"] == 8  # line 5 was a repeated one


@pytest.mark.slow
def test_chess(tmp_path):
    module = load("task_language_model_chinese_chess")
    module.stages = ((8, None),)  # a single shape
    weights = tmp_path / "best.weights.h5"
    candidates = ["--candidates", "h9g7", "b9c7"]
    options = ["--smoke", "--batch-size=4", f"--weights={weights}"]
    best = module.main([*options, *candidates])
    assert 1 < best["perplexity"] < 40 and weights.exists()


def test_games_are_strings_of_moves(tmp_path):
    module = load("task_language_model_chinese_chess")
    bad = tmp_path / "games.json"
    bad.write_text(json.dumps(["h2e2", "h2-e2"]), "utf-8")
    with pytest.raises(ValueError, match="game 1 must be a string of moves"):
        module.read(bad)


def test_chess_ranks_by_probability_and_reads_longer_games():
    module = load("task_language_model_chinese_chess")

    class Files:  # prefers moves from the left
        def log_prob(self, prompts, answers):
            assert prompts == [[1, 19, 4]] * len(answers)  # [CLS] h 2
            return -np.array([one[0] for one in answers], float)

    order = [move for move, _ in module.ranked(Files(), "h2", ["b9c7", "a9b9"])]
    assert order == ["a9b9", "b9c7"]
    games = ["h2e2" * 128] * 4
    shapes = [ids.shape for (ids, _), _ in take(module.curriculum(games, 2, 1), 5)]
    assert shapes == [(2, 64), (2, 128), (2, 256), (2, 256), (2, 512)]


def take(iterator, count):
    return [next(iterator) for _ in range(count)]


def test_legal_moves_and_the_sample():
    pytest.importorskip("cchess")
    module = load("task_language_model_chinese_chess")
    assert len(module.legal_moves("")) == 44
    assert "h9g7" in module.legal_moves("h2e2")
    for game in module.read(module.parse([]).data)[:6]:
        assert game[-4:] in module.legal_moves(game[:-4])
    with pytest.raises(ValueError, match="no legal move"):
        module.legal_moves("h9g7")


@pytest.mark.slow
def test_captions(tmp_path, capsys):
    pytest.importorskip("PIL")
    module = load("task_image_caption")
    module.size, module.maxlen, module.buckets = 64, 32, (32,)
    weights = tmp_path / "best.weights.h5"
    best = module.main(["--smoke", f"--weights={weights}"])
    assert best["perplexity"] > 1 and weights.exists()
    assert "0.png: " in capsys.readouterr().out
    with pytest.raises(SystemExit):
        module.main([])


def test_images_are_padded_and_held_out(tmp_path):
    pytest.importorskip("PIL")
    module = load("task_image_caption")
    train, dev = module.read(*module.make_images(tmp_path))
    assert [path.name for path, _ in dev] == ["0.png", "10.png"] and len(train) == 18
    assert dev[0][1] == "a picture in red"
    module.size = 32
    pixels = module.read_image(dev[0][0])
    assert pixels.shape == (32, 32, 3) and pixels.dtype == np.float32
    assert np.all(pixels[:3] == -1) and pixels[16, :, 0].mean() > 0.2  # 48 x 64


@pytest.mark.slow
def test_similar_cases(tmp_path):
    module = load("task_similar_cases_scm")
    weights = tmp_path / "best.weights.h5"
    module.maxlen, module.buckets = 64, (64,)
    best = module.main(["--smoke", "--batch-size=4", f"--weights={weights}"])
    assert 0 <= best["accuracy"] <= 1 and weights.exists()


def test_the_nearer_case_is_the_target(tmp_path):
    module = load("task_similar_cases_scm")
    (tmp_path / "train.json").write_text(
        '{"A": "a", "B": "b", "C": "c", "label": "C"}\n', "utf-8"
    )
    cases = module.read(tmp_path, "train")
    assert module.pairs(cases) == [("a", "c", 1), ("a", "b", 0)]


def test_the_score_compares_the_pairs_of_a_case():
    module = load("task_similar_cases_scm")
    x = keras.Input((1,))
    model = keras.Model(x, keras.layers.Identity()(x))
    values = np.array([[0.9], [0.1], [0.2], [0.3], [0.6], [0.6]])
    batches = [(values[:4], None), (values[4:], None)]
    assert module.accuracy(model, batches) == pytest.approx(1 / 3)


@pytest.mark.slow
def test_chat(tmp_path):
    module = load("basic_chat_cdial_gpt")
    model, tokenizer = module.build(module.parse(["--smoke"]))
    ids, segments = module.encode(tokenizer, ["你好", "好"])
    one, two = (tokenizer.token_to_id(speaker) for speaker in module.speakers)
    you, good = tokenizer.encode("你好")[0][1:-1]
    start = tokenizer._token_start_id
    assert ids == [start, one, you, good, two, good, one]
    assert segments == [start, one, one, one, two, two, one]

    model.transformer.save(tmp_path, format="tf", vocab=tokenizer)
    (tmp_path / "bert_config.json").rename(tmp_path / "gpt_config.json")
    assert len(module.main(["--smoke", "--answers=2", f"--model={tmp_path}"])) == 2
    with pytest.raises(SystemExit):
        module.main([])
