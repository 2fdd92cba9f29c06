"""Price groups: users who saw prices of their own, such as a segment of published prices or an arm of a price test.

The shelf has one price per product and period. Where groups of users saw others, that price is what some of them paid,
and all others would count as buying at a price that they never saw. On a synthetic market whose six groups saw prices
up to 12 % apart for half a year (docs/measurements.md), the mean elasticity is then estimated as −2.54 instead of
−3.16, and the prices reach .57 of the personalisation gain instead of .93.

So every visit has the price group of its user, and the canonical group_shelf has the prices of a group that differ from
the shelf's. They come from the table group_prices, never from the lines: lines show a price only where it sold, as if
low prices sold and high prices had not been asked. On that market the lines show a third of the prices, and with these
alone the estimation of the response did not converge.

Lines do show a deal on top of these prices: a promotion of the shop that is not in the table. If most lines of a
product in a period, over all groups, are at the same share of their groups' prices, or at one price, all groups had the
deal.
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
MIXED_UP = 0.15  # share of the lines of groups
SAME_DEAL = 0.005
"""Two prices are the same share of two groups' prices if they differ by less than this share: prices are rounded."""
CELL = ("period", PRICE_GROUP, "product_id")


def group_names(sales: pl.DataFrame, told: pl.DataFrame | None) -> list[str]:
    """Return the names of the price groups in order; the number of a group is its place, from 1.

    told: the table group_prices, None without. InputError if there are more than MOST_GROUPS, if `told` lacks a group,
    or if it has prices up to the last line but no line names a group.
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
            ": bring it (`gpu-pricer history` writes it from published prices), or leave price_group out, "
            "with inspect by inspect.transactions.price_group=none"
        )
    if told is not None and known and not names and _begin_later(told, sales):
        log.info("the price groups of group_prices begin after the last sales: no line can name one yet")
        return []
    if known and not names:
        raise InputError(
            "group_prices needs the column price_group in offers, or in transactions without offers, found no group "
            "there: say whose prices each user saw, or take the table away"
        )
    return names


def _begin_later(told: pl.DataFrame, sales: pl.DataFrame) -> bool:
    """Return whether the first price of a group holds from after the last line."""
    first, last = told.select(pl.col("time").min()).item(), sales.select(pl.col("time").max()).item()
    return bool(first > last)


def warn_of_unread_groups(transactions: pl.DataFrame | None, offers: pl.DataFrame | None) -> None:
    """Warn where only transactions name price groups, but prices are learned from offers. None: the table is absent."""
    is_named = [
        table is not None and PRICE_GROUP in table.columns and table[PRICE_GROUP].null_count() < table.height
        for table in (transactions, offers)
    ]
    if offers is not None and is_named == [True, False]:
        log.warning(
            "price_group of transactions is not read where there are offers, which prices are learned from: bring the "
            "column in offers"
        )


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


def lines_of_groups(lines: pl.DataFrame, shelf: pl.DataFrame, told: pl.DataFrame, period: Period) -> pl.DataFrame:
    """Return how often users of a group paid a price, beside the price that the group is told to have seen then.

    The columns are period, price_group, product_id, price, len and told. lines: with the number of the group, and shelf
    and told as in group_shelf. A group without a price of its own, as before its first one, is at the shelf's.
    """
    counts = lines.lazy().filter(pl.col(PRICE_GROUP) != USUAL).group_by(*CELL, "price").len().collect()
    on_shelf = counts.join(shelf.select("period", "product_id", usual="price"), on=("period", "product_id"))
    own = _prices(told).rename({"price": "told"})
    seen = _in_the_middle(on_shelf, period).join_asof(
        own, on="time", by=[PRICE_GROUP, "product_id"], check_sortedness=False
    )
    return seen.with_columns(pl.coalesce("told", "usual")).drop("time", "usual").sort(*CELL, "price")


def common_deals(paid: pl.DataFrame) -> pl.DataFrame:
    """Return the deals that all groups had on top of their prices: period, product_id, share and deal_price.

    paid: from lines_of_groups. There is a deal where most lines of the product are not at their groups' prices, and
    most are at the same share of these, the median one, or at one price, whichever holds for more. The other of the two
    columns is then null. A single line shows no deal.
    """
    of_product, weight = ("period", "product_id"), pl.col("len")
    rows = paid.select(*of_product, "price", "told", "len", share=pl.col("price") / pl.col("told"))
    rows = rows.sort("share").with_columns(
        before=weight.cum_sum().over(of_product), lines=weight.sum().over(of_product)
    )
    rows = rows.with_columns(
        median=pl.col("share").filter(2 * pl.col("before") >= pl.col("lines")).first().over(of_product),
        at_price=weight.sum().over(*of_product, "price"),
    )
    at_share = (pl.col("price") - pl.col("told") * pl.col("median")).abs() <= SAME_DEAL * pl.col("price") + TOLERANCE
    found = rows.group_by(of_product).agg(
        pl.col("lines", "median").first(),
        as_told=weight.filter((pl.col("price") - pl.col("told")).abs() <= TOLERANCE).sum(),
        at_share=weight.filter(at_share).sum(),
        at_price=pl.col("at_price").max(),
        modal=pl.col("price").sort_by("at_price", "price", descending=[True, False]).first(),
    )
    most, is_share = pl.max_horizontal("at_share", "at_price"), pl.col("at_share") >= pl.col("at_price")
    is_deal = (pl.col("lines") > 1) & (2 * pl.col("as_told") < pl.col("lines")) & (2 * most > pl.col("lines"))
    deals = found.filter(is_deal).sort(of_product)
    return deals.select(
        *of_product, share=pl.when(is_share).then("median"), deal_price=pl.when(~is_share).then("modal")
    )


def group_shelf(
    shelf: pl.DataFrame, visits: pl.DataFrame, told: pl.DataFrame, deals: pl.DataFrame, period: Period
) -> pl.DataFrame:
    """Return the canonical group_shelf, sorted: the prices that groups saw, where they differ from the shelf's.

    shelf: period, product_id and price. visits: canonical. told: group_prices, its groups numbered. deals: from
    common_deals. A group has prices in the periods in which some of its users came: those that hold in the middle of
    the period, of products on the shelf then, with the deals on top.
    """
    came = (
        visits.filter(pl.col(PRICE_GROUP) != USUAL).select("period", PRICE_GROUP).unique().sort(PRICE_GROUP, "period")
    )
    prices, shelf = _prices(told), shelf.join(deals, on=("period", "product_id"), how="left", maintain_order="left")
    found = [shelf.clear().select("period", pl.lit(USUAL, GROUP_NUMBER).alias(PRICE_GROUP), "product_id", "price")]
    for (number,), periods in came.group_by(PRICE_GROUP, maintain_order=True):  # one at a time: each is a whole shelf
        rows = _in_the_middle(shelf.join(periods, on="period").rename({"price": "shelf_price"}), period)
        own = prices.filter(pl.col(PRICE_GROUP) == number).drop(PRICE_GROUP)
        seen = rows.join_asof(own, on="time", by="product_id", check_sortedness=False).drop_nulls("price")
        seen = seen.with_columns(price=pl.coalesce("deal_price", pl.col("price") * pl.col("share"), "price"))
        found.append(seen.filter(pl.col("price") != pl.col("shelf_price")).select(found[0].columns))
    return pl.concat(found).sort(CELL)


def warn_of_other_prices(paid: pl.DataFrame, told: pl.DataFrame, deals: pl.DataFrame, period: Period) -> None:
    """Warn where many lines of price groups are at other prices than those that their groups are told to have seen.

    paid: from lines_of_groups. told, deals: as in group_shelf. Most lines are too many, and MIXED_UP is too much of
    those at another group's price, common deals aside.
    """
    other = paid.filter((pl.col("price") - pl.col("told")).abs() > TOLERANCE)
    if _is_said("other prices than group_prices tells", other, paid, 1 - LEAST_AGREEING):
        return
    other = other.join(deals, on=["period", "product_id"], how="anti")
    _is_said("the price of another group", _at_other_groups(other, told, period), paid, MIXED_UP)


def _is_said(what: str, wrong: pl.DataFrame, paid: pl.DataFrame, most: float) -> bool:
    """Warn if more than this share of the lines is wrong; return whether it is. wrong: some of the rows of paid."""
    lines = pl.col("len").sum()
    share = wrong.select(lines).item() / max(paid.select(lines).item(), 1)
    if share <= most:
        return False
    first = wrong.sort("len", *CELL, "price", descending=[True, *[False] * 4]).row(0, named=True)
    log.warning(
        "%.0f %% of the lines of price groups are at %s, such as %.2f of product %s in the period %s instead "
        "of %.2f: mend price_group, or the groups, times or prices of group_prices",
        100 * share, what, first["price"], first["product_id"], first["period"], first["told"],
    )  # fmt: skip
    return True


def _at_other_groups(paid: pl.DataFrame, told: pl.DataFrame, period: Period) -> pl.DataFrame:
    """Return the rows of lines_of_groups whose price some group is told to have seen then."""
    rows, prices, found = _in_the_middle(paid, period), _prices(told), [paid.clear()]
    for _, of_group in prices.group_by(PRICE_GROUP, maintain_order=True):  # one at a time: memory as for one group
        own = of_group.select("time", "product_id", seen="price")
        beside = rows.join_asof(own, on="time", by="product_id", check_sortedness=False)
        is_seen = (pl.col("price") - pl.col("seen")).abs() <= TOLERANCE
        found.append(beside.filter(is_seen).select(paid.columns))
    return pl.concat(found).unique([*CELL, "price"])


def _prices(told: pl.DataFrame) -> pl.DataFrame:
    """Return the prices that groups are told to have seen, in the order of their times."""
    return told.select(PRICE_GROUP, "product_id", "time", "price").sort("time", maintain_order=True)


def _in_the_middle(rows: pl.DataFrame, period: Period) -> pl.DataFrame:
    """Return the rows in the order of `time`, the middle of their period."""
    middle = pl.col("period").cast(pl.Datetime("us")) + timedelta(days=period.days) / 2
    return rows.with_columns(time=middle).sort("time", maintain_order=True)
