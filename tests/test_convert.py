"""Conversion between formats, and the command line on top of it."""

import json

import numpy as np
import pytest
from golden_model import Case
from tiny_models import build

from bert4keras3.checkpoints.formats import open_checkpoint, write_checkpoint
from bert4keras3.cli import main
from bert4keras3.models import build_transformer_model
from bert4keras3.models.convert import convert, inspect


def arrays(path):
    with open_checkpoint(path) as source:
        return {name: np.array(source[name].read()) for name in source}


def same(first, second):
    assert set(first) == set(second)
    for name, array in first.items():
        assert array.dtype == second[name].dtype, name
        np.testing.assert_array_equal(array, second[name], err_msg=name)


@pytest.fixture
def saved(tmp_path):
    t = build("bert", with_nsp=True, with_mlm=True)
    t.save(tmp_path / "tf", format="tf", vocab={f"t{i}": i for i in range(50)})
    return t, tmp_path


def test_there_and_back_is_bit_equal(saved):
    t, home = saved
    for source, target in (("tf", "hf"), ("hf", "npz"), ("npz", "back")):
        convert(home / source, home / target, {"back": "tf"}.get(target, target))
        assert (home / target / "vocab.txt").is_file()
    same(arrays(home / "tf"), arrays(home / "back"))
    t.save(home / "own", format="hf")
    same(arrays(home / "own"), arrays(home / "hf"))
    again = build_transformer_model(home / "hf", return_keras_model=False)
    assert again.config == build_transformer_model(
        home / "tf", return_keras_model=False
    ).config


def test_numbers_become_smaller_and_files_more(saved):
    _, home = saved
    convert(home / "tf", home / "half", "hf", "bfloat16", max_shard_size="8KB")
    assert len(list((home / "half").glob("*.safetensors"))) > 1
    found = inspect(home / "half")
    assert list(found.dtypes) == ["bfloat16"]
    assert (found.missing, found.unused) == ([], [])
    with pytest.raises(ValueError, match="bfloat16"):
        convert(home / "half", home / "npz", "npz")
    assert not (home / "npz").exists()
    whole = inspect(home / "tf")
    assert found.parameters == whole.parameters and whole.family == "BERT"


def test_nothing_is_replaced_unasked(saved, capsys):
    _, home = saved
    arguments = ["convert", str(home / "tf"), str(home / "hf"), "--to", "hf"]
    assert main(arguments) == 0
    before = arrays(home / "hf")
    (home / "hf" / "model.safetensors").write_bytes(b"mine")
    assert main(arguments) == 1
    assert "--force" in capsys.readouterr().err
    assert (home / "hf" / "model.safetensors").read_bytes() == b"mine"
    assert main([*arguments, "--force"]) == 0
    same(before, arrays(home / "hf"))


def test_a_broken_source_leaves_no_target(saved, capsys):
    t, home = saved
    data = next((home / "tf").glob("*.data-*"))
    content = bytearray(data.read_bytes())
    content[len(content) // 2] ^= 1
    data.write_bytes(content)
    assert main(["convert", str(home / "tf"), str(home / "new"), "--to", "hf"]) == 1
    assert "checksum" in capsys.readouterr().err
    assert not list((home / "new").glob("*"))


def test_missing_weights_are_named(saved, capsys):
    t, home = saved
    held = arrays(home / "tf")
    lost = "bert/encoder/layer_1/output/dense/kernel"
    del held[lost]
    write_checkpoint(home / "tf" / "bert_model.ckpt", held, "tf", overwrite=True)
    assert main(["info", str(home / "tf")]) == 0
    assert "Transformer-1-FeedForward/o/kernel" in capsys.readouterr().out
    assert main(["convert", str(home / "tf"), str(home / "new"), "--to", "hf"]) == 1
    assert lost in capsys.readouterr().err
    assert not (home / "new").exists()


def test_info_reads_the_original_and_names_its_mistakes(tmp_path, capsys):
    case = Case("bert")
    config = tmp_path / "config.json"
    config.write_text(json.dumps(case.meta["config"]))
    arguments = ["info", case.checkpoint, "--config", str(config)]
    assert main(arguments) == 0
    assert "TensorFlow names" in capsys.readouterr().out
    assert main([*arguments, "--model", "bertt"]) == 1
    assert "Did you mean 'bert'" in capsys.readouterr().err
    assert main(["info", str(tmp_path / "nowhere")]) == 1
    assert "nowhere" in capsys.readouterr().err


def test_a_config_of_another_size_is_not_converted(saved, capsys):
    _, home = saved
    config = home / "tf" / "bert_config.json"
    text = config.read_text().replace('"vocab_size": 50', '"vocab_size": 60')
    config.write_text(text)
    assert main(["convert", str(home / "tf"), str(home / "new"), "--to", "hf"]) == 1
    assert "word_embeddings" in capsys.readouterr().err
    assert not (home / "new").exists()


def test_a_source_never_replaces_itself(saved, capsys):
    _, home = saved
    convert(home / "tf", home / "hf", "hf")
    before = (home / "hf" / "model.safetensors").read_bytes()
    again = ["convert", str(home / "hf"), str(home / "hf"), "--to", "hf", "--force"]
    assert main([*again, "--dtype", "float16"]) == 1
    assert "replace itself" in capsys.readouterr().err
    assert (home / "hf" / "model.safetensors").read_bytes() == before
    # The names of a file and of a folder are easily mixed up.
    assert main(["convert", str(home / "tf"), str(home / "a.npz"), "--to", "npz"]) == 1
    assert "folder" in capsys.readouterr().err


def test_another_familys_weights_are_not_converted(tmp_path, capsys):
    build("qwen2").save(tmp_path / "qwen")
    wrong = ["--model", "llama"]
    assert main(["info", str(tmp_path / "qwen"), *wrong]) == 0
    assert "q_proj.bias" in capsys.readouterr().out
    arguments = ["convert", str(tmp_path / "qwen"), str(tmp_path / "npz"), "--to=npz"]
    assert main([*arguments, *wrong]) == 1
    assert "q_proj.bias" in capsys.readouterr().err
    assert main(arguments) == 0
