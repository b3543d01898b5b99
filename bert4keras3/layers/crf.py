"""Conditional random field over a chain of labels."""

from keras import ops

from bert4keras3.backend import chains
from bert4keras3.layers.base import register
from bert4keras3.layers.chain import LabelChain, for_compile


@register
class ConditionalRandomField(LabelChain):
    """Linear-chain CRF (https://kexue.fm/archives/5542).

    A path scores sum of x[t, y[t]] + sum of trans[y[t-1], y[t]]; there are no scores
    of their own for the first and the last label. `layer(x)` returns the logits
    x: (B, T, C) with minus infinity at masked steps and no mask: that is how the
    losses know the mask, so let nothing come between this layer and them.

        crf = ConditionalRandomField()
        model = keras.Model(bert.inputs, crf(keras.layers.Dense(7)(bert.output)))
        model.compile(optimizer, crf.sparse_loss, metrics=[crf.sparse_accuracy])
        labels = crf.decode(model.predict(inputs))     # -1 at masked steps

    lr_multiplier: k; `trans` is k times the stored weight. Under Adam, whose steps do
    not depend on the size of a gradient, this equals a learning rate k times larger
    for `trans` (under SGD k * k times). Transitions learn slower than a fine-tuned
    BERT needs: 100 to 1000 is usual.

    A step is masked where all its logits are minus infinity; on a single label minus
    infinity forbids that label. A gap in the mask cuts a sequence into independent
    pieces. Rows without real steps lose 0; rows whose labels are forbidden, infinity.
    """

    def build(self, input_shape):
        self.num_labels = self.label_count(input_shape)
        self._trans = self.add_transitions((self.num_labels,) * 2, "trans")

    @property
    def trans(self):
        """Scores (C, C) of going from label i (row) to label j (column)."""
        return self.lr_multiplier * ops.convert_to_tensor(self._trans)

    def potentials(self, x):
        """What `decode` maximises: the path score itself."""
        return self.chain(x)

    def log_normalizer(self, x):
        """Log of the sum over all paths of exp(score), (B, T, C) -> (B,)."""
        return chains.log_normalizer(*self.chain(x))

    def marginals(self, x):
        """Probability of each label at each step, (B, T, C); zeros where masked."""
        return chains.marginals(*self.chain(x))

    def log_likelihood(self, y, x):
        """Log-probability (B,) of the labels y: (B, T) or (B, T, 1).

        Raises ValueError for labels that do not exist; where nothing can be raised
        (compiled programs, accelerators) the row is NaN.
        """
        scores, trans, mask = self.chain(x)
        labels, wrong = self.checked(y, mask)
        value = chains.log_likelihood(scores, trans, mask, labels)
        return ops.where(wrong, ops.cast(float("nan"), value.dtype), value)

    @for_compile
    def sparse_loss(self, y_true, y_pred):
        """Negative log-likelihood (B,) of label ids (B, T) or (B, T, 1), any dtype."""
        return -self.log_likelihood(y_true, y_pred)

    @for_compile
    def dense_loss(self, y_true, y_pred):
        """Negative log-likelihood (B,) of labels (B, T, C), one-hot or soft."""
        scores, trans, mask = self.chain(y_pred)
        labels = ops.cast(self.soft(y_true, mask), scores.dtype)
        return -chains.log_likelihood(scores, trans, mask, labels)
