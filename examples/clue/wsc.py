"""WSC: whether a pronoun and a noun in a text mean the same (CLUEWSC 2020).

wsc/ or cluewsc2020/ with train.json, dev.json, test1.0.json (or test.json),
test1.1.json: {"text", "label": "true" or "false", "target": {"span1_text",
"span1_index", "span2_text", "span2_index"}}; a test sample has an "id".
Accuracy on dev, 30 epochs, with 128 tokens (published with GAU-alpha): BERT 78.62,
RoBERTa-wwm-ext 87.50, RoFormer 86.84, RoFormerV2 80.92, GAU-alpha 79.93.
    python -m examples.clue.wsc --data FOLDER --checkpoint FOLDER
"""

from examples.clue.classification import Classification
from examples.clue.data import field


class WSC(Classification):
    """The text with both places marked; 192 tokens, so that no mark is cut off."""

    name = "wsc"
    folders = ("cluewsc2020",)
    tests = {
        "test.json": "cluewsc10_predict.json",
        "test1.0.json": "cluewsc10_predict.json",
        "test1.1.json": "cluewsc11_predict.json",
    }
    labels = ("true", "false")
    maxlen, epochs = 192, 30
    row_length = 128

    def texts(self, record):
        """The text, span 1 between underscores and span 2 in brackets."""
        text, target = field(record, "text"), field(record, "target", dict)
        marks = []
        for name, (left, right) in {"span1": "__", "span2": "[]"}.items():
            span = field(target, f"{name}_text")
            start = field(target, f"{name}_index", int)
            end = start + len(span)
            if start < 0 or not span or text[start:end] != span:
                found = text[max(start, 0) : max(end, 0)]
                raise ValueError(
                    f"{name}_text {span!r} must stand at {name}_index {start}, where "
                    f"the text has {found!r}"
                )
            marks += [(start, 1, left), (end, 0, right)]
        for place, _, mark in sorted(marks, reverse=True):
            text = text[:place] + mark + text[place:]
        return (text,)


if __name__ == "__main__":
    from examples.clue.run import main

    main(only="wsc")
