"""The catalog: every product that can be priced, with today's price, cost and availability."""

import logging
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date

import polars as pl

from gpu_pricer.checks import require_integer, require_number
from gpu_pricer.data.categories import CategoryRule, sized_categories
from gpu_pricer.data.shelf.still_sold import StillSold
from gpu_pricer.errors import InputError
from gpu_pricer.tables.checking import EXAMPLES
from gpu_pricer.tables.list_price import ROUNDING, not_below_price
from gpu_pricer.tables.periods import Calendar
from gpu_pricer.tables.price_table import CENTS
from gpu_pricer.tables.price_units import FAR, in_one_unit
from gpu_pricer.tables.schemas import Catalog, Products, has_unit_price
from gpu_pricer.tables.vat import VAT_RATE, require_vat_rates, require_vat_settings
from kernels import PRICE_LIMIT

log = logging.getLogger(__name__)

MOSTLY, FEWEST = 0.5, 10
"""Share of the products whose last sale was at the list price, and the number of them, that show what is paid."""


@dataclass(frozen=True)
class CatalogRule:
    """What is assumed where the products table gives no cost or availability.

    cost_ratio: unit cost over list price, or over price if there is no list price, both without VAT; null: no cost is
        assumed.
    availability_periods: the number of last periods; availability is the share of them with the product on the shelf, 1
        for products in stock and 0 for those that are sold out or have left (see shelf/still_sold.py). A period that
        has begun counts with the share of it that has passed.
    price_includes_vat: whether all prices, those of the sales too, include VAT; costs never do. null: not stated, which
        is refused where the products have VAT rates.
    vat_rate: the rate, such as 0.19, of products that have none; null: a missing rate is an error.
    """

    cost_ratio: float | None
    availability_periods: int
    price_includes_vat: bool | None
    vat_rate: float | None

    def __post_init__(self) -> None:
        if self.cost_ratio is not None:
            require_number("cost_ratio", self.cost_ratio, least=0, below=1)
        require_integer("availability_periods", self.availability_periods, 1)
        require_vat_settings(self.price_includes_vat, self.vat_rate)


def build_catalog(
    products: pl.DataFrame,
    modal: pl.DataFrame,
    shelf: pl.DataFrame,
    still: StillSold,
    calendar: Calendar,
    rule: CatalogRule,
    categories: CategoryRule,
) -> pl.DataFrame:
    """Return the products that have a price, sorted; values of the products table win over those from the sales.

    modal: from modal_prices. shelf: from imputed_shelf, of all periods of the calendar. Today's price is that of the
    last period in which the product was on the shelf, or else the modal price of the last period with a sale; the begun
    period counts where it shows a price. Raise InputError if a cost is missing and the rule assumes none, or if the
    products state their prices in another unit than the sales.
    """
    shown = shelf.filter(pl.col("period").is_in(calendar.whole) | (pl.col("price_age") == 0))
    sold = _last_prices(modal).join(_last_prices(shown), on="product_id", how="left", suffix="_on_shelf")
    share = _shares_on_shelf(shelf, calendar.recent(rule.availability_periods))
    attributes = [name for name in products.columns if name not in {*Products.column_names(), *Catalog.column_names()}]
    stated = (
        products.select(Products.column_names())
        .join(sold, on="product_id", how="left", suffix="_sold")
        .join(share, on="product_id", how="left")
        .with_columns(
            is_off=pl.col("product_id").is_in(still.off_shelf.implode()),
            is_in_stock=pl.col("product_id").is_in(still.staying.implode()),
        )
    )
    _warn_of_lower_list_prices(stated)
    today = _with_prices_of_today(stated)
    _tell_without_price(stated.join(today, on="product_id", how="anti")["product_id"])
    priced = _with_vat_rate(today, rule)
    _require_amounts(priced, "price", 0.5)
    _require_amounts(priced, "cost", 0.0)
    _require_one_unit(stated)
    offered = pl.concat([shelf["product_id"], priced.filter(pl.col("availability") > 0)["product_id"]]).unique()
    costed = _with_cost(priced, rule)
    _warn_of_costs(costed)
    catalog = costed.join(products.select("product_id", *attributes), on="product_id")
    return _arranged(sized_categories(catalog, offered, categories), attributes)


def charges_list_prices(products: pl.DataFrame, modal: pl.DataFrame, recent: Collection[date]) -> bool:
    """Return whether the list price of products is what shoppers pay where products state no price.

    They do if most such products that were sold in the recent periods were last sold at their list prices. Then a cut,
    or a price of long ago, is not taken for today's price. recent: periods; with few, it shows soon if new prices are
    missing in the list.
    """
    stated = products.filter(pl.col("price").is_null()).select("product_id", stated="list_price").drop_nulls()
    sold = _last_prices(modal.filter(pl.col("period").is_in(list(recent)))).join(stated, on="product_id")
    is_paid = sold.select((pl.col("price") / pl.col("stated") - 1).abs() <= ROUNDING).to_series()
    if not is_paid.sum() > max(MOSTLY * len(is_paid), FEWEST):
        return False
    log.info(
        "%.0f %% of %s products without a price of their own were last sold at the list price that products states: it "
        "is the price of today of all such products",
        100 * is_paid.sum() / len(is_paid),
        f"{len(is_paid):,}",
    )
    return True


def _with_prices_of_today(stated: pl.DataFrame) -> pl.DataFrame:
    """Return the products that have a price, as stated or else as seen last, in the columns of Products.

    If a list price of another day is below the price, the price counts as the list price.
    """
    return (
        stated.with_columns(
            pl.coalesce("price", "price_on_shelf", "price_sold").alias("price"),
            pl.coalesce("list_price", "list_price_on_shelf", "list_price_sold").alias("list_price"),
            pl.coalesce("availability", pl.when("is_off").then(0.0).when("is_in_stock").then(1.0), "share", 0.0).alias(
                "availability"
            ),
        )
        .filter(pl.col("price").is_not_null())
        .select(Products.column_names())
        .with_columns(not_below_price())
    )


def _warn_of_lower_list_prices(stated: pl.DataFrame) -> None:
    """Warn of products that state no price, and a list price below the price of their sales."""
    lower = stated.filter(
        pl.col("price").is_null(), pl.col("list_price") < pl.coalesce("price_on_shelf", "price_sold") * (1 - ROUNDING)
    )
    if lower.height:
        log.warning(
            "%s products state a list price below the price at which they were sold last, such as %s: the price is "
            "taken as their list price",
            f"{lower.height:,}",
            lower["product_id"].sort().head(EXAMPLES).to_list(),
        )


def _tell_without_price(products: pl.Series) -> None:
    """Log how many products have neither a price of their own nor sales, and some of them."""
    if len(products):
        log.info(
            "%s products have neither a price nor sales, such as %s: they are not in the catalog, and so not priced; "
            "state a price in products to price them",
            f"{len(products):,}",
            products.sort().head(EXAMPLES).to_list(),
        )


def _require_one_unit(stated: pl.DataFrame) -> None:
    """Raise InputError if most products state a price FAR from that of their sales; warn of those that do if few do.

    stated: products with price, as stated, price_on_shelf and price_sold, of their sales.
    """
    both = stated.select("product_id", "price", sold=pl.coalesce("price_on_shelf", "price_sold")).drop_nulls()
    far = both.filter(~in_one_unit(pl.col("price"), pl.col("sold")))
    if not far.height:
        return
    product, stated, sold = far.row(0)
    found = (
        f"{far.height:,} of {both.height:,} products stated more than {FAR:g} times above or below their sales, the "
        f"first {product} at {stated:,.2f} and sold at {sold:,.2f}"
    )
    if 2 * far.height > both.height:
        raise InputError(
            f"prices of products must be in the unit of the prices at which they were sold, found {found}: state both "
            "in one currency unit, for one unit of sale"
        )
    log.warning(
        "%s: the stated price counts as today's, and publish.gates.max_single_move refuses it the first time; mend it "
        "in products",
        found,
    )


def _require_amounts(products: pl.DataFrame, name: str, least: float) -> None:
    """Raise InputError unless the given amounts are at least so many cents and below the largest price.

    Scoring would refuse them, but only after the training.
    """
    cents = pl.col(name) * CENTS
    bad = products.filter((cents < least) | (cents >= PRICE_LIMIT))
    if bad.height:
        limits = f"{'at least one cent and ' if least else ''}below {PRICE_LIMIT / CENTS:,.2f}"
        raise InputError(
            f"{name} of every product must be {limits}, found {bad.height} products where it is not, the first "
            f"{bad.select('product_id', name).row(0)}: state amounts of a larger unit of sale, or another currency unit"
        )


def _shares_on_shelf(shelf: pl.DataFrame, weights: dict[date, float]) -> pl.DataFrame:
    """Return product_id and share, the share of the weighted periods with the product on the shelf."""
    weight = pl.DataFrame({"period": weights.keys(), "weight": weights.values()})
    recent = shelf.join(weight, on="period", how="inner").sort("period")
    return recent.group_by("product_id", maintain_order=True).agg(
        share=(pl.col("weight").sum() / sum(weights.values())).clip(0, 1)
    )


def _last_prices(prices: pl.DataFrame) -> pl.DataFrame:
    """Return each product's price in its last period, and its list price in the last period that has one."""
    ordered = prices.sort("product_id", "period")
    return ordered.group_by("product_id", maintain_order=True).agg(
        pl.col("price").last(), pl.col("list_price").drop_nulls().last()
    )


def _with_vat_rate(catalog: pl.DataFrame, rule: CatalogRule) -> pl.DataFrame:
    """Return the catalog with the VAT rate that each product's price includes, null where prices include none."""
    rates = catalog[VAT_RATE].count()
    if rule.price_includes_vat is None and rates:
        raise InputError(
            f"products with a vat_rate need to be told whether prices include VAT, found {rates:,} rates: set "
            "data.catalog.price_includes_vat to true, or to false"
        )
    if not rule.price_includes_vat:
        return catalog.with_columns(pl.lit(None, pl.Float64).alias(VAT_RATE))
    catalog = catalog.with_columns(pl.col(VAT_RATE).fill_null(pl.lit(rule.vat_rate, pl.Float64)))
    require_vat_rates(catalog, "products", "fill the column vat_rate of products or set data.catalog.vat_rate")
    return catalog


def _with_cost(catalog: pl.DataFrame, rule: CatalogRule) -> pl.DataFrame:
    missing = catalog.filter(pl.col("cost").is_null())
    if rule.cost_ratio is None and not missing.is_empty():
        raise InputError(
            f"every product must have a cost, found none for {missing.height:,} products such as "
            f"{missing['product_id'].head(3).to_list()}: "
            "fill the column cost of products or set data.catalog.cost_ratio"
        )
    without_vat = pl.coalesce("list_price", "price") / (1 + pl.col(VAT_RATE).fill_null(0.0))
    assumed = (without_vat * pl.lit(rule.cost_ratio, dtype=pl.Float64)).round(4)
    source = pl.when(pl.col("cost").is_null()).then(pl.lit("assumed")).otherwise(pl.lit("given"))
    return catalog.with_columns(
        source.cast(Catalog.columns()["cost_source"].dtype).alias("cost_source"), pl.coalesce("cost", assumed)
    )


def _warn_of_costs(catalog: pl.DataFrame) -> None:
    """Warn of given costs of 0, and of those that are not below the price."""
    given = catalog.filter(pl.col("cost_source").cast(pl.String) == "given").sort("product_id")
    free = given.filter(pl.col("cost") == 0)
    if free.height:
        log.warning(
            "%s of %s products have a cost of 0, such as %s: it counts as their cost; leave a cell empty where the "
            "cost is not known",
            f"{free.height:,}", f"{given.height:,}", free["product_id"].head(EXAMPLES).to_list(),
        )  # fmt: skip
    dear = given.filter(pl.col("cost") >= pl.col("price") / (1 + pl.col(VAT_RATE).fill_null(0.0)))
    if dear.height:
        product, cost, price = dear.select("product_id", "cost", "price").row(0)
        log.warning(
            "%s products cost as much as they sell for or more, such as %s with a cost of %s and a price of %s: mend "
            "the cost if it is a slip, since a margin that the policy demands lifts prices beyond the limits on moves",
            f"{dear.height:,}", product, f"{cost:,.2f}", f"{price:,.2f}",
        )  # fmt: skip


def _arranged(catalog: pl.DataFrame, attributes: list[str]) -> pl.DataFrame:
    """Return the columns of the contract except those that say nothing, then the attributes; sorted by product."""
    empty = {name for name in ("stock", "competitor_price", VAT_RATE, "launched") if catalog[name].is_null().all()}
    if catalog.select(has_unit_price(catalog).all()).item():
        empty.add("has_unit_price")
    columns = [name for name in Catalog.column_names() if name not in empty]
    return catalog.select(*columns, *attributes).sort("product_id")
