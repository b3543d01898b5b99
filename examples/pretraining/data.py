"""From text lines to masked language model batches, in numpy.

B batch · T row length · K masked tokens of a row. A batch is a function of the
seed and its number alone, so that a resumed run sees what it would have seen.
"""

from pathlib import Path

import numpy as np

from bert4keras3.tokenizers import Tokenizer

LONGEST_WORD = 6


class Stream:
    """A corpus as one long run of token ids, texts parted by [SEP].

    ids: (N,) int32; starts: (N,) bool, True at the first token of a word;
    vocab: {token: id}.
    """

    def __init__(self, ids, starts, vocab):
        self.ids, self.starts, self.vocab_size = ids, starts, len(vocab)
        self.cls, self.sep = vocab["[CLS]"], vocab["[SEP]"]
        self.mask = vocab["[MASK]"]

    @classmethod
    def read(cls, path, vocab, words=None):
        """Encode a file of texts; `words` is a set for whole-word masking."""
        tokenizer = Tokenizer(vocab, do_lower_case=True)
        lines = [t for t in Path(path).read_text(encoding="utf-8").split("\n") if t]
        ids, starts = [], []
        for text in lines:
            # The first and last of a row are the tokenizer's own [CLS] and [SEP].
            tokens = tokenizer.tokenize(text)[1:]
            ids.extend(tokenizer.tokens_to_ids(tokens))
            starts.extend(word_starts(tokens, words))
        return cls(np.array(ids, "int32"), np.array(starts), vocab)


def word_starts(tokens, words=None):
    """True for each token that begins a word.

    Without `words` every token is a word of its own; with them the longest
    known word wins (forward maximum matching) and "##" pieces never begin one.
    """
    starts = [words is None or not t.startswith("##") for t in tokens]
    i = 0
    while words and i < len(tokens):
        size = min(LONGEST_WORD, len(tokens) - i)
        while size > 1 and "".join(tokens[i : i + size]) not in words:
            size -= 1
        starts[i + 1 : i + size] = [False] * (size - 1)
        i += size
    return starts


def cut_rows(stream, length, offset=0):
    """Cut a stream into rows ``[CLS] ... [SEP]`` from `offset` on.

    Returns ids: (R, T) int32 and starts: (R, T) bool.
    """
    inner = length - 2
    count = (len(stream.ids) - offset) // inner
    if count < 1:
        raise ValueError(
            f"The text has {len(stream.ids)} tokens, too few for one row of "
            f"{length}. Give more text or a smaller --length."
        )
    body = slice(offset, offset + count * inner)
    ids = np.full((count, length), stream.sep, "int32")
    starts = np.ones((count, length), bool)
    ids[:, 0] = stream.cls
    ids[:, 1:-1] = stream.ids[body].reshape(count, inner)
    starts[:, 1:-1] = stream.starts[body].reshape(count, inner)
    return ids, starts


def mask_rows(ids, starts, stream, masked, rng):
    """Hide `masked` (K) tokens of every row, word by word.

    80% become [MASK], 10% a random token, 10% stay (arXiv:1810.04805).
    Returns inputs (B, T), positions (B, K) ascending, labels (B, K), all int32,
    and weights (B, K) float32, 0 where a row has fewer than K tokens to hide.
    """
    words = np.cumsum(starts, axis=1) - 1
    score = np.take_along_axis(rng.random(ids.shape), words.clip(0), axis=1)
    # Tokens of one word share a score; [CLS] and [SEP] come last.
    score[(ids == stream.cls) | (ids == stream.sep)] = 2.0
    positions = np.argsort(score, axis=1, kind="stable")[:, :masked]
    positions = np.sort(positions, axis=1).astype("int32")
    weights = np.take_along_axis(score, positions, axis=1) < 2.0
    labels = np.take_along_axis(ids, positions, axis=1)

    dice = rng.random(positions.shape)
    ordinary = rng.integers(stream.mask + 1, stream.vocab_size, positions.shape)
    shown = np.where(dice < 0.8, stream.mask, np.where(dice < 0.9, ordinary, labels))
    inputs = ids.copy()
    np.put_along_axis(inputs, positions, np.where(weights, shown, labels), axis=1)
    return inputs.astype("int32"), positions, labels, weights.astype("float32")


class Batches:
    """Numbered training batches: ``batches[i]`` -> (inputs, labels, weights).

    Every epoch cuts the stream at another offset, shuffles the rows and draws
    new masks. inputs = {"Input-Token", "Input-Segment", "Masked-Position"}.
    """

    def __init__(self, stream, length, batch_size, mask_rate=0.15, seed=0):
        self.stream, self.length, self.seed = stream, length, seed
        self.batch_size = batch_size
        self.masked = max(1, round(mask_rate * (length - 2)))
        spare = len(stream.ids) - length - 2
        self.per_epoch = max(1, spare // (length - 2) // batch_size)
        self._epoch = None

    def __getitem__(self, index):
        epoch, batch = divmod(index, self.per_epoch)
        if epoch != self._epoch:
            self._begin(epoch)
        part = self._order[batch * self.batch_size :][: self.batch_size]
        rng = np.random.default_rng([self.seed, 1, index])
        return as_batch(self._rows[0][part], self._rows[1][part], self, rng)

    def _begin(self, epoch):
        rng = np.random.default_rng([self.seed, 0, epoch])
        spare = max(1, min(self.length, len(self.stream.ids) - self.length + 3))
        offset = int(rng.integers(spare))
        self._rows = cut_rows(self.stream, self.length, offset)
        self._order = rng.permutation(len(self._rows[0]))
        self._epoch = epoch


def as_batch(ids, starts, batches, rng):
    """Mask rows and name them after the model's inputs."""
    inputs, positions, labels, weights = mask_rows(
        ids, starts, batches.stream, batches.masked, rng
    )
    named = {
        "Input-Token": inputs,
        "Input-Segment": np.zeros_like(inputs),
        "Masked-Position": positions,
    }
    return named, labels, weights
