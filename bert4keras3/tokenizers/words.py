"""Splitting Chinese text into words before the tokenizer does its part."""

from collections.abc import Callable
from importlib import import_module

# package -> (function from a text to a list of words, its switch of the HMM)
_CUTTERS = {"jieba": ("lcut", "HMM"), "rjieba": ("cut", "hmm")}


def jieba_pre_tokenize() -> Callable[[str], list[str]]:
    """Return `pre_tokenize` of T5-PEGASUS: words of jieba, without its HMM.

    jieba is used when installed, else its Rust twin rjieba. Use it as
    `Tokenizer(vocab, do_lower_case=True, pre_tokenize=jieba_pre_tokenize())`.
    Raises ImportError if neither is installed.
    Reference: https://github.com/ZhuiyiTechnology/t5-pegasus
    """
    for name in _CUTTERS:
        try:
            return _Words(name)
        except ImportError:
            continue
    raise ImportError(
        "jieba_pre_tokenize needs the package jieba or rjieba: pip install jieba. Any "
        "other function from a text to a list of words can be given as pre_tokenize."
    )


class _Words:
    """Words of a package, found again by its name where a tokenizer is unpickled."""

    def __init__(self, name: str):
        self.name = name
        function, switch = _CUTTERS[name]
        self.cut, self.options = getattr(import_module(name), function), {switch: False}

    def __call__(self, text: str) -> list[str]:
        return self.cut(text, **self.options)

    def __reduce__(self):
        return _Words, (self.name,)
