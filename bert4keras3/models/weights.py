"""Weights: the part of a Transformer that loads and saves checkpoints."""

import contextlib
import functools
import warnings

import keras
import numpy as np

from bert4keras3.backend.assigning import assign_all
from bert4keras3.backend.sharding import (
    by_first,
    is_elsewhere,
    process,
    together_over,
)
from bert4keras3.checkpoints.errors import CheckpointError
from bert4keras3.checkpoints.formats import open_checkpoint, write_checkpoint
from bert4keras3.checkpoints.lazy import Checkpoint, forget
from bert4keras3.checkpoints.names import Row, expand, mapped_rows
from bert4keras3.checkpoints.transfer import missing_message, plan
from bert4keras3.layers.adapters import adapted_layers
from bert4keras3.models.awaiting import settle
from bert4keras3.models.resize import resized
from bert4keras3.models.saving import save_folder, stored_value


def named_variables(layers, prefix=""):
    """{"<layer name without prefix>/<weight path>": variable} of layers, each once.

    layers: {name: layer}; the states of random generators are left out.
    """
    found, seen = {}, set()
    for name, layer in layers.items():
        for variable in getattr(layer, "weights", ()):
            if "seed_generator" in variable.path or id(variable) in seen:
                continue
            seen.add(id(variable))
            _, _, inside = variable.path.rpartition(name + "/")
            found[f"{name.removeprefix(prefix)}/{inside}"] = variable
    return found


class Weights:
    """Mixin of Transformer: names, loading, saving.

    Uses its attributes layers, prefix, names, num_hidden_layers, keep_tokens,
    compound_tokens, ignore_invalid_weights and autoresize_weights.
    """

    def table_rows(self):
        """The name table of the family, written out for every block."""
        return expand(self.names, self.num_hidden_layers)

    @functools.cached_property
    def table_layers(self):
        """Names, without prefix, of the layers the name table speaks of."""
        return {row.ours.split("/")[0] for row in self.table_rows()}

    def rows(self, mapping=None):
        """Name-table rows of the variables this model has.

        mapping: {layer name: [TensorFlow names]} in its place; by default what a
        subclass's own `variable_mapping` says, else the table.
        """
        variables = self.variables()
        rows = self._table_rows(variables)
        if mapping is None and self._overrides("variable_mapping"):
            mapping = self.variable_mapping()
        return rows if mapping is None else mapped_rows(mapping, rows, variables)

    def _table_rows(self, variables):
        return [row for row in self.table_rows() if row.ours in variables]

    def variables(self):
        """{"<layer name without prefix>/<weight path>": variable} of all layers.

        Without what LoRA and prompt tokens add: `stored_value` has that in it.
        """
        layers = adapted_layers(self.layers.values())
        added = {id(v) for layer in layers for v in layer.adapter.values()}
        named = named_variables(self.layers, self.prefix)
        return {path: one for path, one in named.items() if id(one) not in added}

    def load(self, checkpoint, strict=None, mapping=None):
        """Copy a checkpoint's weights into the built model; returns a LoadReport.

        checkpoint: path of a TensorFlow checkpoint, a Hugging Face folder or file, an
        .npz, or {name: array}; strict: raise when a weight of the model is missing
        (default: unless ignore_invalid_weights), otherwise warn and name it;
        mapping: see `rows`.
        Where the weights lie in several processes, all of them call it.
        Raises CheckpointError; then no weight of the model has changed, in any process.
        """
        strict = not self.ignore_invalid_weights if strict is None else strict
        variables, rows = self.variables(), self.rows(mapping)
        with contextlib.ExitStack() as opened:

            def prepared():
                source = opened.enter_context(open_checkpoint(checkpoint))
                return source, *self._prepared(source, rows, variables, strict)

            # Everything is read (checksums included) and shaped before the first
            # assignment, in all processes, so that an error leaves nothing half-loaded.
            found = together_over(variables.values(), prepared)
            source, pairs, arrays, report = found
            # The pages of files alone: a mapping of the caller's may be its only copy.
            copied = {"copied": forget} if source.path else {}
            assign_all([variables[row.ours] for row, _ in pairs], arrays, **copied)
            report.loaded.update((row.ours, name) for row, name in pairs)
            changed = {id(variables[ours]) for ours in report.loaded}
            for layer in adapted_layers(self.layers.values()):
                if id(layer.frozen_weight) in changed:
                    layer.reset_adapter()  # the model is what the checkpoint says
        if self.awaiting_weights:
            self.awaiting_weights = False
            layers = self.layers.values()
            settle(
                [one for one in layers if isinstance(one, keras.layers.Layer)],
                changed,
            )
        if report.resized:
            resized_names = ", ".join(report.resized)
            warnings.warn(f"{report.path}: resized {resized_names}", stacklevel=2)
        return report

    def _prepared(self, source, rows, variables, strict):
        """(pairs of row and name, their arrays, report): nothing is assigned yet."""
        style, pairs, report = plan(rows, source, self.dialects)
        messages = [self.foreign_message(report.path, report.unused)]
        if report.missing:
            messages.append(missing_message(report, rows, style, source))
        for message in filter(None, messages):
            if strict:
                raise CheckpointError(message)
            warnings.warn(message, stacklevel=4)
        self.release_placeholders()
        read = self._read(
            source, pairs, style, [variables[row.ours] for row, _ in pairs]
        )
        arrays = [
            self._fitted(row, name, array, variables, report)
            for (row, name), array in zip(pairs, read, strict=True)
        ]
        return pairs, arrays, report

    def foreign_message(self, path, names):
        """Say which of a checkpoint's names another family's must be, or None.

        names: those that the model has no weight for.
        """
        found = [n for n in names if any(w in n for w in self.foreign_names)]
        if not found:
            return None
        return (
            f"{path}: holds {found[0]!r}, but {type(self).__name__} has no such "
            "weight: its outputs would be wrong. Pass the family of the checkpoint as "
            "model=..., or ignore_invalid_weights=True to start from these weights."
        )

    def _read(self, source, pairs, style, variables):
        """Arrays of (row, name) pairs, for variables, in our layout and vocabulary."""
        if style == "tf" and self._overrides("load_variable"):
            return [self.load_variable(source, name) for _, name in pairs]
        # One reader: checksums are short NumPy calls, for whose lock two would queue.
        return [
            self._ours(row, stored(source[name], place, variable), style)
            for place, ((row, name), variable) in enumerate(
                zip(pairs, variables, strict=True)
            )
        ]

    def _ours(self, row, array, style):
        array = row.read(array, style)
        if row.vocab is None:
            return array
        turned = np.moveaxis(array, row.vocab, 0)
        return np.moveaxis(self.load_embeddings(turned), 0, row.vocab)

    def _overrides(self, hook):
        return getattr(type(self), hook) is not getattr(Weights, hook)

    # --- bert4keras's names for all this --------------------------------------

    def variable_mapping(self):
        """{layer name without prefix: [TensorFlow names]}, a view of the name table.

        A subclass may override it; the order is that of the layer's weights.
        """
        variables, mapping = self.variables(), {}
        names = {row.ours: row.tf for row in self._table_rows(variables)}
        for ours in variables:
            if names.get(ours):
                mapping.setdefault(ours.split("/")[0], []).append(names[ours])
        return mapping

    def load_variable(self, checkpoint, name):
        """Read one array by its TensorFlow name, in our layout and vocabulary.

        checkpoint: whatever `load` takes. A subclass may transpose or select here.
        """
        opened = isinstance(checkpoint, Checkpoint)
        array = (checkpoint if opened else open_checkpoint(checkpoint))[name].read()
        return self._ours(self._row_of(name), array, "tf")

    def create_variable(self, name, value, dtype=None):
        """Turn one of our arrays into what a TensorFlow checkpoint holds."""
        array = np.ascontiguousarray(self._row_of(name).written(value, "tf"))
        return array if dtype is None else array.astype(dtype)

    def _row_of(self, name):
        rows = self.table_rows()
        return next((row for row in rows if row.tf == name), Row(name, tf=name))

    def load_weights_from_checkpoint(self, checkpoint, mapping=None):
        """`load` by its old name."""
        return self.load(checkpoint, mapping=mapping)

    def save_weights_as_checkpoint(self, filename, mapping=None, dtype=None):
        """Write a TensorFlow checkpoint, replacing an older one, as scripts expect.

        Returns its files. Of several processes all call it, and the first one writes:
        the others get [] once the files are there, or the error.
        """
        value, arrays = stored_value(self), {}
        for row in (one for one in self.rows(mapping) if one.tf):
            # In all processes: others wait for parts, and what fails, fails alike.
            array = self.create_variable(row.tf, value(row), dtype)
            if not process()[0]:
                arrays[row.tf] = array

        def write():
            return write_checkpoint(filename, arrays, format="tf", overwrite=True)

        return by_first(write) or []

    def _fitted(self, row, name, array, variables, report):
        """Check the shape; resize if that is allowed."""
        variable = variables[row.ours]
        if tuple(array.shape) != tuple(variable.shape):
            if not self.autoresize_weights:
                raise CheckpointError(
                    _shape_message(report, row, name, array, variable)
                )
            layer = self.layers[self.prefixed(row.ours.split("/")[0])]
            array = resized(layer, row.ours, array, tuple(variable.shape))
            report.resized.append(row.ours)
        return array

    def load_embeddings(self, array):
        """Apply keep_tokens, then compound_tokens, to the rows of `array: (V, ...)`."""
        if self.keep_tokens is not None:
            array = array[list(self.keep_tokens)]
        if self.compound_tokens is not None:
            extra = []
            for item in self.compound_tokens:
                ids, weights = item if isinstance(item, tuple) else (item, None)
                extra.append(np.average(array[list(ids)], 0, weights))
            array = np.concatenate([array, np.stack(extra).astype(array.dtype)], 0)
        return array

    def extra_config(self):
        """Config keys of this family that no field of ModelConfig holds."""
        return {}

    def save(self, path, format="hf", dtype=None, vocab=None, overwrite=False):
        """Write config, weights and vocabulary; see `saving.save_folder`."""
        return save_folder(self, path, format, dtype, vocab, overwrite)


def stored(lazy, place, variable):
    """The array that becomes `variable`, the place-th that is loaded.

    Of a variable in parts that lie in several processes, each reads its own. A checksum
    is that of the whole, so that the processes take turns in comparing.
    """
    if not is_elsewhere(variable):
        return lazy.read()
    number, count = process()
    array = lazy.read(verify=place % count == number)
    forget(array)  # not its memory: what the comparison brought into it
    return array


def _shape_message(report, row, name, array, variable):
    hint = "Pass autoresize_weights=True to resize it, or correct the config."
    if row.vocab is not None:
        theirs, own = array.shape[row.vocab], variable.shape[row.vocab]
        hint = (
            f"The checkpoint has a vocabulary of {theirs}, the model one of {own}: "
            f"pass vocab_size={theirs}, or keep_tokens."
        )
    return (
        f"{report.path}: weight {name!r} has shape {tuple(array.shape)}, but "
        f"{row.ours!r} of the model has {tuple(variable.shape)}. {hint}"
    )
