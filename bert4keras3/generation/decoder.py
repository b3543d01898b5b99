"""Decoder: continue texts, many at once, with a cache and one compiled program."""

from typing import NamedTuple

import numpy as np
from keras import ops

from bert4keras3.backend import runtime
from bert4keras3.generation import prompts as P
from bert4keras3.generation.beam import BeamSearch, legacy_search
from bert4keras3.generation.loop import Ends, Start, map_rows, sample_loop
from bert4keras3.generation.ranked_beam import RankedSearch
from bert4keras3.generation.sampling import Greedy, answer_keys, chooser, row_keys
from bert4keras3.generation.scoring import token_log_probs
from bert4keras3.generation.settings import Settings
from bert4keras3.generation.streaming import stream_ids, stream_text


class Output(NamedTuple):
    """New tokens of one prompt: ids, int32, with the end token; score, or None.

    score: of beam search, the sum of log-probabilities, penalised if so asked.
    """

    ids: np.ndarray
    score: float | None


class Decoder:
    """Generates texts with a language model or an encoder-decoder.

    transformer: a Transformer or the Keras model that build_transformer_model
    returns, with application "lm" or "unilm", or of a family that generates;
    tokenizer: for prompts that are texts, and for the answer; maxlen: new tokens at
    most; minlen: new tokens at least; start_id: first id of an encoder-decoder's
    answer; end_id: one id or several that end a text, None: the tokenizer's or the
    config's, (): none; segment_id: of new tokens, default 1 for "unilm" and that of
    the last token otherwise; rules: see `generation.logits`; batch_size: prompts at
    once. Raises ValueError when the model cannot generate.

        decoder = Decoder(model, tokenizer, maxlen=32)
        decoder(["今天天气", "我想"], Sampling(topp=0.95), n=3, seed=1)
    """

    def __init__(self, transformer, tokenizer=None, batch_size=32, **settings):
        self.transformer = getattr(transformer, "transformer", transformer)
        if not hasattr(self.transformer, "prefill"):
            raise ValueError(
                "Decoder needs a Transformer, or the model that "
                "build_transformer_model returns; a model that was loaded from .keras "
                f"has lost its builder. Received: {transformer!r:.200}"
            )
        self.model = self.transformer.language_model
        self.two_sides = "Input-Context" in self.model.layers
        self.tokenizer = tokenizer
        self.batch_size = batch_size
        self.bucketed = runtime.BACKEND != "torch"  # which compiles nothing
        self.settings = Settings.of(self.transformer, tokenizer, settings)
        self.compilations = 0  # programs traced so far, one per set of shapes
        self.programs = {}

    def __call__(self, texts, strategy=None, n=None, seed=0, **options):
        """Continue texts: a text each, or lists of n.

        texts: list of texts or other prompts (see `generate`), or a single text, for
        which the answer is not a list; strategy: Greedy (default), Sampling,
        BeamSearch; n: answers per prompt; seed: see `row_keys`; options: maxlen,
        minlen, rules, conditions as in `generate`.
        """
        single = isinstance(texts, str)
        outputs = self.generate(
            [texts] if single else texts, strategy, n or 1, seed, **options
        )
        answers = [[self.decode(one.ids) for one in row] for row in outputs]
        answers = [row[0] for row in answers] if n is None else answers
        return answers[0] if single else answers

    def decode(self, ids):
        """The text of new ids without end tokens; ValueError without a tokenizer."""
        if self.tokenizer is None:
            raise ValueError("Pass a tokenizer to Decoder, or call its generate().")
        return self.tokenizer.decode(
            [int(one) for one in ids if one not in self.settings.end_ids]
        )

    def generate(self, prompts, strategy=None, n=1, seed=0, conditions=(), **changes):
        """Continue prompts: for each a list of n Outputs.

        prompts: list of texts, lists of token ids, or pairs of lists: (ids, segment
        ids), with an encoder-decoder (ids, first ids of the answer); conditions:
        arrays with a row per prompt, one for each additional input of the model;
        changes: maxlen, minlen, rules, ... of this call. Raises ValueError for
        prompts the model has no ids or positions for.
        """
        strategy, settings = strategy or Greedy(), self.settings.changed(**changes)
        prompts = self.checked(prompts, settings)
        conditions = [np.asarray(one) for one in conditions]
        beams = isinstance(strategy, BeamSearch)
        if beams and n > (strategy.size if strategy.length_penalty is not None else 1):
            raise ValueError(
                f"{strategy} has fewer texts to return than n={n}: raise size and give "
                "a length_penalty."
            )
        keys = row_keys(seed, len(prompts))
        outputs = [None] * len(prompts)
        for numbers in P.batches(prompts, self.batch_size, self.bucketed):
            batch = self.batch(prompts, numbers, keys, conditions)
            results = self._run(batch, strategy, n, settings)
            for number, *result in zip(numbers, *results, strict=False):
                outputs[number] = [
                    Output(ids[:length], None if score is None else float(score))
                    for ids, length, score in zip(*result, strict=True)
                ][:n]
        return outputs

    def stream(self, prompt, strategy=None, seed=0, **options):
        """Yield the answer to one prompt piece by piece, as its tokens come.

        prompt, strategy, options: as in `generate`; no beam search. Pieces are texts,
        without a tokenizer ids.
        """
        ids = stream_ids(self, prompt, strategy, seed, **options)
        return ids if self.tokenizer is None else stream_text(self, ids)

    def log_prob(self, prompts, answers):
        """log p of each answer behind its prompt, float32 (N,).

        prompts: as in `generate`; answers: texts or lists of token ids, to which the
        end token belongs if it shall count.
        """
        return np.array([sum(one) for one in self.token_log_probs(prompts, answers)])

    def token_log_probs(self, prompts, answers):
        """The same for every token: list of float32 arrays."""
        ids = [self.answer_ids(one) if isinstance(one, str) else one for one in answers]
        return token_log_probs(self, prompts, ids)

    def perplexity(self, texts):
        """exp of the mean -log p of a token of each text but its first, float32 (N,).

        texts: texts or lists of token ids, for a language model.
        """
        prompts = [self.prompt(one) for one in texts]
        pairs = [(one.ids[:1], one.ids[1:]) for one in prompts]
        logs = self.token_log_probs(*map(list, zip(*pairs, strict=True)))
        return np.exp([-np.mean(one) for one in logs]).astype("float32")

    def checked(self, prompts, settings):
        """The prompts as `Prompt`s, with ids and positions the model has."""
        prompts = [self.prompt(one) for one in prompts]
        P.check_ids(prompts, self.model.vocab_size)
        self.check_room(prompts, settings.maxlen)
        return prompts

    def answer_ids(self, text):
        """Ids of an answer: those of the text without start, with an end token."""
        ids = self.settings.encode(text)
        start = getattr(self.tokenizer, "_token_start_id", None)
        ids = ids[1:] if start is not None and ids[0] == start else ids
        ends = self.settings.end_ids
        return ids if not ends or ids[-1] in ends else [*ids, ends[0]]

    def prompt(self, given):
        """A prompt as users give it, as ids, segments and source."""
        settings = self.settings
        return P.as_prompt(given, settings.encode, settings.start_id, self.two_sides)

    def check_room(self, prompts, maxlen):
        limit = self.model.position_limit
        longest = max((len(one.ids) for one in prompts), default=0)
        if limit is not None and longest + maxlen > limit:
            raise ValueError(
                f"A prompt of {longest} tokens and maxlen={maxlen} new ones need more "
                f"than the model's {limit} positions: shorten the prompt or lower "
                "maxlen."
            )

    def batch(self, prompts, numbers, keys, conditions):
        """Arrays of a batch; a row of padding is the last prompt once more."""
        count = len(numbers)
        rows = P.bucketed_rows(count, self.batch_size) if self.bucketed else count
        numbers = [*numbers, *[numbers[-1]] * (rows - count)]
        chosen = [prompts[number] for number in numbers]
        pad = self.model.pad_token_id or 0
        batch = {
            "ids": P.padded([one.ids for one in chosen], pad, self.bucketed),
            "lengths": np.array([len(one.ids) for one in chosen], "int32"),
            "keys": keys[numbers],
        }
        if self.two_sides:
            batch["source"] = P.padded(
                [one.source for one in chosen], pad, self.bucketed
            )
        elif self.model.segment_vocab_size:
            segments = [one.segments for one in chosen]
            batch["segments"] = P.padded(segments, 0, self.bucketed)
            own = [one.segments[-1] for one in chosen]
            new = self.settings.segment_id
            batch["new_segment"] = np.array(
                own if new is None else [new] * rows, "int32"
            )
        batch["conditions"] = tuple(one[numbers] for one in conditions)
        return batch

    def _run(self, batch, strategy, n, settings):
        """ids, lengths and scores, numpy (B, answers, ...), of one batch."""
        size = P.bucket(settings.maxlen) if self.bucketed else settings.maxlen
        key = (strategy, n, settings.program_key(), size)
        if key not in self.programs:
            self.programs[key] = runtime.compiled(
                self._program(strategy, n, settings, size),
                self.transformer.model.variables,
            )
        limit = np.array(settings.maxlen, "int32")
        outputs = self.programs[key](self.tensors(batch), ops.convert_to_tensor(limit))
        return [ops.convert_to_numpy(one) for one in outputs]

    @staticmethod
    def tensors(batch):
        """The arrays of a batch as tensors."""
        return map_rows(ops.convert_to_tensor, batch)

    def _program(self, strategy, n, settings, size):
        """The function that is compiled: prompts in, new tokens out."""
        ends = Ends(settings.end_ids, settings.least, settings.min_ends)
        rules = settings.all_rules()
        fill = self.model.pad_token_id or 0

        def program(batch, limit):
            self.compilations += 1
            start, step, _ = self.start(batch, limit, size)
            rows = ops.shape(start.lengths)[0]
            if isinstance(strategy, BeamSearch):
                if strategy.length_penalty is None:
                    return legacy_search(step, start, strategy, ends, fill, rules)
                return RankedSearch(step, start, strategy, ends, fill, rules).run()
            keys = answer_keys(batch["keys"], n)
            choose = chooser(strategy, rules, keys)
            start = start.repeated(n)
            out, lengths = sample_loop(step, start, choose, ends, fill)
            shape = (rows, n)
            lengths = ops.reshape(lengths, shape)
            scores = ops.full(shape, float("nan"))
            return ops.reshape(out, (*shape, size)), lengths, scores

        return program

    def start(self, batch, limit, size):
        """Read the prompts of a batch: (Start, step) of the loops, and `fixed`."""
        ids, length = batch["ids"], ops.shape(batch["ids"])[1]
        logits, state, fixed = self.transformer.prefill(
            self.model_inputs(batch),
            batch["lengths"],
            length + size,
            batch.get("new_segment"),
            batch["conditions"],
        )

        def step(ids, i, state):
            return self.model.step(ids, length + i, state, fixed)

        tokens = ops.pad(ids, [[0, 0], [0, size]])
        start = Start(logits, state, tokens, batch["lengths"], limit, size)
        return start, step, fixed

    def model_inputs(self, batch):
        """The inputs of the transformer, in its order."""
        if self.two_sides:
            return [batch["source"], batch["ids"]]
        inputs = [batch["ids"]]
        if "segments" in batch:
            inputs.append(batch["segments"])
        if self.model.config.options.get("custom_position_ids"):
            positions = ops.arange(ops.shape(batch["ids"])[1])
            positions = ops.broadcast_to(positions, ops.shape(batch["ids"]))
            inputs.append(ops.cast(positions, self.model.position.ids_dtype))
        return inputs
