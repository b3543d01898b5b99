"""Files of labelled entities and of segmented words, in their official formats."""

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from bert4keras3.extraction.jsonl import json_lines, lines_of, not_empty, write_lines
from bert4keras3.extraction.spans import Entity, checked, same_count
from bert4keras3.extraction.tags import decode_tags, split_tag

# A character (some of Weibo's were lost before) and its place in the word.
_PLACED = re.compile("(\ufffd+|.)[0-9]{1,2}")


def read_entities(
    path: str | os.PathLike, labelled: bool = True
) -> list[tuple[str, list[Entity]]]:
    """Read (text, entities) of a file: CLUENER if it is .json, else tagged lines.

    labelled: as in `read_cluener`.
    """
    if Path(path).suffix in (".json", ".jsonl"):
        return read_cluener(path, labelled)
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
    not_empty(path, texts)
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


def read_cluener(
    path: str | os.PathLike, labelled: bool = True
) -> list[tuple[str, list[Entity]]]:
    """Read (text, entities) from CLUENER 2020 json lines.

    labelled: False reads the texts alone, as of the test set.
    Raises ValueError, naming file and line, for a line without text and for an entity
    that does not stand where its (inclusive) places say.
    """
    result = []
    for number, item in json_lines(path):
        text, entities = item.get("text"), []
        if not isinstance(text, str):
            raise ValueError(f"{path}, line {number}: the key 'text' is missing")
        for label, mention, start, end in (
            _mentions(item, f"{path}, line {number}") if labelled else ()
        ):
            if text[start : end + 1] != mention:
                raise ValueError(
                    f"{path}, line {number}: {mention!r} ({label}) does not stand at "
                    f"[{start}, {end}], but {text[start : end + 1]!r} does"
                )
            entities.append(Entity(start, end + 1, label))
        result.append((text, sorted(entities)))
    return not_empty(path, result)


def _mentions(item: dict, where: str) -> Iterator[tuple[str, str, int, int]]:
    """Yield (type, mention, first, last character) of one line of CLUENER."""
    if "label" not in item:
        raise ValueError(
            f"{where}: the key 'label' is missing; a file without labels is read with "
            "labelled=False"
        )
    try:
        for label, mentions in item["label"].items():
            for mention, places in mentions.items():
                for start, end in places:
                    yield label, mention, int(start), int(end)
    except (AttributeError, TypeError, ValueError):
        raise ValueError(
            f"{where}: 'label' must be {{type: {{mention: [[first, last], ...]}}}}. "
            f"Received {item['label']!r}"
        ) from None


def write_cluener(
    path: str | os.PathLike,
    texts: Sequence[str],
    entities: Sequence[Sequence[Entity]],
    ids: Sequence | None = None,
) -> None:
    """Write predictions as CLUENER asks: id, label {type: {mention: places}}.

    ids: those of the official file; default 0, 1, 2, ...
    Raises ValueError for entities outside their text, and unequal numbers.
    """
    ids = range(len(texts)) if ids is None else ids
    same_count("texts", len(texts), "entities", len(entities))
    same_count("texts", len(texts), "ids", len(ids))
    labels = map(cluener_label, texts, entities, range(len(texts)))
    lines = [{"id": x, "label": y} for x, y in zip(ids, labels, strict=True)]
    write_lines(path, lines)


def cluener_label(text: str, entities: Iterable[Entity], row: int = 0) -> dict:
    """{type: {mention: [[first, last], ...]}} of a text's entities, last included.

    row: number of the text, for errors. Raises ValueError for an entity outside of it.
    """
    label: dict = {}
    for item in entities:
        start, end, kind = checked(item, text, row)
        places = label.setdefault(kind, {}).setdefault(text[start:end], [])
        places.append([start, end - 1])
    return label


def read_words(path: str | os.PathLike) -> list[list[str]]:
    """Read the words of a segmented file (SIGHAN): a text a line, blanks between words.

    Raises ValueError for a file without a text.
    """
    result = [words for _, line in lines_of(path) if (words := line.split())]
    return not_empty(path, result)
