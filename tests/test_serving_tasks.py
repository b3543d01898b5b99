"""What the tasks say is what the models say, alone or in a batch."""

import keras
import numpy as np
import pytest
from serving_models import classifier, tasks, tokenizer, unilm
from tiny_models import CONFIG, build

from bert4keras3.generation import Decoder, Forbid, Sampling
from bert4keras3.serving import Classify, FillMask, Generate, Plan, Similar
from bert4keras3.utils import sequence_padding

MASKED = "今天[MASK]很好"


def test_masks_are_filled_with_the_model_s_best():
    found = tasks()["fill-mask"]([MASKED, "[MASK]我们去[MASK]"], topk=3)
    ids = [2, *tokenizer().tokens_to_ids(["今", "天", "[MASK]", "很", "好"]), 3]
    model = unilm().model
    probabilities = model.predict_on_batch([np.array([ids]), np.zeros((1, 7), int)])
    best = np.asarray(probabilities)[0, 3]
    mask = found[0]["masks"][0]
    tokens = [tokenizer().id_to_token(int(i)) for i in np.argsort(-best)[:3]]
    assert [one["token"] for one in mask] == tokens
    np.testing.assert_allclose([one["score"] for one in mask], np.sort(-best)[:3] * -1,
                               rtol=1e-4)  # fmt: skip
    assert found[0]["text"] == MASKED.replace("[MASK]", tokens[0])
    assert [len(one["masks"]) for one in found] == [1, 2]


@pytest.mark.parametrize(
    "text, said",
    [("今天", "[MASK]"), ("[MASK]" * 17, "16 masks"), ("天[MASK]" * 16, "32")],
)
def test_texts_that_cannot_be_filled(text, said):
    with pytest.raises(ValueError, match=said.replace("[", r"\[")):
        tasks()["fill-mask"]([text])


def test_classes():
    texts = ["房间干净", ["今天", "天气很好"], "服务"]
    found = tasks()["classify"](texts)
    pairs = [("房间干净", None), ("今天", "天气很好"), ("服务", None)]
    encoded = [tokenizer().encode(*one) for one in pairs]
    inputs = [sequence_padding(list(one)) for one in zip(*encoded, strict=True)]
    expected = np.asarray(classifier().predict_on_batch(inputs))
    scores = [list(one["scores"].values()) for one in found]
    np.testing.assert_allclose(scores, expected, rtol=1e-4, atol=1e-6)
    assert [one["label"] for one in found] == [
        ["差评", "好评"][i] for i in expected.argmax(1)
    ]


def test_long_texts_are_cut_only_when_told():
    classify = tasks()["classify"]
    with pytest.raises(ValueError, match="42 tokens.*truncate"):
        classify(["天" * 40])
    cut = classify(["天" * 40, "天" * 30], truncate=True)
    assert cut[0] == cut[1]


@pytest.mark.parametrize(
    "pooling", ["mean", pytest.param("first", marks=pytest.mark.slow)]
)
def test_vectors(pooling):
    similar = Similar(unilm(), tokenizer(), pooling, batch_size=4)
    texts = ["今天天气很好", "玩", "我们"]
    scores = np.array(similar(texts))
    states = unilm().model.get_layer("Transformer-0-FeedForward-Norm").output
    model = keras.Model(unilm().model.inputs, states)
    states = [
        np.asarray(model.predict_on_batch([np.array([one]) for one in pair]))[0]
        for pair in map(tokenizer().encode, texts)
    ]
    vectors = np.stack([x[0] if pooling == "first" else x.mean(0) for x in states])
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    np.testing.assert_allclose(scores, vectors @ vectors.T, atol=1e-4)
    best = similar(texts[:1], ["玩", "今天天气很好", "我们"], topk=2)[0]
    assert best[0]["index"] == 1 and best[0]["score"] == pytest.approx(1, abs=1e-5)
    assert len(best) == 2 and best[0]["score"] >= best[1]["score"]


@pytest.mark.slow
def test_the_pooler_is_used_where_there_is_one():
    t = build("bert", "unilm", with_pool="linear")
    similar = Similar(t, tokenizer())
    ids, segments = (np.array([one]) for one in tokenizer().encode("今天"))
    pooled = np.asarray(t.model.predict_on_batch([ids, segments])[0])[0]
    found = similar.results([similar.prepare("今天")])[0]
    np.testing.assert_allclose(found, pooled / np.linalg.norm(pooled), atol=1e-4)


@pytest.mark.slow
def test_generation_is_the_decoder_s():
    generate, plan = tasks()["generate"], Plan(6, Sampling(topk=5), 2)
    texts = ["今天", "科学技术"]
    unnamed = Forbid(tuple(range(tokenizer()._vocab_size, CONFIG["vocab_size"])))
    decoder = Decoder(unilm(), tokenizer(), rules=[unnamed])
    expected = decoder(texts, Sampling(topk=5), n=2, seed=[7, 7], maxlen=6)
    found = generate(texts, plan, seed=7)
    assert [[one["text"] for one in row] for row in found] == expected
    alone = generate(texts[1:], plan, seed=7)
    assert alone == found[1:]


def test_prompts_need_room():
    with pytest.raises(ValueError, match="positions"):
        tasks()["generate"](["天" * 20], Plan(20))


def test_warm_up_runs_every_shape():
    similar = Similar(unilm(), tokenizer(), batch_size=2)
    calls = []
    similar.run = lambda samples, settings: calls.append(samples)
    assert similar.warm_up([8]) == len(calls) == (2 if similar.bucketed else 1)
    assert {len(one[0][0]) for one in calls} == {32}  # the bucket of 8
    if similar.bucketed:
        assert [len(one) for one in calls] == [1, 2]


def test_models_that_do_not_fit():
    encoder, words = build("bert"), tokenizer()
    with pytest.raises(ValueError, match="with_mlm=True"):
        FillMask(encoder, words)
    with pytest.raises(ValueError, match="cannot generate"):
        Generate(encoder, words)
    with pytest.raises(ValueError, match="needs an encoder"):
        Similar(build("bert", "lm"), words)
    with pytest.raises(ValueError, match="lost its builder"):
        FillMask(classifier(), words)
    with pytest.raises(ValueError, match="one output"):
        Classify(encoder.model, words)
    with pytest.raises(ValueError, match="2 classes"):
        Classify(classifier(), words, ["one"])
    with pytest.raises(ValueError, match="32 positions"):
        Similar(encoder, words, maxlen=64)
    with pytest.raises(ValueError, match="do not belong"):
        Similar(build("bert", vocab_size=20), words)
