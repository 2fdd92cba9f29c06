"""List prices as shops log them: which of them can be unit prices before discounts, and what a missing one means."""

from dataclasses import dataclass

import polars as pl

from gpu_pricer.checks import require_number
from gpu_pricer.errors import InputError
from gpu_pricer.tables.checking import FEW, examples

ROUNDING = 0.01
"""Share of the price by which a list price may be below it, because one of them was rounded."""
LEAST_LINES = 20
"""Lines of several units that tell whether their list prices are those of the whole line."""
OF_ALL_UNITS = 0.9
"""Times the list price per price of single units that those of several reach per unit if they are of the whole line.
Where list prices are of one unit, it is about 1 over the number of units."""
ONLY_CUTS = 0.95
"""Share of the list prices that are above the price, from which on a log states them for discounted lines only."""
PRICES = ("list_price", "price")
SHOWN = ("product_id", "price", "list_price")
BELOW = "below the price, as without VAT beside prices with VAT"
ABOVE = "far above the price, as in cents beside prices in euros"
LIST_PRICE_IS_PLAUSIBLE = "list_price_is_plausible"
"""The rule that rows break whose list price is none: they stay, without it."""


@dataclass(frozen=True)
class ListPriceRule:
    """Which list prices are plausible: those from the price to `most_ratio` times it. Others count as not known.

    most_implausible: the largest share of the list prices that may be implausible; where more are, something is wrong
    with all of them. 1: any share is accepted.
    """

    most_ratio: float
    most_implausible: float

    def __post_init__(self) -> None:
        require_number("data.list_prices.most_ratio", self.most_ratio, above=1)
        require_number("data.list_prices.most_implausible", self.most_implausible, least=0, most=1)

    def applied(self, rows: pl.DataFrame, origin: str) -> tuple[pl.DataFrame, tuple[int, str]]:
        """Return the rows without implausible list prices, how many these are, and a line on them with examples.

        rows: price, list_price and perhaps quantity; price may be null. A list price of 0 or below is none, as many
        programs write it where there was no discount. InputError if more than most_implausible of the others are
        implausible, or if those of lines with several units are of all units together.
        """
        if rows["list_price"].null_count() == rows.height:
            return rows, (0, "")
        listed, price = (pl.when(pl.col(name).is_finite() & (pl.col(name) > 0)).then(name) for name in PRICES)
        ratio = listed / price
        judged = rows.select(
            is_given=listed.is_not_null(),
            is_compared=ratio.is_not_null(),
            is_below=(ratio < 1 - ROUNDING).fill_null(False),
            is_above=(ratio > self.most_ratio).fill_null(False),
        )
        compared, below, above = judged.select(pl.col("is_compared", "is_below", "is_above").sum()).row(0)
        if below + above > max(self.most_implausible * compared, FEW):
            place, like = ("above", ABOVE) if above > below else ("below", BELOW)
            found = f"{max(above, below):,} of {compared:,} {like}, such as"
            raise InputError(self._refusal(origin, f"{found} {examples(rows.filter(judged[f'is_{place}']), SHOWN)}"))
        if self.most_implausible < 1 and "quantity" in rows.columns:
            self._require_of_one_unit(rows.filter(judged["is_compared"]), origin)
        is_kept = judged.select(pl.col("is_given") & ~pl.col("is_below") & ~pl.col("is_above")).to_series()
        left = rows.filter(rows["list_price"].is_not_null() & ~is_kept)
        found = f"breaks {LIST_PRICE_IS_PLAUSIBLE} in {left.height:,} rows, such as {examples(left, SHOWN)}"
        kept = rows.with_columns(list_price=pl.when(is_kept).then("list_price")) if left.height else rows
        return kept, (left.height, f"{origin} {found}")

    def _require_of_one_unit(self, rows: pl.DataFrame, origin: str) -> None:
        """Raise InputError if the list prices of lines with several units are of all units together."""
        several, single = rows.filter(pl.col("quantity") >= 2), rows.filter(pl.col("quantity") == 1)
        ratio = pl.col("list_price") / pl.col("price")
        of_each = several.select((ratio / pl.col("quantity")).median()).item()
        of_one = single.select(ratio.median()).item()
        if several.height < LEAST_LINES or single.is_empty() or of_each < OF_ALL_UNITS * of_one:
            return
        found = f"those of {several.height:,} lines with several units to be of all units together, such as"
        raise InputError(self._refusal(origin, f"{found} {examples(several, ('quantity', *SHOWN))}"))

    def _refusal(self, origin: str, found: str) -> str:
        return (
            f"list prices in {origin} must be prices of one unit before discounts, found {found}: mend them, or leave "
            "them out, as gpu-pricer inspect does with inspect.transactions.list_price=none, or accept a larger share "
            "with data.list_prices.most_implausible"
        )


def not_below_price() -> pl.Expr:
    """Return the list price, or the price where the list price is below it; null where it is not known."""
    return pl.when(pl.col("list_price") < pl.col("price")).then("price").otherwise("list_price").alias("list_price")


def with_regular_prices(modal: pl.DataFrame, lines: pl.DataFrame) -> pl.DataFrame:
    """Return the modal prices; where the log states list prices of discounted lines only, a missing one is the price.

    Elsewhere a missing one is not known. modal: from modal_prices. lines: price and list_price of all lines.
    """
    is_above = pl.col("list_price") > pl.col("price") * (1 + ROUNDING)
    given, above = lines.select(given=pl.col("list_price").count(), above=is_above.sum()).row(0)
    if above < ONLY_CUTS * max(given, 1):
        return modal
    return modal.with_columns(pl.coalesce("list_price", "price").alias("list_price"))
