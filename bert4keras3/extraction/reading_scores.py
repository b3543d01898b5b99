"""Scores of reading comprehension: exact match and F1 as CMRC 2018 counts them."""

import re
from collections.abc import Sequence

from bert4keras3.extraction.reading import Question
from bert4keras3.extraction.spans import same_count
from bert4keras3.utils.text import longest_common_substring

# What CMRC's rule leaves out: these, and no other punctuation.
_DROPPED = str.maketrans("", "", "-:_*^/\\~`+=，。：？！“”；’《》·、「」（）－～『』")
_SEGMENTS = re.compile(r"[\u4e00-\u9fa5]|[0-9]+(?:[.,][0-9]+)*|[^\W\u4e00-\u9fa5]+|\S")


def reading_scores(
    predictions: Sequence[str], questions: Sequence[Question]
) -> dict[str, float]:
    """Mean exact match "em" and "f1" of predicted answers, each from 0 to 1.

    predictions: one text for every question, "" for none; the best of a question's
    answers counts. CMRC 2018's rule (https://github.com/ymcui/cmrc2018): lower case,
    without most punctuation; F1 of the longest common run of Chinese characters and
    words. Other words are runs of letters or digits, where CMRC asks nltk.
    Raises ValueError for another number of predictions, or a question without answers.
    """
    same_count("predictions", len(predictions), "questions", len(questions))
    exact = total = 0.0
    for text, question in zip(predictions, questions, strict=True):
        if not question.answers:
            raise ValueError(
                f"Question {question.id!r} has no answers to compare with."
            )
        truths = [answer.text for answer in question.answers]
        exact += any(_plain(text) == _plain(one) for one in truths)
        total += max(answer_f1(text, one) for one in truths)
    count = max(len(questions), 1)
    return {"em": exact / count, "f1": total / count}


def answer_f1(text: str, truth: str) -> float:
    """F1 of the longest common run of characters and words, from 0 to 1."""
    found, wanted = (_SEGMENTS.findall(_plain(one)) for one in (text, truth))
    common = longest_common_substring(found, wanted)[0]
    return 2 * common / (len(found) + len(wanted)) if common else 0.0


def _plain(text: str) -> str:
    return text.lower().strip().translate(_DROPPED)
