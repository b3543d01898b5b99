"""Generate: answers of a language model, whole or piece by piece."""

from typing import Any, NamedTuple

from bert4keras3.generation import Decoder, Forbid, Greedy
from bert4keras3.generation.streaming import stream_ids, stream_text
from bert4keras3.serving.tasks import Task, check_vocabulary, unnamed_ids


class Plan(NamedTuple):
    """What answers that are made in one batch share.

    maxlen: new tokens at most; strategy: Greedy(), Sampling(...), BeamSearch(...); n:
    answers per text.
    """

    maxlen: int = 32
    strategy: Any = Greedy()
    n: int = 1


class Generate(Task):
    """Continues texts; see `generation.Decoder`, which it is made of.

    model: a Transformer or the model of build_transformer_model that generates;
    tokenizer: its own; maxlen: tokens of a prompt at most; batch_size: texts of one
    model call; settings: of the Decoder, such as end_id, start_id or rules.

        Generate(model, tokenizer)(["今天天气"], Plan(maxlen=16))
    """

    name = "generate"

    def __init__(self, model, tokenizer, maxlen=None, batch_size=32, **settings):
        self.decoder = Decoder(model, tokenizer, batch_size, **settings)
        vocabulary = self.decoder.model.vocab_size
        check_vocabulary(tokenizer, vocabulary)
        unnamed = unnamed_ids(tokenizer, vocabulary)
        if unnamed:  # what has no token cannot be said
            own = self.decoder.settings
            self.decoder.settings = own.changed(rules=(*own.rules, Forbid(unnamed)))
        t = self.decoder.transformer
        limit = t.source_limit if self.decoder.two_sides else t.position_limit
        super().__init__(tokenizer, limit, maxlen, batch_size)
        if self.bucketed:  # a server meets all of them: fewer than a Decoder's own
            self.decoder.buckets = self.buckets
        # A step costs about the same for one row and for eight: fewer programs.
        self.rows = tuple(sorted({1, min(8, batch_size), batch_size}))

    def __call__(self, texts, plan=Plan(), seed=0):  # noqa: B008 (it is immutable)
        """For each text a list of n answers, {"text", "tokens"[, "score"]}.

        texts: list of str; plan: Plan; seed: an int; every text is drawn as it would
        be alone. tokens: number of new ones; score: of a beam.
        """
        return self.results([self.prepare((one, seed), plan) for one in texts], plan)

    def prepare(self, item, settings):
        """(prompt ids, seed) of (text, seed); ValueError if it has no room."""
        text, seed = item
        decoder = self.decoder
        ids = decoder.settings.encode(text)
        self.check_length(ids, "shorten it")
        decoder.checked([ids], decoder.settings.changed(maxlen=settings.maxlen))
        return ids, seed

    def fake(self, length):
        """A prompt, shorter where the model has no room for an answer behind it."""
        t, room = self.decoder.transformer, Plan().maxlen
        if not self.decoder.two_sides and t.position_limit is not None:
            length = max(1, min(length, t.position_limit + 1 - room))
        return self.fake_ids(length)[0], 0

    def warm_up(self, lengths=None, settings=Plan()):  # noqa: B008
        """See `Task`; the programs of that Plan, and of streams."""
        count = super().warm_up(lengths, settings)
        short = settings._replace(maxlen=min(2, settings.maxlen))
        for length in (lengths or self.buckets) if self.bucketed else ():
            list(self.stream(self.fake(min(length, self.maxlen)), short))
        return count

    def run(self, samples, settings):
        """Answers in one call of the decoder."""
        prompts, seeds = map(list, zip(*self.filled(samples), strict=True))
        plan, decoder = settings, self.decoder
        outputs = decoder.generate(
            prompts, plan.strategy, plan.n, seeds, maxlen=plan.maxlen
        )
        return [[self._answer(one) for one in row] for row in outputs[: len(samples)]]

    def stream(self, sample, settings):
        """Yield {"delta": piece} of one answer, then {"done": True, **answer}.

        A later token may change what was said (a space, an apostrophe): the last
        event's text is what counts.
        """
        (ids, seed), decoder = sample, self.decoder
        new = []

        def kept():
            tokens = stream_ids(
                decoder, ids, settings.strategy, [seed], maxlen=settings.maxlen
            )
            for one in tokens:
                new.append(one)
                yield one

        for piece in stream_text(decoder, kept()):
            yield {"delta": piece}
        yield {"done": True, "text": decoder.decode(new), "tokens": len(new)}

    def _answer(self, output):
        text = self.decoder.decode(output.ids)
        answer = {"text": text, "tokens": len(output.ids)}
        return answer if output.score is None else {**answer, "score": output.score}
