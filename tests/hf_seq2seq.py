"""Run an encoder-decoder here and in transformers on one padded batch, and compare."""

import keras
import numpy as np
import torch
from keras import ops

from bert4keras3.backend import get_output_at

BOUND = 1e-5
VOCABULARY = 60


def batch(pad=0, length=20, start=0):
    """Encoder ids and decoder ids, ever shorter rows; a decoder starts with `start`."""
    generator = np.random.default_rng(0)
    source = generator.integers(2, VOCABULARY, (3, length)).astype("int32")
    target = generator.integers(2, VOCABULARY, (3, 9)).astype("int32")
    source[1, length // 2 :] = source[2, 4:] = pad
    target[:, 0] = start
    target[1, 6:] = target[2, 3:] = pad
    return source, target


def real(ids, pad):
    """What is no padding; the first token always is a token."""
    mask = ids != pad
    mask[:, 0] = True
    return mask


def run_theirs(model, source, target, pad=0):
    """{"Encoder", "Decoder": states behind each block and final norm, "logits"}."""
    ids = {"input_ids": source, "decoder_input_ids": target}
    ids["attention_mask"] = real(source, pad)
    ids["decoder_attention_mask"] = real(target, pad)
    ids = {name: torch.tensor(one.astype("int64")) for name, one in ids.items()}
    with torch.no_grad():
        found = model.eval()(**ids, output_hidden_states=True)
    return {
        "Encoder": [one.numpy() for one in found.encoder_hidden_states[1:]],
        "Decoder": [one.numpy() for one in found.decoder_hidden_states[1:]],
        "logits": found.logits.numpy(),
    }


def run_ours(t, source, target):
    """The same of a Transformer built with with_lm="linear"."""
    states = {}
    for half in (t._encoder, t._decoder):
        part = "FeedForward-" + ("Add" if t.pre_norm else "Norm")
        names = [half.layer_name(i, part) for i in range(half.num_hidden_layers)]
        if t.pre_norm:  # transformers shows the last block behind the final norm
            names[-1] = f"{half.side}-Output-Norm"
        states[half.side] = [get_output_at(t.layers[name], 1) for name in names]
    model = keras.Model(t.model.inputs, {**states, "logits": t.model.output})
    found = model([source, target])
    to_numpy = ops.convert_to_numpy
    logits = to_numpy(found.pop("logits"))
    return {"logits": logits, **{k: [to_numpy(x) for x in v] for k, v in found.items()}}


def assert_same(t, model, source, target, pad=0):
    """Run both and compare all states and logits where a real token stands."""
    ours, theirs = run_ours(t, source, target), run_theirs(model, source, target, pad)
    masks = {"Encoder": real(source, pad), "Decoder": real(target, pad)}
    for side, mask in masks.items():
        assert len(ours[side]) == len(theirs[side])
        for one, other in zip(ours[side], theirs[side], strict=True):
            assert np.abs(one - other)[mask].max() <= BOUND
    difference = np.abs(ours["logits"] - theirs["logits"])[masks["Decoder"]]
    assert difference.max() <= BOUND
    assert np.abs(theirs["logits"]).max() > 0.1


def stirred(model):
    """Move what a fresh model has trivial: norms and biases."""
    torch.manual_seed(1)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim == 1:
                parameter += 0.1 * torch.randn(parameter.shape)
        bias = getattr(model, "final_logits_bias", None)
        if bias is not None:
            bias += 0.1 * torch.randn(bias.shape)
    return model
