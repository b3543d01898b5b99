"""JSON objects from files that may be damaged."""

import json

from bert4keras3.checkpoints.errors import CheckpointError


def parse_object(text: bytes, what: str) -> dict:
    """Return a JSON object without repeated keys.

    Args:
        text: UTF-8 JSON.
        what: how an error names the text, such as "its header".

    Raises:
        CheckpointError: anything else.
    """
    try:
        value = json.loads(text.decode("utf-8"), object_pairs_hook=_unique)
    except CheckpointError as error:
        raise CheckpointError(f"{what} {error}") from error
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{what} is not valid JSON ({error})") from error
    if not isinstance(value, dict):
        raise CheckpointError(f"{what} is not a JSON object")
    return value


def _unique(pairs: list) -> dict:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise CheckpointError("names something twice")
    return result
