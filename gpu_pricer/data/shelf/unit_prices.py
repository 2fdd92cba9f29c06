"""Goods sold by weight: found where the lines of a period do not agree on a price, so that there is no unit price.

A log without weights holds what each line spent on such a good. The price that most lines share is then a matter of
chance, and its changes look like price moves without response.
"""

import logging
from dataclasses import dataclass

import polars as pl

from gpu_pricer.checks import require_number
from gpu_pricer.errors import InputError
from gpu_pricer.tables.schemas import PRICE_GROUP, category_key, has_unit_price

log = logging.getLogger(__name__)

KEY = ("product_id", "period")


@dataclass(frozen=True)
class UnitPriceRule:
    """When a product whose has_unit_price is not given counts as having a unit price.

    min_agreement: the least share of its lines whose price agrees with that of the line before in the same period; 0:
    every product has a unit price. tolerance: two prices agree whose ratio is at least 1 - tolerance; it leaves room
    for stores that differ, prices of segments and the rounding of what was spent. shrinkage: for how many pairs of
    lines the category's share counts, which is itself shrunk to 1.
    """

    min_agreement: float
    tolerance: float
    shrinkage: float

    def __post_init__(self) -> None:
        require_number("data.unit_prices.min_agreement", self.min_agreement, least=0, most=1)
        require_number("data.unit_prices.tolerance", self.tolerance, least=0, below=1)
        require_number("data.unit_prices.shrinkage", self.shrinkage, above=0)


def with_unit_prices(products: pl.DataFrame, pairs: pl.DataFrame, rule: UnitPriceRule) -> pl.DataFrame:
    """Return the products with has_unit_price 1 or 0; a given value wins over what the sales show.

    products: product_id, category_id, has_unit_price. pairs: from price_pairs, of any periods. Raise InputError if no
    product that sold has a unit price.
    """
    shares = price_agreement(products, pairs, rule)
    is_agreed = (shares["agreement"] >= rule.min_agreement).cast(pl.Float64)
    found = products.with_columns(has_unit_price=pl.col("has_unit_price").fill_null(is_agreed))
    by_weight = found.filter(~has_unit_price(found))["product_id"]
    is_by_weight = pl.col("product_id").is_in(by_weight.implode())
    lines, sold = pairs.select(pl.col("lines").filter(is_by_weight).sum(), sold=pl.col("lines").sum()).row(0)
    if lines == sold:
        raise InputError(
            "some product that sold must have a unit price, found none: in no product do the lines of a period agree "
            "on one; state quantity and unit price of every line, or set data.unit_prices.min_agreement=0"
        )
    if len(by_weight):
        log.warning(
            "%s products with %.1f %% of the lines have no unit price (goods sold by weight): they have no price "
            "response of their own and are not priced (products.has_unit_price, transactions.net_weight and "
            "data.unit_prices change that)",
            f"{len(by_weight):,}",
            100 * lines / sold,
        )
    return found


def price_agreement(products: pl.DataFrame, pairs: pl.DataFrame, rule: UnitPriceRule) -> pl.DataFrame:
    """Return product_id, pairs and agreement in the order of the products.

    agreement is the share of the pairs of successive lines of a product and period whose prices agree, shrunk to the
    category's share, and that to 1 in two steps: without pairs nothing speaks against a unit price. Unlike the share of
    the lines at the period's price, it does not rise where lines are few. A category's share is not shrunk to that of
    all categories, by which 64 % of the MEAT products of Complete Journey would count as sold by weight, not 68 %.
    """
    found = pairs.group_by("product_id").agg(pl.col("pairs", "agreeing").sum())
    counts = products.select("product_id", category_key()).join(
        found, on="product_id", how="left", maintain_order="left"
    )
    counts = counts.with_columns(pl.col("pairs", "agreeing").fill_null(0))
    agreeing, count = pl.col("agreeing"), pl.col("pairs")
    near_one = (agreeing.sum() + rule.shrinkage) / (count.sum() + rule.shrinkage)
    category = (agreeing.sum() + rule.shrinkage * near_one) / (count.sum() + rule.shrinkage)
    share = (agreeing + rule.shrinkage * category.over("category_id")) / (count + rule.shrinkage)
    return counts.select("product_id", "pairs", agreement=share)


def with_constant_prices(modal: pl.DataFrame, products: pl.DataFrame) -> pl.DataFrame:
    """Return the modal prices; those of a product without a unit price are its median in every period.

    modal: from modal_prices. products: from with_unit_prices. A price that never moves says nothing of a response to
    prices, wherever the shelf is read.
    """
    is_constant = pl.col("product_id").is_in(products.filter(~has_unit_price(products))["product_id"].implode())
    median = pl.col("price").quantile(0.5, "lower").over("product_id")
    return modal.with_columns(
        price=pl.when(is_constant).then(median).otherwise("price"),
        list_price=pl.when(is_constant).then(None).otherwise("list_price"),
    )


def price_pairs(sales: pl.DataFrame, tolerance: float) -> pl.DataFrame:
    """Return product_id, lines, pairs and agreeing: how many lines follow another in the period, and agree with it.

    sales: product_id, period, time, user_id, price and optionally price_group, of any periods that are whole. Lines of
    two price groups are not compared.
    """
    key = (*KEY, *(name for name in (PRICE_GROUP,) if name in sales.columns))
    before = pl.col("price").shift().over(key)
    ratio = pl.min_horizontal("price", before) / pl.max_horizontal("price", before)
    return (
        sales.select(*key, "time", "user_id", "price")
        .sort(*key, "time", "user_id", "price")
        .with_columns(ratio=pl.when(before.is_not_null()).then(ratio))
        .group_by("product_id")
        .agg(lines=pl.len(), pairs=pl.col("ratio").count(), agreeing=(pl.col("ratio") >= 1 - tolerance).sum())
    )
