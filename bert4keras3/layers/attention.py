"""Multi-head attention with optional rotary, relative and bias terms.

B batch, T query length, S key length, H heads, G heads of keys and values, K key
size, D value size per head.
"""

import math

import keras
from keras import ops

from bert4keras3.backend import kernels, runtime
from bert4keras3.backend.tensors import is_bool, normalize_scores, rotate
from bert4keras3.layers.base import Layer, register
from bert4keras3.layers.dense import inner_dense
from bert4keras3.layers.normalization import LayerNormalization
from bert4keras3.layers.visibility import fitted

POSITION_KINDS = (None, "rotary", "typical_relative", "t5_relative")


@register
class MultiHeadAttention(Layer):
    """Multi-head attention (https://arxiv.org/abs/1706.03762).

    heads: H; head_size: D; out_dim: output size, default H * D; key_size: K, default
    D; normalization: see `backend.attention_normalize`; attention_scale: divide the
    scores by sqrt(K); attention_dropout: rate on the weights;
    return_attention_scores: also return the scores (B, H, T, S) before masking;
    kv_heads: G, default H; fewer are shared by H / G neighbouring heads each
    (https://arxiv.org/abs/2305.13245); out_bias: use_bias of the output, default the
    same; qk_norm: None, or the epsilon of an RMS norm of each query and key
    (https://arxiv.org/abs/2010.04245); rotary_halves: see `backend.tensors.rotate`.

    Called with `x: (B, T, E)` for self-attention or a list [q, k, v, ...]:
    visible: bool (B|1, 1|H, T|1, S); keys beyond its length are a prefix that every
    query sees, fewer queries than its rows are the first ones; bias: float, added to
    the scores; rotary: table (B|1, T, K) for queries and keys, or (that of
    the queries, that of the keys); relative: (T, S, K) or
    (B, T, S, K) for scores and values; residual: scores of the layer below
    (RealFormer, https://arxiv.org/abs/2012.11747).
    The bert4keras form also works: [q, k, v, (attention bias or bool mask),
    (position tensor)] with a_bias=True and p_bias="rotary" | "typical_relative" |
    "t5_relative"; the mask of v hides keys.
    """

    def __init__(
        self,
        heads,
        head_size,
        out_dim=None,
        key_size=None,
        use_bias=True,
        normalization="softmax",
        attention_scale=True,
        attention_dropout=None,
        return_attention_scores=False,
        kernel_initializer="glorot_uniform",
        kv_heads=None,
        out_bias=None,
        qk_norm=None,
        rotary_halves=False,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.heads = heads
        self.head_size = head_size
        self.out_dim = out_dim or heads * head_size
        self.key_size = key_size or head_size
        self.use_bias = use_bias
        self.normalization = normalization
        self.attention_scale = attention_scale
        self.scale = 1.0 / math.sqrt(self.key_size) if attention_scale else 1.0
        self.attention_dropout = attention_dropout
        self.return_attention_scores = return_attention_scores
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.kv_heads = kv_heads or heads
        self.out_bias = use_bias if out_bias is None else out_bias
        self.qk_norm = qk_norm
        self.rotary_halves = rotary_halves
        if heads % self.kv_heads:
            raise ValueError(
                f"kv_heads must divide heads={heads}. Received: {self.kv_heads}"
            )
        if attention_dropout:
            self.seed_generator = keras.random.SeedGenerator()

    def build(self, input_shape):
        many = isinstance(input_shape[0], (list, tuple))
        q, k, v = input_shape[:3] if many else (input_shape,) * 3
        self.q_dense = self._dense(self.heads * self.key_size, "q", q)
        self.k_dense = self._dense(self.kv_heads * self.key_size, "k", k)
        self.v_dense = self._dense(self.kv_heads * self.head_size, "v", v)
        joined = (*q[:-1], self.heads * self.head_size)
        self.o_dense = self._dense(self.out_dim, "o", joined)
        if self.qk_norm is not None:
            self.q_norm, self.k_norm = self._norm("q_norm"), self._norm("k_norm")

    def _norm(self, name):
        norm = LayerNormalization(
            zero_mean=False,
            offset=False,
            epsilon=self.qk_norm,
            name=name,
            dtype=self.dtype_policy,
        )
        norm.build((None, None, None, self.key_size))
        return norm

    def _dense(self, units, name, shape):
        bias = self.out_bias if name == "o" else self.use_bias
        return inner_dense(self, units, name, shape, use_bias=bias)

    def call(
        self,
        inputs,
        visible=None,
        bias=None,
        rotary=None,
        relative=None,
        residual=None,
        a_bias=None,
        p_bias=None,
        mask=None,
        training=False,
    ):
        terms = {"visible": visible, "bias": bias, "rotary": rotary}
        terms.update(relative=relative, residual=residual)
        if isinstance(inputs, (list, tuple)):
            q, k, v, *extra = inputs
            terms = legacy_terms(terms, extra, a_bias, p_bias, mask)
        else:
            q = k = v = inputs
            if visible is None and mask is not None:
                terms["visible"] = mask[:, None, None, :]
        q, k, v = self.project(q, k, v, terms["rotary"])
        return self.attended(q, k, v, terms, training)

    # `project` and `attended` are apart for a cache that keeps keys and values.

    def project(self, q, k=None, v=None, rotary=None):
        """Return queries (B, T, H, K), keys (B, S, G, K), values (B, S, G, D).

        q: (B, T, E); k, v: (B, S, E), by default q; rotary: table (B|1, T, K), or
        one for the queries and one for the keys.
        """
        k, v = q if k is None else k, self.project_values(q if v is None else v)
        q, k = self.project_queries(q), self.project_keys(k)
        if rotary is not None:
            own, theirs = rotary if isinstance(rotary, (list, tuple)) else (rotary,) * 2
            q, k = self.rotated(q, own), self.rotated(k, theirs)
        return q, k, v

    def attended(self, q, k, v, terms, training=False):
        """What the layer returns, from what `project` returned; terms: see `attend`."""
        return self._finish(self.attend(q, k, v, terms, training))

    def project_queries(self, x):
        """(B, T, E) -> (B, T, H, K)."""
        q = self._heads(self.q_dense(x), self.heads, self.key_size)
        return q if self.qk_norm is None else self.q_norm(q)

    def project_keys(self, x):
        """(B, S, E) -> (B, S, G, K)."""
        k = self._heads(self.k_dense(x), self.kv_heads, self.key_size)
        return k if self.qk_norm is None else self.k_norm(k)

    def project_values(self, x):
        """(B, S, E) -> (B, S, G, D)."""
        return self._heads(self.v_dense(x), self.kv_heads, self.head_size)

    def _heads(self, x, heads, size):
        return ops.reshape(x, (-1, ops.shape(x)[1], heads, size))

    def rotated(self, x, table):
        """Turn projected x (B, T, H|G, K) by the first T rows of a rotary table."""
        return rotate(x, table[:, : ops.shape(x)[1]], self.rotary_halves)

    def attend(self, q, k, v, terms, training=False):
        """Attend with projected q (B, T, H, K), k (B, S, G, K), v (B, S, G, D).

        terms: dict with visible, bias, relative, residual (see the class).
        Returns (context (B, T, H, D), scores (B, H, T, S) or None).
        """
        terms = {**terms, "visible": fitted(terms.get("visible"), q, k)}
        dropping = training and bool(self.attention_dropout)
        if dropping or not self._kernel_fits(terms):
            return self._explicit(q, k, v, terms, dropping)
        return kernels.fused_attention(q, k, v, terms["visible"], self.scale), None

    def _kernel_fits(self, terms):
        explicit = ("bias", "relative", "position_scores", "residual")
        plain = all(terms.get(name) is None for name in explicit)
        return (
            plain
            and kernels.has_fused_attention()
            and self.normalization == "softmax"
            and not self.return_attention_scores
            and self.key_size == self.head_size
        )

    def _explicit(self, q, k, v, terms, dropping):
        relative, bias = terms.get("relative"), terms.get("bias")
        # Heads in front: on CPU-XLA a tenth faster than einsum on (B, T, H, D).
        q, k, v = (ops.swapaxes(x, 1, 2) for x in (q * self.scale, k, v))
        scores = self._matmul(q, ops.swapaxes(k, 2, 3))
        if relative is not None:
            batch = "b" if len(relative.shape) == 4 else ""
            if not batch:  # fewer queries than rows are the first ones
                relative = relative[: ops.shape(q)[2]]
            relative = ops.cast(relative, scores.dtype)
            scores = scores + ops.einsum(f"bhtd,{batch}tsd->bhts", q, relative)
        if terms.get("position_scores") is not None:
            added = ops.cast(terms["position_scores"], scores.dtype)
            scores = scores + added * self.scale
        if terms.get("residual") is not None:
            scores = scores + terms["residual"]
        biased = scores if bias is None else scores + ops.cast(bias, scores.dtype)
        weights = normalize_scores(biased, terms["visible"], self.normalization)
        weights = ops.cast(weights, v.dtype)
        if dropping:
            rate, seed = self.attention_dropout, self.seed_generator
            weights = runtime.dropout(weights, rate, seed)
        output = self._matmul(weights, v)
        if relative is not None:
            output = output + ops.einsum(f"bhts,{batch}tsd->bhtd", weights, relative)
        return ops.swapaxes(output, 1, 2), scores

    def _matmul(self, x, y):
        """x (B, H, T, .) times y (B, G, ., .), which H / G neighbours share."""
        if self.kv_heads == self.heads:
            return ops.matmul(x, y)
        length, depth = ops.shape(x)[2:]
        rows = self.heads // self.kv_heads * length
        x = ops.matmul(ops.reshape(x, (-1, self.kv_heads, rows, depth)), y)
        return ops.reshape(x, (-1, self.heads, length, ops.shape(y)[3]))

    def _finish(self, output):
        context, scores = output
        shape = ops.shape(context)
        flat = (-1, shape[1], self.heads * self.head_size)
        x = self.o_dense(ops.reshape(context, flat))
        return [x, scores] if self.return_attention_scores else x

    def compute_mask(self, inputs, mask=None):
        q_mask = mask[0] if isinstance(mask, (list, tuple)) else mask
        return [q_mask, None] if self.return_attention_scores else q_mask

    def compute_output_spec(self, inputs, *args, **kwargs):
        many = isinstance(inputs, (list, tuple))
        q, k = (inputs[0], inputs[1]) if many else (inputs, inputs)
        x = keras.KerasTensor((*q.shape[:2], self.out_dim), dtype=self.compute_dtype)
        if not self.return_attention_scores:
            return x
        shape = (q.shape[0], self.heads, q.shape[1], k.shape[1])
        return [x, keras.KerasTensor(shape, dtype=self.compute_dtype)]


def legacy_terms(terms, extra, a_bias, p_bias, mask):
    """Sort bert4keras's positional inputs into named terms."""
    if p_bias not in POSITION_KINDS:
        raise ValueError(
            f"p_bias must be one of {POSITION_KINDS}. Received: {p_bias!r}"
        )
    terms, extra = dict(terms), list(extra)
    needed = int(bool(a_bias)) + int(p_bias is not None)
    if len(extra) != needed:
        raise ValueError(
            f"a_bias={a_bias} and p_bias={p_bias!r} need {needed} tensor(s) after "
            f"[q, k, v]. Received: {len(extra)}"
        )
    if terms["visible"] is None and mask is not None and mask[2] is not None:
        terms["visible"] = ops.cast(mask[2], "bool")[:, None, None, :]
    if a_bias:
        _add_bias(terms, extra.pop(0))
    if p_bias == "rotary":
        terms["rotary"] = extra[0]
    elif p_bias == "typical_relative":
        terms["relative"] = extra[0]
    elif p_bias == "t5_relative":
        terms["position_scores"] = ops.expand_dims(
            ops.transpose(extra[0], (2, 0, 1)), 0
        )
    return terms


def _add_bias(terms, bias):
    """A bool tensor is a further mask, a float one is added to the scores."""
    for axis in {2: (0, 0), 3: (1,), 4: ()}[len(bias.shape)]:
        bias = ops.expand_dims(bias, axis)
    if is_bool(bias):
        known = terms["visible"]
        terms["visible"] = bias if known is None else ops.logical_and(known, bias)
    else:
        terms["bias"] = bias
