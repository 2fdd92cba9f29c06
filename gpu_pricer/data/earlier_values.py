"""Whether the inputs still have the periods, tables and columns that they had in earlier preparations.

Optional tables and columns may be absent, so that one which an export has lost breaks no rule: without costs a margin
is assumed, without list prices every price is an everyday one. Only earlier preparations show that something is gone.
"""

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

import polars as pl

from gpu_pricer.data.completeness import WEEK
from gpu_pricer.tables.periods import Period
from gpu_pricer.tables.unlikely_events import FAR

LEAST_SHARE = 0.5
"""Share of the earlier number of values below which they count as lost."""
LEAST_VALUES = 20
"""A smaller number of values may be lost by chance, and is no doubt."""
REMEMBERED = 14
"""Days for which lost values are a doubt; after that the loss counts as intended."""
TOLD = 5
"""The largest number of lost columns that a doubt names."""

JUMP = 1.5
"""Factor by which a cost or a price seldom changes from one preparation to the next."""
FEW, FEW_SHARE = 10, 0.01
"""So many products, and such a share of them, may change so without a doubt."""

Values = dict[str, dict[str, Any]]
"""By table, or by table and column as in products.cost: `count`, the number of values, and `day`, when they were so."""


def values_of(tables: Mapping[str, pl.DataFrame], period: Period, last: date, day: date) -> Values:
    """Return how many rows each table has, and how many values each column, on the day of a preparation.

    last: first day of the last whole period. Of transactions, offers and context only the rows of that period count or,
    if periods are shorter than WEEK days, those of the last WEEK days.
    """
    found, first = dict[str, dict[str, Any]](), last - timedelta(days=max(WEEK - period.days, 0))
    for name, table in tables.items():
        is_of_period = name in ("transactions", "offers", "context")
        rows = table.filter(period.start(pl.col("time")).is_between(first, last)) if is_of_period else table
        counts = {name: rows.height} | {f"{name}.{column}": rows[column].count() for column in rows.columns}
        found |= {key: {"count": count, "day": day.isoformat()} for key, count in counts.items() if count}
    return found


def with_earlier(found: Values, earlier: Values, day: date) -> tuple[Values, list[str]]:
    """Return the values that the next preparation compares with, and the doubt about those that are lost now.

    earlier: what this function returned in the preparation before. A loss is a doubt for REMEMBERED days.
    """
    recent = {key: was for key, was in earlier.items() if (day - date.fromisoformat(was["day"])).days <= REMEMBERED}
    lost = {key: was for key, was in recent.items() if _is_lost(found.get(key, {"count": 0})["count"], was["count"])}
    told = {key: was for key, was in lost.items() if key.split(".")[0] == key or key.split(".")[0] not in lost}
    return found | lost, _doubts(told, found)


def doubts_of_older_log(last: date, earlier: date) -> list[str]:
    """Return the doubt about a log whose last whole period is before that of the preparation before."""
    if last >= earlier:
        return []
    return [
        f"the last whole period begins on {last}, that of the preparation before began on {earlier}: look "
        "whether the newest sales are missing"
    ]


def doubts_of_changed_products(now: pl.DataFrame, before: pl.DataFrame) -> list[str]:
    """Return the doubts about products with an unusual change of cost, price or category since the preparation before.

    Products that are gone are one, too, where they are more than a share of FEW_SHARE.
    now, before: the catalogs of two preparations. Costs that were assumed do not count.
    """
    if now.schema["product_id"] != before.schema["product_id"]:
        return []
    given = pl.col("cost_source") == "given"
    texts = [name for name in _texts(now) if name in _texts(before)]
    known = ["product_id", "category_id", "price", pl.when(given).then("cost").alias("cost"), *texts]
    both = now.select(known).join(before.select(known), on="product_id", suffix="_before").sort("product_id")
    doubts = _doubts_of_gone(now, before) + _doubts_of_reused_ids(both, texts)
    for name, kind in (("cost", "costs are"), ("price", "prices are")):
        changed = both.filter(_jumps(name))
        if changed.height > max(FEW, FEW_SHARE * both.height):
            product, old, new = changed.select("product_id", f"{name}_before", name).row(0)
            doubts.append(
                f"{changed.height:,} of {both.height:,} products have a {name} that rose or fell by a factor of more "
                f"than {JUMP:g} since the preparation before, such as {product} with {new:,.2f} instead of {old:,.2f}: "
                f"look whether their {kind} in another currency or unit"
            )
        elif name == "cost":  # a price may change so in a promotion, and publish.gates.max_single_move judges it
            doubts += _doubts_of_slips(both)
    moved = both.filter(pl.col("category_id") != pl.col("category_id_before"))
    if FEW < moved.height < both.height / 2:
        product, old, new = moved.select("product_id", "category_id_before", "category_id").row(0)
        doubts.append(
            f"{moved.height:,} products are in another category than in the preparation before, such as {product} in "
            f"{new} instead of {old}: look whether their numbers were given to other products, whose sales would be "
            "taken for theirs"
        )
    return doubts


def _doubts_of_gone(now: pl.DataFrame, before: pl.DataFrame) -> list[str]:
    gone = before.join(now, on="product_id", how="anti").sort("product_id")
    if gone.height <= FEW_SHARE * before.height:
        return []
    return [
        f"{gone.height:,} of the {before.height:,} products of the preparation before are not listed any more, such as "
        f"{gone['product_id'][0]}, and get no price: look whether the list of products is whole"
    ]


def _doubts_of_slips(both: pl.DataFrame) -> list[str]:
    """Return the doubt about single costs that are FAR times as high or low as before, such as by a decimal point."""
    found = both.filter(_jumps("cost", FAR))
    if found.is_empty():
        return []
    product, old, new = found.select("product_id", "cost_before", "cost").row(0)
    return [
        f"{_have(found)} a cost more than {FAR:g} times "
        f"above or below that of the preparation before, such as {product} with {new:,.2f} instead of {old:,.2f}: look "
        "whether it is mistyped"
    ]


def _have(products: pl.DataFrame) -> str:
    """Return the beginning of a sentence on what products have."""
    return "1 product has" if products.height == 1 else f"{products.height:,} products have"


def _texts(products: pl.DataFrame) -> list[str]:
    """Return the columns of text that describe a product, such as its name or brand."""
    own = ("product_id", "category_id", "cost_source")
    return [name for name, dtype in products.schema.items() if dtype == pl.String and name not in own]


def _jumps(name: str, factor: float = JUMP) -> pl.Expr:
    """Return whether a value rose or fell by more than the factor; a cost may be 0 in both."""
    ratio = pl.col(name) / pl.col(f"{name}_before")
    return (pl.col(name) != pl.col(f"{name}_before")) & (pl.max_horizontal(ratio, 1 / ratio) > factor)


def _doubts_of_reused_ids(both: pl.DataFrame, texts: list[str]) -> list[str]:
    """Return the doubt about products that have another price by a factor of more than JUMP and another text as well.

    texts: the columns that describe products in both preparations. A renamed column, or texts written otherwise, change
    for most of the products: then they tell nothing.
    """
    changes = [pl.col(name).ne_missing(pl.col(f"{name}_before")) for name in texts]
    few = max(FEW, FEW_SHARE * both.height)
    telling = [change for change in changes if 0 < both.filter(change).height <= few]
    found = both.filter(_jumps("price") & pl.any_horizontal(telling)) if telling else both.clear()
    if found.is_empty():
        return []
    product, old, new = found.select("product_id", "price_before", "price").row(0)
    return [
        f"{_have(found)} another description since the preparation before and a price that rose or "
        f"fell by a factor of more than {JUMP:g}, such as {product} with {new:,.2f} instead of {old:,.2f}: look "
        "whether numbers of old products were given to new ones, which would be priced by the sales of the old ones"
    ]


def _is_lost(count: int, before: int) -> bool:
    return before >= LEAST_VALUES and count < LEAST_SHARE * before


def _doubts(lost: Values, found: Values) -> list[str]:
    if not lost:
        return []
    named = [
        f"{key} ({found.get(key, {'count': 0})['count']:,} instead of {was['count']:,} on {was['day']})"
        for key, was in list(lost.items())[:TOLD]
    ]
    others = f" and {len(lost) - TOLD} more" if len(lost) > TOLD else ""
    return [
        f"less than half of the values of earlier days are left in {', '.join(named)}{others}: look whether the "
        "export still has them"
    ]
