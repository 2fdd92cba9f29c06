"""The start of the search for multipliers, read from the record of an earlier version."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from gpu_pricer.constraints.certificate_file import CERTIFICATE, read_certificate
from gpu_pricer.errors import InputError, first_line
from gpu_pricer.tables.version.stock_record import STOCK_PRICES


@dataclass(frozen=True)
class Start:
    """Multipliers and shadow prices from which the search starts.

    multiplier [K]: in currency per unit of each left-hand side.
    stock_price [P]: shadow prices of stock in currency.
    """

    multiplier: np.ndarray
    stock_price: np.ndarray


def read_start(folder: Path, names: list[str], product_id: pl.Series) -> Start:
    """Return the multipliers of the named constraints and the products' shadow prices in a version's record.

    Constraints and products that the record does not know start from 0. InputError where the folder holds no
    certificate with multipliers.
    """
    try:
        start = read_certificate(folder)["start"]
        multiplier = np.array([float(start["multiplier"].get(name, 0.0)) for name in names])
        return Start(multiplier, _read_stock_prices(folder / STOCK_PRICES, product_id))
    except (
        InputError,
        OSError,
        ValueError,
        LookupError,
        TypeError,
        AttributeError,
        pl.exceptions.PolarsError,
    ) as error:
        found = first_line(error)
        raise InputError(
            f"paths.warm_start must be the record of a version scored under constraints, found {folder}: {found}"
        ) from error


def start_fingerprint(folder: Path | None) -> str:
    """Return a hash of the files that read_start reads in a version's record, "" without one."""
    if folder is None:
        return ""
    files = [folder / name for name in (CERTIFICATE, STOCK_PRICES)]
    return hashlib.sha256(b"".join(file.read_bytes() for file in files if file.is_file())).hexdigest()[:16]


def _read_stock_prices(path: Path, product_id: pl.Series) -> np.ndarray:
    """Return the shadow prices [P] in currency, 0 where the file has none."""
    if not path.is_file():
        return np.zeros(len(product_id))
    known = pl.read_parquet(path, columns=["product_id", "shadow_price"])
    joined = product_id.to_frame("product_id").join(known, on="product_id", how="left", maintain_order="left")
    return joined["shadow_price"].fill_null(0.0).to_numpy(writable=True)
