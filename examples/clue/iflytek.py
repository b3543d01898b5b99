"""IFLYTEK: the kind of an app, one of 119, told from its description.

iflytek/train.json, dev.json, test.json: {"sentence", "label": "0" to "118"}.
Accuracy on dev, 10 epochs (published with GAU-alpha): BERT 60.06, RoBERTa-wwm-ext
60.64, RoFormer 60.91, RoFormerV2 60.87, GAU-alpha 61.41.
    python -m examples.clue.iflytek --data FOLDER --checkpoint FOLDER
"""

from examples.clue.classification import Classification
from examples.clue.data import field


class IFLYTEK(Classification):
    """The first 128 tokens; most descriptions are longer, so packing gains nothing."""

    name = "iflytek"
    tests = {"test.json": "iflytek_predict.json"}
    labels = tuple(map(str, range(119)))

    def texts(self, record):
        """The description."""
        return (field(record, "sentence"),)


if __name__ == "__main__":
    from examples.clue.run import main

    main(only="iflytek")
