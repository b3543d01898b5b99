"""BERT-of-Theseus: a small model grows into the place of a large one."""

import keras
from keras import ops

from bert4keras3.layers.base import Layer, register


@register
class Replacement(Layer):
    """One of two tensors per batch: the second with the probability of the schedule.

    Called with [predecessor's, successor's], of one shape. In training one number is
    drawn for the whole batch, otherwise it is the successor's.
    rate: probability at the first step; growth: what it grows by in each step, up to 1.
    """

    def __init__(self, rate=0.5, growth=0.0, **kwargs):
        super().__init__(**kwargs)
        if not (0 < rate <= 1 and growth >= 0):
            raise ValueError(
                "rate must be in (0, 1] and growth at least 0. Received: "
                f"rate={rate!r}, growth={growth!r}"
            )
        self.rate = rate
        self.growth = growth
        self.seed_generator = keras.random.SeedGenerator()

    def build(self, input_shape):
        if tuple(input_shape[0]) != tuple(input_shape[1]):
            raise ValueError(
                "Predecessor and successor must have one width. Received shapes: "
                f"{input_shape}"
            )
        self.steps = self.add_weight(
            name="steps", dtype="int32", initializer="zeros", trainable=False
        )

    def call(self, inputs, training=False):
        old, new = inputs
        if not training:
            return new
        steps = ops.cast(self.steps, "float32")
        rate = ops.minimum(self.rate + self.growth * steps, 1.0)
        self.steps.assign_add(1)
        drawn = keras.random.uniform((), dtype="float32", seed=self.seed_generator)
        return ops.where(drawn < rate, new, old)

    def compute_mask(self, inputs, mask=None):
        return None if mask is None else mask[1]

    def compute_output_spec(self, inputs, training=False):
        return keras.KerasTensor(inputs[1].shape, dtype=inputs[1].dtype)


def theseus_model(predecessor, successor, rate=0.5, growth=0.0):
    """A model of both, in which modules of the successor replace those of the other.

    predecessor, successor: built Transformers of one family and width, the successor
    with another `prefix` and fewer layers: its layer i stands for layers k i to
    k i + k - 1, k = L_predecessor / L_successor. In training the embeddings and each
    module are drawn by one Bernoulli number per batch; rate, growth: `Replacement`.
    The predecessor's layers are frozen by this. The output is that of the successor's
    heads, states (B, T, D) without any. Put the trained (and frozen) head of the
    predecessor on it, train, then go on with `successor.model` and that head alone.
    https://arxiv.org/abs/2002.02925, https://kexue.fm/archives/7575
    Raises ValueError for models that do not fit together.
    """
    size = _module_size(predecessor, successor)
    for layer in predecessor.layers.values():
        layer.trainable = False
    inputs = list(predecessor.inputs)

    def chosen(old, new, name):
        layer = Replacement(rate, growth, name=f"{successor.prefix}{name}-Replacement")
        return layer([old, new])

    outer = predecessor.ctx, successor.ctx
    predecessor.ctx = predecessor.context(inputs)
    successor.ctx = successor.context(inputs)
    try:
        given = successor.simplify(inputs)
        pair = [one.apply_embeddings(given) for one in (predecessor, successor)]
        x = chosen(*pair, "Embedding")
        for index in range(successor.num_hidden_layers):
            old = x
            for place in range(index * size, (index + 1) * size):
                old = predecessor.apply_main_layers(old, place)
            new = successor.apply_main_layers(x, index)
            x = chosen(old, new, f"Transformer-{index}")
        outputs = successor.apply_final_layers(x)
    finally:
        predecessor.ctx, successor.ctx = outer
    return keras.Model(predecessor.input, outputs)


def _module_size(predecessor, successor):
    for one in (predecessor, successor):
        if getattr(one, "model", None) is None or not hasattr(one, "inputs"):
            raise ValueError(
                "theseus_model needs built Transformers: call build_transformer_model "
                f"with return_keras_model=False. Received: {one!r}"
            )
        if hasattr(one, "encoder"):
            raise ValueError("theseus_model has no modules of encoders with decoders.")
    if type(predecessor).__name__ != type(successor).__name__:
        raise ValueError(
            "Predecessor and successor must be of one family. Received: "
            f"{type(predecessor).__name__} and {type(successor).__name__}"
        )
    if set(predecessor.layers) & set(successor.layers):
        raise ValueError(
            "Predecessor and successor share layer names: build the successor with "
            'another prefix, such as prefix="Successor-".'
        )
    size, rest = divmod(predecessor.num_hidden_layers, successor.num_hidden_layers)
    if rest:
        raise ValueError(
            "The predecessor's layers must be a multiple of the successor's. Received: "
            f"{predecessor.num_hidden_layers} and {successor.num_hidden_layers}"
        )
    return size
