"""What the table `context` cannot do: set a price, or say anything of periods that are not in the log."""

import re
from collections.abc import Iterable, Sequence
from datetime import date, timedelta

import polars as pl

from gpu_pricer.data.plain_words import plain_word
from gpu_pricer.tables.periods import Period

PRICE_WORDS = ("price", "prices", "preis", "preise", "prix")
OWN_WORDS = (
    *("own", "our", "promo", "promotion", "promotions", "promotional", "sale", "sales", "action", "unser", "eigen"),
    *("eigener", "verkauf", "verkaufs", "aktion", "aktions", "angebot", "angebots", "sonder", "notre", "vente", "de"),
)
OWN_PRICE = re.compile("({own})*({price})({own})*".format(own="|".join(OWN_WORDS), price="|".join(PRICE_WORDS)))
"""Plain names of prices of ours: a word for a price alone, or with words for own, promotion, sale or action."""


def context_reports(tables: dict[str, pl.DataFrame], period: Period, instruments: Sequence[str]) -> list[str]:
    """Return a line on prices of ours in context, and one if no row is of a period of the log; tables: valid inputs.

    instruments: columns that move prices, which set none.
    """
    columns = tables["context"].columns if "context" in tables else []
    reports = (price_report(own_prices(columns, instruments)), unused_report(tables, period))
    return [report for report in reports if report]


def unused_report(tables: dict[str, pl.DataFrame], period: Period) -> str:
    """Return a line if the table context has no row of a period of the log, else ""; tables: the valid inputs."""
    if "context" not in tables:
        return ""
    context, sales = tables["context"], tables["offers" if "offers" in tables else "transactions"]
    first, last = _periods(sales, period)
    if context.select(period.start(pl.col("time")).is_between(first, last).any()).item():
        return ""
    end = last + timedelta(days=period.days - 1)
    return (
        "no row of context has an effect: the periods of the log go from {} to {}, those of its rows begin from {} to "
        "{}; bring rows of the log's time, and give planned prices in policy.overrides"
    ).format(first, end, *_periods(context, period))


def own_prices(columns: Iterable[str], instruments: Sequence[str]) -> list[str]:
    """Return the columns that are called as prices of ours, such as Aktionspreis, and that are no instruments."""
    return [name for name in columns if name not in instruments and OWN_PRICE.fullmatch(plain_word(name))]


def price_report(columns: list[str]) -> str:
    """Return that columns of context set no price, with the way to set one; "" without columns."""
    if not columns:
        return ""
    return (
        f"{' and '.join(columns)} of context sets no price: context says what else moved demand; fixed prices, such as "
        "those of planned promotions, belong in policy.overrides, a file with product_id and price or a folder of one "
        "per first day"
    )


def _periods(rows: pl.DataFrame, period: Period) -> tuple[date, date]:
    start = period.start(pl.col("time"))
    first, last = rows.select(start.min().alias("first"), start.max().alias("last")).row(0)
    return first, last
