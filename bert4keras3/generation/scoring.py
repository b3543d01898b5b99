"""Scoring: how probable given continuations are, in one pass without a cache."""

import numpy as np
from keras import ops

from bert4keras3.generation import prompts as P
from bert4keras3.utils.checks import as_list


def _program(decoder):
    """The function of a batch, labels and real places -> log p (B, T)."""
    t = decoder.transformer

    def program(batch, labels, real):
        decoder.compilations += 1
        inputs = decoder.model_inputs(batch)
        ctx = t.context(inputs)
        ctx.cond = t.condition_of(batch["conditions"])
        ctx.wanted = "logits"
        logits = ops.cast(t.forward(inputs, ctx), "float32")
        chosen = ops.take_along_axis(logits, labels[..., None], axis=-1)[..., 0]
        logs = chosen - ops.logsumexp(logits, axis=-1)
        return ops.where(real, logs, 0.0)

    return program


def token_log_probs(decoder, prompts, answers, conditions=()):
    """log p of every token of every answer behind its prompt, list of float arrays.

    prompts, conditions: as of Decoder.generate; answers: lists of token ids, to which
    no end is added. Raises ValueError for another number of answers, or an empty one.
    """
    prompts = as_list(prompts, "prompts")
    if len(prompts) != len(answers) or not all(len(one) for one in answers):
        raise ValueError(
            f"{len(prompts)} prompts need as many answers of one token or more. "
            f"Received: {[len(one) for one in answers]}"
        )
    settings, new = decoder.settings, decoder.settings.segment_id
    prompts = [decoder.prompt(one, settings) for one in prompts]
    whole = [
        prompt.extended([int(one) for one in answer], new)
        for prompt, answer in zip(prompts, answers, strict=True)
    ]
    P.check_ids(whole, decoder.model.vocab_size)
    P.check_segments(whole, new, decoder.segment_count)
    decoder.check_room(whole, 1)
    decoder.check_conditions(conditions, len(whole))
    program = decoder.kept("score", lambda: _program(decoder))
    results = [None] * len(whole)
    for numbers in P.batches(whole, decoder.batch_size, decoder.buckets):
        keys = np.zeros(len(whole), "int32")
        batch = decoder.batch(whole, numbers, keys, conditions)
        ids = batch["ids"]
        labels = np.concatenate([ids[:, 1:], np.zeros_like(ids[:, :1])], axis=1)
        real = np.ones_like(labels, dtype=bool)
        tensors = decoder.tensors((batch, labels, real))
        logs = ops.convert_to_numpy(decoder.run(program, *tensors))
        for row, number in enumerate(numbers):
            start, end = len(prompts[number].ids), len(whole[number].ids)
            results[number] = logs[row, start - 1 : end - 1]
    return results
