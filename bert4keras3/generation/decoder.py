"""Decoder: continue texts, many at once, with a cache and one compiled program."""

from numbers import Integral
from typing import NamedTuple

import numpy as np
from keras import ops

from bert4keras3.backend import runtime
from bert4keras3.backend.ahead import program_of
from bert4keras3.generation import prompts as P
from bert4keras3.generation.beam import BeamSearch, legacy_search
from bert4keras3.generation.contrastive import (
    ContrastiveSearch,
    UnitStates,
    contrastive_search,
)
from bert4keras3.generation.loop import Ends, sample_loop
from bert4keras3.generation.prompting import Prompting
from bert4keras3.generation.ranked_beam import RankedSearch
from bert4keras3.generation.sampling import Greedy, answer_keys, chooser, row_keys
from bert4keras3.generation.scoring import token_log_probs
from bert4keras3.generation.settings import Settings
from bert4keras3.generation.streaming import stream_ids, stream_text
from bert4keras3.utils.checks import as_list

SEARCHES = (BeamSearch, ContrastiveSearch)
PROGRAMS = 32  # compiled programs that a decoder keeps


class Output(NamedTuple):
    """New tokens of one prompt: ids, int32, with the end token; score, or None.

    score: of beam search, the sum of log-probabilities, penalised if so asked.
    """

    ids: np.ndarray
    score: float | None


class Decoder(Prompting):
    """Generates texts with a language model or an encoder-decoder.

    transformer: a Transformer or the Keras model that build_transformer_model
    returns, with application "lm" or "unilm", or of a family that generates;
    tokenizer: for prompts that are texts, and for the answer; maxlen: new tokens at
    most; minlen: new tokens at least; start_id: first id of an encoder-decoder's
    answer; end_id: one id or several that end a text, None: the tokenizer's or the
    config's, (): none; segment_id: of new tokens, default 1 for "unilm" and that of
    the last token otherwise; rules: see `generation.logits`; copying: take tokens from
    the prompt where a head trained for it says so, see `generation.copying`;
    batch_size: prompts at once. Raises ValueError when the model cannot generate.

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
        self.two_sides = self.model.reads_memory
        if self.two_sides and self.model is self.transformer:
            raise ValueError(
                f"{type(self.model).__name__} alone has no encoder to read a prompt: "
                "build the family's whole model."
            )
        if not isinstance(batch_size, Integral) or batch_size < 1:
            raise ValueError(
                f"batch_size must be an int >= 1. Received: {batch_size!r}"
            )
        self.tokenizer = tokenizer
        self.batch_size = batch_size
        # Few shapes; torch compiles nothing and needs none.
        self.buckets = None if runtime.BACKEND == "torch" else P.BUCKETS
        self.settings = Settings.of(self.transformer, tokenizer, settings)
        self.compilations = 0  # programs traced so far, one per set of shapes
        self.programs = {}

    def __call__(self, texts, strategy=None, n=None, seed=0, **options):
        """Continue texts: a text each, or lists of n.

        texts: list of texts or other prompts (see `generate`), or a single text, for
        which the answer is not a list; strategy: Greedy (default), Sampling,
        BeamSearch, ContrastiveSearch; n: answers per prompt; seed: see `row_keys`;
        options: maxlen, minlen, rules, conditions as in `generate`.
        """
        single = isinstance(texts, str)
        outputs = self.generate(
            [texts] if single else texts,
            strategy,
            1 if n is None else n,
            seed,
            **options,
        )
        ends = self._ends_of(options)
        answers = [[self.decode(one.ids, ends) for one in row] for row in outputs]
        answers = [row[0] for row in answers] if n is None else answers
        return answers[0] if single else answers

    def decode(self, ids, end_ids=None):
        """The text of new ids without end tokens; ValueError without a tokenizer.

        end_ids: tuple, default the decoder's own.
        """
        if self.tokenizer is None:
            raise ValueError("Pass a tokenizer to Decoder, or call its generate().")
        ends = self.settings.end_ids if end_ids is None else end_ids
        return self.tokenizer.decode([int(one) for one in ids if one not in ends])

    def generate(self, prompts, strategy=None, n=1, seed=0, conditions=(), **changes):
        """Continue prompts: for each a list of n Outputs.

        prompts: list of texts, lists of token ids, or pairs of lists: (ids, segment
        ids), with an encoder-decoder (ids, first ids of the answer); conditions:
        arrays with a row per prompt, one for each additional input of the model;
        changes: maxlen, minlen, rules, ... of this call. Raises ValueError for
        prompts the model has no ids or positions for.
        """
        strategy, settings = strategy or Greedy(), self.settings.changed(**changes)
        self._check_strategy(strategy, n)
        prompts = self.checked(prompts, settings, conditions, strategy)
        if not prompts:
            return []
        keys = row_keys(seed, len(prompts))
        outputs = [None] * len(prompts)
        for numbers in P.batches(prompts, self.batch_size, self.buckets):
            batch = self.batch(prompts, numbers, keys, conditions, settings)
            results = self._run(batch, strategy, n, settings)
            for number, *result in zip(numbers, *results, strict=False):
                outputs[number] = [
                    Output(ids[:length], float(score[0]) if score else None)
                    for ids, length, *score in zip(*result, strict=True)
                ][:n]
        return outputs

    @staticmethod
    def _check_strategy(strategy, n):
        """Raise ValueError for what is no strategy or has not n answers."""
        if not isinstance(n, Integral) or n < 1:
            raise ValueError(f"n must be an int >= 1. Received: {n!r}")
        known = callable(strategy) and not isinstance(strategy, type)
        if not known and not isinstance(strategy, SEARCHES):
            raise ValueError(
                "strategy must be Greedy(), Sampling(...), BeamSearch(...) or "
                f"ContrastiveSearch(...). Received: {strategy!r}"
            )
        several = getattr(strategy, "length_penalty", None) is not None
        if isinstance(strategy, SEARCHES) and n > (strategy.size if several else 1):
            raise ValueError(
                f"{strategy} has fewer texts to return than n={n}: take "
                f"BeamSearch({n}, length_penalty=1.0) or Sampling(...)."
            )

    def stream(self, prompt, strategy=None, seed=0, **options):
        """Yield the answer to one prompt piece by piece, as its tokens come.

        prompt, strategy, options: as in `generate`; no beam search. Pieces are texts,
        without a tokenizer ids.
        """
        ids = stream_ids(self, prompt, strategy, seed, **options)
        if self.tokenizer is None:
            return ids
        ends = self._ends_of(options)
        return stream_text(self, ids, ends)

    def log_prob(self, prompts, answers, conditions=()):
        """log p of each answer behind its prompt, float32 (N,).

        prompts, conditions: as in `generate`; answers: texts, which get an end token,
        or lists of token ids, to which it belongs if it shall count.
        """
        logs = self.token_log_probs(prompts, answers, conditions)
        return np.array([sum(one) for one in logs])

    def token_log_probs(self, prompts, answers, conditions=()):
        """The same for every token: list of float32 arrays."""
        answers = as_list(answers, "answers")
        ids = [self.answer_ids(one) if isinstance(one, str) else one for one in answers]
        return token_log_probs(self, prompts, ids, conditions)

    def perplexity(self, texts):
        """exp of the mean -log p of a token of each text but its first, float32 (N,).

        texts: texts or lists of token ids, for a language model.
        """
        prompts = [self.prompt(one, self.settings) for one in texts]
        if not prompts or any(len(one.ids) < 2 for one in prompts):
            raise ValueError("Perplexity needs texts, of two tokens or more each.")
        pairs = [(one.ids[:1], one.ids[1:]) for one in prompts]
        logs = self.token_log_probs(*map(list, zip(*pairs, strict=True)))
        return np.exp([-np.mean(one) for one in logs]).astype("float32")

    def _run(self, batch, strategy, n, settings):
        """ids, lengths and, of beams, scores of a batch, numpy (B, answers, ...)."""
        size = self.room(settings)
        key = (strategy, n, settings.program_key(), size)
        program = self.kept(key, lambda: self._program(strategy, n, settings, size))
        limit = ops.convert_to_tensor(np.array(settings.maxlen, "int32"))
        outputs = self.run(program, self.tensors(batch), limit)
        return [ops.convert_to_numpy(one) for one in outputs]

    def _ends_of(self, options):
        """The end tokens of a call with these options."""
        changes = {k: one for k, one in options.items() if k != "conditions"}
        return self.settings.changed(**changes).end_ids

    def kept(self, key, make):
        """The compiled function of that key; of the last PROGRAMS ones."""
        try:
            hash(key)  # an empty dict would not ask
        except TypeError as error:
            raise ValueError(
                "Strategies and rules must be hashable: frozen dataclasses without "
                f"lists inside. Received: {key!r:.300}"
            ) from error
        found = self.programs.pop(key, None)
        if found is None:
            found = runtime.compiled(make(), self._variables())
            if len(self.programs) >= PROGRAMS:
                del self.programs[next(iter(self.programs))]
        self.programs[key] = found
        return found

    def _variables(self):
        """All that a program may read: the model's, and those of a copying head."""
        layer = self.model.copy_layer
        own = self.transformer.model.variables
        return own if layer is None else [*own, *layer.variables]

    def program(self, prompts, strategy=None, n=1, conditions=(), **changes):
        """The `backend.ahead.Program` that `generate` runs for these prompts (jax).

        Arguments as in `generate`, for one batch: to compile it for other devices, or
        to export it. Only the number and the lengths of the prompts matter.
        """
        strategy, settings = strategy or Greedy(), self.settings.changed(**changes)
        self._check_strategy(strategy, n)
        prompts = self.checked(prompts, settings, conditions, strategy)
        keys = row_keys(0, len(prompts))
        numbers = range(len(prompts))
        batch = self.batch(prompts, numbers, keys, conditions, settings)
        function = self._program(strategy, n, settings, self.room(settings))
        limit = np.array(settings.maxlen, "int32")
        return program_of(function, self._variables(), batch, limit)

    def run(self, program, *tensors):
        """Call a program; a pass belongs to the builder, hence one at a time."""
        with self.transformer.lock:
            return program(*tensors)

    def _program(self, strategy, n, settings, size):
        """The function that is compiled: prompts in, new tokens out."""
        ends = Ends(settings.end_ids, settings.least, settings.min_ends)
        rules = settings.all_rules()
        fill, aids = self.model.pad_token_id or 0, self.aids(settings)
        contrastive = isinstance(strategy, ContrastiveSearch)
        aids = (*aids, UnitStates()) if contrastive else aids

        def program(batch, limit):
            self.compilations += 1
            start, step, _ = self.start(batch, limit, size, aids)
            if isinstance(strategy, BeamSearch):
                if strategy.length_penalty is None:
                    return legacy_search(step, start, strategy, ends, fill, rules)
                return RankedSearch(step, start, strategy, ends, fill, rules).run()
            if contrastive:
                return contrastive_search(step, start, strategy, ends, fill, rules)
            keys = answer_keys(batch["keys"], n)
            choose = chooser(strategy, rules, keys)
            start = start.repeated(n)
            out, lengths = sample_loop(step, start, choose, ends, fill)
            return ops.reshape(out, (-1, n, size)), ops.reshape(lengths, (-1, n))

        return program
