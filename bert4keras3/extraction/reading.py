"""Reading comprehension: questions with their passages, windows of long passages.

Answers are pieces of the passage; characters are counted, ends are open.
"""

import os
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from bert4keras3.extraction.jsonl import not_empty, read_json
from bert4keras3.extraction.spans import same_count


class Answer(NamedTuple):
    """`passage[start : start + len(text)]` is `text`; start is -1 if it is nowhere."""

    text: str
    start: int


class Question(NamedTuple):
    """A question about a passage, with the answers of its annotators, if any."""

    id: str
    question: str
    passage: str
    answers: tuple[Answer, ...]


class Window(NamedTuple):
    """A piece of a question's passage.

    row: which question; token_ids: n ints without special tokens; offsets: (n, 2), of
    the tokens in the whole passage; answer: first and last token of the first answer
    in the window, both included, or None.
    """

    row: int
    token_ids: list[int]
    offsets: np.ndarray
    answer: tuple[int, int] | None


def read_squad(path: str | os.PathLike) -> list[Question]:
    """Read the questions of a SQuAD 1.1 file (CMRC 2018, DRCD).

    An answer whose text is not where the file says, as 2% of CMRC's, gets the place
    next to it where the text is.
    Raises ValueError, naming the file and the place in it, for anything else.
    """
    content = read_json(path)
    found = []
    for i, document in enumerate(_get(content, "data", list, f"{path}")):
        place = f"{path}, data[{i}]"
        for j, part in enumerate(_get(document, "paragraphs", list, place)):
            found += _questions(part, f"{place}.paragraphs[{j}]")
    return not_empty(path, found)


def _questions(paragraph, place: str) -> Iterator[Question]:
    passage = _get(paragraph, "context", str, place)
    for k, item in enumerate(_get(paragraph, "qas", list, place)):
        here = f"{place}.qas[{k}]"
        name, question = (_get(item, key, str, here) for key in ("id", "question"))
        answers = _get(item, "answers", list, here) if "answers" in item else []
        pairs = [
            (_get(one, "text", str, here), _get(one, "answer_start", int, here))
            for one in answers
        ]
        places = tuple(Answer(one[0], _nearest(passage, *one)) for one in pairs)
        yield Question(name, question, passage, places)


def _get(item, key: str, kind: type, place: str):
    value = item.get(key) if isinstance(item, dict) else None
    if not isinstance(value, kind):
        raise ValueError(
            f"{place}: expected {key!r} with a {kind.__name__}, as in SQuAD 1.1. "
            f"Found {value if isinstance(item, dict) else item!r:.60}"
        )
    return value


def _nearest(passage: str, text: str, start: int) -> int:
    """The place of `text` nearest to `start`, -1 if there is none."""
    if not text or passage.startswith(text, start):
        return start if text and start >= 0 else -1
    after, before = passage.find(text, max(start, 0)), passage.rfind(text, 0, start)
    near = [place for place in (after, before) if place >= 0]
    return min(near, key=lambda place: abs(place - start), default=-1)


def passage_windows(
    tokenizer, questions: Sequence[Question], size: int | Sequence[int], stride: int
) -> list[Window]:
    """Cut the passages of all questions into windows of at most `size` tokens.

    size: for all, or one for every question; stride: tokens from one window to the
    next. The windows of a question follow each other, and its passage is tokenized once
    for all its questions. Raises ValueError unless 1 <= stride <= size.
    """
    sizes = [size] * len(questions) if isinstance(size, int) else list(size)
    same_count("questions", len(questions), "size", len(sizes))
    least = min(sizes, default=stride)
    if not 1 <= stride <= least:
        raise ValueError(
            f"stride must be from 1 to size. Received: stride={stride}, size={least}"
        )
    known, windows = {}, []
    for row, (one, size) in enumerate(zip(questions, sizes, strict=True)):
        if one.passage not in known:
            known[one.passage] = _tokens(tokenizer, one.passage)
        ids, offsets = known[one.passage]
        where = _answer_tokens(one, offsets)
        last = max(len(ids) - size, 0)
        for start in [*range(0, last, stride), last]:
            inside = None
            if where and start <= where[0] and where[1] < start + size:
                inside = where[0] - start, where[1] - start
            piece = slice(start, start + size)
            windows.append(Window(row, ids[piece], offsets[piece], inside))
    return windows


def _tokens(tokenizer, text: str) -> tuple[list[int], np.ndarray]:
    """Ids and offsets of a text's tokens without the special ones around them."""
    tokens = tokenizer.tokenize(text)
    offsets = tokenizer.offsets(text, tokens)
    real = np.flatnonzero(offsets[:, 1] > offsets[:, 0])
    ids = tokenizer.tokens_to_ids(tokens)
    return [ids[i] for i in real], offsets[real]


def _answer_tokens(question: Question, offsets) -> tuple[int, int] | None:
    """First and last token that hold characters of the first answer."""
    starts = [one for one in question.answers if one.start >= 0][:1]
    for text, start in starts:
        over = (offsets[:, 0] < start + len(text)) & (offsets[:, 1] > start)
        places = np.flatnonzero(over)
        if len(places):
            return int(places[0]), int(places[-1])
    return None


def window_text(question: Question, window: Window, first: int, last: int) -> str:
    """The characters of the passage from token `first` of a window to `last`."""
    start, end = window.offsets[first][0], window.offsets[last][1]
    return question.passage[start:end]


def vote_answers(answers: Iterable[tuple[str, float]]) -> str:
    """The answer that several windows or passages agree on, "" without any.

    answers: (text, score in 0 to 1) of every window. The score of a text is
    sum(s ** 2) / (sum(s) + 1): certain answers count more, and so do repeated ones.
    """
    scores = defaultdict(list)
    for text, score in answers:
        scores[text].append(score)

    def agreed(text):
        return sum(s * s for s in scores[text]) / (sum(scores[text]) + 1)

    return max(scores, key=agreed, default="")
