"""Checks of what callers pass."""

import difflib
import re


def as_list(values, name: str) -> list:
    """The values as a list; ValueError for a single text, which is none.

    name: of the argument, for the message.
    """
    if isinstance(values, (str, bytes)) or not hasattr(values, "__iter__"):
        raise ValueError(
            f"{name} must be a list, put a single one into a list. Received: "
            f"{values!r:.200}"
        )
    return list(values)


def as_regex(pattern, argument):
    """The compiled regex; ValueError with its name for a bad one."""
    if not isinstance(pattern, str):
        raise ValueError(
            f"{argument} takes regular expressions as str. Received: {pattern!r}"
        )
    try:
        return re.compile(pattern)
    except re.error as error:
        raise ValueError(
            f"{argument}: {pattern!r} is no regular expression ({error})."
        ) from error


def nearest(name, paths):
    """Sentence with the paths that look most like a name or an expression."""
    words = re.sub(r"[^\w/-]", "", name)
    near = difflib.get_close_matches(words, list(paths), n=3, cutoff=0.0)
    return f"The nearest are: {', '.join(near) or 'none'}."
