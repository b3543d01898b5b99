"""Submission files of CLUE: writing them, whole or not at all, and checking them.

    python -m examples.clue.submission --data FOLDER clue_runs/tnews/seed-0

tells of every file, or every *_predict.json of a folder, whether it answers its test
set, and ends with 1 if one does not.
"""

import argparse
import json
import sys
from collections import Counter
from pathlib import Path

from bert4keras3.checkpoints.atomic import atomic_path
from bert4keras3.extraction.jsonl import json_lines, read_json, write_lines
from examples.clue.data import field, find, task_folder
from examples.clue.official import CHECKS, OFFICIAL, read_questions

OBJECTS = ("chid", "cmrc2018")  # one JSON object {id: answer}; the others: json lines


def write_answers(path, answers) -> None:
    """Write a list as json lines, a dict as one JSON object."""
    with atomic_path(path) as temporary:
        if isinstance(answers, dict):
            text = json.dumps(answers, ensure_ascii=False, indent=0)
            temporary.write_text(text + "\n", "utf-8")
        else:
            write_lines(temporary, answers)


def check_submission(task: str, test_path, answers_path) -> int:
    """The number of answers in a submission file, if it is as it must be.

    Raises ValueError, with file and line, for another form, ids that are missing,
    doubled or not in the test file, and answers that the task does not have.
    """
    questions = read_questions(task, test_path)
    read = read_object if task in OBJECTS else read_list
    seen = {}
    for line, number, answer in read(answers_path):
        try:
            if number not in questions:
                raise ValueError(f"the id {number!r} is not in {test_path}")
            if number in seen:
                raise ValueError(f"the id {number!r} is in line {seen[number]} too")
            CHECKS[task](questions[number], answer)
        except ValueError as error:
            raise ValueError(f"{answers_path}, line {line}: {error}") from None
        seen[number] = line
    missing = [number for number in questions if number not in seen]
    if missing:
        raise ValueError(
            f"{answers_path}: {len(missing)} of {len(questions)} ids of {test_path} "
            f"are missing, such as {', '.join(missing[:3])}"
        )
    return len(seen)


def read_list(path):
    """Yield (line, id, answer) of json lines with an "id"."""
    for line, answer in json_lines(path):
        try:
            number = str(field(answer, "id", (int, str)))
        except ValueError as error:
            raise ValueError(f"{path}, line {line}: {error}") from None
        yield line, number, answer


def read_object(path):
    """Yield (line, id, answer) of one JSON object, doubled ids too."""
    if not isinstance(read_json(path), dict):
        raise ValueError(f"{path}, line 1: expected one JSON object, {{id: answer}}")
    text = Path(path).read_text("utf-8-sig")
    places, counts = {}, Counter()
    for line, content in enumerate(text.split("\n"), 1):
        places.setdefault(content.split(":")[0].strip(), []).append(line)
    for number, answer in json.loads(text, object_pairs_hook=list):
        key = json.dumps(number, ensure_ascii=False)
        lines = places.get(key, [1])  # 1: not one answer a line
        yield lines[min(counts[key], len(lines) - 1)], number, answer
        counts[key] += 1


def check_file(path, data) -> str:
    """What is to be said of a file that is in order; else an error, see above."""
    if path.name not in OFFICIAL:
        raise ValueError(f"{path}: expected a name out of {', '.join(OFFICIAL)}")
    folders, tests = OFFICIAL[path.name]
    test_path = find(task_folder(data, folders), tests)
    return f"{path}: in order, {check_submission(folders[0], test_path, path)} answers"


def find_files(paths):
    """Files as they are; of folders every *_predict.json in them."""
    for path in map(Path, paths):
        if not path.is_dir():
            yield path
            continue
        found = sorted(path.rglob("*_predict.json"))
        if not found:
            raise FileNotFoundError(f"{path}: no *_predict.json in this folder")
        yield from found


def main(argv=None) -> int:
    """Print a line for every file; returns 1 if one is not in order."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", required=True, help="CLUE's folder")
    parser.add_argument("paths", nargs="+", help="submission files, or folders of them")
    args = parser.parse_args(argv)
    bad = 0
    try:
        for path in find_files(args.paths):
            try:
                print(check_file(path, args.data))
            except (ValueError, OSError) as error:
                print(f"WRONG  {error}")
                bad = 1
    except FileNotFoundError as error:
        print(f"WRONG  {error}")
        bad = 1
    return bad


if __name__ == "__main__":
    sys.exit(main())
