"""Both steps of the summaries of long texts run in seconds with --smoke."""

import json

import numpy as np
import pytest
from test_examples import load

from bert4keras3.models import build_transformer_model

pytest.importorskip("rouge_chinese")
pytest.importorskip("sacrebleu")


@pytest.mark.slow
def test_extraction_feeds_generation(tmp_path):
    module = load("task_summarization_spaces_extract")
    module.maxlen, module.buckets, module.max_sentences = 32, (32,), 32
    arguments = ["--smoke", f"--output={tmp_path / 'extracted'}"]
    best = module.main(arguments)
    assert set(best) == {"rouge-l", "rouge-1", "rouge-2", "bleu"}
    documents = module.read(module.parse(["--output=x"]).data / "train.json")
    lines = (tmp_path / "extracted/train.json").read_text("utf-8").splitlines()
    for line, (sentences, summary) in zip(lines, documents, strict=False):
        found = json.loads(line)
        assert found["summary"] == summary
        assert 0 < len(found["text"]) and set(found["text"]) <= set("".join(sentences))
    with pytest.raises(SystemExit):  # nothing is overwritten
        module.main(arguments)
    second = load("task_summarization_spaces_generate")
    assert second.read(tmp_path / "extracted/dev.json")[0][1].startswith("原")


def test_extracted_sentences():
    module = load("task_summarization_spaces_extract")
    documents = [(["甲。", "乙。", "丙。"], "x"), (["丁。"], "x")]
    features = [np.zeros((3, 4)), np.zeros((1, 4))]

    class Model:
        def predict(self, inputs, verbose):
            assert inputs[1][:, :, 0].sum(1).tolist() == [3, 1]
            return np.array([[0.5, 0.2, 0.4, 0.9], [0.1, 0.9, 0.9, 0.9]])[..., None]

    module.max_sentences = 4
    assert module.extract(Model(), documents, features, 0.3) == ["甲。丙。", "丁。"]


@pytest.mark.slow
def test_more_tokens_than_positions(tmp_path):
    """A BERT of 32 positions learns and writes behind 64 tokens."""
    bert = build_transformer_model(
        model="bert", with_mlm=True, vocab_size=6244, hidden_size=16,
        num_hidden_layers=1, num_attention_heads=2, intermediate_size=16,
        max_position=32, hidden_act="gelu", return_keras_model=False,
    )
    bert.save(tmp_path, format="tf", vocab="zh-tiny")
    module = load("task_summarization_spaces_generate")
    module.maxlen, module.summary_maxlen, module.buckets = 72, 8, (72,)
    arguments = ["--smoke", f"--model={tmp_path}", "--batch-size=2"]
    weights = f"--weights={tmp_path / 'best.weights.h5'}"
    best = module.main([*arguments, "--hierarchical", weights])
    assert set(best) == {"rouge-l", "rouge-1", "rouge-2", "bleu"}
    with pytest.raises(ValueError, match="positions"):
        module.main([*arguments, weights])
