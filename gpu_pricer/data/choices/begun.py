"""How purchases in the first days of a period compare with those in all of it, so that a begun period can be used.

A visit is a user in a period. A user who comes twice in a week makes one visit to the week, and one to its first days.
So a visit to part of a period buys less than a visit to all of it, though not in proportion to the days, and the ratio
differs by category. It is estimated from the whole periods of the log, by comparing their first days with all of them.
"""

import logging

import polars as pl

from gpu_pricer.data.choices.choices import ChoiceRule, occasion_sums, total_sums
from gpu_pricer.data.choices.logged_choices import logged_choices
from gpu_pricer.data.choices.period_log import PeriodLog

log = logging.getLogger(__name__)

MOST_BUYING = 0.999
"""Rates of buying are cut to this: the odds of a category from which every visit buys would be infinite."""


def begun_tables(
    whole: PeriodLog, begun: PeriodLog, shelf: pl.DataFrame, days: int, rule: ChoiceRule, seed: int
) -> dict[str, pl.DataFrame]:
    """Return the canonical tables of a begun period, of which `days` days have passed; {} if it teaches nothing.

    whole: the log of the whole periods, with the time of each line. begun: the log of the one period. shelf: canonical,
    of that period.
    """
    rates = unscaled(whole.categories) if whole.is_offers else _rates_of(whole, days, rule.shrinkage)
    (lines,), (own,) = begun.lines.values(), begun.shelves.values()
    if rates is None or lines.join(own, on="product_id", how="semi").is_empty():
        log.info("the period that has begun is not learned from: no sale on its days, in it or in the whole periods")
        return {}
    found = logged_choices(begun, rule, seed)
    tables = {"shelf": shelf, "choices": pl.concat(found.parts()), "visits": found.visits, "categories": rates}
    return {f"begun_{name}": table for name, table in tables.items()}


def _rates_of(whole: PeriodLog, days: int, shrinkage: float) -> pl.DataFrame | None:
    """Return the rates of the begun days in the whole periods, see begun_rates."""
    shelf = pl.concat([part.select("period", "category_id").unique() for part in whole.shelves.values()])
    entire, first = (
        (total_sums([occasion_sums(part.purchases(period)) for period in part.lines]), part.visits())
        for part in (whole, whole.first_days(days))
    )
    return begun_rates(entire, first, shelf, shrinkage)


def begun_rates(
    whole: tuple[pl.DataFrame, pl.DataFrame],
    first: tuple[pl.DataFrame, pl.DataFrame],
    shelf: pl.DataFrame,
    shrinkage: float,
) -> pl.DataFrame | None:
    """Return category_id, odds and units of the shelf's categories; None where nobody bought in the first days.

    odds: the odds that a visit to the first days of a period buys from the category, over those of a visit to the whole
    period. units: the units per choice, over those of the whole period. Both are shrunk to the ratio that all
    categories have in common, which counts as `shrinkage` buying occasions, and units (Clayton & Kaldor 1987).
    whole, first: the sums of the purchases (occasion_sums) and the visits of the same whole periods: entire, and their
    first days only. shelf: period, category_id of these periods.
    """
    sums = _sums(*whole, shelf).join(_sums(*first, shelf), on="category_id", suffix="_first").sort("category_id")
    rate, per_choice = pl.col("occasions") / pl.col("visits"), pl.col("units") / pl.col("occasions")
    sums = sums.with_columns(
        rate=rate, expected=rate * pl.col("visits_first"), usual=per_choice * pl.col("occasions_first")
    ).fill_nan(0.0)
    if not sums["occasions_first"].sum():
        return None
    buying = _shrunk("occasions_first", "expected", shrinkage)
    usual, now = (chance.clip(upper_bound=MOST_BUYING) for chance in (pl.col("rate"), pl.col("rate") * buying))
    units = _shrunk("units_first", "usual", shrinkage)
    return sums.select("category_id", odds=buying * (1 - usual) / (1 - now), units=units)


def unscaled(categories: pl.Series) -> pl.DataFrame:
    """Return rates of 1, for an offers table: an occasion there is the same in a begun period as in a whole one."""
    return pl.DataFrame({"category_id": categories.unique().sort()}).with_columns(odds=pl.lit(1.0), units=pl.lit(1.0))


def _sums(bought: pl.DataFrame, visits: pl.DataFrame, shelf: pl.DataFrame) -> pl.DataFrame:
    """Return category_id, visits while it was on the shelf, buying occasions and units."""
    came = visits.group_by("period").agg(visits=pl.len())
    is_open = shelf.select("period", "category_id").unique()
    seen = is_open.join(came, on="period", how="left").group_by("category_id").agg(pl.col("visits").sum())
    return seen.join(bought.drop("products"), on="category_id", how="left").fill_null(0)


def _shrunk(found: str, expected: str, shrinkage: float) -> pl.Expr:
    """Return the ratio of the sums found to the expected ones; `shrinkage` of them are found at the common ratio."""
    common = pl.col(found).sum() / pl.col(expected).sum()
    return common * (pl.col(found) + shrinkage) / (pl.col(expected) * common + shrinkage)
