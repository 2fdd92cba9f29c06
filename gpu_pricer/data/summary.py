"""The content of summary.json: the calendar, the sizes of the tables, and what became of the input rows."""

from dataclasses import asdict
from typing import Any

import polars as pl

from gpu_pricer.data.choices.choices import off_modal_count
from gpu_pricer.data.choices.logged_choices import ChoicesByPeriod
from gpu_pricer.data.choices.period_log import PeriodLog
from gpu_pricer.data.raw.inputs import Inputs
from gpu_pricer.tables.canonical import SCHEMAS
from gpu_pricer.tables.periods import Calendar, Period, Split
from gpu_pricer.tables.schemas import has_unit_price


def summary_of(
    tables: dict[str, pl.DataFrame],
    choices: ChoicesByPeriod,
    inputs: Inputs,
    sales: pl.DataFrame,
    calendar: Calendar,
    period: Period,
    split: Split,
    outside_option: bool,
) -> dict[str, Any]:
    """Return the summary of the canonical tables and choices, made from the inputs and their sales of these periods.

    outside_option: whether visits may buy nothing. products_on_shelf_now: those of the last whole period;
    `availability`, by which prices are set, is of several.
    """
    shelf, periods, whole = tables["shelf"], calendar.whole, choices.log
    sets = shelf.group_by("period", "category_id").len()["len"]
    bought, kept = _purchases(whole)
    heights = {name: table.height for name, table in tables.items()} | {"choices": choices.height}
    summary = {
        "period_days": period.days,
        "first_period": periods[0].isoformat(),
        "last_period": periods[-1].isoformat(),
        "periods": len(periods),
        "begun_period": None if calendar.begun is None else calendar.begun.isoformat(),
        "begun_share": calendar.share,
        "begun_teaches": "begun_shelf" in tables,
        "split": asdict(split),
        "outside_option": outside_option,
        "rows": {name: heights[name] for name in SCHEMAS if name in heights},
        "products_without_price": inputs.tables["products"].height - tables["products"].height,
        "products_priced_by_sales": tables["products"]
        .join(inputs.tables["products"].drop_nulls("price"), on="product_id", how="anti")
        .height,
        "products_without_unit_price": int(
            tables["products"].select((~has_unit_price(tables["products"])).sum()).item()
        ),
        "products_on_shelf_ever": shelf["product_id"].n_unique(),
        "products_on_shelf_now": shelf.filter(pl.col("period") == periods[-1]).height,
        "categories": shelf["category_id"].n_unique(),
        "largest_choice_set": sets.max(),
        "purchases": bought,
        "purchases_on_shelf": kept,
        "lines_outside_whole_periods": sales.height - sum(part.height for part in whole.lines.values()),
        "choices_of_a_product": choices.bought,
        "choices_of_nothing": choices.nothing,
        "broken_rules": inputs.broken,
        "lines_left_out": {name: rows.height for name, rows in inputs.left_out.items()},
    }
    if whole.is_offers:
        counts = [off_modal_count(part, whole.shelves[period]) for period, part in whole.lines.items()]
        off, shown = (sum(count) for count in zip(*counts, strict=True))
        summary["offers_off_modal_price"] = off / shown if shown else 0.0
    return summary


def _purchases(whole: PeriodLog) -> tuple[int, int]:
    """Return how many lines of the whole periods are purchases, and how many of these of products on the shelf."""
    sold = {period: part.filter(pl.col("quantity") > 0) for period, part in whole.lines.items()}
    kept = [part.join(whole.shelves[period], on="product_id", how="semi").height for period, part in sold.items()]
    return sum(part.height for part in sold.values()), sum(kept)
