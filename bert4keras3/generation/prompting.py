"""What a Decoder does with prompts: texts and ids become batches of inputs."""

import numpy as np
from keras import ops

from bert4keras3.backend.tensors import batch_gather
from bert4keras3.generation import prompts as P
from bert4keras3.generation.contrastive import ContrastiveSearch
from bert4keras3.generation.copying import Copying
from bert4keras3.generation.loop import Start, map_rows
from bert4keras3.utils.checks import as_list


class Prompting:
    """Mixin of Decoder; uses its transformer, model, tokenizer and settings."""

    def checked(self, prompts, settings, conditions=(), strategy=None):
        """The prompts as `Prompt`s, with ids, positions and conditions there are."""
        if isinstance(prompts, str) or P.is_pair(prompts):
            raise ValueError(
                "prompts must be a list of prompts: put a single one into a list. "
                f"Received: {prompts!r:.200}"
            )
        prompts = [self.prompt(one, settings) for one in as_list(prompts, "prompts")]
        model = self.model
        P.check_ids(prompts, model.vocab_size, model.pad_token_id)
        P.check_segments(prompts, settings.segment_id, self.segment_count)
        read = isinstance(strategy, ContrastiveSearch)  # its last token as well
        self.check_room(prompts, settings.maxlen + read)
        self.check_conditions(conditions, len(prompts))
        return prompts

    @property
    def segment_count(self):
        """Segment ids there are: as many as tokens where they share a table."""
        model = self.model
        shared = model.config.options.get("shared_segment_embeddings")
        rows = model.segment_vocab_size
        return model.vocab_size if shared and rows else rows

    @staticmethod
    def check_conditions(conditions, count):
        """Raise ValueError unless every condition has a row for each prompt."""
        if not isinstance(conditions, (list, tuple)):
            raise ValueError(
                "conditions must be a list of arrays, one for each additional input. "
                f"Received: {type(conditions).__name__}"
            )
        for one in conditions:
            if len(one) != count:
                raise ValueError(
                    f"conditions need a row for each of {count} prompts. "
                    f"Received: {len(one)}"
                )

    def prompt(self, given, settings):
        """A prompt as users give it, as ids, segments and source."""
        prompt = P.as_prompt(given, settings.encode, settings.start_id, self.two_sides)
        if self.two_sides or settings.start_id is None:
            return prompt
        new = settings.segment_id
        return prompt.extended((settings.start_id,), new)

    def answer_ids(self, text):
        """Ids of an answer: those of the text without start, with an end token."""
        ids = self.settings.encode(text)
        start = getattr(self.tokenizer, "_token_start_id", None)
        ids = ids[1:] if start is not None and ids[0] == start else ids
        ends = self.settings.end_ids
        return ids if not ends or ids[-1] in ends else [*ids, ends[0]]

    def check_room(self, prompts, maxlen):
        """Raise ValueError if a side of the model has too few positions."""
        limit, source_limit = self.model.position_limit, self.transformer.source_limit
        longest = max((len(one.ids) for one in prompts), default=0)
        # The last new token is never read.
        if limit is not None and longest + maxlen - 1 > limit:
            raise ValueError(
                f"A prompt of {longest} tokens and maxlen={maxlen} new ones need more "
                f"than the model's {limit} positions: shorten the prompt or lower "
                "maxlen."
            )
        longest = max((len(one.source or ()) for one in prompts), default=0)
        if source_limit is not None and longest > source_limit:
            raise ValueError(
                f"A prompt of {longest} tokens is longer than the encoder's "
                f"{source_limit} positions: shorten it."
            )

    def room(self, settings):
        """Places for new tokens: maxlen, or where that is compiled its bucket."""
        size = settings.maxlen
        return P.bucket(size, self.buckets) if self.buckets else size

    def batch(self, prompts, numbers, keys, conditions=(), settings=None):
        """Arrays of a batch; a row of padding is the last prompt once more."""
        settings, count = settings or self.settings, len(numbers)
        rows = P.bucketed_rows(count, self.batch_size) if self.buckets else count
        numbers = [*numbers, *[numbers[-1]] * (rows - count)]
        chosen = [prompts[number] for number in numbers]
        pad = self.model.pad_token_id or 0
        limit, source_limit = self.model.position_limit, self.transformer.source_limit
        how = {"buckets": self.buckets, "limit": limit}
        batch = {
            "ids": P.padded([one.ids for one in chosen], pad, **how),
            "lengths": np.array([len(one.ids) for one in chosen], "int32"),
            "keys": keys[numbers],
        }
        if self.two_sides:
            how["limit"] = source_limit
            batch["source"] = P.padded([one.source for one in chosen], pad, **how)
        elif self.model.segment_vocab_size:
            batch["segments"] = P.padded([one.segments for one in chosen], 0, **how)
            new = settings.segment_id
            own = [one.segments[-1] if new is None else new for one in chosen]
            batch["new_segment"] = np.array(own, "int32")
        if settings.copying:
            source = [one.source if self.two_sides else one.ids for one in chosen]
            batch["copied"] = P.padded(source, -1, **how)
        batch["conditions"] = tuple(np.asarray(one)[numbers] for one in conditions)
        return batch

    @staticmethod
    def tensors(batch):
        """The arrays of a batch as tensors."""
        return map_rows(ops.convert_to_tensor, batch)

    def start(self, batch, limit, size, aids=()):
        """Read the prompts of a batch: (Start, step) of the loops, and `fixed`.

        aids: what looks at states to change logits, or keeps them for a search.
        """
        ids, length = batch["ids"], ops.shape(batch["ids"])[1]
        logits, state, fixed = self.transformer.prefill(
            self.model_inputs(batch),
            batch["lengths"],
            length + size,
            batch.get("new_segment"),
            batch["conditions"],
            keep_states=bool(aids),
        )
        for aid in aids:
            logits, state = aid.begin(logits, state, batch, length + size)
        if aids:  # of the prompt's last token from here on, as after a step
            last = batch_gather(state["states"], batch["lengths"][:, None] - 1)
            state["states"] = last

        def step(ids, i, state):
            return self.read_token(ids, length + i, state, fixed, aids)

        tokens = ops.pad(ids, [[0, 0], [0, size]])
        start = Start(logits, state, tokens, batch["lengths"], limit, size)
        return start, step, fixed

    def read_token(self, ids, slot, state, fixed, aids=()):
        """A step of the model, and what its aids make of it: (logits, state)."""
        logits, state = self.model.step(ids, slot, state, fixed)
        for aid in aids:
            logits, state = aid.follow(logits, ids, slot, state)
        return logits, state

    def aids(self, settings):
        """What the settings need of the states. Raises ValueError without a head."""
        if not settings.copying:
            return ()
        layer = self.model.copy_layer
        if layer is None:
            raise ValueError(
                "copying needs a head that says what to copy: make the model's "
                "training_model(copying=True), train it or load its weights."
            )
        return (Copying(layer),)

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
