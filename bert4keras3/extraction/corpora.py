"""Files of labelled entities and of segmented words, in their official formats."""

import json
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from bert4keras3.extraction.spans import Entity, checked, same_count
from bert4keras3.extraction.tags import decode_tags, split_tag

# A character (some of Weibo's were lost before) and its place in the word.
_PLACED = re.compile("(\ufffd+|.)[0-9]{1,2}")


def lines_of(path: str | os.PathLike) -> Iterator[tuple[int, str]]:
    """Yield (number from 1 on, line) of a UTF-8 file; only "\\n" ends a line.

    Raises ValueError, naming file and line, for text that is not UTF-8.
    """
    for number, line in enumerate(Path(path).read_bytes().split(b"\n"), 1):
        try:
            text = line.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError as error:
            raise ValueError(
                f"{path}, line {number}: not UTF-8 ({error.reason} at byte "
                f"{error.start}); convert the file, for example from GB18030"
            ) from None
        yield number, text.rstrip("\r")


def json_lines(path: str | os.PathLike) -> Iterator[tuple[int, dict]]:
    """Yield (number from 1 on, object) of a json-lines file, blank lines left out.

    Raises ValueError, naming file and line, for anything that is no JSON object.
    """
    for number, line in lines_of(path):
        if not line.strip():
            continue
        try:
            value = json.loads(line)
        except json.JSONDecodeError as error:
            raise ValueError(
                f"{path}, line {number}: no JSON ({error.msg} at column {error.colno})"
            ) from None
        if not isinstance(value, dict):
            raise ValueError(
                f"{path}, line {number}: expected a JSON object, found {line[:40]!r}"
            )
        yield number, value


def read_entities(path: str | os.PathLike) -> list[tuple[str, list[Entity]]]:
    """Read (text, entities) of a file: CLUENER if it is .json, else tagged lines."""
    if Path(path).suffix in (".json", ".jsonl"):
        return read_cluener(path)
    return read_tagged(path)


def read_tagged(path: str | os.PathLike) -> list[tuple[str, list[Entity]]]:
    """Read (text, entities) from `character TAG` lines, a blank line between texts.

    Any tags of `decode_tags`, parted by blanks or a tab (People's Daily, MSRA). Weibo's
    characters carry their place in the word ("科0"), which is left out.
    Raises ValueError, naming file and line, for a line without exactly two fields or
    with a wrong tag, and for a file without a text.
    """
    texts: list[list[tuple[str, str]]] = [[]]
    for number, line in lines_of(path):
        # Other blanks, such as the ideographic space, are characters with a tag.
        fields = re.split("[ \t]+", line.strip(" \t"))
        if fields == [""]:
            texts.append([])
            continue
        if len(fields) != 2:
            raise ValueError(
                f"{path}, line {number}: expected a character and a tag, found {line!r}"
            )
        try:
            split_tag(fields[1])
        except ValueError as error:
            raise ValueError(f"{path}, line {number}: {error}") from None
        texts[-1].append((fields[0], fields[1]))
    texts = [rows for rows in texts if rows]
    if not texts:
        raise ValueError(f"{path}: no text in this file")
    if all(_PLACED.fullmatch(first) for rows in texts for first, _ in rows):
        texts = [[(_PLACED.match(a)[1], tag) for a, tag in rows] for rows in texts]
    spans = decode_tags([[tag for _, tag in rows] for rows in texts])
    return [_placed(rows, found) for rows, found in zip(texts, spans, strict=True)]


def _placed(rows, spans) -> tuple[str, list[Entity]]:
    """Text and entities of rows whose first field may have several characters."""
    edges = [0]
    for first, _ in rows:
        edges.append(edges[-1] + len(first))
    entities = [Entity(edges[i], edges[j + 1], label) for label, i, j in spans]
    return "".join(first for first, _ in rows), entities


def read_cluener(path: str | os.PathLike) -> list[tuple[str, list[Entity]]]:
    """Read (text, entities) from CLUENER 2020 json lines; without labels: no entities.

    Raises ValueError, naming file and line, for a line without text and for an entity
    that does not stand where its (inclusive) places say.
    """
    result = []
    for number, item in json_lines(path):
        text, entities = item.get("text"), []
        if not isinstance(text, str):
            raise ValueError(f"{path}, line {number}: the key 'text' is missing")
        labelled = item.get("label", {})
        if not isinstance(labelled, dict):
            raise ValueError(
                f"{path}, line {number}: 'label' must be {{type: {{mention: places}}}}"
            )
        for label, mentions in labelled.items():
            for mention, places in mentions.items():
                for start, end in places:
                    if text[start : end + 1] != mention:
                        raise ValueError(
                            f"{path}, line {number}: {mention!r} ({label}) does not "
                            f"stand at [{start}, {end}], but "
                            f"{text[start : end + 1]!r} does"
                        )
                    entities.append(Entity(start, end + 1, label))
        result.append((text, sorted(entities)))
    if not result:
        raise ValueError(f"{path}: no text in this file")
    return result


def write_cluener(
    path: str | os.PathLike, texts: Sequence[str], entities: Sequence[Sequence[Entity]]
) -> None:
    """Write predictions as CLUENER asks: id, label {type: {mention: places}}.

    Raises ValueError for entities outside their text.
    """
    same_count("texts", len(texts), "entities", len(entities))
    lines = []
    for number, (text, found) in enumerate(zip(texts, entities, strict=True)):
        label: dict = {}
        for item in found:
            start, end, kind = checked(item, text, number)
            places = label.setdefault(kind, {}).setdefault(text[start:end], [])
            places.append([start, end - 1])
        line = json.dumps({"id": number, "label": label}, ensure_ascii=False)
        lines.append(line + "\n")
    Path(path).write_text("".join(lines), encoding="utf-8", newline="\n")


def read_words(path: str | os.PathLike) -> list[list[str]]:
    """Read the words of a segmented file (SIGHAN): a text a line, blanks between words.

    Raises ValueError for a file without a text.
    """
    result = [words for _, line in lines_of(path) if (words := line.split())]
    if not result:
        raise ValueError(f"{path}: no text in this file")
    return result
