"""Checks of what callers pass."""


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
