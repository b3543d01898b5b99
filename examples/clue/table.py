"""One table of all finished trainings of a run, for people and for programs."""

from pathlib import Path
from statistics import mean, stdev

from bert4keras3.checkpoints.atomic import atomic_path
from examples.clue.folder import write_json
from examples.clue.tasks import NAMES
from examples.clue.training import finished

_HEAD = (
    ("task", "metric", "majority", "score", "best epoch", "seeds")
    + ("train", "dev", "seconds", "examples/s", "peak MB")
)  # fmt: skip


def results_of(folder) -> dict[str, list[dict]]:
    """{task: results of its seeds, by seed} of what is finished in a run's folder.

    CLUE's tasks in their order, then others.
    """
    found = {}
    others = sorted({path.parent.name for path in Path(folder).glob("*/seed-*")})
    for name in dict.fromkeys([*NAMES, *others]):
        places = (Path(folder) / name).glob("seed-*")
        results = [one for one in map(finished, places) if one is not None]
        if results:
            found[name] = sorted(results, key=lambda one: one["seed"])
    return found


def spread(values) -> dict:
    """Mean and standard deviation (n - 1; None for a single value)."""
    return {
        "mean": mean(values),
        "deviation": stdev(values) if len(values) > 1 else None,
    }


def row_of(results) -> dict:
    """One task's numbers over its seeds; scores from 0 to 1."""
    first = results[0]
    return {
        "task": first["task"],
        "metric": first["metric"],
        "majority": first["majority"],
        "seeds": [one["seed"] for one in results],
        "score": spread([one["score"] for one in results]),
        "scores": {
            name: spread([one["scores"][name] for one in results])
            for name, value in first["scores"].items()
            if isinstance(value, (int, float))
        },
        "best_epochs": [one["best_epoch"] for one in results],
        "epochs": first["epochs"],
        "samples": first["samples"],
        "seconds": mean(one["seconds"] for one in results),
        "examples_per_second": mean(one["examples_per_second"] for one in results),
        "peak_memory_mb": max(
            (one["peak_memory_mb"] for one in results if one["peak_memory_mb"]),
            default=None,
        ),
    }


def overall(found) -> dict | None:
    """CLUE's score, the mean of all tasks, over the seeds that all of them have."""
    if not set(NAMES) <= set(found):
        return None
    scores = [{one["seed"]: one["score"] for one in found[name]} for name in NAMES]
    seeds = sorted(set.intersection(*map(set, scores)))
    if not seeds:
        return None
    means = [mean(task[seed] for task in scores) for seed in seeds]
    return {"seeds": seeds, "score": spread(means)}


def write_table(folder, settings: dict) -> str:
    """Write table.json and table.md of a run's folder; returns the Markdown."""
    found = results_of(folder)
    rows = [row_of(results) for results in found.values()]
    total = overall(found)
    content = {"settings": settings, "tasks": rows, "mean of tasks": total}
    write_json(Path(folder) / "table.json", content)
    text = markdown(settings, rows, total)
    with atomic_path(Path(folder) / "table.md") as path:
        path.write_text(text, "utf-8")
    return text


def markdown(settings, rows, total) -> str:
    """The table, scores in percent, times and speeds as means over the seeds."""
    said = [f"{name} {value}" for name, value in settings.items() if value is not None]
    lines = ["# CLUE", "", ", ".join(said), "", _line(_HEAD)]
    lines.append(_line(["---"] * 2 + ["---:"] * (len(_HEAD) - 2)))
    for row in rows:
        peak = row["peak_memory_mb"]
        cells = [row["task"], row["metric"], _percent(row["majority"])]
        cells += [_shown(row["score"]), ", ".join(map(str, row["best_epochs"]))]
        cells += [", ".join(map(str, row["seeds"]))]
        cells += [row["samples"]["train"], row["samples"]["dev"]]
        cells += [f"{row['seconds']:.0f}", f"{row['examples_per_second']:.0f}"]
        lines.append(_line([*cells, "" if peak is None else f"{peak:.0f}"]))
    if total is not None:
        cells = ["mean of tasks", "", "", _shown(total["score"]), ""]
        cells += [", ".join(map(str, total["seeds"]))]
        lines.append(_line(cells + [""] * (len(_HEAD) - len(cells))))
    return "\n".join(lines) + "\n"


def _line(cells) -> str:
    return f"| {' | '.join(map(str, cells))} |"


def _percent(value) -> str:
    return f"{100 * value:.2f}"


def _shown(score) -> str:
    deviation = score["deviation"]
    tail = "" if deviation is None else f" ± {_percent(deviation)}"
    return _percent(score["mean"]) + tail
