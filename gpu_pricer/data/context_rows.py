"""What the table `context` cannot do: set a price, or say anything of periods that are not in the log."""

from datetime import date, timedelta

import polars as pl

from gpu_pricer.tables.periods import Period

PRICE_WORDS = ("price", "preis", "prix")
OTHERS_WORDS = ("competitor", "market", "wettbewerb", "konkurren", "markt", "mitbewerb", "concurren", "marche")
"""Words in the name of a price that others ask: it may move demand, and is no price of ours."""


def context_reports(tables: dict[str, pl.DataFrame], period: Period) -> list[str]:
    """Return a line on prices of ours in context, and one if no row is of a period of the log; tables: valid inputs."""
    priced = [name for name in tables["context"].columns if is_own_price(name)] if "context" in tables else []
    return [report for report in (price_report(priced), unused_report(tables, period)) if report]


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


def is_own_price(name: str) -> bool:
    """Return whether a column is called as a price, such as Aktionspreis, and not as one that others ask."""
    word = name.lower()
    return any(price in word for price in PRICE_WORDS) and not any(other in word for other in OTHERS_WORDS)


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
