"""What more of a measure costs around a version's prices, with today's prices marked."""

import math
from typing import Any, NamedTuple

import polars as pl

from gpu_pricer.constraints.frontier import objective_name
from gpu_pricer.policy.constraint import RATES
from gpu_pricer.policy.objective import Objective
from gpu_pricer.report.words import MEASURE_WORDS, measure_words
from gpu_pricer.tables.version.tally import Tally

TODAY, THESE = "Today's prices", "These prices"

STEP_WORDS = {
    "units": "One unit more costs",
    "revenue": "One more costs",
    "profit": "One more costs",
    "margin_rate": "One point more costs",
    "price_index": "One point less costs",
}

MOST_ROWS = 6
SAME = 1e-6
"""The largest difference of two points that are one, in % or points of x and as a share of y."""


class FrontierFigures(NamedTuple):
    """One frontier as the page shows it.

    key: the id of its chart. measure, objective: their words. unit: of the changes of the measure; step: words for what
    one more unit of it costs. points: x, y and cost of every point; marks: what, x and y of today's and of the
    version's prices. x is the change of the measure from today, in % or percentage points, y that of the objective in
    currency, cost what one more unit (or point) costs. rows: some of the points, of equal ones the one with the largest
    cost, up to which nothing more is bought.
    """

    key: str
    measure: str
    objective: str
    unit: str
    step: str
    points: list[dict[str, Any]]
    marks: list[dict[str, Any]]
    rows: list[dict[str, Any]]


def frontier_figures(
    measure: str, table: pl.DataFrame, tally: Tally, objective: Objective, after_vat: str
) -> FrontierFigures:
    """Return the figures of a table of constraints.frontier: today's row, the policy's, and those of further points.

    tally, objective, after_vat: of the version, whose prices are marked on it.
    """
    today, share = table.row(0, named=True), 100.0 if measure in RATES else 1.0
    points = [
        {**_change(row, today, measure), "cost": row["multiplier"] / share, "share_changed": row["share_changed"]}
        for row in table[1:].to_dicts()
    ]
    name = objective_name(table)
    marks = [(TODAY, today), (THESE, _of_version(tally, objective))]
    distinct = [point for k, point in enumerate(points) if k + 1 == len(points) or not _is_same(point, points[k + 1])]
    steps = sorted({round(k * (len(distinct) - 1) / (MOST_ROWS - 1)) for k in range(MOST_ROWS)})
    return FrontierFigures(
        key=f"frontier-{measure}",
        measure=measure_words(measure, after_vat),
        objective=measure_words(name, after_vat) if name in MEASURE_WORDS else "Objective",
        unit="points" if measure in RATES else "%",
        step=STEP_WORDS[measure],
        points=points,
        marks=[{"what": what, **_change(row, today, measure)} for what, row in marks],
        rows=[distinct[step] for step in steps],
    )


def _is_same(point: dict[str, float], other: dict[str, float]) -> bool:
    return abs(point["x"] - other["x"]) <= SAME and math.isclose(point["y"], other["y"], rel_tol=SAME, abs_tol=SAME)


def _change(row: dict[str, Any], today: dict[str, Any], measure: str) -> dict[str, float]:
    """Return how a row differs from today's: x of the measure, y of the objective."""
    at = row[measure] - today[measure] if measure in RATES else row[measure] / today[measure] - 1
    return {"x": 100 * at, "y": row["objective"] - today["objective"]}


def _of_version(tally: Tally, objective: Objective) -> dict[str, float]:
    """Return the measures of a version's prices, after VAT like the frontier's."""
    profit, revenue = tally.profit_new, tally.net_revenue_new
    return {
        "objective": objective.profit * profit + objective.revenue * revenue,
        "profit": profit,
        "revenue": revenue,
        "units": tally.units_new,
        "margin_rate": profit / revenue if revenue else 0.0,
        "price_index": tally.price_index or 1.0,
    }
