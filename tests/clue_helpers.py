"""A checkpoint of one small block, and one short training of a task of CLUE on it."""

import json
from pathlib import Path

import pytest

from bert4keras3.models import build_transformer_model
from bert4keras3.models.config_files import read_config
from bert4keras3.utils.assets import asset_path
from examples.clue.task import Options
from examples.clue.tasks import find_task
from examples.clue.training import train

SAMPLES = Path(__file__).resolve().parents[1] / "examples" / "data" / "clue"
CONFIG = {
    "model_type": "bert",
    "hidden_size": 32,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 64,
    "max_position_embeddings": 512,
    "type_vocab_size": 2,
    "hidden_act": "gelu",
    "hidden_dropout_prob": 0.0,
    "attention_probs_dropout_prob": 0.0,
}


@pytest.fixture(scope="session")
def tiny_checkpoint(tmp_path_factory):
    """A folder with config, weights and zh-tiny's vocabulary."""
    folder = tmp_path_factory.mktemp("tiny")
    source = Path(asset_path("zh-tiny"))
    config = {**CONFIG, "vocab_size": read_config(source)[1]["vocab_size"]}
    bert = build_transformer_model(config, return_keras_model=False)
    bert.save(folder, format="hf", vocab=source / "vocab.txt")
    return folder


def task_of(name, checkpoint, data=SAMPLES, **options):
    """The task of that name on the bundled samples."""
    sizes = {"maxlen": 32, "batch_size": 6, "epochs": 1, "limit": 12, **options}
    return find_task(name)(Options(data, str(checkpoint), **sizes))


def smoke(task, folder):
    """Train; returns the result and {submission: what it holds}, checked as read."""
    result = train(task, 0, folder, verbose=0)
    assert result["metric"] == task.metric and 0 <= result["score"] <= 1
    assert 0 <= result["majority"] <= 1
    answers = {name: folder / name for name in set(task.test_files().values())}
    return result, {name: read(path) for name, path in answers.items()}


def read(path):
    """A JSON object, or the objects of json lines."""
    text = path.read_text(encoding="utf-8")
    if path.name.startswith(("cmrc", "chid")):
        return json.loads(text)
    return [json.loads(line) for line in text.splitlines()]
