"""Categories: need groups of products that replace each other, none of them too large for one choice."""

from dataclasses import dataclass
from typing import Literal

import polars as pl

from gpu_pricer.checks import require_integer
from gpu_pricer.errors import InputError


@dataclass(frozen=True)
class CategoryRule:
    """How large a category may be, and what happens to larger ones.

    max_size: how many products of a category may ever be on the shelf; over thousands of products the logit's
    independence of irrelevant alternatives is absurd. on_larger: whether a larger category is split or refused.
    split_by: the columns by which a larger category is split, one after the other until its parts are small enough.
    """

    max_size: int
    on_larger: Literal["split", "refuse"]
    split_by: list[str]

    def __post_init__(self) -> None:
        require_integer("max_size", self.max_size, 1)
        if self.on_larger not in ("split", "refuse"):
            raise ValueError(f"on_larger must be split or refuse, found {self.on_larger!r}")
        if any(not isinstance(name, str) for name in self.split_by):
            raise ValueError(f"split_by must list product columns, found {list(self.split_by)}")


def sized_categories(products: pl.DataFrame, offered: pl.Series, rule: CategoryRule) -> pl.DataFrame:
    """Return the products with categories that have at most max_size of the offered product ids.

    A part is named after its category and its attribute, such as `POTATO CHIPS / National`. Raise InputError if a
    category stays too large.
    """
    for column in rule.split_by if rule.on_larger == "split" else []:
        if column not in products.columns:
            raise InputError(
                f"data.categories.split_by must name columns of products, found {column} "
                f"but only {', '.join(products.columns)}: mend data.categories.split_by"
            )
        is_large = pl.col("category_id").is_in(_large(products, offered, rule)["category_id"].implode())
        part = pl.concat_str("category_id", pl.col(column).cast(pl.String).fill_null("unknown"), separator=" / ")
        products = products.with_columns(pl.when(is_large).then(part).otherwise("category_id").alias("category_id"))
    for category, size in _large(products, offered, rule).sort("len", "category_id").tail(1).iter_rows():
        raise InputError(
            f"a category must have at most {rule.max_size} products, found {size} in {category!r} "
            "of products: name finer categories, set data.categories.on_larger=split and add columns to "
            "data.categories.split_by, or raise data.categories.max_size"
        )
    return products


def _large(products: pl.DataFrame, offered: pl.Series, rule: CategoryRule) -> pl.DataFrame:
    """Return category_id and len of the categories that have more of the offered products than the rule allows."""
    in_category = products.lazy().select("product_id", "category_id").filter(pl.col("category_id").is_not_null())
    known = pl.LazyFrame({"product_id": offered})
    sizes = in_category.join(known, on="product_id", how="semi").group_by("category_id").len()
    return sizes.filter(pl.col("len") > rule.max_size).collect()
