"""Packaging of bert4keras3; the version is read from the package, not imported."""

import re
from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).parent
VERSION = "0.1.0"
INIT = HERE / "bert4keras3" / "__init__.py"
if INIT.exists():
    found = re.search(
        r'^__version__ = "([^"]+)"', INIT.read_text(encoding="utf-8"), re.M
    )
    VERSION = found.group(1) if found else VERSION

setup(
    name="bert4keras3",
    version=VERSION,
    description="bert4keras reborn on Keras 3: one code for JAX, TensorFlow, PyTorch",
    long_description=(HERE / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    license_files=["LICENSE"],
    python_requires=">=3.10",
    packages=find_packages(include=["bert4keras3", "bert4keras3.*"]),
    package_data={"bert4keras3": ["assets/*", "assets/**/*", "serving/page.html"]},
    entry_points={"console_scripts": ["bert4keras3 = bert4keras3.__main__:main"]},
    install_requires=["keras>=3", "numpy", "tokenizers", "safetensors"],
    extras_require={
        "jax": ["jax"],
        "tensorflow": ["tensorflow"],
        "torch": ["torch"],
        "sentencepiece": ["sentencepiece>=0.2"],
        "serve": ["fastapi", "uvicorn"],
        "scores": ["rouge-chinese", "sacrebleu"],
        "clue": ["scipy", "matplotlib"],
        "tensorboard": ["tensorboard"],
        "dev": [
            *("pytest", "ruff", "transformers", "sentencepiece>=0.2"),
            *("rouge-chinese", "sacrebleu"),
            *("scipy", "matplotlib", "scikit-learn", "seqeval", "tensorboard"),
            *("fastapi", "uvicorn", "httpx"),
        ],
    },
    classifiers=[
        "Intended Audience :: Developers",
        "Intended Audience :: Science/Research",
        "Natural Language :: Chinese (Simplified)",
        "Natural Language :: English",
        "Programming Language :: Python :: 3",
        "Topic :: Scientific/Engineering :: Artificial Intelligence",
    ],
)
