"""Token shards: a corpus as token ids in memory-mapped files.

A folder holds `index.json` and, for every shard, three plain little-endian files:
`.tokens` (uint16 or uint32), `.flags` (uint8, a byte for each token) and `.starts`
(int64, where its documents begin). Every document is followed by the end token, which
counts as a token of the corpus. A folder without its index is no dataset.
"""

import hashlib
import json
from bisect import bisect_right
from pathlib import Path
from typing import NamedTuple

import numpy as np

FORMAT, VERSION, INDEX = "bert4keras3 token shards", 2, "index.json"
# Flags of a token.
CONTINUES = 1  # the word of the token before goes on
SENTENCE = 2  # a sentence begins
DOCUMENT = 4  # a document begins
SPECIAL = 8  # no text: the end token of a document
PIECE = 16  # a piece begins, a part of a document with a summary of its own
SUMMARY = 32  # the token is of the pseudo summary of its piece


class Vocabulary(NamedTuple):
    """Ids that objectives need to know: None where the tokenizer has no such token.

    size: ids are below it; end: also follows every document; hash: of all tokens.
    """

    size: int
    pad: int
    unk: int | None
    start: int | None
    end: int
    mask: int | None
    hash: str

    @property
    def special(self) -> list[int]:
        """Ids that are no text, rising."""
        ids = {self.pad, self.unk, self.start, self.end, self.mask}
        return sorted(ids - {None})

    @classmethod
    def of(cls, tokenizer) -> "Vocabulary":
        """The vocabulary of a tokenizer; documents end with its end token, or eos.

        Raises ValueError if it has neither.
        """
        roles = ("pad", "unk", "start", "end", "mask")
        found = {role: _special_id(tokenizer, role) for role in roles}
        if found["end"] is None:
            found["end"] = _special_id(tokenizer, "eos")
        if found["end"] is None:
            raise ValueError(
                "Every document is followed by an end token, and the vocabulary does "
                f"not have that of the tokenizer, {tokenizer._token_end!r}. Make it "
                'with one that it has, such as token_end="[SEP]" or "</s>".'
            )
        found["pad"] = found["pad"] or 0
        return cls(tokenizer._vocab_size, hash=_hash(tokenizer), **found)


def _special_id(tokenizer, role):
    token = getattr(tokenizer, f"_token_{role}", None)
    i = getattr(tokenizer, f"_token_{role}_id", None)
    # Tokenizers without a [MASK] may hold the unknown token's id for it.
    known = token is not None and i is not None and tokenizer.id_to_token(i) == token
    return int(i) if known else None


def tokens_of(tokenizer) -> list[str]:
    """All tokens of a tokenizer, in the order of their ids."""
    return [_token(tokenizer, i) for i in range(tokenizer._vocab_size)]


def _hash(tokenizer) -> str:
    tokens = tokens_of(tokenizer)
    return hashlib.sha256(json.dumps(tokens).encode()).hexdigest()


def _token(tokenizer, i) -> str:
    try:
        return tokenizer.id_to_token(i)
    except KeyError:
        return ""  # a gap, as a repeated line of a vocabulary leaves


class Summaries(NamedTuple):
    """How pseudo summaries were marked: tokens of a piece at most, and their ratio."""

    size: int
    ratio: float


class _Shard(NamedTuple):
    ids: np.ndarray  # (n,) uint16 or uint32
    flags: np.ndarray  # (n,) uint8
    starts: np.ndarray  # (d,) int64, within the shard
    path: Path  # of the tokens


class TokenShards:
    """A corpus that `write_shards` wrote, read where it is needed.

    folder: the dataset; tokenizer: if given, its vocabulary is compared.
    `len(shards)` is the number of documents, `shards.tokens` that of tokens, end
    tokens included, `shards.vocabulary` the `Vocabulary`, `shards.summaries` the
    `Summaries` that are marked, or None, `shards.content` a hash of all tokens and
    flags, noted when they were written.
    Raises FileNotFoundError for a folder that is no dataset, ValueError for another
    vocabulary and for files that are not as long as the index says.
    """

    def __init__(self, folder, tokenizer=None):
        self.folder = Path(folder)
        index = _read_index(self.folder / INDEX)
        self.vocabulary = Vocabulary(**index["vocabulary"])
        self.words = index["words"]  # whether a segmenter marked words
        marks = index.get("summaries")
        self.summaries = Summaries(**marks) if marks else None
        if tokenizer is not None:
            self._compare(Vocabulary.of(tokenizer))
        dtype = np.dtype(index["dtype"])
        self._shards = [_open(self.folder, one, dtype) for one in index["shards"]]
        ends = np.cumsum([len(one.ids) for one in self._shards])
        self._ends = ends.tolist()
        sums = [one["sha256"] for one in index["shards"]]
        self.content = hashlib.sha256(json.dumps(sums).encode()).hexdigest()
        self._documents = np.cumsum([len(s.starts) for s in self._shards]).tolist()
        self.tokens = self._ends[-1]

    def _compare(self, given: Vocabulary) -> None:
        if given.hash != self.vocabulary.hash:
            raise ValueError(
                f"{self.folder} was written with another vocabulary, of "
                f"{self.vocabulary.size} tokens. Received a tokenizer of {given.size} "
                "tokens: pass that of the shards, or write them anew."
            )

    def __len__(self) -> int:
        return self._documents[-1]

    def document(self, i: int) -> np.ndarray:
        """Token ids of document i, without its end token, int32 (n,)."""
        if not 0 <= i < len(self):
            raise IndexError(f"{self.folder} has {len(self)} documents, none is {i}.")
        number = bisect_right(self._documents, i)
        local = i - (self._documents[number - 1] if number else 0)
        starts = self._shards[number].starts
        first = self._first(number) + int(starts[local])
        start, end = self.document_at(first)
        return self.read(start, end - start)[0]

    def _first(self, number: int) -> int:
        return self._ends[number - 1] if number else 0

    def document_at(self, position: int) -> tuple[int, int]:
        """(first, end) of the text around a token: positions, without the end token."""
        number = bisect_right(self._ends, position)
        first, starts = self._first(number), self._shards[number].starts
        after = int(np.searchsorted(starts, position - first, "right"))
        end = self._ends[number] - first if after == len(starts) else starts[after]
        return first + int(starts[after - 1]), first + int(end) - 1

    def read(self, position: int, count: int) -> tuple[np.ndarray, np.ndarray]:
        """(ids int32, flags uint8) of `count` tokens from a position, (count,) both.

        After the last token of the corpus comes the first.
        Raises ValueError for an id that the vocabulary does not have.
        """
        ids, flags = self.windows([position], count)
        return ids[0], flags[0]

    def windows(self, positions, count: int) -> tuple[np.ndarray, np.ndarray]:
        """(ids, flags) of `count` tokens from each of the positions, (B, count)."""
        ids = np.empty((len(positions), count), "int32")
        flags = np.empty(ids.shape, "uint8")
        for row, position in enumerate(np.asarray(positions).tolist()):
            self._copy(position, ids[row], flags[row])
        # As unsigned numbers: ids beyond int32 have become negative.
        if ids.size and ids.view("uint32").max() >= self.vocabulary.size:
            self._raise_bad_id(positions, ids)
        return ids, flags

    def _copy(self, position: int, ids: np.ndarray, flags: np.ndarray) -> None:
        done, count = 0, len(ids)
        while done < count:
            place = (position + done) % self.tokens
            number = bisect_right(self._ends, place)
            shard, local = self._shards[number], place - self._first(number)
            size = min(count - done, len(shard.ids) - local)
            ids[done : done + size] = shard.ids[local : local + size]
            flags[done : done + size] = shard.flags[local : local + size]
            done += size

    def _raise_bad_id(self, positions, ids) -> None:
        bad = np.argwhere(ids.view("uint32") >= self.vocabulary.size)[0]
        place = (int(positions[bad[0]]) + int(bad[1])) % self.tokens
        shard = self._shards[bisect_right(self._ends, place)]
        raise ValueError(
            f"{shard.path}: the file is damaged, a token has the id "
            f"{ids.view('uint32')[tuple(bad)]} and the vocabulary of the index has "
            f"{self.vocabulary.size}. Write the shards anew."
        )


def _read_index(path: Path) -> dict:
    if not path.exists():
        raise FileNotFoundError(
            f"no {INDEX} in {path.parent}: a folder without it is no dataset. Write "
            "one with write_shards or `bert4keras3 shards`."
        )
    try:
        index = json.loads(path.read_text("utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} is not JSON ({error}).") from error
    kind = (index.get("format"), index.get("version")) if type(index) is dict else None
    if kind != (FORMAT, VERSION):
        raise ValueError(
            f"{path} is no index of token shards that this version reads: expected "
            f"format and version {(FORMAT, VERSION)}. Received: {kind}"
        )
    return index


def _open(folder: Path, noted: dict, dtype: np.dtype) -> _Shard:
    base = folder / noted["name"]
    kinds = {
        ".tokens": (dtype.newbyteorder("<"), noted["tokens"]),
        ".flags": (np.dtype("uint8"), noted["tokens"]),
        ".starts": (np.dtype("<i8"), noted["documents"]),
    }
    arrays = []
    for suffix, (kind, count) in kinds.items():
        path = base.with_suffix(suffix)
        size = path.stat().st_size
        if size != count * kind.itemsize:
            raise ValueError(
                f"{path} has {size} bytes, and the index says {count * kind.itemsize}: "
                "it was cut off or changed. Copy it again, or write the shards anew."
            )
        # A plain view: slices of np.memmap itself cost ten times as much.
        arrays.append(np.memmap(path, kind, "r").view(np.ndarray))
    return _Shard(*arrays, base.with_suffix(".tokens"))
