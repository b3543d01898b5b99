"""Streaming: one prompt, token by token, on a compiled step."""

import os

from keras import ops

from bert4keras3.generation.beam import BeamSearch
from bert4keras3.generation.contrastive import ContrastiveSearch
from bert4keras3.generation.logits import History
from bert4keras3.generation.loop import written
from bert4keras3.generation.sampling import Greedy, chooser, row_keys


def programs(decoder, strategy, settings, size):
    """(first, following): compiled functions of one token each.

    first(batch) -> (ids (1,), carried); following(i, carried) likewise, i >= 1.
    """
    rules, aids = settings.all_rules(), decoder.aids(settings)

    def pick(i, logits, carried):
        choose = chooser(strategy, rules, carried["keys"])
        begin = carried["lengths"]
        ids = choose(logits, History(carried["tokens"], begin + i, i, begin))
        tokens = written(carried["tokens"], begin + i, ids)
        return ids, {**carried, "ids": ids, "tokens": tokens}

    def first(batch):
        decoder.compilations += 1
        start, _, fixed = decoder.start(batch, 0, size, aids)
        # Between programs the turned table would be a copy of megabytes per stream.
        fixed.pop("table", None)
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
        given = carried["ids"], slot, carried["state"], carried["fixed"]
        logits, state = decoder.read_token(*given, aids)
        return pick(i, logits, {**carried, "state": state})

    key = (strategy, settings.program_key(), size)
    return tuple(
        decoder.kept((name, *key), lambda one=one: one)
        for name, one in (("first", first), ("following", following))
    )


def stream_ids(decoder, prompt, strategy=None, seed=0, conditions=(), **changes):
    """Yield the new ids of one prompt as they come; see Decoder.stream."""
    strategy, settings = strategy or Greedy(), decoder.settings.changed(**changes)
    if isinstance(strategy, (BeamSearch, ContrastiveSearch)):
        raise ValueError(
            f"{type(strategy).__name__} looks ahead before it chooses: it cannot "
            "stream. Take Greedy() or Sampling(...)."
        )
    prompts = decoder.checked([prompt], settings, conditions)
    batch = decoder.batch(prompts, [0], row_keys(seed, 1), conditions, settings)
    size = decoder.room(settings)
    first, following = programs(decoder, strategy, settings, size)
    ids, carried = decoder.run(first, decoder.tensors(batch))
    ends = 0
    for i in range(1, settings.maxlen + 1):
        token = int(ops.convert_to_numpy(ids)[0])
        yield token
        ends += token in settings.end_ids
        over = token in settings.end_ids and ends >= settings.min_ends
        if i == settings.maxlen or (over and i >= settings.least):
            return
        number = ops.convert_to_tensor(i, "int32")
        ids, carried = decoder.run(following, number, carried)


def stream_text(decoder, ids, end_ids=None):
    """Yield pieces of text from ids, each when it is certain.

    A token may change what stands before it ("##" joins, a character of several bytes
    is "\ufffd" until its last one): what changed is said again from there on.
    """
    known, shown = [], ""
    for one in ids:
        known.append(one)
        text = decoder.decode(known, end_ids)
        if text.endswith("\ufffd"):
            continue
        common = len(os.path.commonprefix([shown, text]))
        if len(text) > common:
            yield text[common:]
        shown = text
    text = decoder.decode(known, end_ids)
    if len(text) > len(shown):
        yield text[len(shown) :]
