"""Learning curves of a task as a picture, where matplotlib is installed."""

import importlib.util

from bert4keras3.checkpoints.atomic import atomic_path


def installed() -> bool:
    """Whether there is matplotlib; if not, say how to get it."""
    if importlib.util.find_spec("matplotlib") is not None:
        return True
    print('No curves will be drawn: pip install "bert4keras3[clue]" (matplotlib)')
    return False


def draw(results, path) -> None:
    """Write a PNG: score on dev by epoch, loss by step, a line for each seed.

    results: of one task, one for each seed, as result.json holds them.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3.5), layout="constrained")
    scores, losses = figure.subplots(1, 2)
    for one in results:
        values = [100 * value for value in one["curve"]["score"]]
        label = f"seed {one['seed']}"
        scores.plot(range(1, len(values) + 1), values, marker="o", label=label)
        losses.plot(*zip(*one["curve"]["loss"], strict=True), marker=".", label=label)
    first = results[0]
    guess = 100 * first["majority"]
    scores.axhline(guess, color="gray", linestyle="--", label="majority")
    for axes in (scores, losses):
        axes.xaxis.get_major_locator().set_params(integer=True, min_n_ticks=1)
    name = f"{first['metric']} on dev, %"
    scores.set(title=first["task"], xlabel="epoch", ylabel=name)
    losses.set(title=first["task"], xlabel="step", ylabel="loss")
    scores.legend()
    with atomic_path(path) as temporary:
        figure.savefig(temporary, format="png", dpi=120)
