"""Price groups: users who saw prices of their own, such as a segment of published prices or an arm of a price test.

The shelf has one price per product and period. Where groups of users saw others, that price is what some of them paid,
and all others count as buying at a price that they never saw. Measured on a synthetic market whose six groups saw
prices up to 12 % apart for half a year: without the groups the mean elasticity is estimated as −2.50 instead of −3.16,
and the prices reach .56 of the attainable gain instead of .93 (data=synthetic seed=0, November 2026).

So every visit has the price group of the user, and the canonical group_shelf has every price of a group that differs
from the shelf's. A table group_prices tells these prices; else the lines of the group show them.
"""

import logging
from datetime import timedelta

import polars as pl

from gpu_pricer.data.shelf import ShelfRule
from gpu_pricer.errors import InputError
from gpu_pricer.tables.periods import Period
from gpu_pricer.tables.schemas import GROUP_NUMBER, PRICE_GROUP, USUAL

log = logging.getLogger(__name__)

MOST_GROUPS = 64
"""Each of them adds to the price response a column for every period."""
KEY = ("period", PRICE_GROUP, "product_id")
FEW_KNOWN = 0.5
"""Share of the groups' prices that lines must show, or the job asks for the table group_prices."""


def group_names(sales: pl.DataFrame, told: pl.DataFrame | None) -> list[str]:
    """Return the names of the price groups in order; the number of a group is its place, from 1.

    told: the table group_prices, None without. InputError where there are more than MOST_GROUPS, or where group_prices
    tells prices of groups and no line says which group its user is of.
    """
    if PRICE_GROUP not in sales.columns:
        seen = pl.Series(dtype=pl.String)
    else:
        seen = sales[PRICE_GROUP].drop_nulls().unique().cast(pl.String)
    if told is not None and seen.is_empty():
        raise InputError(
            "group_prices needs the column price_group in transactions or offers, found no group there: say whose "
            "prices each user saw, or take the table away"
        )
    names = seen.sort().to_list()
    if len(names) > MOST_GROUPS:
        raise InputError(
            f"price_group must have at most {MOST_GROUPS} different values, found {len(names):,}, such as "
            f"{', '.join(names[:3])}: join groups that see the same prices"
        )
    return names


def with_group_numbers(rows: pl.DataFrame, names: list[str]) -> pl.DataFrame:
    """Return the rows with price_group as the number of one of the names, USUAL where it is null.

    Without names the rows have no price_group.
    """
    if not names:
        return rows.drop(PRICE_GROUP, strict=False)
    number = pl.col(PRICE_GROUP).cast(pl.String).replace_strict(
        names, range(1, len(names) + 1), default=None, return_dtype=GROUP_NUMBER
    )  # fmt: skip
    return rows.with_columns(number.fill_null(USUAL))


def group_shelf(
    shelf: pl.DataFrame,
    visits: pl.DataFrame,
    modal: pl.DataFrame,
    told: pl.DataFrame | None,
    period: Period,
    rule: ShelfRule,
) -> pl.DataFrame:
    """Return the canonical group_shelf, sorted: the prices that groups saw, where they differ from the shelf's.

    shelf: period, product_id and price. visits: canonical. modal: modal_prices of KEY. told: group_prices with
    numbers, None without. A group has prices in the periods in which some of its users came. Of a product on the shelf
    then, they are those told, which hold on the period's middle day, else those of at least rule.min_lines of its
    lines; else the group's usual price, from its last known ones within rule.carry_periods, else the shelf's price.
    """
    came = (
        visits.filter(pl.col(PRICE_GROUP) != USUAL).select("period", PRICE_GROUP).unique().sort(PRICE_GROUP, "period")
    )
    known = modal.filter(pl.col("lines") >= rule.min_lines, pl.col(PRICE_GROUP) != USUAL)
    found = [
        _shelf_of_group(shelf.join(periods.drop(PRICE_GROUP), on="period"), number, known, told, period, rule)
        for (number,), periods in came.group_by(PRICE_GROUP, maintain_order=True)
    ]
    if not found:
        return shelf.clear().select(
            "period", pl.lit(USUAL, GROUP_NUMBER).alias(PRICE_GROUP), "product_id", "price"
        )  # fmt: skip
    rows = pl.concat(found)
    _tell_known(rows, told is not None)
    differs = pl.col("price") != pl.col("shelf_price")
    return rows.filter(differs).select(*KEY, "price").sort(KEY)


def _shelf_of_group(
    shelf: pl.DataFrame,
    number: object,
    known: pl.DataFrame,
    told: pl.DataFrame | None,
    period: Period,
    rule: ShelfRule,
) -> pl.DataFrame:
    """Return period, price_group, product_id, price, shelf_price and is_known of a group; see group_shelf."""
    is_own = pl.col(PRICE_GROUP) == number
    own = known.filter(is_own).select("product_id", "period", shown="price").sort("product_id", "period")
    middle = pl.col("shown").rolling_quantile(0.5, interpolation="higher", window_size=rule.usual_of, min_samples=1)
    usual = own.select("product_id", "period", usual=middle.over("product_id"))
    rows = shelf.select("period", "product_id", shelf_price="price").sort("period")
    rows = rows.join(own, on=["product_id", "period"], how="left", maintain_order="left")
    rows = rows.join_asof(
        usual.sort("period"), on="period", by="product_id", strategy="backward", allow_exact_matches=False,
        tolerance=timedelta(days=period.days * rule.carry_periods), check_sortedness=False,
    )  # fmt: skip
    if told is None:
        rows = rows.with_columns(told=pl.lit(None, pl.Float64))
    else:
        prices = (
            told.filter(is_own).select("product_id", day=pl.col("time"), told="price").sort("day", maintain_order=True)
        )
        noon = pl.col("period").cast(pl.Datetime("us")) + timedelta(days=period.days) / 2
        rows = rows.with_columns(day=noon).join_asof(
            prices, on="day", by="product_id", strategy="backward", check_sortedness=False
        )
    return rows.select(
        "period",
        pl.lit(number, GROUP_NUMBER).alias(PRICE_GROUP),
        "product_id",
        "shelf_price",
        price=pl.coalesce("told", "shown", "usual", "shelf_price"),
        is_known=pl.coalesce("told", "shown").is_not_null(),
    )


def _tell_known(rows: pl.DataFrame, is_told: bool) -> None:
    """Log of how many prices of the groups are known, and ask for the table that tells them where most are not."""
    share, groups = rows["is_known"].sum() / max(rows.height, 1), rows[PRICE_GROUP].n_unique()
    log.info("%s price groups: %.0f %% of their prices are known, the others are those last seen", groups, 100 * share)
    if share < FEW_KNOWN and not is_told:
        log.warning(
            "lines show only %.0f %% of the prices that the price groups saw, and the price response is learned from "
            "the others as they were last seen: bring the table group_prices, which tells every price of every group",
            100 * share,
        )
