"""Value-added tax: the rate that a product's price includes, and the share of the price that the shop keeps."""

from pathlib import Path

import polars as pl

from gpu_pricer.errors import UNREADABLE, InputError

VAT_RATE = "vat_rate"
"""The column of a catalog whose prices include VAT, such as 0.19; a catalog without it has prices without VAT."""

VAT_MARK = {"prices_include_vat": "true"}
"""Metadata of a catalog's file that `prepare` wrote with rates, because the user said that prices include VAT."""
PERCENT = 100


def require_vat_rates(products: pl.DataFrame, origin: str, remedy: str) -> None:
    """Raise InputError unless every product of a table with the column vat_rate has a rate from 0 to below 1.

    origin: what the table is; remedy: how products get a rate.
    """
    if VAT_RATE not in products.columns:
        return
    rate = pl.col(VAT_RATE)
    missing = products.filter(rate.is_null())
    if missing.height:
        raise InputError(
            f"{origin}: every product must have a VAT rate where prices include VAT, found none for "
            f"{missing.height:,} products such as {missing['product_id'].head(3).to_list()}: {remedy}"
        )
    bad = products.filter(~(rate.is_finite() & (rate >= 0) & (rate < 1)))
    if bad.height:
        product, found = bad.select("product_id", VAT_RATE).row(0)
        raise InputError(
            f"{origin}: vat_rate must be at least 0 and below 1, found {bad.height:,} products where it is not, the "
            f"first {(product, found)}: {_meant(found) or 'mend the column'}"
        )


def require_vat_told(catalog: pl.DataFrame, path: Path, price_includes_vat: bool | None) -> None:
    """Raise InputError where a catalog has VAT rates and nobody has said that its prices include VAT.

    A column of that name may be an attribute as any other, and profit depends on it. price_includes_vat: what the
    configuration says; a catalog that `prepare` wrote says so itself.
    """
    if VAT_RATE not in catalog.columns or price_includes_vat or (price_includes_vat is None and _is_marked(path)):
        return
    raise InputError(
        f"whether prices include VAT must be told where the catalog has the column {VAT_RATE}, found "
        f"data.catalog.price_includes_vat={str(price_includes_vat).lower().replace('none', 'null')} beside {path}: set "
        "it to true, or leave the column out or call it something else"
    )


def _is_marked(path: Path) -> bool:
    try:
        return pl.read_parquet_metadata(path).items() >= VAT_MARK.items()
    except UNREADABLE:  # such as a folder of files, which `prepare` does not write
        return False


def require_vat_settings(price_includes_vat: object, vat_rate: object) -> None:
    """Raise ValueError unless the settings are true, false or null, and a rate from 0 to below 1 beside true, or null.

    The message begins with the name of the setting.
    """
    if not (price_includes_vat is None or isinstance(price_includes_vat, bool)):
        raise ValueError(f"price_includes_vat must be true, false or null, found {price_includes_vat!r}: mend it")
    if vat_rate is None:
        return
    is_number = isinstance(vat_rate, int | float) and not isinstance(vat_rate, bool)
    if not (is_number and 0 <= vat_rate < 1):  # type: ignore[operator]
        hint = _meant(vat_rate) if is_number else ""  # type: ignore[arg-type]
        raise ValueError(f"vat_rate must be at least 0 and below 1, found {vat_rate!r}: {hint or 'mend it'}")
    if not price_includes_vat:
        raise ValueError(f"vat_rate must stand beside price_includes_vat=true, found {price_includes_vat}: set it too")


def _meant(rate: float) -> str:
    """Return the question whether a rate is in percent, nothing where it cannot be."""
    return f"did you mean {rate / PERCENT:g}?" if 1 <= rate < PERCENT else ""


def net_share(products: pl.DataFrame) -> pl.Series:
    """Return the share of each product's price that is left after VAT, 1 / (1 + rate), Float64 [P]."""
    rate = pl.col(VAT_RATE) if VAT_RATE in products.columns else pl.repeat(0.0, products.height)
    return products.select(net_share=1.0 / (1.0 + rate)).to_series()
