"""Who may import whom: dependencies point down, and heavy packages stay out."""

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "bert4keras3"
BACKENDS = {"jax", "tensorflow", "torch"}

# part of the package -> the parts it may import; a part may always import itself.
ALLOWED = {
    "utils": set(),
    "backend": set(),
    "tokenizers": {"utils"},
    "checkpoints": set(),
    "layers": {"backend", "utils"},
    "generation": {"backend", "utils"},
    "optimizers": {"backend", "utils"},
    "losses": {"backend", "layers"},
    "metrics": {"backend"},
    "extraction": {"utils"},
    "training": {"backend", "checkpoints", "layers", "utils"},
    "models": {"backend", "checkpoints", "generation", "layers", "tokenizers", "utils"},
    "serving": {"backend", "generation", "layers", "models", "tokenizers", "utils"},
    "snippets": {"generation", "serving", "tokenizers", "utils"},
    "pretraining": {"tokenizers", "utils"},
    "cli": {"models", "pretraining", "serving"},
    "__main__": {"cli", "pretraining"},
    "__init__": {"layers", "losses", "metrics", "optimizers"},
}
# The files that may load a backend by name, inside a function: a .bin checkpoint is
# read by torch, and a tf.data pipeline is made by tensorflow.
DYNAMIC = {
    "checkpoints/torch_file.py": {"torch"},
    "utils/data.py": {"tensorflow"},
    "utils/datasets.py": {"tensorflow"},
}
NUMPY_ONLY = {"checkpoints", "extraction", "pretraining", "tokenizers", "utils"}
FILES = sorted(PACKAGE.rglob("*.py"))


def name_of(path):
    return path.relative_to(PACKAGE).as_posix()


def part_of(path):
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports(path):
    """All (module, name or None) that a file imports, in functions too."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((alias.name, None) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = "." * node.level + (node.module or "")
            yield from ((module, alias.name) for alias in node.names)


def dynamic_imports(path):
    """The string arguments of `import_module` and `__import__`."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and node.args:
            called = ast.unparse(node.func).rsplit(".", 1)[-1]
            if called in {"import_module", "__import__"}:
                first = node.args[0]
                yield first.value if isinstance(first, ast.Constant) else None


def inner_imports(path):
    """The parts of the package that a file imports, with the imported names."""
    for module, name in imports(path):
        if module.split(".")[0] != "bert4keras3":
            continue
        parts = module.split(".")[1:] or [name]
        yield parts[0], name


def test_the_package_is_found():
    assert {"backend", "__init__"} <= {part_of(path) for path in FILES}
    assert {part_of(path) for path in FILES} <= set(ALLOWED)


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_imports_point_down(path):
    part = part_of(path)
    used = {other for other, _ in inner_imports(path)}
    assert used - {part} <= ALLOWED[part]


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_plain_absolute_imports(path):
    for module, name in imports(path):
        assert not module.startswith("."), f"relative import of {module}"
        assert name != "*", f"star import of {module}"
    for other, name in inner_imports(path):
        private = name is not None and name.startswith("_") and name != "__version__"
        assert not (private and other != part_of(path)), f"private name {name}"


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_backends_are_imported_in_one_file(path):
    roots = {module.split(".")[0] for module, _ in imports(path)}
    if name_of(path) != "backend/runtime.py":
        assert not roots & BACKENDS
    if part_of(path) in NUMPY_ONLY:
        assert "keras" not in roots
    for loaded in dynamic_imports(path):
        root = loaded.split(".")[0] if loaded else None
        if root in BACKENDS and name_of(path) != "backend/runtime.py":
            assert root in DYNAMIC.get(name_of(path), set()), f"loads {loaded}"


def test_allowed_parts_have_no_cycle():
    left = {part: set(lower) for part, lower in ALLOWED.items()}
    while left:
        free = {part for part, lower in left.items() if not lower & set(left)}
        assert free, f"cycle among {sorted(left)}"
        left = {part: lower for part, lower in left.items() if part not in free}


def test_heavy_packages_stay_out():
    """A jax user who builds a model from a checkpoint does not load TensorFlow."""
    script = "\n".join(
        [
            "import json, sys, bert4keras3",
            "from bert4keras3.models import build_transformer_model",
            "folder, case = sys.argv[1], json.loads(sys.argv[2])",
            "checkpoint = folder + case['checkpoint']",
            "build_transformer_model(case['config'], checkpoint, model=case['model'])",
            "heavy = {'tensorflow', 'torch', 'sentencepiece'} & set(sys.modules)",
            "sys.exit(f'imported {sorted(heavy)}' if heavy else 0)",
        ]
    )
    folder = ROOT / "tests" / "golden" / "models"
    case = json.loads((folder / "cases.json").read_text("utf-8"))["bert"]
    run = subprocess.run(
        [sys.executable, "-c", script, f"{folder}/", json.dumps(case)],
        env={**os.environ, "KERAS_BACKEND": "jax", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr
