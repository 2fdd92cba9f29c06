"""List prices as shops log them: which of them can be unit prices before discounts, and what a missing one means."""

import logging
from dataclasses import dataclass

import polars as pl

from gpu_pricer.checks import require_number
from gpu_pricer.errors import InputError
from gpu_pricer.tables.checking import FEW, examples
from gpu_pricer.tables.list_price import ROUNDING, is_cut

log = logging.getLogger(__name__)

LEAST_LINES = 20
"""Lines of several units that tell whether their list prices are those of the whole line, and lines with a list price
below the price that tell whether the two are exchanged."""
OF_ALL_UNITS = 0.8
"""Share of the number of units by which list prices of whole lines exceed those of single units at least."""
ONLY_CUTS = 0.95
"""Share of the list prices that are above the price, from which on a log states them for discounted lines only."""
UNLIKE, MOST_UNLIKE = 0.1, 0.05
"""By how much list prices within a period differ that are unlike, and in which share of the periods they may be."""
PRICES = ("list_price", "price")
SHOWN = ("product_id", "price", "list_price")
BELOW = (
    "below the price (without VAT, of a later day, or lower than prices that gpu_pricer has set, which "
    "policy.bounds.below_list_price=true prevents?)"
)
EXCHANGED = "below the price, and hardly any above it (are the two exchanged?)"
LEAST_EXCHANGED, MOST_ABOVE, LEAST_DEPTH = 0.01, 0.1, 0.08
"""List prices and prices seem to be exchanged where this share of the list prices is below the price, at most a tenth
as many are above, and they are typically so far below as a cut is; rounded, older or recommended prices are nearer."""
ABOVE = "more than {:g} times the price (in cents, or of packs?)"
ACCEPT_SHARE = (
    "those of deep sales with a higher data.list_prices.most_ratio, others with a higher data.list_prices."
    "most_implausible"
)
ACCEPT_ANY = "them all with data.list_prices.most_implausible=1"
LIST_PRICE_IS_PLAUSIBLE = "list_price_is_plausible"
"""The rule that rows break whose list price is none: they stay, without it."""


@dataclass(frozen=True)
class ListPriceRule:
    """Which list prices are plausible: those from the price to `most_ratio` times it. Others count as not known.

    most_implausible: the largest share of the list prices that may be implausible; where more are, something is wrong
    with all of them. 1: any share is accepted, and those of whole lines are not looked for.
    """

    most_ratio: float
    most_implausible: float

    def __post_init__(self) -> None:
        require_number("data.list_prices.most_ratio", self.most_ratio, above=1)
        require_number("data.list_prices.most_implausible", self.most_implausible, least=0, most=1)

    def applied(self, rows: pl.DataFrame, name: str, origin: str) -> tuple[pl.DataFrame, tuple[int, str]]:
        """Return the rows without implausible list prices, how many these are, and a line on them with examples.

        rows: product_id, price, list_price, and quantity of lines, of the table `name`; price may be null. A list price
        of 0 or below is none, as many programs write it where there was no discount. Rows whose price is none do not
        count. InputError if more than most_implausible of the other list prices are implausible, or if those of lines
        with several units are of all units together, or if those of lines seem to be exchanged with the prices.
        """
        if rows["list_price"].null_count() == rows.height:
            return rows, (0, "")
        listed, price = (pl.when(pl.col(name).is_finite() & (pl.col(name) > 0)).then(name) for name in PRICES)
        ratio = listed / price
        is_below, is_above = (ratio < 1 - ROUNDING).fill_null(False), (ratio > self.most_ratio).fill_null(False)
        compared, below, above, cuts, typical = rows.select(
            ratio.count(),
            below=is_below.sum(),
            above=is_above.sum(),
            cuts=(ratio > 1 + ROUNDING).sum(),
            typical=ratio.filter(is_below).median().fill_null(1.0),
        ).row(0)
        is_too_much = self.is_too_much(below + above, compared)
        is_exchanged = below > max(LEAST_EXCHANGED * compared, LEAST_LINES) and cuts <= MOST_ABOVE * below
        is_exchanged &= self.most_implausible < 1 and "quantity" in rows.columns and typical <= 1 - LEAST_DEPTH
        if is_too_much or is_exchanged:
            told = ((below, BELOW if is_too_much else EXCHANGED), (above, ABOVE.format(self.most_ratio)))
            found = " and ".join(f"{count:,} of {compared:,} {what}" for count, what in told if count)
            wrong = rows.lazy().filter(is_below if below >= above else is_above).head(FEW).collect()
            accepted = ACCEPT_SHARE if is_too_much else ACCEPT_ANY
            raise InputError(_refusal(name, origin, found, wrong, accepted))
        if self.most_implausible < 1 and "quantity" in rows.columns:
            self._require_of_one_unit(rows, name, origin)
        is_left = pl.col("list_price").is_not_null() & (listed.is_null() | is_below | is_above)
        is_left &= price.is_not_null() | pl.col("price").is_null()
        count = rows.select(is_left.sum()).item()
        if not count:
            return rows, (0, "")
        first = examples(rows.lazy().filter(is_left).head(FEW).collect(), SHOWN)
        kept = rows.with_columns(list_price=pl.when(~is_left).then("list_price"))
        return kept, (count, f"{origin} breaks {LIST_PRICE_IS_PLAUSIBLE} in {count:,} rows, such as {first}")

    def is_too_much(self, wrong: int, count: int) -> bool:
        """Return whether so many of a number of list prices may not be wrong."""
        return wrong > max(self.most_implausible * count, FEW)

    def _require_of_one_unit(self, lines: pl.DataFrame, name: str, origin: str) -> None:
        """Raise InputError if the list prices of lines with several units are of all units together.

        Those of whole lines are as many times as high as the product's list price in lines of one unit.
        """
        is_several, times = pl.col("quantity") >= 2, pl.col("list_price") / pl.col("of_one") / pl.col("quantity")
        listed = (
            lines.lazy().select(*SHOWN, "quantity").filter(pl.col("list_price").is_finite(), pl.col("list_price") > 0)
        )
        of_one = listed.filter(pl.col("quantity") == 1).group_by("product_id").agg(of_one=pl.col("list_price").median())
        several = listed.filter(is_several).join(of_one, on="product_id")
        count, middle = several.select(pl.len(), times.median().alias("middle")).collect(engine="streaming").row(0)
        if count < LEAST_LINES or middle < OF_ALL_UNITS:
            return
        found = f"those of {count:,} lines with several units to be of all units together"
        raise InputError(_refusal(name, origin, found, several.head(FEW).collect(), ACCEPT_ANY))


def _refusal(name: str, origin: str, found: str, rows: pl.DataFrame, accepted: str) -> str:
    """Return what to say of list prices that cannot be right; rows: examples, with the columns SHOWN."""
    return (
        f"list prices in {origin} must be prices of one unit before discounts, found {found}, such as "
        f"{examples(rows, SHOWN)}: mend them, or leave the column out (gpu-pricer inspect does with "
        f"inspect.{name}.list_price=none), or accept {accepted}"
    )


def warn_of_unlike_list_prices(lines: pl.DataFrame) -> None:
    """Warn where list prices of a product differ by more than UNLIKE within many periods, as of two currencies.

    lines: product_id, period and list_price. Periods count in which two lines or more have a list price.
    """
    listed = lines.lazy().drop_nulls("list_price").group_by("product_id", "period")
    least, most = pl.col("list_price").min(), pl.col("list_price").max()
    periods = listed.agg(lines=pl.len(), spread=most / least).filter(pl.col("lines") > 1)
    found = periods.select("product_id", is_unlike=pl.col("spread") > 1 + UNLIKE).collect(engine="streaming")
    unlike = found.filter("is_unlike")["product_id"]
    if len(unlike) > max(MOST_UNLIKE * found.height, FEW):
        log.warning(
            "list prices of one product differ by more than %.0f %% within %s of %s of its periods, as of %s: the "
            "price response may be far off; some lines may have them in another currency, or per pack or weight",
            100 * UNLIKE,
            f"{len(unlike):,}",
            f"{found.height:,}",
            unlike.unique().sort().head(FEW).to_list(),
        )


def with_regular_prices(modal: pl.DataFrame, lines: pl.DataFrame) -> pl.DataFrame:
    """Return the modal prices; where the log states list prices of discounted lines only, a missing one is the price.

    That holds for products that have any list price; elsewhere a missing one is not known.
    modal: from modal_prices. lines: price and list_price of all lines.
    """
    given, above = lines.select(given=pl.col("list_price").count(), above=is_cut().sum()).row(0)
    if not given or given == lines.height:
        return modal
    is_of_cuts = above >= ONLY_CUTS * given
    log.info(
        "%.0f %% of the lines have a list price, %.0f %% of these one above the price: a missing one %s",
        100 * given / lines.height, 100 * above / given, "is the price" if is_of_cuts else "is not known",
    )  # fmt: skip
    if not is_of_cuts:
        return modal
    is_listed = pl.col("list_price").is_not_null().any().over("product_id")
    return modal.with_columns(list_price=pl.when(is_listed).then(pl.coalesce("list_price", "price")))
