# Everything here works on a fresh clone: the environment is made when it is missing.
PYTHON ?= python3
VENV ?= .venv
PY := $(VENV)/bin/python
# --use-pep517: seqeval comes as source and builds only in an environment of its own.
PIP := $(PY) -m pip install --quiet --disable-pip-version-check --use-pep517

# The tested PyTorch. Where the plain wheel would bring gigabytes of CUDA, override:
#   make test TORCH="torch --index-url https://download.pytorch.org/whl/cpu"
TORCH ?= torch==2.13.0
# The CPU wheel is enough for the tests; TENSORFLOW=tensorflow elsewhere.
TENSORFLOW ?= tensorflow-cpu
BACKENDS ?= jax tensorflow torch

.PHONY: venv demo test test-all test-tpu lint bench bench-tpu clean

venv: $(VENV)/.all

$(PY):
	$(PYTHON) -m venv $(VENV)

$(VENV)/.jax: setup.py pyproject.toml | $(PY)
	$(PIP) --editable ".[jax]"
	touch $@

$(VENV)/.all: setup.py pyproject.toml | $(PY)
	$(PIP) $(TORCH)
	$(PIP) $(TENSORFLOW)
	$(PIP) --editable ".[jax,dev]"
	touch $@ $(VENV)/.jax

demo: $(VENV)/.jax
	KERAS_BACKEND=jax $(PY) examples/quickstart.py $(TEXTS)

# A third of jax's time goes into optimizing machine code that is run once: not here.
# `make test-all` tests the programs as users compile them.
test: $(VENV)/.all
	XLA_FLAGS="$$XLA_FLAGS --xla_backend_optimization_level=0" PYTHON=$(PY) .ci/test_backends "not slow" $(BACKENDS)

test-all: $(VENV)/.all
	PYTHON=$(PY) .ci/test_backends "slow or not slow" $(BACKENDS)

lint: $(VENV)/.all
	$(PY) -m ruff check .

# The peers live in an environment of their own, so that the tests never see them.
.venv-bench/.done: setup.py
	$(PYTHON) -m venv .venv-bench
	.venv-bench/bin/python -m pip install --quiet $(TORCH)
	.venv-bench/bin/python -m pip install --quiet $(TENSORFLOW)
	.venv-bench/bin/python -m pip install --quiet \
		--editable ".[jax]" keras-hub transformers pytorch-crf
	touch $@

bench: .venv-bench/.done
	.venv-bench/bin/python benchmarks/run.py $(ARGS)

# The compiler for TPU. Once it is installed, a plain `import jax` looks for a TPU: it
# has an environment of its own, and these variables say that there is none.
LIBTPU ?= libtpu==0.0.52
TPU := TPU_SKIP_MDS_QUERY=1 TPU_ACCELERATOR_TYPE=v5litepod-4 TPU_WORKER_ID=0 \
	TPU_WORKER_HOSTNAMES=localhost JAX_PLATFORMS=cpu KERAS_BACKEND=jax

.venv-tpu/.done: setup.py
	$(PYTHON) -m venv .venv-tpu
	.venv-tpu/bin/python -m pip install --quiet --editable ".[jax]" $(LIBTPU) pytest
	touch $@

test-tpu: .venv-tpu/.done
	$(TPU) .venv-tpu/bin/python -m pytest -q tests/test_tpu.py $(ARGS)

bench-tpu: .venv-tpu/.done
	$(TPU) .venv-tpu/bin/python benchmarks/tpu.py $(ARGS)

clean:
	rm -rf $(VENV) .venv-bench .venv-tpu build dist *.egg-info .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
