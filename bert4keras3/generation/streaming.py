"""Streaming: one prompt, token by token, on a compiled step."""

from keras import ops

from bert4keras3.backend import runtime
from bert4keras3.generation import prompts as P
from bert4keras3.generation.beam import BeamSearch
from bert4keras3.generation.logits import History
from bert4keras3.generation.loop import written
from bert4keras3.generation.sampling import Greedy, chooser, row_keys


def programs(decoder, strategy, settings, size):
    """(first, following): compiled functions of one token each.

    first(batch) -> (ids (1,), carried); following(i, carried) likewise, i >= 1.
    """
    key = ("stream", strategy, settings.program_key(), size)
    if key in decoder.programs:
        return decoder.programs[key]
    rules = settings.all_rules()

    def pick(i, logits, carried):
        choose = chooser(strategy, rules, carried["keys"])
        begin = carried["lengths"]
        ids = choose(logits, History(carried["tokens"], begin + i, i, begin))
        tokens = written(carried["tokens"], begin + i, ids)
        return ids, {**carried, "ids": ids, "tokens": tokens}

    def first(batch):
        decoder.compilations += 1
        start, _, fixed = decoder.start(batch, 0, size)
        carried = {
            "state": start.state,
            "tokens": start.tokens,
            "lengths": start.lengths,
            "keys": batch["keys"],
            "fixed": fixed,
        }
        zero = ops.convert_to_tensor(0, "int32")
        return pick(zero, start.logits, carried)

    def following(i, carried):
        decoder.compilations += 1
        slot = ops.shape(carried["tokens"])[1] - size + i - 1
        logits, state = decoder.model.step(
            carried["ids"], slot, carried["state"], carried["fixed"]
        )
        return pick(i, logits, {**carried, "state": state})

    variables = decoder.transformer.model.variables
    made = tuple(runtime.compiled(one, variables) for one in (first, following))
    decoder.programs[key] = made
    return made


def stream_ids(decoder, prompt, strategy=None, seed=0, conditions=(), **changes):
    """Yield the new ids of one prompt as they come; see Decoder.stream."""
    strategy, settings = strategy or Greedy(), decoder.settings.changed(**changes)
    if isinstance(strategy, BeamSearch):
        raise ValueError(
            "Beam search does not know its first token before its last: it cannot "
            "stream. Take Greedy() or Sampling(...)."
        )
    prompts = decoder.checked([prompt], settings)
    batch = decoder.batch(prompts, [0], row_keys(seed, 1), conditions)
    size = P.bucket(settings.maxlen) if decoder.bucketed else settings.maxlen
    first, following = programs(decoder, strategy, settings, size)
    ids, carried = first(decoder.tensors(batch))
    ends = 0
    for i in range(1, settings.maxlen + 1):
        token = int(ops.convert_to_numpy(ids)[0])
        yield token
        ends += token in settings.end_ids
        over = token in settings.end_ids and ends >= settings.min_ends
        if i == settings.maxlen or (over and i >= settings.least):
            return
        ids, carried = following(ops.convert_to_tensor(i, "int32"), carried)


def stream_text(decoder, ids):
    """Yield pieces of text from ids: what a new token added that is certain."""
    known, shown = [], ""
    for one in ids:
        known.append(one)
        text = decoder.decode(known)
        # A token may change what stands before it ("##" joins): wait for the next.
        if text.startswith(shown) and len(text) > len(shown):
            yield text[len(shown) :]
            shown = text
