"""The figure of a frontier: the loss of the objective for more of a measure."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from matplotlib.axes import Axes
from matplotlib.ticker import EngFormatter, FuncFormatter, PercentFormatter

from gpu_pricer.constraints.frontier import objective_name
from gpu_pricer.evaluation.plots import OURS, THEIRS, figure
from gpu_pricer.policy.constraint import RATES

MARKED = 4
"""Number of points that show their multiplier."""


def draw_frontier(path: Path, table: pl.DataFrame, measure: str, currency: str) -> None:
    """Draw the objective of a period against the measure, with today's prices, the policy's, and some multipliers.

    table: from constraints.frontier.frontier_table: today's row, the policy's row, then the other points.
    """
    today, policy, traced = table.row(0, named=True), table.row(1, named=True), table[1:]
    objective = objective_name(table)
    label = measure.replace("_", " ")
    unit = {"units": "", "margin_rate": ", profit / revenue", "price_index": ", today's prices = 100%"}
    more = "less" if measure == "price_index" else "more"
    with figure(path, 6.4, 4.6) as drawn:
        axes = drawn.subplots()
        axes.plot(traced[measure].to_numpy(), traced["objective"].to_numpy(), marker="o", ms=3.5, lw=1.6, color=OURS)
        for row, name, marker, colour in ((policy, "policy", "o", OURS), (today, "today's prices", "s", THEIRS)):
            axes.plot(row[measure], row["objective"], marker, ms=7, color=colour)
            axes.annotate(
                name, (row[measure], row["objective"]), (0, 7), textcoords="offset points", ha="center", color=colour
            )
        axes.margins(0.15)
        _mark_multipliers(axes, traced, measure, currency)
        axes.xaxis.set_major_formatter(PercentFormatter(1.0) if measure in RATES else EngFormatter())
        axes.yaxis.set_major_formatter(EngFormatter())
        _add_changes(axes, today, measure)
        axes.set(
            xlabel=f"{label} of a period{unit.get(measure, f', {currency}')}",
            ylabel=f"{objective} of a period, {currency}",
        )
        axes.set_title(f"The most {objective} at every level of {label}, and what one {more} of it costs")


def _mark_multipliers(axes: Axes, traced: pl.DataFrame, measure: str, currency: str) -> None:
    """Label some points other than the policy's with the cost of one more unit of the measure, or of one less."""
    per = {"units": "unit"}.get(measure, "percentage point" if measure in RATES else currency)
    share = 100 if measure in RATES else 1
    moved = traced.filter(pl.col(measure) != traced[measure][0])
    steps = np.arange(1, MARKED + 1) * moved.height // MARKED
    for row in moved[np.unique(steps[steps > 0]) - 1].iter_rows(named=True):
        axes.annotate(
            f"{row['multiplier'] / share:,.3g} {currency} per {per}", (row[measure], row["objective"]), (-6, -4),
            textcoords="offset points", fontsize=7.5, ha="right", va="top",
        )  # fmt: skip


def _add_changes(axes: Axes, today: dict[str, float], measure: str) -> None:
    """Add axes at the top and the right with changes from today: in per cent, or in points for a ratio."""
    is_rate = measure in RATES
    top = axes.secondary_xaxis("top", functions=_changes(today[measure], 0.01 if is_rate else today[measure] / 100))
    right = axes.secondary_yaxis("right", functions=_changes(today["objective"], today["objective"] / 100))
    top.set_xlabel("percentage points over today's" if is_rate else "% over today's")
    right.set_ylabel("% over today's")
    for axis in (top.xaxis, right.yaxis):
        axis.set_major_formatter(FuncFormatter(lambda change, _: f"{change:+.3g}"))


def _changes(base: float, size: float) -> tuple[Callable[[Any], Any], Callable[[Any], Any]]:
    """Return the functions from amounts to changes from `base` in units of `size`, and back."""
    return (lambda amount: (amount - base) / size), (lambda change: base + size * change)
