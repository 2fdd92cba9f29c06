"""Price groups: users who saw prices of their own, such as a segment of published prices or an arm of a price test.

The shelf has one price per product and period. Where groups of users saw others, that price is what some of them paid,
and all others would count as buying at a price that they never saw. On a synthetic market whose six groups saw prices
up to 12 % apart for half a year (docs/measurements.md), the mean elasticity is then estimated as −2.54 instead of
−3.16, and the prices reach .57 of the attainable gain instead of .93.

So every visit has the price group of its user, and the canonical group_shelf has the prices of a group that differ from
the shelf's. They come from the table group_prices, never from the lines: lines show a price where it sold, and prices
that only sales show look as if low ones sold and high ones were not there. With prices from lines, a third of which
were known on that market, the estimation of the response did not converge.
"""

import logging
from datetime import timedelta

import polars as pl

from gpu_pricer.errors import InputError
from gpu_pricer.tables.periods import Period
from gpu_pricer.tables.schemas import GROUP_NUMBER, PRICE_GROUP, USUAL

log = logging.getLogger(__name__)

MOST_GROUPS = 64
"""Each of them adds a column to the price response for every period."""
LEAST_AGREEING, TOLERANCE = 0.5, 0.005  # share of the lines of groups; currency


def group_names(sales: pl.DataFrame, told: pl.DataFrame | None) -> list[str]:
    """Return the names of the price groups in order; the number of a group is its place, from 1.

    told: the table group_prices, None without. InputError where there are more than MOST_GROUPS, where their prices are
    not told, or where prices are told of groups that no line names.
    """
    named = sales[PRICE_GROUP] if PRICE_GROUP in sales.columns else pl.Series(dtype=pl.String)
    names = named.drop_nulls().unique().cast(pl.String).sort().to_list()
    if len(names) > MOST_GROUPS:
        raise InputError(
            f"price_group must have at most {MOST_GROUPS} different values, found {len(names):,}, such as "
            f"{', '.join(names[:3])}: join groups that see the same prices"
        )
    known = set() if told is None else {*told[PRICE_GROUP].cast(pl.String).unique()}
    if unknown := [name for name in names if name not in known]:
        raise InputError(
            f"the table group_prices must tell the prices of every price_group, found none of {', '.join(unknown[:3])}"
            ": bring it (`gpu-pricer history` writes it from published prices), or leave price_group out"
        )
    if known and not names:
        raise InputError(
            "group_prices needs the column price_group in offers, or in transactions without offers, found no group "
            "there: say whose prices each user saw, or take the table away"
        )
    return names


def with_group_numbers(rows: pl.DataFrame, names: list[str]) -> pl.DataFrame:
    """Return the rows with price_group as the number of one of the names, USUAL where it is null.

    Without names the rows have no price_group.
    """
    if not names:
        return rows.drop(PRICE_GROUP, strict=False)
    number = pl.col(PRICE_GROUP).cast(pl.String).replace_strict(
        names, range(1, len(names) + 1), default=USUAL, return_dtype=GROUP_NUMBER
    )  # fmt: skip
    return rows.with_columns(number)


def group_shelf(shelf: pl.DataFrame, visits: pl.DataFrame, told: pl.DataFrame, period: Period) -> pl.DataFrame:
    """Return the canonical group_shelf, sorted: the prices that groups saw, where they differ from the shelf's.

    shelf: period, product_id and price. visits: canonical. told: group_prices, its groups numbered. A group has prices
    in the periods in which some of its users came: those that hold in the middle of the period, of products on the
    shelf then.
    """
    came = (
        visits.filter(pl.col(PRICE_GROUP) != USUAL).select("period", PRICE_GROUP).unique().sort(PRICE_GROUP, "period")
    )
    prices = told.select(PRICE_GROUP, "product_id", "time", "price").sort("time", maintain_order=True)
    found = [shelf.clear().select("period", pl.lit(USUAL, GROUP_NUMBER).alias(PRICE_GROUP), "product_id", "price")]
    for (number,), periods in came.group_by(PRICE_GROUP, maintain_order=True):  # one at a time: each is a whole shelf
        rows = shelf.join(periods, on="period").rename({"price": "shelf_price"})
        seen = rows.with_columns(time=pl.col("period").cast(pl.Datetime("us")) + timedelta(days=period.days) / 2)
        own = prices.filter(pl.col(PRICE_GROUP) == number).drop(PRICE_GROUP)
        seen = seen.sort("time").join_asof(own, on="time", by="product_id", check_sortedness=False)
        found.append(seen.filter(pl.col("price") != pl.col("shelf_price")).select(found[0].columns))
    return pl.concat(found).sort("period", PRICE_GROUP, "product_id")


def warn_of_other_prices(lines: pl.DataFrame, shelf: pl.DataFrame, own: pl.DataFrame) -> None:
    """Warn where most lines of price groups are at other prices than those that their groups are told to have seen.

    lines: with the number of the group, and shelf as in group_shelf; own: from group_shelf. A group without a price of
    its own, as before its first one, is at the shelf's.
    """
    cell = ("period", PRICE_GROUP, "product_id")
    counts = lines.lazy().filter(pl.col(PRICE_GROUP) != USUAL).group_by(*cell, "price").len().collect()
    told = counts.join(shelf.select("period", "product_id", usual="price"), on=("period", "product_id"))
    told = told.join(own.select(*cell, own="price"), on=cell, how="left").with_columns(told=pl.coalesce("own", "usual"))
    is_other = (pl.col("price") - pl.col("told")).abs() > TOLERANCE
    count, other = told.select(pl.col("len").sum(), other=(pl.col("len") * is_other).sum()).row(0)
    if other > (1 - LEAST_AGREEING) * count:
        first = told.filter(is_other).sort("len", *cell, "price", descending=[True, *[False] * 4]).row(0, named=True)
        log.warning(
            "%.0f %% of the lines of price groups are at other prices than group_prices tells, such as %.2f of product "
            "%s in the period %s instead of %.2f: mend price_group, or the groups, times or prices of group_prices",
            100 * other / count, first["price"], first["product_id"], first["period"], first["told"],
        )  # fmt: skip
