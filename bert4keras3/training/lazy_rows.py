"""Gradients of an embedding table as the rows of the batch alone."""

from keras import ops

from bert4keras3.backend.lookups import Lookups
from bert4keras3.backend.rows import Rows
from bert4keras3.training.adversarial import lookup_layer
from bert4keras3.training.methods import Method, must_be_first


class LazyRows(Method):
    """The table's gradient as rows of the batch: no step reads the whole table.

    For an optimizer with the setting {"lazy": True} for the table: the same numbers,
    while time and memory go with the tokens of a batch and not with the vocabulary.
    Must be the first method; others may change the loss of the pass, not compute with
    gradients as FGM does. Clipping, accumulation and loss scaling work, but make the
    gradient one of the whole table again. The model may only look up in the table: an
    output layer tied to it needs all of it.
    layer: name of the `Embedding` layer.
    """

    def __init__(self, layer="Embedding-Token"):
        self.layer = layer

    def build(self, model):
        must_be_first(self, model)
        self._embedding = lookup_layer(model, self.layer)
        self._table = self._embedding.frozen_weight
        for method in model.methods[1:]:
            changes = type(method).gradients is not Method.gradients
            if changes and not method.only_drops:
                raise ValueError(
                    f"LazyRows does not go with {type(method).__name__}, which needs "
                    "the gradient of the whole table: leave out one of them."
                )
        if self._table.regularizer is not None:
            raise self._dense_use("has a regularizer")

    def gradients(self, step, values, inner):
        place = step.place(self._table)
        wrapped = self._check_optimizer(step.model.optimizer)
        table = ops.stop_gradient(values[place])
        others = [*values[:place], *values[place + 1 :]]
        shifts = step.zero_shifts(values, self._embedding)

        def losses(moving):
            ours, shifts = moving[: len(others)], moving[len(others) :]
            with Lookups(self._embedding, shifts) as seen:
                loss = step.objective([*ours[:place], table, *ours[place:]])
            if seen.whole:
                raise self._dense_use("is also used as a whole, as by a tied output")
            step.notes["ids"] = seen.ids
            return [loss]

        _, (grads,) = step.gradients(losses, [*others, *shifts])
        ids = [ops.reshape(one, (-1,)) for one in step.notes.pop("ids")]
        found = [self._flat(one) for one in grads[len(others) :]]
        rows = Rows.summed(
            ops.concatenate(ids), ops.concatenate(found), self._table.shape
        )
        grads = grads[: len(others)]
        return [*grads[:place], rows.dense() if wrapped else rows, *grads[place:]]

    def _flat(self, grad):
        grad = ops.cast(grad, self._table.dtype)
        return ops.reshape(grad, (-1, self._table.shape[-1]))

    def _dense_use(self, how):
        return ValueError(
            f"LazyRows needs a table that is only looked up in. That of layer "
            f"{self.layer!r} {how}: train this model without LazyRows."
        )

    def _check_optimizer(self, optimizer):
        """Whether Keras scales the loss; ValueError unless the table is lazy."""
        inner = getattr(optimizer, "inner_optimizer", optimizer)
        takes_rows = getattr(inner, "takes_rows", None)
        if takes_rows is None or not takes_rows(self._table):
            rule = (f"{self.layer}/embeddings", {"lazy": True})
            raise ValueError(
                "LazyRows needs Adam or AdamW of bert4keras3.optimizers with the rule "
                f"{rule}: Adam(rules=[{rule}]). Received: {type(inner).__name__}"
            )
        return inner is not optimizer
