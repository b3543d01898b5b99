"""Weights: the part of a Transformer that loads and saves checkpoints."""

import warnings
from concurrent.futures import ThreadPoolExecutor

import keras
import numpy as np

from bert4keras3.backend import runtime
from bert4keras3.checkpoints.errors import CheckpointError
from bert4keras3.checkpoints.formats import open_checkpoint
from bert4keras3.checkpoints.names import expand
from bert4keras3.checkpoints.transfer import missing_message, plan
from bert4keras3.models.awaiting import settle
from bert4keras3.models.resize import resized
from bert4keras3.models.saving import save_folder


class Weights:
    """Mixin of Transformer: names, loading, saving.

    Uses its attributes layers, prefix, names, num_hidden_layers, keep_tokens,
    compound_tokens, ignore_invalid_weights and autoresize_weights.
    """

    def rows(self):
        """Name-table rows of the variables this model has."""
        variables = self.variables()
        rows = expand(self.names, self.num_hidden_layers)
        return [row for row in rows if row.ours in variables]

    def variables(self):
        """{"<layer name without prefix>/<weight path>": variable} of all layers."""
        found = {}
        for name, layer in self.layers.items():
            for variable in getattr(layer, "weights", ()):
                if "seed_generator" in variable.path:
                    continue
                _, _, inside = variable.path.rpartition(name + "/")
                found[f"{name.removeprefix(self.prefix)}/{inside}"] = variable
        return found

    def load(self, checkpoint, strict=None):
        """Copy a checkpoint's weights into the built model; returns a LoadReport.

        checkpoint: path of a TensorFlow checkpoint, a Hugging Face folder or file, an
        .npz, or {name: array}; strict: raise when a weight of the model is missing
        (default: unless ignore_invalid_weights), otherwise warn and name it.
        Raises CheckpointError; then no weight of the model has changed.
        """
        strict = not self.ignore_invalid_weights if strict is None else strict
        variables = self.variables()
        rows = self.rows()
        with open_checkpoint(checkpoint) as source:
            style, pairs, report = plan(rows, source)
            wanted = {row.ours: row.name(style) for row in rows}
            messages = [self._foreign_message(report)]
            if report.missing:
                messages.append(missing_message(report, rows, wanted, source))
            for message in filter(None, messages):
                if strict:
                    raise CheckpointError(message)
                warnings.warn(message, stacklevel=2)
            # Everything is read (checksums included) and shaped before the first
            # assignment, so that an error leaves nothing half-loaded.
            # Two readers: verifying checksums is bound by one core's arithmetic.
            with ThreadPoolExecutor(2) as readers:
                raw = list(readers.map(lambda pair: source[pair[1]].read(), pairs))
            arrays = [
                self._fitted(row, name, row.convert(array, style), variables, report)
                for (row, name), array in zip(pairs, raw, strict=True)
            ]
            runtime.assign_all([variables[row.ours] for row, _ in pairs], arrays)
            report.loaded.update((row.ours, name) for row, name in pairs)
        if self.awaiting_weights:
            self.awaiting_weights = False
            done = {id(variables[ours]) for ours in report.loaded}
            real = [
                x for x in self.layers.values() if isinstance(x, keras.layers.Layer)
            ]
            settle(real, done, self.random_initializer)
        if report.resized:
            warnings.warn(
                f"{report.path}: resized {', '.join(report.resized)}", stacklevel=2
            )
        return report

    def _foreign_message(self, report):
        """Say that the checkpoint holds what this family does not have, or None."""
        found = [n for n in report.unused if any(w in n for w in self.foreign_names)]
        if not found:
            return None
        return (
            f"{report.path}: holds {found[0]!r}, but {type(self).__name__} has no such "
            "weight: its outputs would be wrong. Pass the family of the checkpoint as "
            "model=..., or ignore_invalid_weights=True to start from these weights."
        )

    def _fitted(self, row, name, array, variables, report):
        """Apply the vocabulary and resize rules; check the shape."""
        variable = variables[row.ours]
        if row.kind == "vocab":
            array = self.load_embeddings(array)
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


def _shape_message(report, row, name, array, variable):
    hint = "Pass autoresize_weights=True to resize it, or correct the config."
    if row.kind == "vocab":
        hint = (
            f"The checkpoint has a vocabulary of {array.shape[0]}, the model one of "
            f"{variable.shape[0]}: pass vocab_size={array.shape[0]}, or keep_tokens."
        )
    return (
        f"{report.path}: weight {name!r} has shape {tuple(array.shape)}, but "
        f"{row.ours!r} of the model has {tuple(variable.shape)}. {hint}"
    )
