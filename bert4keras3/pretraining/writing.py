"""Writing token shards: a new folder that appears complete or not at all."""

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from bert4keras3.pretraining.encoding import DocumentEncoder, split_sentences
from bert4keras3.pretraining.shards import (
    DOCUMENT,
    FORMAT,
    INDEX,
    PIECE,
    SPECIAL,
    VERSION,
    Summaries,
    Vocabulary,
)
from bert4keras3.utils.parallel import parallel_apply

CHUNK = 1 << 20  # characters that are encoded at a time


def write_shards(
    documents: Iterable,
    folder,
    tokenizer,
    segment: Callable | None = None,
    sentences: Callable = split_sentences,
    summaries: int | None = None,
    summary_ratio: float = 0.25,
    shard_tokens: int = 1 << 27,
    workers: int = 1,
    progress: Callable | None = None,
) -> dict:
    """Encode documents and write them as token shards, for `TokenShards`.

    documents: iterable of texts or of lists of sentences, such as `read_documents`;
    folder: a new one, or an empty one; tokenizer: its start and end tokens are left
    out, and its end token is put after every document; segment: text -> list of words
    (`jieba.lcut`) for whole-word masking, needs a `Tokenizer`; by default a word is a
    token with the "##" pieces that follow; sentences: text -> list of sentences;
    summaries, summary_ratio: mark the pseudo summaries of pieces of so many tokens at
    most, for `PseudoSummaries`, which then reads them; None: no marks; shard_tokens: a
    shard gets no more, unless a document alone is longer; workers: processes that
    encode; progress: called with the documents and tokens so far.
    Returns {"documents", "tokens", "shards", "empty"}: empty counts the documents
    without any token, which are left out.
    Raises FileExistsError if the folder holds anything, ValueError for no documents.
    """
    if isinstance(documents, (str, bytes, os.PathLike)):
        raise ValueError(
            "documents must be an iterable of texts. For a file pass "
            f"read_documents([path]). Received: {documents!r:.100}"
        )
    if workers < 1:
        raise ValueError(f"workers must be at least 1. Received: {workers}")
    marks = None if summaries is None else Summaries(summaries, summary_ratio)
    encoder = DocumentEncoder(tokenizer, segment, sentences, marks)
    given = _Counted(documents)
    index = {"words": segment is not None, "summaries": marks}
    with ShardWriter(folder, Vocabulary.of(tokenizer), shard_tokens, **index) as writer:

        def add(encoded):
            writer.add(*encoded)
            if progress is not None:
                progress(writer.documents, writer.tokens)

        _apply(encoder, _chunks(given), workers, add)
    return {
        "documents": writer.documents,
        "tokens": writer.tokens,
        "shards": len(writer.shards),
        "empty": given.count - writer.documents,
    }


def _apply(encoder, chunks, workers, add):
    """Call `add` with the results of all chunks, in their order."""
    if workers == 1:
        for chunk in chunks:
            add(encoder(chunk))
        return
    queue = {"workers": workers, "max_queue_size": 2 * workers}
    how = {"callback": add, "random_seeds": False, "unordered": False}
    parallel_apply(encoder, chunks, **queue, **how)


class _Counted:
    """An iterable that counts what it gave."""

    def __init__(self, items):
        self.items, self.count = items, 0

    def __iter__(self):
        for item in self.items:
            self.count += 1
            yield item


def _chunks(documents: Iterable) -> Iterator[list]:
    """Lists of documents, of about CHUNK characters each."""
    chunk, size = [], 0
    for one in documents:
        if not isinstance(one, (str, list, tuple)):
            raise ValueError(
                "a document must be a text or a list of sentences. Received: "
                f"{one!r:.100}"
            )
        chunk.append(one)
        size += 1 + (len(one) if isinstance(one, str) else sum(map(len, one)))
        if size >= CHUNK:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk


class ShardWriter:
    """Write documents of token ids as shards, for those who encode them themselves.

        with ShardWriter(folder, Vocabulary.of(tokenizer)) as writer:
            writer.add(ids, flags)

    folder: a new or empty one, which gets its files when the block ends without error;
    vocabulary: see `Vocabulary`; shard_tokens: a shard gets no more, unless a document
    alone is longer; words: whether a segmenter marked words, summaries: how summaries
    were marked, a `Summaries`, for the index alone.
    Raises FileExistsError if the folder holds anything, ValueError for no documents.
    """

    def __init__(
        self,
        folder,
        vocabulary: Vocabulary,
        shard_tokens: int = 1 << 27,
        words: bool = False,
        summaries: Summaries | None = None,
    ):
        if shard_tokens < 1:
            raise ValueError(
                f"shard_tokens must be at least 1. Received {shard_tokens}"
            )
        self.folder, self.vocabulary = Path(folder), vocabulary
        self.limit, self.words, self.summaries = shard_tokens, words, summaries
        self.dtype = "uint16" if vocabulary.size <= 1 << 16 else "uint32"
        self.documents = self.tokens = 0
        self.shards, self._open = [], None

    def __enter__(self):
        if self.folder.exists() and (
            not self.folder.is_dir() or any(self.folder.iterdir())
        ):
            raise FileExistsError(
                f"{self.folder} exists and is not empty: remove it, or name a new "
                "folder for the shards."
            )
        parent = self.folder.absolute().parent
        parent.mkdir(parents=True, exist_ok=True)
        name = f".{self.folder.absolute().name}."
        self._temporary = Path(tempfile.mkdtemp(prefix=name, dir=parent))
        return self

    def __exit__(self, kind, value, trace):
        try:
            self._close()
            if kind is None:
                self._commit()
        finally:
            # Nothing is there any more if it has become the folder.
            shutil.rmtree(self._temporary, ignore_errors=True)

    def add(self, ids: np.ndarray, flags: np.ndarray) -> None:
        """Add whole documents: ids (n,), flags (n,) uint8, each with its end token.

        flags: sums of CONTINUES, SENTENCE, DOCUMENT and others, see `shards`.
        Raises ValueError unless the first token begins a document, every document
        ends with a token marked SPECIAL, and all ids are of the vocabulary.
        """
        if not len(ids):
            return
        if self.summaries is not None and not (flags[0] & PIECE):
            raise ValueError(
                "summaries were announced, and the flags have no marks: pass those of "
                "summary_marks.mark_summaries."
            )
        starts = np.flatnonzero(flags & DOCUMENT)
        ends = np.append(starts[1:], len(flags))
        if len(ids) != len(flags) or not _are_whole(flags, starts, ends):
            raise ValueError(
                "ids and flags must be whole documents: as long as each other, the "
                "first token flagged DOCUMENT, the last of each document SPECIAL, and "
                "text before it."
            )
        if ids.min() < 0 or ids.max() >= self.vocabulary.size:
            raise ValueError(
                f"ids must be in [0, {self.vocabulary.size}), the vocabulary. Received "
                f"ids from {ids.min()} to {ids.max()}."
            )
        first = 0
        while first < len(starts):
            room = self.limit - (self._open.tokens if self._open else 0)
            fitting = int(np.searchsorted(ends - starts[first], room, "right"))
            if fitting <= first and self._open:
                self._close()
                continue
            fitting = max(fitting, first + 1)
            low, high = starts[first], ends[fitting - 1]
            if not self._open:
                name = f"shard-{len(self.shards):05d}"
                self._open = _OpenShard(self._temporary / name)
            at = starts[first:fitting] - low
            self._open.write(ids[low:high].astype(self.dtype), flags[low:high], at)
            first = fitting
        self.documents += len(starts)
        self.tokens += len(ids)

    def _close(self) -> None:
        if self._open:
            self._open.close()
            self.shards.append(self._open.noted())
            self._open = None

    def _commit(self) -> None:
        if not self.documents:
            raise ValueError(
                f"no document with a token was given, {self.folder} is not written."
            )
        index = {
            "format": FORMAT,
            "version": VERSION,
            "dtype": self.dtype,
            "words": self.words,
            "summaries": self.summaries and self.summaries._asdict(),
            "documents": self.documents,
            "tokens": self.tokens,
            "vocabulary": self.vocabulary._asdict(),
            "shards": self.shards,
        }
        path = self._temporary / INDEX
        path.write_text(json.dumps(index, indent=1), "utf-8")
        os.chmod(self._temporary, 0o755)  # mkdtemp lets nobody else in
        os.replace(self._temporary, self.folder)


def _are_whole(flags, starts, ends) -> bool:
    """Whether flags are those of documents, which begin and end there."""
    if not len(starts) or starts[0]:
        return False
    return bool((flags[ends - 1] & SPECIAL).all() and (ends - starts > 1).all())


class _OpenShard:
    """The three files of a shard that is being written."""

    def __init__(self, path: Path):
        self.path, self.tokens, self.documents = path, 0, 0
        self._stack, self._hashes = ExitStack(), [hashlib.sha256() for _ in range(2)]
        self._files = [
            self._stack.enter_context(open(path.with_suffix(suffix), "wb"))
            for suffix in (".tokens", ".flags", ".starts")
        ]

    def write(self, ids, flags, starts) -> None:
        arrays = (ids, flags.astype("uint8"), starts.astype("int64") + self.tokens)
        parts = [one.astype(one.dtype.newbyteorder("<")).tobytes() for one in arrays]
        for file, part in zip(self._files, parts, strict=True):
            file.write(part)
        for one, part in zip(self._hashes, parts, strict=False):  # tokens, flags
            one.update(part)
        self.tokens += len(ids)
        self.documents += len(starts)

    def close(self) -> None:
        with self._stack:
            for file in self._files:
                file.flush()
                os.fsync(file.fileno())

    def noted(self) -> dict:
        sizes = {"tokens": self.tokens, "documents": self.documents}
        content = hashlib.sha256(b"".join(one.digest() for one in self._hashes))
        return {"name": self.path.name, **sizes, "sha256": content.hexdigest()}
