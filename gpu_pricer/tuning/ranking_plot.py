"""The figure of a ranking: the trials in their order, and the objective against each key that they tried."""

from pathlib import Path

import polars as pl
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from gpu_pricer.evaluation.plots import OURS, THEIRS, figure
from gpu_pricer.tuning.objective import MAXIMISE
from gpu_pricer.tuning.trials import COMPLETE

MOST_KEYS = 7
DECADES = 20  # values that differ by more than this factor are drawn on a logarithmic axis
MOST_LETTERS = 12


def draw_ranking(path: Path, table: pl.DataFrame, metric: str, goal: str) -> None:
    """Draw the complete trials of a ranking: in order with the best so far, and against each of the first MOST_KEYS."""
    done = table.filter(pl.col("state") == COMPLETE, pl.col("value").is_not_null()).sort("trial")
    if done.is_empty():
        return
    keys = table.columns[table.columns.index("folder") + 1 :][:MOST_KEYS]
    across = min(len(keys) + 1, 4)
    down = -(-(len(keys) + 1) // across)
    with figure(path, 3.0 * across, 2.6 * down) as drawn:
        first, *others = drawn.subplots(down, across, squeeze=False).ravel()
        _draw_order(first, done, goal)
        first.set_ylabel(metric)
        for axes, key in zip(others, keys, strict=False):
            _draw_key(axes, done, key)
        for axes in others[len(keys) :]:
            axes.set_axis_off()


def _draw_order(axes: Axes, done: pl.DataFrame, goal: str) -> None:
    best = done["value"].cum_max() if goal == MAXIMISE else done["value"].cum_min()
    axes.plot(done["trial"].to_numpy(), done["value"].to_numpy(), "o", ms=4, color=OURS)
    axes.step(done["trial"].to_numpy(), best.to_numpy(), where="post", lw=1.2, color=THEIRS)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set(xlabel="trial", title="Each trial, and the best so far")


def _draw_key(axes: Axes, done: pl.DataFrame, key: str) -> None:
    """Draw the objective against the values of a key: along their size if all are numbers, else in order of name."""
    number = done[key].cast(pl.Float64, strict=False)
    if number.null_count() == 0 and number.is_finite().all():
        axes.plot(number.to_numpy(), done["value"].to_numpy(), "o", ms=4, color=OURS)
        low, high = float(number.min()), float(number.max())  # type: ignore[arg-type]
        if low > 0 and high > DECADES * low:
            axes.set_xscale("log")
    else:
        names = done[key].fill_null("default")
        order = sorted(names.unique())
        axes.plot([order.index(name) for name in names], done["value"].to_numpy(), "o", ms=4, color=OURS)
        axes.set_xticks(range(len(order)), [_shortened(name) for name in order])
        axes.margins(x=0.2)
    axes.set(title=key.rpartition(".")[2], xlabel="")


def _shortened(name: str) -> str:
    return name if len(name) <= MOST_LETTERS else f"{name[: MOST_LETTERS - 1]}…"
