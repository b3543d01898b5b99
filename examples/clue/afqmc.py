"""AFQMC: whether two questions of Ant Financial's customers mean the same.

afqmc/train.json, dev.json, test.json: {"sentence1", "sentence2", "label": "0" or "1"}.
Accuracy on dev, 10 epochs (published with GAU-alpha): BERT 72.41, RoBERTa-wwm-ext
74.05, RoFormer 73.52, RoFormerV2 72.75, GAU-alpha 74.17. "0" always: 69.0.
    python -m examples.clue.afqmc --data FOLDER --checkpoint FOLDER
"""

from examples.clue.classification import Classification
from examples.clue.data import field


class AFQMC(Classification):
    """Both questions in one input."""

    name = "afqmc"
    tests = {"test.json": "afqmc_predict.json"}
    labels = ("0", "1")
    row_length = 96

    def texts(self, record):
        """The two questions."""
        return field(record, "sentence1"), field(record, "sentence2")


if __name__ == "__main__":
    from examples.clue.run import main

    main(only="afqmc")
