"""Choices: what each user chose from each category on each visit, and a sample of the visits that chose nothing.

Occasions without a purchase matter: without them, elasticities are attenuated by two thirds. They are too many for
memory, so a sample of each category's is kept together with its sampling rate. Adding log(rate) to the utility of
buying nothing makes the conditional likelihood exact (choice-based sampling: Manski & McFadden 1981).

Purchases come from transactions or from an offers table, which says what each user saw on each occasion. The canonical
tables have one shelf per period, so the offers of a period are folded into it: a product is on the shelf if anybody saw
it. The offers table itself holds the occasions without a purchase, so none is drawn.
"""

from dataclasses import dataclass

import numpy as np
import polars as pl

from gpu_pricer.checks import require_flag, require_integer, require_number

OCCASION = ("user_id", "period", "category_id")
"""What identifies an occasion in transactions."""
OFFER_OCCASION = (*OCCASION, "occasion_id")
"""What identifies an occasion in an offers table; two users may have equal occasion ids."""
ORDER = ("period", "user_id", "category_id", "product_id", "quantity", "weight", "size")
"""The keys of the canonical order of choices."""
COLUMNS = ("user_id", "period", "category_id", "product_id", "weight", "size", "quantity")


@dataclass(frozen=True)
class ChoiceRule:
    """How many occasions without purchase are kept, and how far small categories are shrunk.

    outside_option: whether occasions without purchase are kept at all. zeros_per_purchase, min_zeros: each category
    keeps zeros_per_purchase times its buying occasions, and at least min_zeros. keep_all_below: if all categories
    together have no more occasions without purchase than this, all are kept. shrinkage: for how many buying occasions
    the mean over all categories counts when a category's rates are shrunk towards it.
    """

    outside_option: bool
    zeros_per_purchase: float
    min_zeros: int
    keep_all_below: int
    shrinkage: float

    def __post_init__(self) -> None:
        require_flag("outside_option", self.outside_option)
        for name in ("zeros_per_purchase", "shrinkage"):
            require_number(name, getattr(self, name), above=0)
        for name in ("min_zeros", "keep_all_below"):
            require_integer(name, getattr(self, name), 0)


def logged_choices(
    lines: pl.DataFrame, visits: pl.DataFrame, shelf: pl.DataFrame, is_offers: bool, rule: ChoiceRule, seed: int
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the purchases, and the canonical choices made of them and the occasions without purchase.

    lines: with the period of every row. visits: user_id, period. is_offers: whether the lines are of an offers table.
    """
    purchases = purchases_from_offers(lines, shelf) if is_offers else purchases_on_shelf(lines, shelf)
    zeros, rates = zeros_from_offers(lines, shelf) if is_offers else sampled_zeros(purchases, visits, shelf, rule, seed)
    if not rule.outside_option:
        zeros, rates = zeros.clear(), rates.with_columns(outside_rate=pl.lit(1.0))
    return purchases, arranged(purchases, zeros, rates)


def visits_of(lines: pl.DataFrame) -> pl.DataFrame:
    """Return user_id and period of every visit, sorted by period."""
    return lines.select("user_id", "period").unique().sort("period", "user_id")


def purchases_on_shelf(lines: pl.DataFrame, shelf: pl.DataFrame) -> pl.DataFrame:
    """Return the purchases of products on the shelf, sorted by occasion and product.

    lines: user_id, product_id, period, quantity (units). shelf: product_id, period, category_id. The columns are those
    of OCCASION, product_id, quantity, size (the number of products bought on the occasion) and weight (1 / size).
    """
    return (
        lines.lazy()
        .join(shelf.lazy().select("product_id", "period", "category_id"), on=("product_id", "period"))
        .group_by(*OCCASION, "product_id")
        .agg(pl.col("quantity").sum())
        .with_columns(pl.len().over(OCCASION).alias("size"))
        .with_columns((1 / pl.col("size")).alias("weight"))
        .sort(*OCCASION, "product_id")
        .collect()
    )


def arranged(purchases: pl.DataFrame, zeros: pl.DataFrame, rates: pl.DataFrame) -> pl.DataFrame:
    """Return the canonical choices, which are the purchases and the occasions without purchase, in canonical order.

    purchases: with at least COLUMNS. zeros: the same without size. rates: category_id and outside_rate.
    """
    size = pl.col("size").cast(pl.Int32)
    parts = (purchases.lazy().with_columns(size), zeros.lazy().with_columns(size=pl.lit(1, pl.Int32)))
    return (
        pl.concat([part.select(COLUMNS) for part in parts])
        .join(rates.lazy(), on="category_id")
        .select(
            *COLUMNS[:4],
            pl.col("weight").cast(pl.Float32),
            "size",
            "quantity",
            pl.col("outside_rate").cast(pl.Float32),
        )
        .sort(ORDER, nulls_last=True)
        .collect()
    )


def category_rates(purchases: pl.DataFrame, categories: pl.Series, shrinkage: float) -> pl.DataFrame:
    """Return category_id, choices_per_purchase and units_per_choice: mean products and units of a buying occasion.

    purchases: from purchases_on_shelf. A category's means are shrunk towards the means over all occasions, which count
    as `shrinkage` occasions.
    """
    occasions = pl.col("weight").sum().alias("occasions")  # the weights of an occasion sum to its own weight
    products = (pl.col("weight") * pl.col("size")).sum().alias("products")
    units = (pl.col("weight") * pl.col("size") * pl.col("quantity")).sum().alias("units")
    total, total_products, total_units = purchases.select(occasions, products, units).row(0)
    mean_products, mean_units = total_products / total, total_units / total
    sums = purchases.group_by("category_id").agg(occasions, products, units)
    weight = pl.col("occasions") + shrinkage
    return (
        pl.DataFrame({"category_id": categories.unique().sort()})
        .join(sums, on="category_id", how="left", maintain_order="left")
        .with_columns(pl.col("occasions", "products", "units").fill_null(0))
        .select(
            "category_id",
            choices_per_purchase=(pl.col("products") + shrinkage * mean_products) / weight,
            units_per_choice=(pl.col("units") + shrinkage * mean_units) / weight,
        )
    )


def sampled_zeros(
    purchases: pl.DataFrame, visits: pl.DataFrame, shelf: pl.DataFrame, rule: ChoiceRule, seed: int
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the sampled occasions without purchase, and the outside_rate of every category on a shelf.

    An occasion without purchase is a visit that bought nothing of a category in a period whose shelf has the category.
    outside_rate is the share of a category's occasions without purchase that is kept. purchases: from
    purchases_on_shelf. visits: user_id, period; within a category the sampled rows keep the order of the visits.
    """
    categories = shelf["category_id"].unique().sort()
    index = pl.DataFrame({"category_id": categories}).with_row_index("category")
    is_open, visit_period = _open_periods(visits, shelf.join(index, on="category_id"), len(categories))
    buyers = _buying_visits(purchases.join(index, on="category_id"), visits, len(categories))
    bought = np.array([len(rows) for rows in buyers])
    available = is_open @ np.bincount(visit_period, minlength=is_open.shape[1]) - bought
    required = np.maximum(np.ceil(rule.zeros_per_purchase * bought).astype(np.int64), rule.min_zeros)
    kept = available if available.sum() <= rule.keep_all_below else np.minimum(required, available)
    rows = [
        _draw(is_open[g][visit_period], buyers[g], count, np.random.default_rng([seed, g]))
        for g, count in enumerate(kept)
    ]
    zeros = visits[np.concatenate(rows)].with_columns(
        categories.gather(np.repeat(np.arange(len(categories)), kept)).alias("category_id"),
        pl.lit(None, dtype=purchases.schema["product_id"]).alias("product_id"),
        pl.lit(0.0).alias("quantity"),
        pl.lit(1.0).alias("weight"),
    )
    rate = np.divide(kept, available, out=np.ones(len(kept)), where=kept > 0)
    return zeros, pl.DataFrame({"category_id": categories, "outside_rate": rate})


def purchases_from_offers(offers: pl.DataFrame, shelf: pl.DataFrame) -> pl.DataFrame:
    """Return the purchases of an offers table, with size and weight: the occasion's own weight divided by size.

    offers: with the period of every row. shelf: product_id, period, category_id.
    """
    size = pl.len().over(OFFER_OCCASION).alias("size")
    bought = _with_category(offers, shelf).filter(pl.col("quantity") > 0).with_columns(size)
    return bought.with_columns(pl.col("weight") / pl.col("size"))


def zeros_from_offers(offers: pl.DataFrame, shelf: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the occasions that bought nothing of a category that they saw, and outside_rate 1 for every category.

    offers, shelf: as in purchases_from_offers.
    """
    seen = _with_category(offers, shelf).group_by(OFFER_OCCASION)
    zeros = (
        seen.agg(pl.col("quantity").sum(), pl.col("weight").first())
        .filter(pl.col("quantity") == 0)
        .with_columns(pl.lit(None, dtype=offers.schema["product_id"]).alias("product_id"))
    )
    return zeros, shelf.select("category_id").unique().with_columns(outside_rate=pl.lit(1.0))


def off_modal_share(offers: pl.DataFrame, shelf: pl.DataFrame) -> float:
    """Return the share of offers shown at another price than their product has on the period's shelf."""
    on_shelf = offers.join(shelf.select("product_id", "period", shelf_price="price"), on=("product_id", "period"))
    return float(on_shelf.select((pl.col("price") != pl.col("shelf_price")).mean()).item() or 0.0)


def _draw(is_zero: np.ndarray, buyers: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """Return the sorted rows of `count` visits that could have bought but did not; every subset is equally likely."""
    is_zero[buyers] = False
    return np.sort(rng.choice(np.flatnonzero(is_zero), count, replace=False, shuffle=False))


def _open_periods(visits: pl.DataFrame, shelf: pl.DataFrame, categories: int) -> tuple[np.ndarray, np.ndarray]:
    """Return whether a category is on the shelf, bool [category, period], and the period's index of every visit."""
    periods = visits.select("period").unique().sort("period").with_row_index("column")
    is_open = np.zeros((categories, periods.height), dtype=bool)
    cells = shelf.select("category", "period").unique().join(periods, on="period")
    is_open[cells["category"].to_numpy(), cells["column"].to_numpy()] = True
    column = visits.join(periods, on="period", maintain_order="left")["column"]
    return is_open, column.cast(pl.Int64).to_numpy()


def _buying_visits(purchases: pl.DataFrame, visits: pl.DataFrame, categories: int) -> list[np.ndarray]:
    """Return for each category the rows of the visits that bought from it."""
    pairs = (
        purchases.select("category", "user_id", "period")
        .unique()
        .join(visits.with_row_index("visit"), on=("user_id", "period"))
        .sort("category", "visit")
    )
    ends = np.searchsorted(pairs["category"].to_numpy(), np.arange(1, categories))
    return np.split(pairs["visit"].cast(pl.Int64).to_numpy(), ends)


def _with_category(offers: pl.DataFrame, shelf: pl.DataFrame) -> pl.DataFrame:
    category = shelf.select("product_id", "period", "category_id")
    return offers.join(category, on=("product_id", "period")).with_columns(pl.col("weight").fill_null(1.0))
