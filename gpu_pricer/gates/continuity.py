"""The gates on what readers of the published version rely on: its products, its columns and its currency."""

from collections.abc import Iterator
from pathlib import Path

import polars as pl

from gpu_pricer.errors import InputError, first_line
from gpu_pricer.gates.outcome import Outcome, limited
from gpu_pricer.gates.published import Published, columns_of
from gpu_pricer.gates.settings import Gates
from gpu_pricer.tables.price_table import scan_prices
from gpu_pricer.tables.version.names import RECORD, UNPRICED
from gpu_pricer.tables.version.price_version import PriceVersion

MOST_NAMED = 3
"""Products, or columns, that a line names."""


def continuity_outcomes(
    folder: Path, version: PriceVersion, products: pl.Series, published: Published, gates: Gates
) -> Iterator[Outcome]:
    """Yield the outcomes of the gates on products, columns and currency; products: the version's ids as text."""
    if gates.max_share_missing is not None:
        yield _missing(folder, products, published, gates.max_share_missing)
    if gates.same_columns:
        lost = _lost_columns(published.columns, columns_of(scan_prices(folder).collect_schema()))
        yield Outcome(
            "same_columns", f"the columns of {published.run} must stay as they are for those who read them",
            f"{len(lost)} changed{_named(lost)}", "0 changed", not lost, "",
            "set score.layout and score.details as before, or write the ids as before",
        )  # fmt: skip
    if gates.same_currency:
        yield Outcome(
            "same_currency", f"the currency must stay {published.currency}", version.currency, published.currency,
            version.currency == published.currency, "", "mend data.currency",
        )  # fmt: skip


def withdrawn_outcomes(returned: list[str], gates: Gates) -> list[Outcome]:
    """Return the outcome of the gate on products that events withdrew and that a full `score` prices again.

    returned: the ids of these products, as text.
    """
    if not gates.no_withdrawn_products:
        return []
    return [
        Outcome(
            "no_withdrawn_products", "products that events withdrew must not come back by a full score",
            f"{len(returned)} priced again{_named(returned)}", "0 priced again", not returned, "",
            "take them out of the catalog and score again",
        )
    ]  # fmt: skip


def _missing(folder: Path, products: pl.Series, published: Published, limit: float) -> Outcome:
    """Return the outcome for the published products that the version does not price, with the reasons."""
    before, now = published.products.select("product_id"), products.to_frame("product_id")
    lost = before.join(now, on="product_id", how="anti").sort("product_id")
    known = lost.join(_unpriced(folder), on="product_id", how="left")
    counts = known.group_by(pl.col("reason").fill_null("not in the catalog")).len()
    why = ", ".join(
        f"{count} {reason}" for reason, count in counts.sort("len", "reason", descending=[True, False]).rows()
    )
    named = f" ({why}){_named(lost['product_id'].to_list())}" if why else ""
    detail = f", {lost.height} of {before.height}{named}"
    what = f"share of the products of {published.run} that are no longer priced"
    remedy = "see unpriced.parquet in its _record, and look for the products in the catalog"
    return limited("max_share_missing", what, lost.height / before.height, limit, remedy, detail)


def _unpriced(folder: Path) -> pl.DataFrame:
    """Return product_id as text, and the first words of the reason, of the products that the version does not price."""
    path = folder / RECORD / UNPRICED
    try:
        reason = pl.col("reason").str.split(":").list.first()
        return pl.read_parquet(path).select(pl.col("product_id").cast(pl.String), reason)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise InputError(f"{path} must be a whole Parquet file, found: {first_line(error)}: score again") from error


def _lost_columns(before: dict[str, str], now: dict[str, str]) -> list[str]:
    """Return what became of each published column that is gone or has another type; a further column is none."""
    return [f"{name} {dtype} -> {now.get(name, 'none')}" for name, dtype in before.items() if now.get(name) != dtype]


def _named(names: list[str]) -> str:
    """Return the first names after a colon, empty without names."""
    more = ", …" if len(names) > MOST_NAMED else ""
    return f": {', '.join(names[:MOST_NAMED])}{more}" if names else ""
