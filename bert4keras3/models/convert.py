"""Convert and inspect checkpoints by name table alone, one tensor at a time."""

import math
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bert4keras3.checkpoints import dtypes
from bert4keras3.checkpoints.atomic import atomic_write_bytes
from bert4keras3.checkpoints.errors import CheckpointError
from bert4keras3.checkpoints.formats import open_checkpoint, write_checkpoint
from bert4keras3.checkpoints.lazy import LazyArray, forget
from bert4keras3.checkpoints.transfer import LoadReport, missing_message, plan
from bert4keras3.models import registry
from bert4keras3.models.build import family_of, informed
from bert4keras3.models.config_files import read_config
from bert4keras3.models.saving import FORMATS, by_name, config_text, joined
from bert4keras3.utils.assets import asset_path

# What belongs to a tokenizer or to generation and is copied beside the weights.
VOCABULARIES = (
    "vocab.txt",
    "vocab.json",
    "merges.txt",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "spiece.model",
    "sentencepiece.bpe.model",
    "tokenizer.model",
    "generation_config.json",
)


@dataclass
class Inspection:
    """What a checkpoint holds, seen through the name table of its family.

    t: the Transformer; style: "tf" or "hf"; pairs: [(row, name in the file)];
    report: LoadReport whose `missing` are trunk weights without an array; dtypes:
    {dtype: numbers stored}.
    """

    t: object
    style: str
    pairs: list
    report: LoadReport
    dtypes: dict

    @property
    def family(self):
        """Class name of the family."""
        return type(self.t).__name__

    @property
    def dialect(self):
        """Which spelling of the names the checkpoint has."""
        return self.report.dialect

    @property
    def missing(self):
        """Trunk weights without an array."""
        return self.report.missing

    @property
    def unused(self):
        """Names in the file that no row of the family speaks of."""
        return self.report.unused

    @property
    def foreign(self):
        """Why the family cannot be this one, or None."""
        own = self.t.variables()
        held = [name for row, name in self.pairs if row.ours not in own]
        return self.t.foreign_message(self.report.path, held + self.unused)

    @property
    def parameters(self):
        """Numbers stored."""
        return sum(self.dtypes.values())


def transformer_of(path, model=None, config=None):
    """The Transformer, not built, that a folder's, prefix's or file's config describes.

    Raises ValueError when there is no config or its family is unknown.
    """
    origin, values = read_config(asset_path(config) or _config_beside(path))
    cls = registry.find(model or family_of(values))
    return cls(config=(origin, informed(cls, values, path)))


def _config_beside(path):
    """The folder that should hold the config of a checkpoint path."""
    path = Path(asset_path(path))
    if not path.exists() and not any(path.parent.glob(path.name + ".*")):
        raise CheckpointError(f"{path}: no such file, folder or TensorFlow prefix")
    path = os.fspath(path)
    return path if os.path.isdir(path) else os.path.dirname(path) or "."


def inspect(path, model=None, config=None):
    """Look at a checkpoint without loading it; returns an Inspection.

    path: folder, file or TensorFlow prefix; model: family, default the config's;
    config: its config, default the one beside it.
    Raises ValueError (CheckpointError) for unreadable files and unknown families.
    """
    t = transformer_of(path, model, config)
    with open_checkpoint(asset_path(path)) as source:
        style, pairs, report = plan(t.table_rows(), source, t.dialects)
        t.build(awaiting_weights=True)  # the placeholders take no memory on jax
        needed = {row.ours for row in t.rows()}
        counts = {}
        for name in {name for _, name in pairs} | set(report.unused):
            kind = source[name].dtype.name
            counts[kind] = counts.get(kind, 0) + math.prod(source[name].shape)
    report.missing = [ours for ours in report.missing if ours in needed]
    return Inspection(t, style, pairs, report, counts)


def convert(
    source,
    target,
    to,
    dtype=None,
    model=None,
    config=None,
    overwrite=False,
    max_shard_size=None,
    progress=None,
):
    """Write the checkpoint `source` into the folder `target` in another format.

    source, model, config: see `inspect`; to: "hf", "tf" or "npz"; dtype: such as
    "float16" or "bfloat16", default as stored; overwrite: replace files of an earlier
    save; max_shard_size: see `write_checkpoint` (hf only); progress: called with
    (tensors written, tensors in all). Config and vocabulary go along.
    Returns the Inspection of the source; its `unused` names were not converted.
    Raises ValueError (CheckpointError) when a weight of the trunk is missing, the
    weights are another family's, a file exists or would replace the source, or the
    family has no names in that format; nothing is written then.
    """
    _check_target(target, to, dtype)
    style, weights_name, config_name, kind = FORMATS[to]
    found = inspect(source, model, config)
    for stored in found.dtypes if dtype is None else ():
        _check_dtype(to, stored)
    folder = Path(target)
    companions = _companions(source, folder)
    texts = {folder / config_name: config_text(found.t).encode()}
    for path in [*texts, *companions.values()]:
        if path.exists() and not overwrite:
            raise CheckpointError(
                f"{path} exists already; pass overwrite=True (--force)"
            )
    with open_checkpoint(asset_path(source)) as opened:
        if opened.path is not None and _same(opened.path, folder / weights_name):
            raise CheckpointError(
                f"{opened.path} would replace itself; convert into another folder"
            )
        _check_weights(found, opened)
        arrays = _converted(found, opened, style, dtype, progress)
        folder.mkdir(parents=True, exist_ok=True)
        extra = {} if max_shard_size is None else {"max_shard_size": max_shard_size}
        write_checkpoint(
            folder / weights_name, arrays, kind, overwrite=overwrite, **extra
        )
    texts.update((copy, original.read_bytes()) for original, copy in companions.items())
    for path, content in texts.items():
        atomic_write_bytes(path, content)
    return found


def _check_target(target, to, dtype):
    if to not in FORMATS:
        raise ValueError(f"to must be one of {sorted(FORMATS)}. Received: {to!r}")
    if Path(target).suffix in (".npz", ".safetensors", ".ckpt", ".bin"):
        raise ValueError(
            f"{target} looks like a file; name the folder that config, weights and "
            f"vocabulary go into, such as {Path(target).with_suffix('')}"
        )
    _check_dtype(to, dtype)


def _check_dtype(to, dtype):
    if to == "npz" and dtype == "bfloat16":
        raise ValueError(
            "an .npz cannot hold bfloat16; pass dtype='float16' (--dtype), or to='hf'"
        )


def _same(path, other):
    return Path(path).resolve() == Path(other).resolve()


def _check_weights(found, opened):
    """Raise CheckpointError where config and checkpoint do not fit each other."""
    if found.missing:
        rows = found.t.table_rows()
        raise CheckpointError(missing_message(found.report, rows, found.style, opened))
    if found.foreign:
        raise CheckpointError(found.foreign)
    variables = found.t.variables()
    for row, name in found.pairs:
        if row.ours not in variables:
            continue  # a head, which the trunk's config does not size
        shape = row.read(_blank(opened[name]), found.style).shape
        own = variables[row.ours].shape
        if tuple(shape) != tuple(own):
            raise CheckpointError(
                f"{opened.path}: {name!r} has shape {tuple(shape)}, but the config "
                f"asks for {tuple(own)}; correct the config"
            )


def _companions(source, folder):
    """{vocabulary file beside the source: its place in the target folder}."""
    home = Path(_config_beside(source))
    files = {home / name: folder / name for name in VOCABULARIES}
    return {old: new for old, new in files.items() if old.is_file() and old != new}


def _converted(found, opened, style, dtype, progress):
    """{name in the target style: LazyArray that reads and converts when asked}."""
    held = {row.ours: name for row, name in found.pairs}
    rows = [row for row, _ in found.pairs]
    nameless = [row.ours for row in rows if row.name(style) is None]
    if nameless:
        raise CheckpointError(
            f"{opened.path}: {found.family} has no {style!r} names for {nameless[:3]}"
        )
    groups, done = by_name(rows, style), [0]

    def reader(name):
        def read():
            raw = []

            def value(row):
                raw.append(opened[held[row.ours]].read())
                return row.read(raw[-1], found.style)

            array = joined(groups[name], style, value)
            if dtype is not None:
                array = array.astype(dtypes.read_dtype(dtype), copy=False)
            if any(np.may_share_memory(array, one) for one in raw):
                array = array.copy()  # so that the file's pages can go
            for one in raw:
                forget(one)
            done[0] += 1
            if progress is not None:
                progress(done[0], len(groups))
            return array

        return read

    arrays = {}
    for name, group in groups.items():
        stored = [opened[held[row.ours]] for row in group]
        parts = [
            row.written(row.read(_blank(one), found.style), style).shape
            for row, one in zip(group, stored, strict=True)
        ]
        shape = (*parts[0][:-1], sum(part[-1] for part in parts)) if parts[0] else ()
        kind = stored[0].dtype if dtype is None else dtypes.read_dtype(dtype)
        arrays[name] = LazyArray(name, shape, kind, reader(name))
    return arrays


def _blank(stored):
    """An array without memory that has the shape of a stored one."""
    return np.broadcast_to(np.zeros((), np.int8), stored.shape)
