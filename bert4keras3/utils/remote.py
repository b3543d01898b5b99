"""Models of the Hugging Face hub and of ModelScope, fetched through their clients.

The clients keep a cache and resume broken downloads; nothing is fetched twice.
Reference: https://huggingface.co/docs/huggingface_hub/guides/download
"""

import re
from importlib import import_module
from pathlib import Path

# scheme -> (module of snapshot_download, package to install, page of a model)
_HUBS = {
    "hf": ("huggingface_hub", "huggingface_hub", "https://huggingface.co/"),
    "modelscope": ("modelscope", "modelscope", "https://modelscope.cn/models/"),
}
_SCHEMES = tuple(f"{scheme}://" for scheme in _HUBS)
# Modules with the errors of a client that are neither OSError nor ValueError.
_ERRORS = ("huggingface_hub.errors", "modelscope.hub.errors", "modelscope_hub.errors")
_HANDLE = re.compile(r"(\w+)://([^/@\s]+/[^/@\s]+)(?:@([^/\s]+))?(?:/(\S+))?")
_SMALL = ("*.json", "*.txt", "*.model")
# The first kind that a repository holds is taken, and the others are left there.
_WEIGHTS = (
    ("*.safetensors",),
    ("pytorch_model*.bin",),
    ("*.ckpt*", "*.npz"),
)


def is_remote(source) -> bool:
    """Tell whether `source` is a handle such as "hf://owner/name"."""
    return isinstance(source, str) and source.startswith(_SCHEMES)


def fetch(handle: str, weights: bool = True) -> str:
    """Return the local folder (or file) of a remote model, downloading what is missing.

    handle: "hf://owner/name" or "modelscope://owner/name", with "@revision" after the
        name and "/folder" or "/file" at the end where wanted.
    weights: False fetches configs and vocabularies only.
    Raises ValueError if the client is not installed or the files cannot be had; it
    says which files to put into a folder by hand.
    """
    match = _HANDLE.fullmatch(handle.rstrip("/"))
    if match is None:
        raise ValueError(
            f"{handle!r} is not a remote model. Expected hf://owner/name or "
            "modelscope://owner/name, then @revision and /file where wanted."
        )
    scheme, name, revision, inside = match.groups()
    prefix = f"{inside}/" if inside else ""
    exact = [inside, f"{inside}.*"] if inside else []
    folder = _snapshot(
        handle, exact + [prefix + pattern for pattern in _SMALL], revision
    )
    path = folder / inside if inside else folder
    if path.is_dir() and weights:
        for kind in _WEIGHTS:
            _snapshot(handle, [prefix + pattern for pattern in kind], revision)
            if any(found for pattern in kind for found in path.glob(pattern)):
                break
    if not (path.is_dir() and any(path.iterdir())) and not _is_file(path):
        raise _unavailable(handle, scheme, name, f"it has no {inside or 'such files'}")
    return str(path)


def _is_file(path: Path) -> bool:
    """Tell whether a file is there; a TensorFlow checkpoint is several of one stem."""
    return path.is_file() or any(path.parent.glob(path.name + ".*"))


def _snapshot(handle: str, patterns: list[str], revision: str | None) -> Path:
    scheme, name = _HANDLE.fullmatch(handle.rstrip("/")).groups()[:2]
    module, package, _ = _HUBS[scheme]
    try:
        download = import_module(module).snapshot_download
    except ImportError as error:
        reason = f"the package {package} is not installed (pip install {package})"
        raise _unavailable(handle, scheme, name, reason) from error
    depth = max(pattern.count("/") for pattern in patterns)
    options = {"revision": revision} if revision else {}
    try:
        folder = download(
            name,
            allow_patterns=patterns,
            # "*" of a pattern also matches "/": leave out copies in subfolders.
            ignore_patterns=["*/" * (depth + 1) + "*"],
            **options,
        )
    except (OSError, ValueError, *_client_errors(module)) as error:
        reason = f"{type(error).__name__}: {str(error).strip(' .') or 'no message'}"
        raise _unavailable(handle, scheme, name, reason) from error
    return Path(folder)


def _client_errors(module: str) -> tuple:
    """The error classes of a client, which share no base with Python's."""
    found = []
    for name in _ERRORS:
        if name.split(".")[0].startswith(module):
            try:
                values = vars(import_module(name)).values()
            except ImportError:
                continue
            found += [v for v in values if isinstance(v, type)]
    return tuple(v for v in found if issubclass(v, Exception) and v is not Exception)


def _unavailable(handle: str, scheme: str, name: str, reason: str) -> ValueError:
    return ValueError(
        f"{handle} cannot be fetched: {reason}. To use it without a network, put its "
        "config.json, its vocabulary (vocab.txt, tokenizer.json or *.model, with "
        "tokenizer_config.json if there is one) and its weights (model.safetensors or "
        f"pytorch_model.bin) from {_HUBS[scheme][2]}{name} into one folder, and pass "
        "the path of that folder."
    )
