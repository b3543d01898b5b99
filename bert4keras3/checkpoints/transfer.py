"""Match a name table with a checkpoint's names: what goes where, what is missing."""

import difflib
from dataclasses import dataclass, field

from bert4keras3.checkpoints.errors import CheckpointError
from bert4keras3.checkpoints.names import DIALECTS

# Optimizer slots and counters that training checkpoints carry along.
_SLOTS = (
    "adam_m",
    "adam_v",
    "global_step",
    "/Adam",
    "beta1_power",
    "beta2_power",
    "lamb_m",
    "lamb_v",
    "_slot_v",
    "_slot_m",
    "position_ids",
    "embed_positions",
    "positions_encoding",
    ".attn.bias",  # causal masks of GPT-2; its weights are called ".c_attn.bias"
    ".attn.masked_bias",
    "rotary_emb.inv_freq",
)


@dataclass
class LoadReport:
    """What a load did, by name.

    loaded: {our name: name in the checkpoint}; missing: our names the checkpoint has
    no array for; unused: checkpoint names nothing asked for (optimizer slots left
    out); resized: our names whose array was resized (autoresize_weights).
    """

    path: str
    dialect: str
    loaded: dict = field(default_factory=dict)
    missing: list = field(default_factory=list)
    unused: list = field(default_factory=list)
    resized: list = field(default_factory=list)

    def __str__(self):
        return (
            f"{self.path} ({self.dialect}): {len(self.loaded)} loaded, "
            f"{len(self.missing)} missing, {len(self.unused)} unused, "
            f"{len(self.resized)} resized"
        )


def choose_dialect(rows, names, path, dialects):
    """Return the (style, description, spelling) that finds most rows in the checkpoint.

    Raises CheckpointError when no spelling finds anything.
    """
    names = set(names)

    def found(dialect):
        style, _, spell = dialect
        return sum(
            any(spell(one) in names for one in row.spellings(style)) for row in rows
        )

    best = max((*DIALECTS, *dialects), key=found)
    if not found(best):
        examples = ", ".join(sorted(names)[:5])
        raise CheckpointError(
            f"{path or 'the dict'}: none of the model's {len(rows)} weights is in "
            f"this checkpoint under any known name. It holds for example: {examples}. "
            "Is `model=` the right family?"
        )
    return best


def plan(rows, checkpoint, dialects=()):
    """Pair every row with a checkpoint name.

    rows: the rows of the variables the model has; checkpoint: a Checkpoint;
    dialects: the family's own spellings besides DIALECTS.
    Returns (style, [(row, name)], LoadReport with missing and unused filled in).
    """
    style, description, spell = choose_dialect(
        rows, checkpoint, checkpoint.path, dialects
    )
    report = LoadReport(str(checkpoint.path or "the dict"), description)
    pairs, used = [], set()
    for row in rows:
        held = [one for one in map(spell, row.spellings(style)) if one in checkpoint]
        if held:
            pairs.append((row, held[0]))
            used.update(held)
        else:
            report.missing.append(row.ours)
    report.unused = [
        name
        for name in checkpoint
        if name not in used and not any(slot in name for slot in _SLOTS)
    ]
    return style, pairs, report


def missing_message(report, rows, style, checkpoint):
    """Say which weights are missing and what the nearest names in the file are."""
    lines, names = [], {row.ours: row.name(style) for row in rows}
    for ours in report.missing[:8]:
        wanted = names[ours] or ours
        near = difflib.get_close_matches(wanted, list(checkpoint), n=3, cutoff=0.3)
        lines.append(
            f"  {ours} (expected {wanted!r}; nearest: {', '.join(near) or 'none'})"
        )
    if len(report.missing) > 8:
        lines.append(f"  ... and {len(report.missing) - 8} more")
    return (
        f"{report.path}: {len(report.missing)} weight(s) of the model are not in the "
        "checkpoint:\n" + "\n".join(lines) + "\nCheck the model family and the heads "
        "(with_pool, with_nsp, with_mlm, with_lm), or pass ignore_invalid_weights=True "
        "to leave them as initialised."
    )
