"""From WordPiece tokens back to readable text."""

import re

from bert4keras3.tokenizers.characters import CJK_PUNCTUATION, is_cjk, is_punctuation

# After these no space is wanted: CJK punctuation and opening or joining symbols.
_TIGHT = re.compile("([" + re.escape(CJK_PUNCTUATION + "+-/={(<[") + "]) ")
_CONTRACTION = re.compile("' (re|m|s|t|ve|d|ll) ")
_DECIMAL = re.compile(r"(\d\.) (\d)")


def join_tokens(tokens):
    """Join tokens: pieces and CJK glued, Latin words parted, decimals repaired."""
    text = ""
    for token in tokens:
        single = len(token) == 1
        if token[:2] == "##":
            text += token[2:]
        elif single and is_cjk(token):
            text += token
        elif single and is_punctuation(token):
            text += token + " "
        elif text and is_cjk(text[-1]):
            text += token
        else:
            text += " " + token
    text = re.sub(" +", " ", text)
    text = _CONTRACTION.sub(r"'\1 ", text)
    text = _TIGHT.sub(r"\1", text)
    return _DECIMAL.sub(r"\1\2", text).strip()
