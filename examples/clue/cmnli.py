"""CMNLI: does the second sentence follow from the first, contradict it, or neither.

cmnli/train.json, dev.json, test.json: {"sentence1", "sentence2", "label"}; rows whose
annotators did not agree have the label "-" and are left out.
Accuracy on dev, 10 epochs (published with GAU-alpha): BERT 79.56, RoBERTa-wwm-ext
81.24, RoFormer 80.92, RoFormerV2 80.34, GAU-alpha 81.82.
    python -m examples.clue.cmnli --data FOLDER --checkpoint FOLDER
"""

from examples.clue.classification import Classification
from examples.clue.data import field


class CMNLI(Classification):
    """Both sentences in one input."""

    name = "cmnli"
    tests = {"test.json": "cmnli_predict.json"}
    labels = ("entailment", "neutral", "contradiction")
    dropped = ("-",)
    row_length = 128

    def texts(self, record):
        """The two sentences."""
        return field(record, "sentence1"), field(record, "sentence2")


if __name__ == "__main__":
    from examples.clue.run import main

    main(only="cmnli")
