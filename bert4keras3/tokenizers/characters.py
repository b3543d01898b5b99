"""Character classes of BERT's tokenizer, for one character each."""

import unicodedata

# Blocks of CJK ideographs; kana and Hangul are not in them, as in BERT.
CJK_RANGES = (
    (0x4E00, 0x9FFF),
    (0x3400, 0x4DBF),
    (0x20000, 0x2A6DF),
    (0x2A700, 0x2B73F),
    (0x2B740, 0x2B81F),
    (0x2B820, 0x2CEAF),
    (0xF900, 0xFAFF),
    (0x2F800, 0x2FA1F),
)

# Punctuation after which decoded text has no space.
CJK_PUNCTUATION = (
    "＂＃＄％＆＇（）＊＋，－／：；＜＝＞＠［＼］＾＿｀｛｜｝～｟｠｢｣､\u3000、〃"
    "〈〉《》「」『』【】〔〕〖〗〘〙〚〛〜〝〞〟〰〾〿–—‘’‛“”„‟…‧﹏﹑﹔·！？｡。"
)


def is_cjk(ch: str) -> bool:
    """Tell whether `ch` is a CJK ideograph."""
    code = ord(ch)
    return code >= 0x3400 and any(low <= code <= high for low, high in CJK_RANGES)


def is_punctuation(ch: str) -> bool:
    """Tell whether `ch` is punctuation: ASCII symbols and Unicode category P."""
    if ch.isascii():
        return ch.isprintable() and not ch.isalnum() and ch != " "
    return unicodedata.category(ch).startswith("P")


def is_space(ch: str) -> bool:
    """Tell whether `ch` separates words: blank, tab, line ends, category Zs."""
    return ch in " \t\n\r" or unicodedata.category(ch) == "Zs"


def is_control(ch: str) -> bool:
    """Tell whether `ch` is a control or format character, which texts lose."""
    return unicodedata.category(ch) in ("Cc", "Cf")


def is_dropped(ch: str) -> bool:
    """Tell whether the tokenizer removes `ch`: control, NUL, U+FFFD."""
    return ch in "\0\ufffd" or is_control(ch)
