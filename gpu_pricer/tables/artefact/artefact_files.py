"""Reading and writing a demand artefact's directory."""

import json
import shutil
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

import dataframely as dy
import numpy as np
import polars as pl
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from gpu_pricer.errors import UNREADABLE, InputError, first_line
from gpu_pricer.tables.artefact.demand_artefact import DemandArtefact
from gpu_pricer.tables.artefact.demand_info import FORMS, read_info
from gpu_pricer.tables.artefact.demand_tables import DemandCategories, DemandProducts, Posterior, Segments
from gpu_pricer.tables.files.disk_errors import disk_errors, share, write_table
from gpu_pricer.tables.files.replacing import replacing

ARTEFACT_TABLES = ("segments", "products", "offsets", "user_segments", "posterior", "categories")
NUMBERS_AT_ONCE = 2**22
"""How many numbers of a factor are read at a time."""
EVERY = slice(None)
"""The rows of all products."""
NETWORK = "network"
ARTEFACT_FILES = ("demand.json", "factors.safetensors", *(f"{name}.parquet" for name in ARTEFACT_TABLES), NETWORK)


def write_artefact(artefact: DemandArtefact, directory: Path, network: Path | None = None) -> None:
    """Write the artefact, replacing the directory at once; `network` is a folder that is moved to network/ inside it.

    Raise InputError if the directory holds anything but an artefact.
    """
    with replacing(directory, ARTEFACT_FILES) as fresh:
        (fresh / "demand.json").write_text(json.dumps(asdict(artefact.info), indent=2) + "\n")
        with disk_errors(fresh / "factors.safetensors") as path:
            save_file({k: np.ascontiguousarray(v) for k, v in artefact.factors.items()}, path)
        share(path)
        for name in ARTEFACT_TABLES:
            table: pl.DataFrame | None = getattr(artefact, name)
            if table is not None:
                write_table(table, fresh / f"{name}.parquet")
        if network is not None:
            shutil.move(network, fresh / NETWORK)


def require_artefact(directory: Path) -> None:
    """Raise InputError unless the directory holds an artefact."""
    path = directory / "demand.json"
    if not path.is_file():
        raise InputError(
            f"a demand artefact must lie in {directory}, but {path} is not there: "
            "run `gpu-pricer train` first, or point paths.demand at one"
        )


def read_artefact(directory: Path, rows: slice = EVERY) -> DemandArtefact:
    """Return the artefact in the directory; raise InputError if a file is missing or breaks a rule.

    rows: of the products to read, a range without step.
    """
    require_artefact(directory)
    defaults = {"availability": 1.0, "choices_per_purchase": 1.0, "units_per_choice": 1.0, "quantity_sensitivity": 0.0}
    products = _with_defaults(_read_table(directory / "products.parquet")[rows], defaults)
    info = read_info(directory / "demand.json")
    try:
        products = _checked(DemandProducts, products)  # before the factors are read, since checking takes much memory
        return DemandArtefact(
            info=info,
            factors=_read_factors(directory / "factors.safetensors", rows),
            segments=_checked(Segments, _read_table(directory / "segments.parquet")),
            products=products,
            offsets=_read_offsets(directory / "offsets.parquet", None if rows == EVERY else products["product_id"]),
            user_segments=_read_optional(directory / "user_segments.parquet"),
            posterior=_read_checked(directory / "posterior.parquet", Posterior, {"stand_in": None}),
            categories=_read_checked(
                directory / "categories.parquet", DemandCategories, {"dissimilarity": 1.0, "prior_elasticity": None}
            ),
        )
    except ValueError as error:
        raise InputError(f"the demand artefact in {directory} is not valid: {error}; train it again") from error


def read_segments(directory: Path) -> tuple[pl.DataFrame, pl.DataFrame | None]:
    """Return the segments, and the table of the users in them, None if the artefact has none."""
    try:
        segments = _checked(Segments, _read_table(directory / "segments.parquet"))
    except ValueError as error:
        raise InputError(f"the demand artefact in {directory} is not valid: {error}; train it again") from error
    return segments, _read_optional(directory / "user_segments.parquet")


def read_support(directory: Path) -> pl.DataFrame:
    """Return product_id, min_price and max_price of every product with a demand of its own."""
    products = _read_table(directory / "products.parquet")
    return products.select("product_id", "min_price", "max_price").drop_nulls("product_id")


def _read_offsets(path: Path, product_id: pl.Series | None) -> pl.DataFrame | None:
    """Return the optional table of the offsets, with those of certain products alone if their ids are given."""
    offsets = _read_optional(path)
    if offsets is None or product_id is None or offsets.schema.get("product_id") != product_id.dtype:
        return offsets
    return offsets.join(product_id.to_frame("product_id"), on="product_id", how="semi", maintain_order="left")


def _read_factors(path: Path, rows: slice) -> dict[str, np.ndarray]:
    """Return the factors by name; rows: of the products, which are the second axis of the dense form."""
    try:
        with (
            path.open("rb"),
            safe_open(path, "numpy") as file,
        ):  # of one that may not be read it says that none is there
            names = [*file.keys()]
        factors = {name: _read_factor(path, name, rows if name.startswith("product") else EVERY) for name in names}
        return factors if rows == EVERY else {name: _of_products(name, f, rows) for name, f in factors.items()}
    except (OSError, TypeError, SafetensorError) as error:  # TypeError: a dtype that NumPy does not know
        raise InputError(f"{path} must be a whole safetensors file, found: {error}; train it again") from error


def _read_factor(path: Path, name: str, chosen: slice = EVERY) -> np.ndarray:
    """Return the chosen rows of a factor, read some at a time.

    The file is opened anew for each part, because what was read stays mapped into memory until the file is closed.
    """
    with safe_open(path, "numpy") as file:
        shape = file.get_slice(name).get_shape()
        if len(shape) != 2 or np.prod(shape) <= NUMBERS_AT_ONCE:
            return file.get_tensor(name) if chosen == EVERY else file.get_tensor(name)[chosen]
        start, stop, _ = chosen.indices(shape[0])
        factor = np.empty((stop - start, shape[1]), file.get_slice(name)[:1].dtype)
    rows = max(NUMBERS_AT_ONCE // shape[1], 1)
    for first in range(start, stop, rows):
        last = min(first + rows, stop)
        with safe_open(path, "numpy") as file:
            factor[first - start : last - start] = file.get_slice(name)[first:last]
    return factor


def _of_products(name: str, factor: np.ndarray, rows: slice) -> np.ndarray:
    """Return the columns of the products `rows` of an array of the dense form; of other arrays all."""
    return np.ascontiguousarray(factor[:, rows]) if name in FORMS["dense"] else factor


def _checked(schema: type[dy.Schema], table: pl.DataFrame) -> pl.DataFrame:
    """Return the schema's columns of the table in its types; raise ValueError if one is missing or a rule is broken."""
    missing = [name for name in schema.column_names() if name not in table.columns]
    if missing:
        raise ValueError(f"{schema.__name__} must have the columns {missing}, found {table.columns}")
    flags = [name for name in schema.column_names() if table.schema[name] == pl.Boolean]
    if flags:
        raise ValueError(f"{schema.__name__} must have numbers or ids in {flags}, found true and false")
    valid, failure = schema.filter(table, cast=True)
    if len(failure):
        raise ValueError(f"{schema.__name__} breaks {failure.counts()} (rule: rows)")
    return valid


def _read_table(path: Path) -> pl.DataFrame:
    try:
        return pl.read_parquet(path)
    except UNREADABLE as error:
        raise InputError(f"{path} must be a readable Parquet file, found: {first_line(error)}; train again") from error


def _read_optional(path: Path) -> pl.DataFrame | None:
    return _read_table(path) if path.exists() else None


def _read_checked(path: Path, schema: type[dy.Schema], defaults: Mapping[str, float | None]) -> pl.DataFrame | None:
    """Return an optional table in the schema's types, None without the file; ValueError if it breaks a rule.

    defaults: of columns that it may lack.
    """
    return _checked(schema, _with_defaults(_read_table(path), defaults)) if path.exists() else None


def _with_defaults(table: pl.DataFrame, defaults: Mapping[str, float | None]) -> pl.DataFrame:
    """Return the table with a column of the default value for each name that it lacks."""
    return table.with_columns(
        pl.lit(value).alias(name) for name, value in defaults.items() if name not in table.columns
    )
