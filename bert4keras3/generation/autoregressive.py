"""AutoRegressiveDecoder: bert4keras's decoder of one text, on the user's `predict`."""

import functools

import keras
import numpy as np

from bert4keras3.generation.beam import BeamSearch
from bert4keras3.generation.decoder import Decoder
from bert4keras3.generation.sampling import Sampling

RTYPES = ("probas", "logits")


class AutoRegressiveDecoder:
    """Beam search and random sampling of one text, token by token.

    start_id: first id of every output, or None; end_id: the token that ends a text;
    maxlen: new tokens at most; minlen: an end counts from this output length on, the
    start token included. Subclasses define `predict(inputs, output_ids, states)`,
    decorated with `wraps`, as with bert4keras. Without a `predict` pass transformer,
    a Transformer or the Keras model of build_transformer_model: the same searches then
    run compiled, with a cache; the start token stands behind the prompt. Outputs hold
    the start and the end token.
    """

    def __init__(self, start_id, end_id, maxlen, minlen=1, transformer=None):
        self.start_id = start_id
        self.end_id = end_id
        self.maxlen = maxlen
        self.minlen = minlen
        self.models = {}
        shape = (1, 0) if start_id is None else (1, 1)
        self.first_output_ids = np.full(shape, start_id or 0, dtype="int64")
        self.decoder = None
        if transformer is not None:
            if type(self).predict is not AutoRegressiveDecoder.predict:
                raise ValueError(
                    f"{type(self).__name__} has a predict of its own and was given a "
                    "transformer: leave one of them out."
                )
            self.decoder = Decoder(
                transformer,
                start_id=start_id,
                end_id=() if end_id is None else end_id,
                maxlen=maxlen,
                least=minlen - self.first_output_ids.shape[1],
            )

    @staticmethod
    def wraps(default_rtype="probas", use_states=False):
        """Decorate `predict`: add its arguments temperature and rtype.

        default_rtype: what `predict` returns for the last position, (rows, V):
        "probas", or "logits" that a softmax makes probabilities of; use_states: it
        returns (scores, states). The decorated one always returns both; rtype "logits"
        asks for log-probabilities. Raises ValueError for another rtype.
        """
        _check_rtype("default_rtype", default_rtype)

        def decorate(predict):
            @functools.wraps(predict)
            def decorated(
                self,
                inputs,
                output_ids,
                states=None,
                temperature=1,
                rtype=default_rtype,
            ):
                _check_rtype("rtype", rtype)
                if not temperature > 0:
                    raise ValueError(
                        "temperature must be positive; for the most probable text "
                        f"call beam_search(inputs, topk=1). Received: {temperature!r}"
                    )
                scores = predict(self, inputs, output_ids, states)
                scores, states = scores if use_states else (scores, states)
                if not isinstance(scores, np.ndarray):
                    scores = keras.ops.convert_to_numpy(scores)
                if default_rtype == "logits":
                    scores = _softmax(scores / temperature)
                elif temperature != 1:
                    scores = scores ** (1.0 / temperature)
                    scores = scores / scores.sum(axis=-1, keepdims=True)
                return (scores if rtype == "probas" else np.log(scores + 1e-12)), states

            return decorated

        return decorate

    def last_token(self, model):
        """A Keras model of the same inputs that returns the last position, (B, V)."""
        if model not in self.models:
            outputs = [output[:, -1] for output in model.outputs]
            outputs = outputs[0] if len(outputs) == 1 else outputs
            self.models[model] = keras.Model(model.inputs, outputs)
        return self.models[model]

    def predict(self, inputs, output_ids, states=None, *options):
        """Scores (rows, V) of the next token; subclasses define it.

        inputs: list of arrays with a row per output; output_ids: (rows, length).
        """
        raise NotImplementedError(
            f"{type(self).__name__} defines no predict and was given no transformer."
        )

    def beam_search(self, inputs, topk, states=None, temperature=1, min_ends=1):
        """The ids of the best text, int (length,).

        inputs: list of unbatched arrays; topk: beams, 1 is greedy; states: handed to
        `predict` and back, arrays in it follow the beams; temperature: divides the
        logits; min_ends: number of end tokens that make an end.
        """
        if self.decoder is not None:
            strategy = BeamSearch(topk, temperature=temperature)
            return self._compiled(inputs, strategy, 1, min_ends, states)[0]
        inputs = [np.array([one]) for one in inputs]
        ids, totals = self.first_output_ids, np.zeros(1)
        for step in range(self.maxlen):
            scores, states = self.predict(inputs, ids, states, temperature, "logits")
            if step == 0:
                inputs = [np.repeat(one, topk, axis=0) for one in inputs]
            scores = totals[:, None] + scores
            best = np.argpartition(scores, -topk, axis=None)[-topk:]
            parents, tokens = np.divmod(best, scores.shape[1])
            states = _rows(states, parents, len(ids))
            ids = np.concatenate([ids[parents], tokens[:, None]], axis=1)
            totals = scores.reshape(-1)[best]
            if ids.shape[1] < self.minlen:
                continue
            ended = self._ended(ids, min_ends)
            if ended[totals.argmax()]:
                break
            if ended.any():
                kept = ~ended
                inputs = [one[kept] for one in inputs]
                states = _rows(states, kept, len(ids))
                ids, totals, topk = ids[kept], totals[kept], int(kept.sum())
        return ids[totals.argmax()]

    def random_sample(
        self,
        inputs,
        n,
        topk=None,
        topp=None,
        states=None,
        temperature=1,
        min_ends=1,
        seed=None,
    ):
        """n texts at random: list of ids (length,), in the order of their ends.

        topk, topp: see Sampling; seed: an int; None draws from numpy's global state,
        as bert4keras does. The others as in beam_search.
        """
        if self.decoder is not None:
            seed = np.random.randint(2**31) if seed is None else seed
            strategy = Sampling(temperature, topk, topp)
            found = self._compiled(inputs, strategy, n, min_ends, states, seed)
            return sorted(found, key=len)
        choice = (np.random if seed is None else np.random.RandomState(seed)).choice
        inputs = [np.array([one]) for one in inputs]
        ids, results = self.first_output_ids, []
        for step in range(self.maxlen):
            scores, states = self.predict(inputs, ids, states, temperature, "probas")
            scores = scores / scores.sum(axis=1, keepdims=True)
            if step == 0:
                scores, ids = np.repeat(scores, n, axis=0), np.repeat(ids, n, axis=0)
                inputs = [np.repeat(one, n, axis=0) for one in inputs]
                states = _rows(states, np.zeros(n, int), 1)
            tokens = _draw(scores, topk, topp, choice)
            ids = np.concatenate([ids, tokens[:, None]], axis=1)
            if ids.shape[1] < self.minlen:
                continue
            kept = ~self._ended(ids, min_ends)
            results.extend(ids[~kept])
            inputs = [one[kept] for one in inputs]
            states = _rows(states, kept, len(ids))
            ids = ids[kept]
            if not len(ids):
                break
        return [*results, *ids]

    def _ended(self, ids, min_ends):
        ends = ids == self.end_id
        return ends[:, -1] & (ends.sum(axis=1) >= min_ends)

    def _compiled(self, inputs, strategy, n, min_ends, states, seed=0):
        """The same on the cached model: list of n arrays of ids."""
        if states is not None:
            raise ValueError("states are for a predict of your own, not for a model.")
        # bert4keras counts the start token among the ends, if it is one.
        min_ends = max(min_ends - int((self.first_output_ids == self.end_id).sum()), 1)
        prompt = tuple(inputs) if len(inputs) > 1 else inputs[0]
        outputs = self.decoder.generate([prompt], strategy, n, seed, min_ends=min_ends)
        outputs = outputs[0]
        start = self.first_output_ids[0]
        return [np.concatenate([start, one.ids]) for one in outputs]


def _check_rtype(name, value):
    if value not in RTYPES:
        raise ValueError(f"{name} must be one of {RTYPES}. Received: {value!r}")


def _softmax(x):
    x = np.exp(x - x.max(axis=-1, keepdims=True))
    return x / x.sum(axis=-1, keepdims=True)


def _rows(tree, index, rows):
    """Arrays of `rows` rows inside lists, tuples and dicts, indexed; others as is."""
    if isinstance(tree, dict):
        return {key: _rows(one, index, rows) for key, one in tree.items()}
    if isinstance(tree, (list, tuple)):
        return type(tree)(_rows(one, index, rows) for one in tree)
    if tuple(getattr(tree, "shape", ()))[:1] != (rows,):
        return tree
    if isinstance(tree, np.ndarray):
        return tree[index]
    return keras.ops.take(tree, np.arange(rows)[index], axis=0)


def _draw(scores, topk, topp, choice):
    """One token per row of probabilities (rows, V)."""
    ids = None
    if topk is not None and topk < scores.shape[1]:
        ids = np.argpartition(scores, -topk, axis=1)[:, -topk:]
        scores = np.take_along_axis(scores, ids, axis=1)
        scores = scores / scores.sum(axis=1, keepdims=True)
    if topp is not None:
        order = scores.argsort(axis=1)[:, ::-1]
        ids = order if ids is None else np.take_along_axis(ids, order, axis=1)
        scores = np.take_along_axis(scores, order, axis=1)
        before = np.roll(np.cumsum(scores, axis=1), 1, axis=1)
        before[:, 0] = -1.0
        scores = np.where(before >= topp, 0.0, scores)
        scores = scores / scores.sum(axis=1, keepdims=True)
    places = np.array([choice(len(row), p=row) for row in scores])
    return places if ids is None else ids[np.arange(len(ids)), places]
