"""Prices of packs of one good: a larger pack costs no less than a smaller one, and no more per unit.

The rule is a floor and a ceiling for each single price, so that each price can be optimised by itself. Between two
neighbouring sizes of a line lies a limit that neither may cross: the geometric mean of their prices per unit today, and
likewise that of the prices. Where today's prices keep the order, the new ones keep it, also those of two segments.
Where today's break it, they come no further apart.
"""

from dataclasses import dataclass, fields

import polars as pl

from gpu_pricer.errors import InputError

PACK_FLOOR, PACK_CEILING = "rule_pack_floor", "rule_pack_ceiling"
"""Names of columns with money or null: the lowest and the highest price that keep the order."""


@dataclass(frozen=True)
class PackSizes:
    """Columns of the catalog that say which products are packs of one good, and how much each holds.

    line: equal values, inside a category, mean packs of one good. size: the content, such as 0.5 or 6, in the line's
    own unit. A product without either, or never on the shelf, neither has nor sets such a limit.
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
    own, line = _packs(catalog, packs), ["category", "line"]
    sizes = _by_size(own)
    below = pl.struct("per_unit", "total").shift().over(line, order_by="size")
    limits = sizes.select(
        *line,
        "size",
        floor=pl.max_horizontal(pl.col("size") * pl.col("per_unit"), below.struct.field("total")),
        ceiling=pl.min_horizontal(pl.col("size") * below.struct.field("per_unit"), pl.col("total")),
    )
    found = own.join(limits, on=[*line, "size"], how="left", maintain_order="left")
    return found.select(
        pl.min_horizontal("floor", pl.when(pl.col("floor").is_not_null()).then("price")).alias(PACK_FLOOR),
        pl.max_horizontal("ceiling", pl.when(pl.col("ceiling").is_not_null()).then("price")).alias(PACK_CEILING),
    )


def packs_in_disorder(catalog: pl.DataFrame, packs: PackSizes) -> tuple[int, int]:
    """Return how many pairs of neighbouring sizes the lines have, and in how many today's prices break the order."""
    pairs = _by_size(_packs(catalog, packs)).drop_nulls("per_unit")
    return pairs.height, int(pairs["is_broken"].sum())


def _packs(catalog: pl.DataFrame, packs: PackSizes) -> pl.DataFrame:
    """Return category, line, size and price of all products, with a null line where a product is not on the shelf."""
    dtype = catalog.schema[packs.size]
    if not (dtype.is_numeric() or dtype == pl.Null):
        raise InputError(f"{packs.size} must be a number for bounds.pack_sizes, found {dtype}: convert the column")
    size = pl.col(packs.size).cast(pl.Float64)
    bad = catalog.filter(~(size.is_finite() & (size > 0)).fill_null(True))
    if bad.height:
        example = bad.select("product_id", packs.size).row(0)
        raise InputError(
            f"{packs.size} must be above 0 or null for bounds.pack_sizes, found {bad.height} products where it is not, "
            f"the first {example}: mend the catalog"
        )
    is_there = (pl.col("availability") > 0).fill_null(True) if "availability" in catalog.columns else pl.lit(True)
    line, price = pl.when(is_there).then(packs.line), pl.col("price").cast(pl.Float64)
    return catalog.select(category="category_id", line=line, size=size, price=price)


def _by_size(packs: pl.DataFrame) -> pl.DataFrame:
    """Return category, line and size of the packs, and the limits to the next larger size of the line, null without.

    per_unit, total: the limit of the prices per unit, which the smaller pack may not fall below and the larger one not
    exceed, and that of the prices, where it is the other way round. is_broken: whether today's prices break the order.
    Products of equal size stand together: the cheapest or dearest of them counts.
    """
    line, price, per_unit = ["category", "line"], pl.col("price"), pl.col("price") / pl.col("size")
    sizes = packs.drop_nulls(["category", "line", "size"]).group_by(*line, "size").agg(
        least=price.min(), most=price.max(), least_per_unit=per_unit.min(), most_per_unit=per_unit.max()
    )  # fmt: skip
    larger = pl.struct("least", "most_per_unit").shift(-1).over(line, order_by="size")
    least, most_per_unit = larger.struct.field("least"), larger.struct.field("most_per_unit")
    return sizes.select(
        *line,
        "size",
        per_unit=(pl.col("least_per_unit") * most_per_unit).sqrt(),
        total=(pl.col("most") * least).sqrt(),
        is_broken=(most_per_unit > pl.col("least_per_unit")) | (least < pl.col("most")),
    )
