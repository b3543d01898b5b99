"""Several texts in one row, and the same texts each in a row of its own."""

import numpy as np
from keras import ops
from tiny_models import CONFIG, build

from bert4keras3.models.registry import find

SIZES = ((3, 5, 2), (6, 1, 4))  # two rows of three texts
LENGTH, PLACES, LONGEST = 12, 4, 6  # one token and one place are filler
FURTHER = {
    "albert": {"embedding_size": 8},
    "ernie": {"use_task_id": True, "custom_task_ids": True},
    "nezha": {"max_relative_position": 3},
    "deberta-v2": {"position_buckets": 8},
    "deberta_v2": {"position_buckets": 4, "position_biased_input": True},
    "llama": {"num_key_value_heads": 1},
    "qwen3": {"attention_head_size": 6},
    "bart_encoder": {"scale_embedding": True, "pad_token_id": 0},
}


def made(family, application="encoder", **arguments):
    """A Transformer without heads, unless `arguments` has one."""
    own = {"with_lm": False} if "with_lm" in find(family).options else {}
    return build(family, application, **{**own, **FURTHER.get(family, {}), **arguments})


def texts(inputs, seed=3):
    """Every text as a list of `inputs` sequences: ids, then segments 0 .. 0 1 .. 1."""
    rng, found = np.random.default_rng(seed), []
    for size in (size for row in SIZES for size in row):
        ids = rng.integers(1, CONFIG["vocab_size"] - 1, size)
        parts = (np.arange(size) >= (size + 1) // 2).astype("int32")
        found.append([ids.astype("int32"), parts][:inputs])
        found[-1] += [np.zeros(size, "int32")] * (inputs - len(found[-1]))
    return found


def alone(found):
    """[inputs (6, T) ...], every text in a row of its own, padded."""
    return [
        np.stack([np.pad(one, (0, LONGEST - len(one))) for one in column])
        for column in zip(*found, strict=True)
    ]


def packed(found):
    """[inputs (2, T) ..., starts (2, N)] of `texts`."""
    rows = [np.zeros((len(SIZES), LENGTH), "int32") for _ in found[0]]
    starts = np.full((len(SIZES), PLACES), LENGTH, "int32")
    for (row, place, offset, size), text in zip(placed(), found, strict=True):
        starts[row, place] = offset
        for one, part in zip(rows, text, strict=True):
            one[row, offset : offset + size] = part
    return [*rows, starts]


def placed():
    """(row, place, offset, size) of every text."""
    for row, sizes in enumerate(SIZES):
        for place, size in enumerate(sizes):
            yield row, place, sum(sizes[:place]), size


def outputs(model, inputs):
    """Output of a Keras model as an array."""
    found = model(inputs if len(inputs) > 1 else inputs[0], training=False)
    return ops.convert_to_numpy(ops.cast(found, "float32"))


def same(plain, rows, per_text=False):
    """Compare outputs (6, T|1, ...) with those of packed rows (2, T|N, ...)."""
    assert np.isfinite(rows).all()
    for i, (row, place, offset, size) in enumerate(placed()):
        found = rows[row, place] if per_text else rows[row, offset : offset + size]
        expected = plain[i] if per_text else plain[i, :size]
        np.testing.assert_allclose(found, expected, atol=1e-5, rtol=1e-5)
