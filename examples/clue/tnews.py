"""TNEWS: the column of a news title, one of 15.

tnews/train.json, dev.json, test1.0.json (or test.json), test1.1.json:
{"sentence", "keywords", "label": "100" to "116"}; the keywords are not used.
Accuracy on dev, 10 epochs (published with GAU-alpha): BERT 56.80, RoBERTa-wwm-ext
58.06, RoFormer 57.54, RoFormerV2 56.54, GAU-alpha 57.76.
    python -m examples.clue.tnews --data FOLDER --checkpoint FOLDER
"""

from examples.clue.classification import Classification
from examples.clue.data import field


class TNEWS(Classification):
    """The title."""

    name = "tnews"
    tests = {
        "test.json": "tnews10_predict.json",
        "test1.0.json": "tnews10_predict.json",
        "test1.1.json": "tnews11_predict.json",
    }
    labels = tuple(str(code) for code in range(100, 117) if code not in (105, 111))
    row_length = 64

    def texts(self, record):
        """The title."""
        return (field(record, "sentence"),)


if __name__ == "__main__":
    from examples.clue.run import main

    main(only="tnews")
