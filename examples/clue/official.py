"""CLUE's test sets: names of files, ids, and what an answer may be.

Written from the official files, not from the tasks here, to be a second opinion.
"""

import re

from bert4keras3.extraction.jsonl import json_lines, read_json
from examples.clue.data import field


def _official() -> dict[str, tuple]:
    names = {
        "afqmc_predict.json": (("afqmc",), ("test.json",)),
        "iflytek_predict.json": (("iflytek",), ("test.json",)),
        "cmnli_predict.json": (("cmnli",), ("test.json",)),
        "ocnli_50k_predict.json": (("ocnli",), ("test.json",)),
        "csl_predict.json": (("csl",), ("test.json",)),
        "cluener_predict.json": (("cluener",), ("test.json",)),
        "cmrc2018_predict.json": (("cmrc2018",), ("test.json",)),
    }
    for name, folders in {
        "tnews": ("tnews",),
        "cluewsc": ("wsc", "cluewsc2020"),
        "c3": ("c3",),
        "chid": ("chid",),
    }.items():
        first = ("test1.0.json", "test.json")
        names[f"{name}10_predict.json"] = folders, first
        names[f"{name}11_predict.json"] = folders, ("test1.1.json",)
    return names


OFFICIAL = _official()  # submission: (folders of the task, its test files)

NLI = ("entailment", "neutral", "contradiction")
LABELS = {
    "afqmc": ("0", "1"),
    "tnews": tuple(str(i) for i in range(100, 117) if i not in (105, 111)),
    "iflytek": tuple(str(i) for i in range(119)),
    "cmnli": NLI,
    "ocnli": NLI,
    "csl": ("0", "1"),
    "wsc": ("true", "false"),
}
ENTITIES = (
    "address book company game government movie name organization position scene"
).split()


def read_questions(task: str, path) -> dict[str, object]:
    """{id: what `CHECKS` needs to know of the question} of an official test file.

    Raises ValueError if it is none.
    """
    try:
        known = _READERS.get(task, _lines)(path, task)
        return {str(key): one for key, one in known}
    except (KeyError, TypeError) as error:
        raise ValueError(f"{path}: no test file of {task} ({error!r})") from None


def _lines(path, task):
    for line, record in json_lines(path):
        key = record.get("id", record.get("idx"))
        if key is None:
            raise ValueError(f"{path}, line {line}: expected the key 'id'")
        yield key, record["text"] if task == "cluener" else LABELS[task]


def _c3(path, _):
    for _passage, questions, *_ in read_json(path):
        yield from ((one["id"], len(one["choice"])) for one in questions)


def _chid(path, _):
    for _line, record in json_lines(path):
        for blank in re.findall(r"#idiom\d+#", "".join(record["content"])):
            yield blank, len(record["candidates"])


def _cmrc(path, _):
    for document in read_json(path)["data"]:
        for passage in document["paragraphs"]:
            yield from ((one["id"], passage["context"]) for one in passage["qas"])


def _check_label(labels, answer):
    label = field(answer, "label")
    if label not in labels:
        raise ValueError(f"the label {label!r} is none of {', '.join(labels[:20])}")


def _check_number(options, number):
    if type(number) is not int or not 0 <= number < options:
        raise ValueError(
            f"expected the number of an option, 0 to {options - 1}. Found: {number!r}"
        )


def _check_text(_, answer):
    if not isinstance(answer, str) or not answer:
        raise ValueError(f"the answer must be a text. Found: {answer!r:.60}")


def _check_entities(text, answer):
    if answer.get("text", text) != text:
        raise ValueError(
            f"'text' is not that of the test file. Found: {answer['text']!r:.60}"
        )
    for kind, entities in field(answer, "label", dict).items():
        if kind not in ENTITIES or not isinstance(entities, dict):
            raise ValueError(f"expected {{type: {{entity: spans}}}}. Found: {kind!r}")
        for entity, spans in entities.items():
            for span in spans or [None]:
                _check_span(text, entity, span)


def _check_span(text, entity, span):
    whole = isinstance(span, list) and [type(x) for x in span] == [int, int]
    if not whole or min(span) < 0 or text[span[0] : span[1] + 1] != entity:
        raise ValueError(
            f"{entity!r} is not at {span}; a span is [first, last] character"
        )


_READERS = {"c3": _c3, "chid": _chid, "cmrc2018": _cmrc}
CHECKS = {  # task: function of what `read_questions` knows, and the answer
    **dict.fromkeys(LABELS, _check_label),
    "c3": lambda options, answer: _check_number(options, answer.get("label")),
    "chid": _check_number,
    "cmrc2018": _check_text,
    "cluener": _check_entities,
}
