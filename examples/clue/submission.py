"""Submission files of CLUE: written whole or not at all."""

import json

from bert4keras3.checkpoints.atomic import atomic_path
from bert4keras3.extraction.jsonl import write_lines


def write_answers(path, answers) -> None:
    """Write a list as json lines, a dict as one JSON object."""
    with atomic_path(path) as temporary:
        if isinstance(answers, dict):
            text = json.dumps(answers, ensure_ascii=False, indent=0)
            temporary.write_text(text + "\n", "utf-8")
        else:
            write_lines(temporary, answers)
