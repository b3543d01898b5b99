"""Tag sequences (BIO, BIOES, BMES) and the spans they mean.

B texts · T tokens; a tag is O or a letter, "-" and a label: B first, I or M inside,
E or L last, S or U single.
"""

from collections.abc import Iterable, Sequence

import numpy as np

from bert4keras3.extraction.labels import Dropped, Labels
from bert4keras3.extraction.spans import TokenSpan, report_dropped, same_count

# Letters of the first, an inside, the last and the only token of a span.
SCHEMES = {"BIO": "BIIB", "BIOES": "BIES", "BMES": "BMES"}
_LETTERS = {"B": "B", "I": "I", "M": "I", "E": "E", "L": "E", "S": "S", "U": "S"}
_CODES = {letter: code for code, letter in enumerate("OBIES")}


def tag_names(labels: Iterable[str], scheme: str = "BIO") -> Labels:
    """Return the tags of labels: "O", then the tags of the first label, and so on.

    In BIO, label k has the ids 2k+1 (B) and 2k+2 (I). Raises ValueError for another
    scheme than BIO, BIOES and BMES.
    """
    _check_scheme(scheme)
    letters = dict.fromkeys(SCHEMES[scheme])
    return Labels(["O"] + [f"{a}-{name}" for name in Labels(labels) for a in letters])


def split_tag(tag: str) -> tuple[int, str | None]:
    """Return code (O 0, B 1, I 2, E 3, S 4) and label of a tag; untyped: label "_".

    Raises ValueError if it is no tag.
    """
    if tag == "O":
        return 0, None
    letter, rest = tag[:1], tag[1:]
    if letter not in _LETTERS or (rest and (rest[0] not in "-_" or len(rest) == 1)):
        raise ValueError(
            f"{tag!r} is no tag: expected O, or one of the letters "
            f"{''.join(_LETTERS)}, '-' and a label, such as 'B-PER'."
        )
    return _CODES[_LETTERS[letter]], rest[1:] or "_"


def _forms(tags: Labels) -> dict[str, tuple[int, ...]]:
    """Of every label the ids of its first, inside, last and only tag.

    Raises ValueError for a label without a tag for longer spans.
    """
    known: dict[str, dict[int, int]] = {}
    for i, tag in enumerate(tags):
        code, label = split_tag(tag)
        if code:
            known.setdefault(label, {})[code] = i
    forms = {}
    for label, ids in known.items():
        inside = ids.get(2, ids.get(1))
        if inside is None:
            raise ValueError(
                f"the tags have neither 'B-{label}' nor 'I-{label}', so no span of "
                f"several tokens can be {label!r}. Use tag_names(labels)."
            )
        first = ids.get(1, inside)
        forms[label] = (first, inside, ids.get(3, inside), ids.get(4, first))
    return forms


def encode_tags(
    spans: Sequence[Iterable],
    tags: Labels,
    length: int,
    overlaps: str = "error",
    dropped: Dropped | None = None,
) -> np.ndarray:
    """Return the tag ids (B, length) int32 of the token spans of a batch.

    tags: of `tag_names`, or the names in the order a model knows them; the scheme is
        what they offer. Padding and special tokens have the tag O, as a CRF needs.
    overlaps: "error" raises ValueError where two spans share a token; "longest" keeps
        the longer one (of equals the earlier) and counts the other in `dropped`, or
        warns once if there is no counter.
    Raises ValueError for unknown labels and spans beyond `length`.
    """
    if overlaps not in ("error", "longest"):
        raise ValueError(f'overlaps must be "error" or "longest", not {overlaps!r}.')
    forms, outside, lost = _forms(tags), tags.id("O"), Dropped()
    names = Labels(forms)
    ids = np.full((len(spans), length), outside, "int32")
    used = np.zeros((len(spans), length), bool)
    kept = 0
    for row, items in enumerate(spans):
        for label, i, j in sorted(set(items), key=_longest_first):
            names.id(label, f"spans[{row}]")
            if not 0 <= i <= j < length:
                raise ValueError(
                    f"spans[{row}] holds {(label, i, j)!r}, but 0 <= i <= j < length = "
                    f"{length} must hold. Pad to the longest text of the batch."
                )
            if used[row, i : j + 1].any():
                if overlaps == "error":
                    raise ValueError(_overlap(row, (label, i, j), items))
                lost.overlapping += 1
                continue
            used[row, i : j + 1] = True
            kept += 1
            first, inside, last, only = forms[label]
            ids[row, i : j + 1] = inside
            ids[row, j], ids[row, i] = last, only if i == j else first
    report_dropped(lost, dropped, kept)
    return ids


def _longest_first(span: tuple) -> tuple:
    """Sort key; the label decides between equal spans, so that order is not chance."""
    label, i, j = span
    return i - j, i, str(label)


def _overlap(row: int, span: tuple, items: Iterable) -> str:
    """What is wrong with a span that shares tokens with another one."""
    others = [s for s in map(tuple, items) if s != span]
    other = next(s for s in others if s[1] <= span[2] and span[1] <= s[2])
    return (
        f"spans[{row}] holds {span!r} and {other!r}, which share a token: a token has "
        'one tag. Pass overlaps="longest", or use GlobalPointer, which knows nested '
        "entities."
    )


def decode_tags(
    sequences, tags: Labels | None = None, lengths=None, strict: str | None = None
) -> list[list[TokenSpan]]:
    """Return the token spans of the tag sequences of a batch, in text order.

    sequences: (B, T) ids or lists of ids, with `tags`; or lists of tag names. Negative
        ids are padding and count as O.
    lengths: (B,) tokens that count; what comes after is left out.
    strict: "BIO", "BIOES" or "BMES" leaves out spans that break this scheme: in BIO
        they begin with B, in the others they are a single S, or begin with B and end
        with E. Raises ValueError for tags of another scheme.

    Without `strict` every tag but O is part of a span, as in conlleval and in seqeval's
    default mode: spans end after E and S, before B and S, and where the label changes.
    """
    codes, kinds, names = _read(sequences, tags, lengths)
    # Between texts stands an O, so that all of them are read as one sequence.
    inside = codes > 0
    goes_on = np.zeros_like(inside)
    goes_on[:, 1:] = inside[:, 1:] & inside[:, :-1] & (kinds[:, 1:] == kinds[:, :-1])
    goes_on[:, 1:] &= (codes[:, :-1] < 3) & np.isin(codes[:, 1:], (2, 3))
    row, first = np.nonzero(inside & ~goes_on)
    last = np.nonzero(inside & ~np.pad(goes_on, ((0, 0), (0, 1)))[:, 1:])[1]
    if strict:
        right = _is_strict(codes, codes[row, first], codes[row, last], strict)
        row, first, last = row[right], first[right], last[right]
    found: list[list[TokenSpan]] = [[] for _ in codes]
    for text, kind, i, j in zip(
        row.tolist(), kinds[row, first].tolist(), first.tolist(), last.tolist(),
        strict=True,
    ):
        found[text].append(TokenSpan(names[kind], i, j))
    return found


def _is_strict(codes, begins, ends, scheme: str) -> np.ndarray:
    """Tell which spans keep to a scheme, by the codes of their first and last tag."""
    _check_scheme(scheme)
    if scheme != "BIO":
        return (begins == 4) | ((begins == 1) & (ends == 3))
    if (codes >= 3).any():
        raise ValueError(
            'strict="BIO" allows the tags O, B and I only, but there are tags of a '
            'last or single token (E, L, S, U). Use strict="BIOES" or "BMES".'
        )
    return begins == 1


def _check_scheme(scheme: str) -> None:
    """Raise ValueError for a scheme that is not known."""
    if scheme not in SCHEMES:
        raise ValueError(
            f"the scheme must be one of {', '.join(SCHEMES)}. Received {scheme!r}; "
            "decode_tags reads IOB1 and BILOU tags too, if not strict."
        )


def _read(sequences, tags, lengths) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Codes and label numbers (B, T), padded by O, and the names of the labels."""
    rows = [np.asarray(row) for row in sequences]
    for row in rows:
        if row.dtype.kind == "f" and not np.array_equal(row, np.floor(row)):
            raise ValueError(f"tag ids must be whole numbers. Received {row[:5]}...")
    if any(row.ndim != 1 for row in rows):
        raise ValueError(
            "tags must be (B, T) ids or one list of tags for every text. Received "
            f"a row of shape {next(r.shape for r in rows if r.ndim != 1)}; one text is "
            "a batch of one."
        )
    if lengths is not None:
        same_count("tags", len(rows), "lengths", len(lengths))
        rows = [row[: int(n)] for row, n in zip(rows, lengths, strict=True)]
    if tags is None:
        tags, rows = _numbered(rows)
    rows = [tags.ids(row.tolist()) if _is_text(row) else row for row in rows]
    ids = np.full((len(rows), max(map(len, rows), default=0)), -1, "int64")
    for i, row in enumerate(rows):
        ids[i, : len(row)] = row
    if ids.size and ids.max() >= len(tags):
        raise ValueError(
            f"tag id {ids.max()} is unknown: the {len(tags)} tags have ids up to "
            f"{len(tags) - 1}. Check that model and tags belong together."
        )
    split = [split_tag(tag) for tag in tags]
    names = list(dict.fromkeys(label for _, label in split))
    place = {label: i for i, label in enumerate(names)}
    codes = np.array([code for code, _ in split] + [0])  # id -1 is the last: O
    kinds = np.array([place[label] for _, label in split] + [0])
    ids = np.maximum(ids, -1)
    return codes[ids], kinds[ids], names


def _is_text(row) -> bool:
    return getattr(row, "dtype", np.dtype(int)).kind == "U"


def _numbered(rows: list[np.ndarray]) -> tuple[Labels, list[list[int]]]:
    """The tag names that occur, and the rows as their ids."""
    for row in rows:
        if len(row) and not _is_text(row):
            raise ValueError(
                f"ids need their names: pass tags=tag_names(...). Received {row[:3]}..."
            )
    known = {"O": 0}
    ids = [[known.setdefault(tag, len(known)) for tag in row.tolist()] for row in rows]
    return Labels(known), ids
