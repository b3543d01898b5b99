"""CSL: whether all of these keywords are those of a paper, told from its abstract.

csl/train.json, dev.json, test.json: {"abst", "keyword": [...], "label": "0" or "1"}.
Accuracy on dev, 10 epochs (published with GAU-alpha): BERT 83.93, RoBERTa-wwm-ext
84.50, RoFormer 84.63, RoFormerV2 84.67, GAU-alpha 85.67.
    python -m examples.clue.csl --data FOLDER --checkpoint FOLDER
"""

from examples.clue.classification import Classification
from examples.clue.data import field


class CSL(Classification):
    """Keywords and abstract in one input, too long for several of them in a row."""

    name = "csl"
    tests = {"test.json": "csl_predict.json"}
    labels = ("0", "1")
    maxlen = 256

    def texts(self, record):
        """The keywords, joined, and the abstract."""
        keywords = field(record, "keyword", list)
        if not keywords or not all(isinstance(one, str) for one in keywords):
            raise ValueError(
                f"'keyword' must be a list of str. Found: {keywords!r:.60}"
            )
        return "；".join(keywords), field(record, "abst")

    def tokens(self, texts):
        """As of all pairs, but the abstract alone is cut, where that is enough."""
        keywords, abstract = (self.tokenizer.tokenize(text) for text in texts)
        room = self.maxlen - len(keywords) + 1  # the abstract's [CLS] is left out
        if len(abstract) > room >= 3:
            abstract = abstract[: room - 1] + abstract[-1:]
        return super().tokens((keywords, abstract))


if __name__ == "__main__":
    from examples.clue.run import main

    main(only="csl")
