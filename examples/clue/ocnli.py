"""OCNLI: inference between sentences that were written in Chinese.

ocnli/train.50k.json (else train.json, train.30k.json, train.10k.json), dev.json,
test.json: {"sentence1", "sentence2", "label"}; rows whose annotators did not agree
have the label "-" and are left out.
Accuracy on dev, 10 epochs (published with GAU-alpha): BERT 73.93, RoBERTa-wwm-ext
76.00, RoFormer 76.07, RoFormerV2 75.36, GAU-alpha 75.86.
    python -m examples.clue.ocnli --data FOLDER --checkpoint FOLDER
"""

from examples.clue.cmnli import CMNLI


class OCNLI(CMNLI):
    """The same question as CMNLI's."""

    name = "ocnli"
    train = ("train.50k.json", "train.json", "train.30k.json", "train.10k.json")
    tests = {"test.json": "ocnli_50k_predict.json"}
    row_length = 96


if __name__ == "__main__":
    from examples.clue.run import main

    main(only="ocnli")
