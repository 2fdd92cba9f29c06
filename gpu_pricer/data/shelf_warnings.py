"""What `prepare` says where few products, or none, are on the shelf, and where every visit bought."""

import logging
from datetime import date

import polars as pl

from gpu_pricer.data.choices.logged_choices import ChoicesByPeriod
from gpu_pricer.data.choices.period_log import PeriodLog

log = logging.getLogger(__name__)

LEAST_ON_SHELF = 0.5
"""Share of the purchases that are of products on the shelf, below which the log warns. Complete Journey has 0.76."""


def empty_shelf(sales: pl.DataFrame, last: date) -> str:
    """Return what to say where no product is on the shelf in the last period."""
    earlier, later = (sales.filter(holds) for holds in (pl.col("period") < last, pl.col("period") >= last))
    end = earlier.select(pl.col("time").max().dt.date()).item()
    before = f"{earlier.height:,} end on {end}" if earlier.height else "none are earlier"
    return (
        f"some product must be on the shelf in the last period, {last}, found none: {later.height:,} sales are "
        f"of that time and {before}; mend their times, or set data.last_period to the last period that counts"
    )


def tell_gaps(whole: PeriodLog) -> None:
    """Warn of the whole periods in which no product is on the shelf, as after a gap in the log."""
    gaps = whole.without_shelf
    if gaps:
        log.warning(
            "no product is on the shelf in %s of %s whole periods, the first %s, the last %s, because none had a known "
            "price in the data.shelf.carry_periods before: their %s lines are not learned from",
            len(gaps),
            len(whole.lines),
            gaps[0],
            gaps[-1],
            f"{sum(whole.lines[period].height for period in gaps):,}",
        )


def tell_always_bought(choices: ChoicesByPeriod) -> None:
    """Warn of the categories from which every visit bought: no visit shows that their prices keep anybody away."""
    if choices.always_bought:
        log.warning(
            "every visit of the log bought from %s of %s categories, such as %s: the log cannot tell how many would "
            "buy nothing there if all prices of the category rose, and the demand model expects none; bring the visits "
            "that bought only elsewhere, or an offers table, or hold the price index there (policy=balanced does)",
            len(choices.always_bought),
            len(choices.log.categories),
            choices.always_bought[0],
        )


def tell_off_shelf(bought: int, kept: int) -> None:
    """Warn where few purchases are of products on the shelf: the others teach no demand, and none is expected."""
    if kept < LEAST_ON_SHELF * bought:
        log.warning(
            "only %s of %s purchases are of products on the shelf in their period, because too few lines show the "
            "others' prices: nothing is learned from the other purchases, and the expected demand is too low; lower "
            "data.shelf.min_lines, raise data.shelf.carry_periods, or set a longer data.occasion_period",
            f"{kept:,}",
            f"{bought:,}",
        )
