"""Which spans a tag sequence means, against regular expressions, which read alike."""

import random
import re

import numpy as np
import pytest

from bert4keras3.extraction import decode_tags, tag_names

# One letter a tag: upper case has the label x, lower case y. A pattern is one span.
RULES = {
    None: "S|E|[BI]I*E?",
    "BIO": "BI*",
    "BIOES": "S|BI*E",
}


def expected(line, rule):
    found = [(m.start(), m.end() - 1, "x") for m in re.finditer(RULES[rule], line)]
    pattern = RULES[rule].lower()
    found += [(m.start(), m.end() - 1, "y") for m in re.finditer(pattern, line)]
    return [(label, i, j) for i, j, label in sorted(found)]


def tags_of(line, inside="I"):
    names = [f"{c.upper()}-{'x' if c.isupper() else 'y'}" for c in line]
    return [
        "O" if c == "O" else name.replace("I-", f"{inside}-")
        for c, name in zip(line, names, strict=True)
    ]


@pytest.mark.parametrize("rule", RULES)
def test_spans_of_random_tags(rule):
    rng = random.Random(0)
    letters = "BIbi" if rule == "BIO" else "BIESbies"
    lines = [
        "".join(rng.choices(letters + "O", k=rng.randint(0, 12))) for _ in range(500)
    ]
    found = decode_tags([tags_of(line) for line in lines], strict=rule)
    assert sum(map(len, found)) > 400
    for line, spans in zip(lines, found, strict=True):
        assert spans == expected(line, rule), line
    if rule != "BIO":
        rows = [tags_of(line, "M") for line in lines]
        assert decode_tags(rows, strict=rule and "BMES") == found


def test_ids_are_whole_numbers():
    tags = tag_names(["x"])
    assert decode_tags(np.array([[0.0, 1.0, 2.0]]), tags) == [[("x", 1, 2)]]
    for bad in (1.5, np.nan):
        with pytest.raises(ValueError, match="whole numbers"):
            decode_tags(np.array([[0.0, bad]]), tags)
