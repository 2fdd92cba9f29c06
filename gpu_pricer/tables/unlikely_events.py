"""What events say that is probably a slip: amounts far from those before, costs above prices, unheard-of categories."""

from typing import NamedTuple

import polars as pl

from gpu_pricer.tables.schemas import category_key
from gpu_pricer.tables.vat import VAT_RATE, net_share

FAR = 3.0
"""Times above or below the amount before from which an event's cost or price is unlikely."""


class _Kind(NamedTuple):
    """A kind of slip: the products that show it, over the table of _compared, and what to say of them and of one."""

    is_found: pl.Expr
    what: str
    example: pl.Expr


def unlikely_events(before: pl.DataFrame, after: pl.DataFrame, demand_categories: pl.Series) -> list[str]:
    """Return a line for each kind of slip that events seem to contain, with the number of products and an example.

    before, after: the catalog without and with the events. demand_categories: those that the demand model knows.
    """
    known = pl.concat([before.select(category_key())["category_id"], demand_categories.cast(pl.String)])
    compared = _compared(before, after)
    lines = []
    for is_found, what, example in _kinds(known.unique(), " without VAT" if VAT_RATE in after.columns else ""):
        found = compared.filter(is_found)
        if found.height:
            lines.append(f"{found.height:,} products {what}, such as {found.select(example).row(0)[0]}")
    return lines


def _kinds(known: pl.Series, without_vat: str) -> list[_Kind]:
    cost, kept = pl.col("cost"), pl.col("kept")
    category = pl.col("category_id")
    of_cost = _told("cost") + pl.format(" beside a price of {}", _amount(kept)) + pl.lit(without_vat)
    return [
        *(
            _Kind(_is_far(name), f"have a {name} more than {FAR:g} times above or below the one before", _told(name))
            for name in ("cost", "price")
        ),
        _Kind(_is_news() & (cost > kept), f"have a cost above their price{without_vat}", of_cost),
        _Kind(
            (category != pl.col("category_id_before")) & ~category.is_in(known.implode()),
            "move to a category that neither the catalog nor the demand knows",
            pl.format("{} to {}", "product_id", "category_id"),
        ),
    ]


def _compared(before: pl.DataFrame, after: pl.DataFrame) -> pl.DataFrame:
    """Return product_id, category_id, price, cost, and kept, the price without VAT, of the products after events.

    Beside them stand the category, price and cost before, null for a new product.
    """
    columns = ("product_id", category_key(), "price", "cost")
    now = after.select(*columns).with_columns(kept=pl.col("price") * net_share(after))
    return now.join(before.select(*columns), on="product_id", how="left", maintain_order="left", suffix="_before")


def _is_far(name: str) -> pl.Expr:
    new, old = pl.col(name), pl.col(f"{name}_before")
    return (new != old) & ~(new / old).is_between(1 / FAR, FAR)


def _is_news() -> pl.Expr:
    """Return whether the events brought the product, or changed its price or its cost."""
    return pl.any_horizontal(pl.col(name).ne_missing(pl.col(f"{name}_before")) for name in ("price", "cost"))


def _told(name: str) -> pl.Expr:
    """Return the product with an amount, and the amount before where there was one."""
    old = pl.format(" instead of {}", _amount(pl.col(f"{name}_before")))
    now = pl.format("{} with a {} of {}", "product_id", pl.lit(name), _amount(pl.col(name)))
    return now + pl.when(pl.col(f"{name}_before").ne_missing(pl.col(name))).then(old).fill_null("")


def _amount(value: pl.Expr) -> pl.Expr:
    return value.round(2).cast(pl.String)
