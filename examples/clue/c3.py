"""C3: questions about a dialogue ("d") or a text ("m"), two to four answers to each.

c3/d-train.json, m-train.json, d-dev.json, m-dev.json, test1.0.json (or test.json),
test1.1.json: [[[line of the passage, ...], [{"question", "choice": [...], "answer"},
...], id of the passage], ...]; questions of tests have an "id" and no "answer".
Accuracy on dev, 10 epochs (published with GAU-alpha): BERT 60.54, RoBERTa-wwm-ext
67.66, RoFormer 67.24, RoFormerV2 64.62, GAU-alpha 68.24.
    python -m examples.clue.c3 --data FOLDER --checkpoint FOLDER
"""

from bert4keras3.extraction.jsonl import read_json
from bert4keras3.utils.text import balanced_lengths
from examples.clue.choices import Choices, Question
from examples.clue.data import field, find


class C3(Choices):
    """Of every option: passage, question, option. The passage gives way."""

    name = "c3"
    tests = {
        "test.json": "c310_predict.json",
        "test1.0.json": "c310_predict.json",
        "test1.1.json": "c311_predict.json",
    }
    maxlen, batch_size = 512, 4

    def files(self, part):
        """The dialogues and the texts."""
        names = [(f"{kind}-{part}.json", f"c3-{kind}-{part}.json") for kind in "dm"]
        return [find(self.folder, both) for both in names]

    def read(self, path, labelled=True):
        """See `Task`."""
        documents = read_json(path)
        if not isinstance(documents, list) or not documents:
            raise ValueError(f"{path}: expected a list of [passage, questions, id]")
        found = []
        for i, document in enumerate(documents):
            if not isinstance(document, list) or list not in map(type, document[1:2]):
                raise ValueError(
                    f"{path}, data[{i}]: expected [passage, questions, id]. "
                    f"Found: {document!r:.60}"
                )
            for j, question in enumerate(document[1]):
                try:
                    found.append(parse(document[0], question, labelled))
                except ValueError as error:
                    place = f"data[{i}].question[{j}]"
                    raise ValueError(f"{path}, {place}: {error}") from None
        return found

    def texts(self, sample):
        """Passage and question."""
        return list(sample.context)

    def row(self, sample, option, tokens):
        """Passage, question and option, each with an end token."""
        parts = [tokens[text] for text in (*sample.context, option)]
        room = self.maxlen - 4
        kept = balanced_lengths([len(part) for part in parts[1:]], room)
        kept.insert(0, room - sum(kept))
        cut = [part[:length] for part, length in zip(parts, kept, strict=True)]
        return [self.start, *(x for part in cut for x in (*part, self.end))]

    def answers(self, samples, predictions):
        """{"id", "label": number of the option} of every question."""
        chosen = self.choose(samples, predictions)
        pairs = zip(samples, chosen, strict=True)
        return [{"id": sample.id, "label": number} for sample, number in pairs]


def parse(passage, question, labelled) -> Question:
    """A question of a file; ValueError if it is none."""
    options = field(question, "choice", list)
    for texts, name in ((passage, "the passage"), (options, "'choice'")):
        if not isinstance(texts, list) or not all(isinstance(x, str) for x in texts):
            raise ValueError(f"{name} must be a list of texts. Found: {texts!r:.60}")
    if not options:
        raise ValueError("'choice' has no option")
    context, label = ("||".join(passage), field(question, "question")), None
    if labelled:
        answer = field(question, "answer")
        if answer not in options:
            raise ValueError(f"the answer {answer!r} is none of {options}")
        label = options.index(answer)
    number = question.get("id") if labelled else field(question, "id", (int, str))
    return Question(number, context, tuple(options), label)


if __name__ == "__main__":
    from examples.clue.run import main

    main(only="c3")
