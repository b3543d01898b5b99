"""The toy predictors of the recorded decodings: a table instead of a model."""

import json
from pathlib import Path

import numpy as np

from bert4keras3.snippets import AutoRegressiveDecoder

FOLDER = Path(__file__).parent / "golden" / "decoder"
RECORDED = json.loads((FOLDER / "decoder.json").read_text(encoding="utf-8"))
END = RECORDED["end_id"]
with np.load(FOLDER / "tables.npz") as _tables:
    LOGITS, BIAS = _tables["logits"], _tables["bias"]


def scores_of(inputs, output_ids):
    """Logits (rows, V) after output_ids: a different table for every length."""
    table = LOGITS[output_ids.shape[1] % len(LOGITS)]
    last = output_ids[:, -1] if output_ids.shape[1] else np.zeros(len(output_ids), int)
    return table[last] + BIAS[np.asarray(inputs[0]).reshape(len(output_ids), -1)[:, 0]]


def softmax(x):
    x = np.exp(x - x.max(axis=-1, keepdims=True))
    return x / x.sum(axis=-1, keepdims=True)


class ToyLogits(AutoRegressiveDecoder):
    @AutoRegressiveDecoder.wraps("logits")
    def predict(self, inputs, output_ids, states):
        return scores_of(inputs, output_ids)


class ToyProbas(AutoRegressiveDecoder):
    @AutoRegressiveDecoder.wraps("probas")
    def predict(self, inputs, output_ids, states):
        return softmax(scores_of(inputs, output_ids))


class ToyStates(AutoRegressiveDecoder):
    """Counts its calls in the state, and does not end in the first four."""

    @AutoRegressiveDecoder.wraps("logits", use_states=True)
    def predict(self, inputs, output_ids, states):
        calls = 0 if states is None else states
        scores = scores_of(inputs, output_ids).copy()
        if calls < 4:
            scores[:, END] = -1e9
        return scores, calls + 1


def toy(case):
    """The decoder of a recorded case."""
    cls = globals()[case["class"]]
    end = case.get("end_id", END)
    return cls(case["start_id"], end, case["maxlen"], case["minlen"])
