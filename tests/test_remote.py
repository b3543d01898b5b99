"""hf:// and modelscope:// handles, with clients that copy files from a folder."""

import fnmatch
import shutil
import sys
from pathlib import Path
from types import ModuleType

import pytest

from bert4keras3.tokenizers import Tokenizer, load_vocab
from bert4keras3.utils.assets import asset_path

VOCAB = Path(__file__).parent / "golden" / "tokenizer" / "vocab.txt"
FILES = (
    "config.json", "vocab.txt", "model.safetensors", "pytorch_model.bin", "onnx/a.json",
    "README.md", "ckpt/bert_config.json", "ckpt/bert_model.ckpt.index",
    "ckpt/bert_model.ckpt.data-00000-of-00001",
)  # fmt: skip


class Client:
    """snapshot_download of a hub with one model."""

    def __init__(self, folder, files):
        self.source, self.cache, self.calls = folder / "hub", folder / "cache", []
        self.error = None
        self.cache.mkdir()
        for name in files:
            path = self.source / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(name)
        shutil.copy(VOCAB, self.source / "vocab.txt")

    def __call__(self, name, *, allow_patterns, ignore_patterns, revision=None):
        if self.error:
            raise self.error
        self.calls.append((name, revision))
        for path in self.source.rglob("*"):
            inside = path.relative_to(self.source).as_posix()
            wanted = any(fnmatch.fnmatch(inside, p) for p in allow_patterns)
            refused = any(fnmatch.fnmatch(inside, p) for p in ignore_patterns)
            if path.is_file() and wanted and not refused:
                (self.cache / inside).parent.mkdir(exist_ok=True)
                shutil.copy(path, self.cache / inside)
        return str(self.cache)

    def fetched(self):
        paths = (p for p in self.cache.rglob("*") if p.is_file())
        return {p.relative_to(self.cache).as_posix() for p in paths}


@pytest.fixture(params=["hf", "modelscope"])
def hub(request, tmp_path, monkeypatch):
    """Return (scheme, client), installed as the module of the hub."""
    client = Client(tmp_path, FILES)
    name = {"hf": "huggingface_hub"}.get(request.param, request.param)
    module = ModuleType(name)
    module.snapshot_download = client
    monkeypatch.setitem(sys.modules, name, module)
    return request.param, client


def test_model(hub):
    scheme, client = hub
    assert asset_path(f"{scheme}://owner/name") == str(client.cache)
    assert client.fetched() == {"config.json", "vocab.txt", "model.safetensors"}
    assert set(client.calls) == {("owner/name", None)}


def test_vocabulary_leaves_the_weights(hub):
    scheme, client = hub
    tokenizer = Tokenizer(f"{scheme}://owner/name@v1/")
    assert tokenizer._token_dict == load_vocab(VOCAB)
    assert client.fetched() == {"config.json", "vocab.txt"}
    assert client.calls[0] == ("owner/name", "v1")


def test_the_first_kind_of_weights_is_taken(hub):
    scheme, client = hub
    (client.source / "model.safetensors").unlink()
    asset_path(f"{scheme}://owner/name")
    assert "pytorch_model.bin" in client.fetched()


def test_one_file_and_a_folder(hub):
    scheme, client = hub
    found = asset_path(f"{scheme}://owner/name/vocab.txt")
    assert Path(found).read_bytes() == VOCAB.read_bytes()
    assert client.fetched() == {"vocab.txt"}
    found = asset_path(f"{scheme}://owner/name/ckpt/bert_model.ckpt")
    assert found == str(client.cache / "ckpt" / "bert_model.ckpt")
    assert {n for n in client.fetched() if "ckpt." in n} == set(FILES[-2:])
    assert asset_path(f"{scheme}://owner/name/ckpt") == str(client.cache / "ckpt")
    assert "ckpt/bert_config.json" in client.fetched()


class ClientError(Exception):
    """An error of the client's own, not derived from OSError."""


@pytest.mark.parametrize(
    "error", [ConnectionError("offline"), ValueError("offline"), ClientError("offline")]
)
def test_offline(hub, monkeypatch, error):
    scheme, client = hub
    client.error = error
    name = {"hf": "huggingface_hub.errors"}.get(scheme, "modelscope.hub.errors")
    errors = ModuleType(name)
    errors.ClientError = ClientError
    monkeypatch.setitem(sys.modules, name, errors)
    with pytest.raises(ValueError, match="offline.*config.json.*into one folder"):
        asset_path(f"{scheme}://owner/name")


def test_not_installed(hub, monkeypatch):
    scheme, _ = hub
    package = {"hf": "huggingface_hub"}.get(scheme, scheme)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ValueError, match=f"pip install {package}.*vocab.txt"):
        Tokenizer(f"{scheme}://owner/name")


def test_missing_and_malformed(hub):
    scheme, _ = hub
    with pytest.raises(ValueError, match="it has no large/vocab.txt"):
        asset_path(f"{scheme}://owner/name/large/vocab.txt")
    for handle in (f"{scheme}://name", f"{scheme}://", f"{scheme}://a/b@"):
        with pytest.raises(ValueError, match="is not a remote model"):
            asset_path(handle)


def test_other_names_stay_paths():
    for name in ("http://owner/name", "hf:/owner/name", "hf", Path("hf"), None, {}):
        assert asset_path(name) is name
