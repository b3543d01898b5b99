"""Beam search that keeps ended texts and ranks them by length-penalised scores.

B prompts, G groups of n beams, k = G * n, L room for new tokens, V vocabulary.
"""

from keras import ops

from bert4keras3.backend.tensors import batch_gather
from bert4keras3.generation.beam import NEVER, Beams
from bert4keras3.generation.loop import best_pairs


class RankedSearch:
    """One search; `run` returns ids (B, k, L), lengths and scores (B, k)."""

    def __init__(self, step, start, options, ends, fill, rules=()):
        self.options, self.ends = options, ends
        self.beams = Beams(step, start, options, rules, fill)
        self.size = options.size // options.groups

    def run(self):
        """All texts of each prompt, the best first."""
        shape = (self.beams.batch, self.options.size)
        own = {
            "ended": ops.full(shape, NEVER, dtype="float32"),
            "texts": self.beams.out,
            "lengths": ops.zeros(shape, dtype="int32"),
            "done": ops.zeros((shape[0], self.options.groups), dtype="bool"),
        }
        v = self.beams.run(own, self.select, self.unfinished)
        scores, order = ops.top_k(v["ended"], self.options.size)
        order = ops.cast(order, "int32")
        # What never ended is no text, but has a place: it is empty.
        lengths = ops.where(scores > NEVER / 2, batch_gather(v["lengths"], order), 0)
        return batch_gather(v["texts"], order), lengths, scores

    def unfinished(self, i, v):
        """Whether some text may still become better."""
        return ops.logical_and(
            i < self.beams.limit, ops.logical_not(ops.all(v["done"]))
        )

    def select(self, i, totals, v):
        """One step of every group; later groups avoid the tokens of earlier ones."""
        parts, taken = [], None
        for group in range(self.options.groups):
            beams = slice(group * self.size, (group + 1) * self.size)
            mine = {
                name: v[name][:, beams] for name in ("out", "ended", "texts", "lengths")
            }
            mine["done"] = v["done"][:, group]
            part = self._step(i, totals[:, beams], mine, taken)
            part["parents"] = part["parents"] + group * self.size
            parts.append(part)
            if group + 1 < self.options.groups:
                found = ops.one_hot(part["ids"], self.beams.vocabulary, dtype="float32")
                found = ops.sum(found, axis=1)
                taken = found if taken is None else taken + found
        changed = {
            name: ops.concatenate([part[name] for part in parts], axis=1)
            for name in parts[0]
        }
        return changed, changed.pop("parents")

    def _step(self, i, totals, v, taken):
        """Candidates of one group: those that end are ranked, the others go on."""
        count = 2 * self.size  # enough to go on if the first half ends
        wanted = totals
        if taken is not None:
            wanted = totals - self.options.diversity * taken[:, None]
        scores, parents, ids = best_pairs(wanted, count)
        if taken is not None:  # the scores themselves are not changed by diversity
            flat = ops.reshape(totals, (self.beams.batch, -1))
            places = parents * self.beams.vocabulary + ids
            scores = ops.take_along_axis(flat, places, axis=1)
        out = self.beams.placed(batch_gather(v["out"], parents), i, ids)
        over = self._over(i, ids, out)
        ranked = self._ranked(i, scores, out, over, v)
        running, order = ops.top_k(ops.where(over, scores + NEVER, scores), self.size)
        order = ops.cast(order, "int32")
        length = ops.cast(i + 1, "float32") ** self.options.length_penalty
        hopeless = running[:, 0] / length <= ops.min(ranked["ended"], axis=1)
        hopeless = ops.logical_or(hopeless, running[:, 0] <= NEVER / 2)
        done = ops.logical_or(v["done"], hopeless)
        if self.options.early_stopping:
            done = ops.logical_or(done, ops.all(ranked["ended"] > NEVER / 2, axis=1))
        return {
            "ids": batch_gather(ids, order),
            "parents": batch_gather(parents, order),
            "scores": ops.maximum(running, NEVER),
            "out": batch_gather(out, order),
            "done": done[:, None],
            **ranked,
        }

    def _over(self, i, ids, out):
        """Bool (B, 2n): which candidates end here, all of them at the limit."""
        there = ops.logical_and(self.ends.hit(out), ops.arange(self.beams.size) <= i)
        counts = ops.sum(ops.cast(there, "int32"), axis=-1)
        over = self.ends.over(i, self.ends.hit(ids), counts)
        return ops.logical_or(over, i + 1 >= self.beams.limit)

    def _ranked(self, i, scores, out, over, v):
        """The n best ended texts: those of before and the new ones."""
        length = ops.cast(i + 1, "float32") ** self.options.length_penalty
        first = ops.arange(2 * self.size) < self.size
        new = ops.logical_and(over, first)
        new = ops.logical_and(new, ops.logical_not(v["done"][:, None]))
        new = ops.logical_and(new, scores > NEVER / 2)
        scores = ops.where(new, scores / length, NEVER)
        ended, order = ops.top_k(
            ops.concatenate([v["ended"], scores], axis=1), self.size
        )
        order = ops.cast(order, "int32")
        texts = ops.concatenate([v["texts"], out], axis=1)
        fresh = ops.cast(ops.full_like(scores, 0), "int32") + i + 1
        lengths = ops.concatenate([v["lengths"], fresh], axis=1)
        return {
            "ended": ended,
            "texts": batch_gather(texts, order),
            "lengths": batch_gather(lengths, order),
        }
