"""ChID: which idiom belongs into each blank; blanks of a line share the candidates.

chid/train.json, dev.json, test1.0.json (or test.json), test1.1.json: json lines
{"candidates": [10 idioms], "content": ["...#idiom000379#...", ...]};
train_answer.json, dev_answer.json: {"#idiom000379#": number of the candidate}.
Accuracy on dev, 5 epochs (published with GAU-alpha): BERT 85.69, RoBERTa-wwm-ext
86.71, RoFormer 86.57, RoFormerV2 85.09, GAU-alpha 87.91.
    pip install "bert4keras3[clue]"
    python -m examples.clue.chid --data FOLDER --checkpoint FOLDER
"""

import re
from itertools import groupby

import numpy as np

from bert4keras3.extraction.jsonl import json_lines, read_json
from bert4keras3.utils.text import balanced_lengths
from examples.clue.choices import Choices, Question, accuracy
from examples.clue.data import field

BLANK = re.compile(r"(#idiom\d+#)")


class ChID(Choices):
    """Of every candidate: the idiom, then the text around the blank.

    The blank asked for is one mask token, other blanks are four, as long as an idiom:
    every vocabulary has the mask token, and the run's length tells them apart.
    """

    name = "chid"
    tests = {
        "test.json": "chid10_predict.json",
        "test1.0.json": "chid10_predict.json",
        "test1.1.json": "chid11_predict.json",
    }
    maxlen, batch_size, epochs = 64, 12, 5

    def read(self, path, labelled=True):
        """See `Task`; the answers are in a file beside it."""
        key_path = path.with_name(f"{path.stem}_answer.json")
        key = read_json(key_path) if labelled else None
        if labelled and not isinstance(key, dict):
            raise ValueError(f"{key_path}: expected one object, {{blank: number}}")
        found, seen = [], set()
        for line, record in json_lines(path):
            try:
                new = parse(line, record, key)
                again = [one.id for one in new if one.id in seen]
                if again:
                    raise ValueError(f"the blank {again[0]} is in this file already")
            except ValueError as error:
                raise ValueError(f"{path}, line {line}: {error}") from None
            seen.update(one.id for one in new)
            found += new
        if not found:
            raise ValueError(f"{path}: no sample in this file")
        return found

    def texts(self, sample):
        """What stands between the blanks."""
        return list(sample.context[1][::2])

    def row(self, sample, option, tokens):
        """Idiom, end token, and as much text around the blank as there is room for."""
        _, pieces, place = sample.context
        mask = self.tokenizer.token_to_id(self.tokenizer._token_mask)
        ids = [[mask] * 4 if i % 2 else tokens[piece] for i, piece in enumerate(pieces)]
        before, after = (sum(part, []) for part in (ids[:place], ids[place + 1 :]))
        room = self.maxlen - 4 - len(tokens[option])
        left, right = balanced_lengths([len(before), len(after)], room)
        context = [*before[len(before) - left :], mask, *after[:right]]
        return [self.start, *tokens[option], self.end, *context, self.end]

    def choose(self, samples, predictions):
        """No idiom twice in a line: the assignment of the highest probability."""
        assign = assignment()
        chosen = []
        lines = groupby(range(len(samples)), lambda i: samples[i].context[0])
        for _, rows in lines:
            scores = np.stack([predictions[row] for row in rows])
            if len(scores) > scores.shape[1]:  # more blanks than idioms: some repeat
                chosen += np.argmax(scores, axis=1).tolist()
            else:
                chosen += assign(scores, maximize=True)[1].tolist()
        return chosen

    def score(self, samples, predictions):
        """Accuracy over blanks; "independent": of each blank's likeliest idiom."""
        alone = super().choose(samples, predictions)
        return {
            **super().score(samples, predictions),
            "independent": accuracy(samples, alone),
        }

    def answers(self, samples, predictions):
        """{blank: number of the candidate}."""
        chosen = self.choose(samples, predictions)
        return {one.id: number for one, number in zip(samples, chosen, strict=True)}


def parse(line, record, key) -> list[Question]:
    """The blanks of a line; key: {blank: number} or None. ValueError if amiss."""
    options, contents = (field(record, x, list) for x in ("candidates", "content"))
    if not options or not all(isinstance(x, str) for x in [*options, *contents]):
        raise ValueError("'candidates' and 'content' must be lists of texts")
    found = []
    for content in contents:
        pieces = tuple(BLANK.split(content))
        for place in range(1, len(pieces), 2):
            blank = pieces[place]
            label = None if key is None else key.get(blank)
            if key is not None and label not in range(len(options)):
                raise ValueError(
                    f"the answer to {blank} must be the number of a candidate, 0 to "
                    f"{len(options) - 1}. Found: {label!r}"
                )
            context = (line, pieces, place)
            found.append(Question(blank, context, tuple(options), label))
    return found


def assignment():
    """scipy's `linear_sum_assignment`; ImportError that tells how to get it."""
    try:
        from scipy.optimize import linear_sum_assignment
    except ImportError as error:
        raise ImportError(
            'ChID needs scipy: pip install "bert4keras3[clue]", or pip install scipy'
        ) from error
    return linear_sum_assignment


if __name__ == "__main__":
    from examples.clue.run import main

    main(only="chid")
