"""The gated attention unit: attention and feed-forward network in one layer."""

import keras
from keras import ops

from bert4keras3.backend import runtime
from bert4keras3.backend.activations import activation_name, get_activation
from bert4keras3.backend.tensors import normalize_scores, rotate
from bert4keras3.layers.attention import legacy_terms
from bert4keras3.layers.base import Layer, register
from bert4keras3.layers.dense import inner_dense
from bert4keras3.layers.normalization import ScaleOffset
from bert4keras3.layers.visibility import fitted


@register
class GatedAttentionUnit(Layer):
    """Gated attention of a single head (https://arxiv.org/abs/2202.10447).

    units: F, size of gate and values; key_size: K; activation: of the projections;
    normalization: see `backend.attention_normalize`; self_attention: False for
    queries, keys and values with projections of their own; attention_scale: divide
    the scores by sqrt(K); attention_dropout: rate on the weights; clamp_length: in
    "softmax_plus" a row counts at least 16 visible keys, as the last bert4keras does
    (https://kexue.fm/archives/9019); False counts what is there, as the PyTorch ports.

    Called with `x: (B, T, E)` or [queries, keys, values]; (B, T, E) is returned.
    visible: bool (B|1, 1, T|1, S); bias: float of that shape; rotary: table
    (B|1, T, K). The bert4keras form also works: [x, (attention bias or bool mask),
    (rotary table)] with a_bias=True and p_bias="rotary". The mask of the keys hides
    keys; bert4keras took that of the queries, which fails for other lengths.
    """

    return_attention_scores = False  # what every attention layer is asked for

    def __init__(
        self,
        units,
        key_size,
        activation="swish",
        use_bias=True,
        normalization="squared_relu",
        self_attention=True,
        attention_scale=True,
        attention_dropout=None,
        clamp_length=True,
        kernel_initializer="glorot_uniform",
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.units = units
        self.key_size = key_size
        self.activation = activation_name(activation)
        self.use_bias = use_bias
        self.normalization = normalization
        self.self_attention = self_attention
        self.attention_scale = attention_scale
        self.attention_dropout = attention_dropout
        self.clamp_length = clamp_length
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        if attention_dropout:
            self.seed_generator = keras.random.SeedGenerator()

    def build(self, input_shape):
        many = isinstance(input_shape[0], (list, tuple))
        shape = input_shape[0] if many else input_shape
        gate = get_activation(self.activation)
        if self.self_attention:
            size = 2 * self.units + self.key_size
            self.i_dense = inner_dense(self, size, "i", shape, activation=gate)
            keys = (*shape[:-1], self.key_size)
            self.q_scaleoffset = self._scale("q", keys)
            self.k_scaleoffset = self._scale("k", keys)
        else:
            q, k, v = input_shape[:3]
            size = self.units + self.key_size
            self.uq_dense = inner_dense(self, size, "uq", q, activation=gate)
            self.k_dense = inner_dense(self, self.key_size, "k", k, activation=gate)
            self.v_dense = inner_dense(self, self.units, "v", v, activation=gate)
        self.o_dense = inner_dense(self, shape[-1], "o", (*shape[:-1], self.units))

    def _scale(self, name, shape):
        layer = ScaleOffset(offset=self.use_bias, name=name, dtype=self.dtype_policy)
        layer.build(shape)
        return layer

    def call(
        self,
        inputs,
        visible=None,
        bias=None,
        rotary=None,
        a_bias=None,
        p_bias=None,
        mask=None,
        training=False,
    ):
        terms = {"visible": visible, "bias": bias, "rotary": rotary}
        if p_bias not in (None, "rotary"):
            raise ValueError(f"p_bias must be None or 'rotary'. Received: {p_bias!r}")
        q, k, v, extra, key_mask = self._sorted(inputs, a_bias, p_bias, mask)
        terms = legacy_terms(terms, extra, a_bias, p_bias, (None, None, key_mask))
        q, k, v = self.project(q, k, v, terms["rotary"])
        return self.attended(q, k, v, terms, training)

    def _sorted(self, inputs, a_bias, p_bias, mask):
        """(queries, keys, values, position and bias tensors, mask of the keys)."""
        many = isinstance(inputs, (list, tuple))
        inputs = list(inputs) if many else [inputs]
        masks = list(mask) if isinstance(mask, (list, tuple)) else [mask]
        count = len(inputs) - int(bool(a_bias)) - int(p_bias is not None)
        expected = (1, 3) if self.self_attention else (3,)
        if count not in expected:
            raise ValueError(
                f"Layer {self.name!r}, self_attention={self.self_attention}, expects "
                f"{' or '.join(map(str, expected))} tensor(s) before those that "
                f"a_bias={a_bias} and p_bias={p_bias!r} ask for. Received: "
                f"{len(inputs)} in all"
            )
        states, extra = inputs[:count], inputs[count:]
        q, k, v = states if count == 3 else states * 3
        key_mask = masks[1] if count == 3 and len(masks) > 1 else masks[0]
        return q, k, v, extra, key_mask

    # `project` and `attended` are separate so that a decoding cache can keep projected
    # keys and values between steps, as in MultiHeadAttention.

    def project(self, q, k=None, v=None, rotary=None):
        """Return (gate (B, T, F), queries (B, T, K)), keys (B, S, K), values (B, S, F).

        q: (B, T, E); k, v: (B, S, E), by default q; rotary: table (B|1, T, K).
        """
        gate, q, k, v = self._projected(q, k, v)
        if rotary is not None:
            q = rotate(q, rotary[:, : ops.shape(q)[1]])
            k = rotate(k, rotary[:, : ops.shape(k)[1]])
        return (gate, q), k, v

    def _projected(self, q, k, v):
        k, v = q if k is None else k, q if v is None else v
        if not self.self_attention:
            gate, queries = ops.split(self.uq_dense(q), [self.units], axis=-1)
            return gate, queries, self.k_dense(k), self.v_dense(v)
        gate, own, shared = self._parts(q)
        queries = self.q_scaleoffset(shared)
        if k is not q:
            shared = self._parts(k)[2]
        if v is not q:
            own = self._parts(v)[1]
        return gate, queries, self.k_scaleoffset(shared), own

    def _parts(self, x):
        return ops.split(self.i_dense(x), [self.units, 2 * self.units], axis=-1)

    def attended(self, queries, k, v, terms, training=False):
        """(B, T, E) from what `project` returned; terms: dict with visible and bias."""
        gate, q = queries
        visible, bias = terms.get("visible"), terms.get("bias")
        if visible is not None:
            visible = fitted(visible, q, k)[:, 0]
        if self.attention_scale:
            q = q * self.key_size**-0.5
        scores = ops.matmul(q, ops.swapaxes(k, 1, 2))
        if bias is not None:
            scores = scores + ops.cast(bias[:, 0], scores.dtype)
        shortest = 16 if self.clamp_length else 1
        weights = normalize_scores(
            scores, visible, self.normalization, shortest=shortest
        )
        weights = ops.cast(weights, v.dtype)
        if training and self.attention_dropout:
            weights = runtime.dropout(
                weights, self.attention_dropout, self.seed_generator
            )
        return self.o_dense(gate * ops.matmul(weights, v))

    def compute_mask(self, inputs, mask=None):
        return mask[0] if isinstance(mask, (list, tuple)) else mask

    def compute_output_spec(self, inputs, *args, **kwargs):
        x = inputs[0] if isinstance(inputs, (list, tuple)) else inputs
        return keras.KerasTensor(x.shape, dtype=self.compute_dtype)
