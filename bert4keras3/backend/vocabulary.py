"""Cross entropy over a vocabulary whose logits never exist all at once.

N tokens, D size, V vocabulary, C tokens of a chunk.
"""

from keras import ops

from bert4keras3.backend.distribution import over_batch


def linear_cross_entropy(
    x, table, bias, labels, weights, smoothing=0.0, topk=None, chunk=512, training=True
):
    """Sum over tokens of weights * cross entropy of the logits x table^T + bias.

    x: (N, D); table: (V, D); bias: (V,) or None; labels: integers (N,); weights:
    (N,), not trained; smoothing: share of every target that is spread over the
    vocabulary; topk: of the logits only the k largest are in the denominator, the
    sparse softmax (https://kexue.fm/archives/8046); chunk: C; training: also
    compute the gradients. Returns a float32 scalar.

    Tokens of weight 0 come last and are skipped. A chunk's logits (C, V) give its part
    of the loss and of the gradients at once, so that nothing is computed twice and no
    logits wait for the backward pass (as https://arxiv.org/abs/2410.10989 does).
    Under a keras.distribution every device has chunks of its own rows.
    """
    given = [
        ops.stop_gradient(ops.cast(one, "float32"))
        for one in (x, weights, table, ops.zeros(()) if bias is None else bias)
    ]
    how = (bias is not None, chunk, smoothing, topk, training)

    def sums(rows, whole):
        """Of the rows that a device has: their gradients, and what is added up."""
        return _summed(*rows, *whole, *how)

    rows, whole = (given[0], labels, given[1]), tuple(given[2:])
    own, (values, *others) = over_batch(sums, rows, whole)
    value = ops.sum(values)
    if not training:
        return value
    parts = [(x, own), (ops.expand_dims(table, 0), others[0])]
    if bias is not None:
        parts.append((ops.expand_dims(bias, 0), others[1]))
    return value + sum(_attached(one, gradient) for one, gradient in parts)


def _summed(
    x, labels, weights, table, bias, has_bias, chunk, smoothing, topk, training
):
    """(gradient of x, (loss, gradient of table, of bias)); without training, no more
    than the loss, and None for the gradient of x.
    """
    size = ops.shape(x)[0]
    chunk = min(chunk, size) if isinstance(size, int) else chunk
    order = ops.argsort(ops.cast(ops.equal(weights, 0), "int32"))
    rows = ops.pad(order, [[0, chunk - 1]])  # the last chunk may reach beyond
    real = ops.arange(ops.shape(rows)[0]) < size
    count = ops.sum(ops.cast(ops.not_equal(weights, 0), "int32"))
    fixed = [x, table, bias, weights]
    step = _chunks(fixed, labels, rows, real, chunk, smoothing, topk, training)
    gradients = _zeros(fixed, rows, has_bias, training)
    start = [ops.zeros((), "int32"), ops.zeros(()), *gradients]
    result = ops.while_loop(lambda i, *rest: i * chunk < count, step, start)
    value, gradients = result[1], result[2:]
    if not training:
        return None, (value,)
    own = ops.take(gradients[0], ops.argsort(order), axis=0)
    return own, (value, *gradients[1:])


def _zeros(fixed, rows, has_bias, training):
    """What the gradients start from: of the sorted rows of x, of table and bias."""
    if not training:
        return []
    x, table, _, _ = fixed
    shapes = [(ops.shape(rows)[0], ops.shape(x)[1]), ops.shape(table)]
    if has_bias:
        shapes.append((ops.shape(table)[0],))
    return [ops.zeros(shape, "float32") for shape in shapes]


def _attached(tensor, gradient):
    """A scalar 0 whose gradient for `tensor` is the given one.

    tensor: also (1, ...) for the parts (devices, ...) of a gradient.
    """
    product = ops.sum(ops.cast(tensor, "float32") * ops.stop_gradient(gradient))
    return product - ops.stop_gradient(product)


def _chunks(fixed, labels, rows, real, chunk, smoothing, topk, training):
    """The body of the loop: one chunk's loss and gradients."""
    x, table, bias, weights = fixed
    vocabulary = ops.shape(table)[0]

    def step(i, value, *gradients):
        place = i * chunk
        own = ops.slice(rows, (place,), (chunk,))
        there = ops.slice(real, (place,), (chunk,))
        weight = ops.where(there, ops.take(weights, own), 0.0)
        states = ops.take(x, own, axis=0)
        logits = ops.matmul(states, ops.transpose(table)) + bias
        top = ops.max(logits, axis=-1, keepdims=True)
        exponents = ops.exp(logits - top)
        if topk is not None and topk < vocabulary:
            least = ops.top_k(logits, topk)[0][:, -1:]
            exponents = ops.where(logits >= least, exponents, 0.0)
        total = ops.sum(exponents, axis=-1, keepdims=True)
        label = ops.take(labels, own)
        target = ops.take_along_axis(logits, label[:, None], axis=-1)
        target = (1.0 - smoothing) * target
        if smoothing:
            target = target + smoothing * ops.mean(logits, axis=-1, keepdims=True)
        losses = ops.log(total) + top - target
        value = value + ops.sum(losses[:, 0] * weight)
        if not training:
            return i + 1, value
        columns = ops.expand_dims(ops.arange(vocabulary), 0)
        hit = ops.where(columns == label[:, None], 1.0 - smoothing, 0.0)
        error = exponents / total - hit - smoothing / vocabulary
        error = error * weight[:, None]
        changed = [
            ops.slice_update(gradients[0], (place, 0), ops.matmul(error, table)),
            gradients[1] + ops.matmul(ops.transpose(error), states),
        ]
        if len(gradients) == 3:
            changed.append(gradients[2] + ops.sum(error, axis=0))
        return i + 1, value, *changed

    return step
