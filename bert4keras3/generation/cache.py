"""Cache: the projected keys and values of a pass, kept for the tokens that follow.

B batch, R rows (B times beams or samples), S slots, G heads of keys and values.
"""

from keras import ops

from bert4keras3.backend import runtime


def in_slots(x, slots, axis=1):
    """x (R, T, ...) in the first of all slots of that axis, zeros behind it."""
    width = [[0, 0] for _ in x.shape]
    width[axis][1] = slots - x.shape[axis]
    return ops.pad(x, width)


def heads_first(x):
    """(R, S, G, K) as (R, G, S, K) and back; without heads as it is.

    The products of a step then read the cache as it lies: on CPU-XLA turning all of it
    round took a third of a GPT-2 step.
    """
    return ops.swapaxes(x, 1, 2) if len(x.shape) == 4 else x


class Cache:
    """Takes over the attention of a pass that reads tokens into slots.

    blocks: {block index: (keys (R, G, S, K), values (R, G, S, D))}, without G where a
    layer has no heads, empty for the first pass (the prompt), which fills the first of
    S = slots; slot: where a later pass writes its token, an int or a scalar tensor;
    memory: {block index: (keys, values)} of cross-attention, with B rows, shared by
    R / B neighbouring rows each.
    A plain Python object: it lives while a pass is traced, `blocks` is what remains.
    """

    def __init__(self, slots=None, slot=None, blocks=None, memory=None):
        self.slots = slots
        self.slot = slot
        self.first = blocks is None
        self.blocks = dict(blocks or {})
        self.memory = dict(memory or {})

    def attend(self, layer, x, index, ctx, pair=None, bias=None):
        """Self-attention of block `index` on `x: (R, T, D)`.

        Raises ValueError for a bias of a subclass's own.
        """
        if pair is not None or bias is not None:
            raise ValueError(
                f"Layer {layer.name!r} cannot decode with a cache: a subclass's "
                "compute_attention_bias speaks of whole sequences, and a step has one "
                "token. Decode with AutoRegressiveDecoder and a predict of your own."
            )
        q, k, v = layer.project(x, rotary=ctx.rotary)
        new = heads_first(k), heads_first(v)
        if self.first:
            self.blocks[index] = tuple(in_slots(x, self.slots, -2) for x in new)
        else:
            self.blocks[index] = tuple(
                runtime.write_slot(kept, one, self.slot, -2)
                for kept, one in zip(self.blocks[index], new, strict=True)
            )
            k, v = map(heads_first, self.blocks[index])
        output = layer.attended(q, k, v, ctx.attention_terms())
        if layer.return_attention_scores:
            output, ctx.scores = output
        return output

    def attend_memory(self, layer, x, index, ctx, pair=None):
        """Cross-attention of block `index` on `x: (R, T, D)`, projected once."""
        if index not in self.memory:
            source = ctx.memory
            self.memory[index] = (
                heads_first(layer.project_keys(source)),
                heads_first(layer.project_values(source)),
            )
        k, v = map(heads_first, self.memory[index])
        shape = ops.shape(x)
        if not self.first:  # the beams of a text are further queries of its memory
            x = ops.reshape(x, (ops.shape(k)[0], -1, shape[-1]))
        terms = {"visible": ctx.memory_visible, "bias": ctx.memory_bias}
        terms = {name: value for name, value in terms.items() if value is not None}
        output = layer.attended(layer.project_queries(x), k, v, terms)
        return ops.reshape(output, shape)
