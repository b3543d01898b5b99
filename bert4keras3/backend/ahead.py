"""Programs for devices that are not here: lowered and compiled from shapes (jax).

    with ahead.unallocated():
        bert = build_transformer_model(config, model="gpt2", return_keras_model=False)
        trainer = bert.training_model()
        trainer.compile(optimizer)
        step = ahead.train_step(trainer, [ids, segments])
    report = step.compiled(ahead.tpu_devices("v5e:2x2")).report()

The real compiler of the devices runs; nothing is executed and no weight exists.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras

from bert4keras3.backend import runtime
from bert4keras3.backend.program_report import Report

KINDS = {"cuda": "gpu", "rocm": "gpu", "cpu": "cpu", "tpu": "tpu"}


def unallocated():
    """A scope in which models are built without their weights: shapes alone.

    Optimizers are made outside, they are built inside. Weights come into being with
    the next scope of the kind that Keras leaves, so use a process of its own.
    """
    return keras.StatelessScope(initialize_variables=False)


def tpu_devices(topology="v5e:2x2", host=(2, 2, 1)):
    """The devices of a TPU slice that is not here, as its compiler (libtpu) knows them.

    topology: version and shape; host: chips of one host along each axis. Raises
    RuntimeError without jax or libtpu, or when libtpu does not know the topology.
    """
    _require_jax("tpu_devices")
    topologies = runtime.native("experimental.topologies")
    try:
        found = topologies.get_topology_desc(
            platform="tpu", topology_name=topology, chips_per_host_bounds=list(host)
        )
    except (RuntimeError, ValueError) as error:
        raise RuntimeError(
            f"No compiler for the TPU topology {topology!r}: it needs `pip install "
            "libtpu`, in an environment without other accelerators, JAX_PLATFORMS=cpu, "
            "TPU_SKIP_MDS_QUERY=1, TPU_ACCELERATOR_TYPE=v5litepod-4, TPU_WORKER_ID=0 "
            f"and TPU_WORKER_HOSTNAMES=localhost. The reason: {error}"
        ) from error
    return list(found.devices)


def train_step(model, *batch, distribution=None):
    """The `Program` of a training step, as `fit` runs it.

    model: compiled Keras model; batch: x, and y and sample weights if there are any:
    trees of arrays, or of anything with shape and dtype; distribution: the one that it
    will be compiled for, if it cuts weights: the optimizer's numbers, which are made
    here, are cut as they are. Raises ValueError for a model that is not compiled.
    """
    _require_jax("train_step")
    if not model.compiled:
        raise ValueError("train_step needs a compiled model: call model.compile first.")
    batch = keras.tree.map_structure(_shape, tuple(batch))
    if distribution is not None:
        for one in model.variables:
            one._layout = distribution.get_variable_layout(one)
    with unallocated():
        model._symbolic_build(data_batch=batch)  # what fit does before its first step
    variables = (
        model.trainable_variables,
        model.non_trainable_variables,
        model.optimizer.variables,
        model.metrics_variables,
    )
    return Program(model.train_step, variables, (batch,), donated=True)


def program_of(function, variables, *tensors):
    """The `Program` of `function(*tensors)`, which reads Keras variables."""
    _require_jax("program_of")
    variables = list(variables)

    def pure(values, *tensors):
        with keras.StatelessScope(zip(variables, values, strict=True)):
            return function(*tensors)

    return Program(pure, variables, tensors)


@dataclass(frozen=True)
class Program:
    """A pure function of the values of variables and of tensors.

    function(values, *tensors); variables: tree of Keras variables; tensors: trees of
    whatever has shape and dtype, tensors with axes have a row per row of the batch;
    donated: whether the memory of the values may be used for the results.
    """

    function: Callable
    variables: Any
    tensors: tuple
    donated: bool = False

    def compiled(self, devices, distribution=None):
        """`Compiled` for devices, all of them or of a distribution over them.

        distribution: a keras.distribution of these devices, default: every one holds
        all weights and a share of the rows (DataParallel).
        """
        make = keras.distribution.DataParallel
        distribution = distribution or make(devices=list(devices))
        kind = KINDS.get(devices[0].platform, devices[0].platform)
        start = time.perf_counter()
        with distribution.scope(), runtime.target_kind(kind):
            shapes = self._shapes(
                lambda one: distribution.get_variable_layout(one).backend_layout,
                lambda one: _row_layout(distribution, one).backend_layout,
            )
            with unallocated():
                lowered = self._jitted().lower(*shapes)
        middle = time.perf_counter()
        compiled = lowered.compile()
        seconds = time.perf_counter() - middle
        return Compiled(compiled, middle - start, seconds)

    def counted(self):
        """Operations as XLA counts them before it optimizes, a loop's body once."""
        with unallocated():
            return self._jitted().lower(*self._shapes()).cost_analysis()["flops"]

    def exported(self, platform):
        """`jax.export.Exported` for one device of "cuda", "rocm", "tpu" or "cpu".

        Its `mlir_module()` is the StableHLO text, `serialize()` the bytes of a file.
        Raises NotImplementedError if it calls back to the host: jax exports no such
        program; and ValueError for another platform.
        """
        if platform not in KINDS:
            raise ValueError(
                f"platform must be one of {sorted(KINDS)}. Received: {platform!r}"
            )
        export = runtime.native("export").export
        with runtime.target_kind(KINDS[platform]), unallocated():
            return export(self._jitted(), platforms=[platform])(*self._shapes())

    def _jitted(self):
        donated = (0,) if self.donated else ()
        return runtime.native().jit(self.function, donate_argnums=donated)

    def _shapes(self, of_variable=None, of_tensor=None):
        """The arguments as shapes, with where they lie if it is told."""
        mapped = keras.tree.map_structure
        values = mapped(lambda one: _placed(one, of_variable), self.variables)
        return values, *mapped(lambda one: _placed(one, of_tensor), self.tensors)


@dataclass(frozen=True)
class Compiled:
    """`program`, of jax, and the seconds it took to trace and to compile."""

    program: Any
    tracing: float
    compiling: float

    def report(self):
        """What the compiler says about it, see `Report`."""
        return Report.of(self.program, self.tracing, self.compiling)


def _placed(one, layout=None):
    made = runtime.native().ShapeDtypeStruct
    return made(one.shape, one.dtype, sharding=layout(one) if layout else None)


def _shape(one):
    return keras.KerasTensor(one.shape, keras.backend.standardize_dtype(one.dtype))


def _row_layout(distribution, one):
    """The layout of a tensor of the batch; a scalar is everywhere."""
    if len(one.shape):
        return distribution.get_data_layout(one.shape)
    return keras.distribution.TensorLayout([], distribution.device_mesh)


def _require_jax(name):
    if runtime.BACKEND != "jax":
        raise RuntimeError(
            f"{name} needs the jax backend. Received: {runtime.BACKEND}. Set "
            "KERAS_BACKEND=jax before the first import of Keras."
        )
