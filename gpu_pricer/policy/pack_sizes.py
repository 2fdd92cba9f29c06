"""Prices of packs of one good: a larger pack costs no less than a smaller one, and no more per unit.

The rule is a floor and a ceiling for each single price, so that each price can be optimised by itself. Two limits lie
between a smaller and a larger pack, and neither price may cross them: the geometric mean of their prices today, and
that of their prices per unit today. If today's prices keep the order, the new ones keep it, even between two segments.
If today's prices break the order, the new ones move no further apart.
"""

from dataclasses import dataclass, fields

import polars as pl

from gpu_pricer.errors import InputError
from gpu_pricer.tables.schemas import has_unit_price

PACK_FLOOR, PACK_CEILING = "rule_pack_floor", "rule_pack_ceiling"
"""Names of columns with money or null: the lowest and the highest price that keep the order."""
LINE = ("category", "line")


@dataclass(frozen=True)
class PackSizes:
    """Columns of the catalog that say which products are packs of one good, and how much each holds.

    line: equal values, inside a category, mean packs of one good. size: the content, such as 0.5 or 6, in the line's
    own unit. A product neither has nor sets a limit where one of them is null, the catalog's availability is 0, or it
    has no unit price.
    """

    line: str
    size: str

    def __post_init__(self) -> None:
        for name, column in (("line", self.line), ("size", self.size)):
            if not isinstance(column, str) or not column:
                raise ValueError(f"bounds.pack_sizes.{name} must name a column of the catalog, found {column!r}")


def pack_sizes_of(entry: object) -> PackSizes | None:
    """Return the pack sizes that a mapping of the configuration states, None for null; ValueError if it states none."""
    if entry is None:
        return None
    known = [field.name for field in fields(PackSizes)]
    if not isinstance(entry, dict) or {*entry} != {*known}:
        raise ValueError(f"bounds.pack_sizes must be null or a mapping of {' and '.join(known)}, found {entry!r}")
    return PackSizes(**entry)


def pack_limits(catalog: pl.DataFrame, packs: PackSizes) -> pl.DataFrame:
    """Return PACK_FLOOR and PACK_CEILING of the catalog's products, in its order; null where no other size is.

    InputError unless every size is a number above 0, or null.
    """
    own = _packs(catalog, packs)
    found = own.join(_beside(own), on=[*LINE, "size"], how="left", maintain_order="left")
    price, size = pl.col("price"), pl.col("size")
    per_unit = price / size

    def between(mine: pl.Expr, theirs: str) -> pl.Expr:
        """Return the limit between a price and the nearest of other packs."""
        return (mine * pl.col(theirs)).sqrt()

    floor = pl.max_horizontal(between(price, "smaller_most"), size * between(per_unit, "larger_most_per_unit"))
    ceiling = pl.min_horizontal(between(price, "larger_least"), size * between(per_unit, "smaller_least_per_unit"))
    return found.select(
        pl.when(floor.is_not_null()).then(pl.min_horizontal(floor, price)).alias(PACK_FLOOR),
        pl.when(ceiling.is_not_null()).then(pl.max_horizontal(ceiling, price)).alias(PACK_CEILING),
    )


def packs_in_disorder(catalog: pl.DataFrame, packs: PackSizes) -> tuple[int, int]:
    """Return how many sizes of lines have a smaller one, and for how many today's prices break the order with one."""
    sizes = _beside(_packs(catalog, packs)).drop_nulls("smaller_most")
    is_cheaper, is_dearer_per_unit = (
        pl.col("least") < pl.col("smaller_most"), pl.col("most_per_unit") > pl.col("smaller_least_per_unit")
    )  # fmt: skip
    return sizes.height, int(sizes.select((is_cheaper | is_dearer_per_unit).sum()).item())


def _packs(catalog: pl.DataFrame, packs: PackSizes) -> pl.DataFrame:
    """Return category, line, size and price of all products, with a null line where a product does not count."""
    size, line, is_there = catalog[packs.size].alias("size"), catalog[packs.line].alias("line"), pl.lit(True)
    if not (size.dtype.is_numeric() or size.dtype == pl.Null):
        raise InputError(f"{packs.size} must be a number for bounds.pack_sizes, found {size.dtype}: convert the column")
    size = size.cast(pl.Float64)
    bad = ~(size.is_finite() & (size > 0)).fill_null(True)
    if bad.any():
        example = catalog.filter(bad)["product_id"][0], size.filter(bad)[0]
        raise InputError(
            f"{packs.size} must be above 0 or null for bounds.pack_sizes, found {bad.sum()} products where it is not, "
            f"the first {example}: mend the catalog"
        )
    if "availability" in catalog.columns:
        is_there &= (pl.col("availability") > 0).fill_null(True)
    if "has_unit_price" in catalog.columns:
        is_there &= has_unit_price(catalog)
    return catalog.select(
        category="category_id",
        line=pl.when(is_there).then(pl.lit(line)),
        size=size,
        price=pl.col("price").cast(pl.Float64).round(2),
    )


def _beside(packs: pl.DataFrame) -> pl.DataFrame:
    """Return the sizes of each line with the extreme prices of all smaller and larger sizes, null where there is none.

    Columns: category, line, size; least, most: prices of the size itself, least_per_unit and most_per_unit; the same of
    smaller_… and larger_… sizes, as far as a limit reads them.
    """
    price, per_unit = pl.col("price"), pl.col("price") / pl.col("size")
    sizes = packs.drop_nulls([*LINE, "size"]).group_by(*LINE, "size").agg(
        least=price.min(), most=price.max(), least_per_unit=per_unit.min(), most_per_unit=per_unit.max()
    )  # fmt: skip
    of_others = {
        "smaller_most": pl.col("most").cum_max().shift(),
        "smaller_least_per_unit": pl.col("least_per_unit").cum_min().shift(),
        "larger_least": pl.col("least").cum_min(reverse=True).shift(-1),
        "larger_most_per_unit": pl.col("most_per_unit").cum_max(reverse=True).shift(-1),
    }
    return sizes.with_columns(value.over(LINE, order_by="size").alias(name) for name, value in of_others.items())
