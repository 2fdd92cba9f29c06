"""The demand artefact: a directory that any demand model may write and any pricer may read.

It holds demand.json, factors.safetensors, segments.parquet, products.parquet and, optionally, offsets.parquet,
user_segments.parquet, posterior.parquet and categories.parquet. The rows of segments and products are in the order of
the factors' rows.
The folder network/ holds the network that the artefact was exported from, if there is one; `score` never reads it.
"""

import hashlib
import json
import shutil
from dataclasses import asdict, dataclass, fields
from datetime import date
from pathlib import Path

import dataframely as dy
import numpy as np
import polars as pl
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from gpu_pricer.checks import require_flag, require_integer
from gpu_pricer.errors import UNREADABLE, InputError, first_line
from gpu_pricer.tables.files.disk_errors import disk_errors, write_table
from gpu_pricer.tables.files.low_memory import add_rows, is_unique
from gpu_pricer.tables.files.replacing import replacing
from kernels import LARGEST_UTILITY, LEAST_DISSIMILARITY, largest_product

FORMAT_VERSION = 1
ARTEFACT_TABLES = ("segments", "products", "offsets", "user_segments", "posterior", "categories")
MOST_VISITS = 1e15
"""The most visits of a segment: sums of more would not be exact, and far more would overflow."""
LARGEST = LARGEST_UTILITY / 2
"""The limit on the size of an appeal, of a sensitivity, and of the offset that is added to either of them."""
NUMBERS_AT_ONCE = 2**22
"""How many numbers of a factor are read at a time."""
NETWORK = "network"
ARTEFACT_FILES = ("demand.json", "factors.safetensors", *(f"{name}.parquet" for name in ARTEFACT_TABLES), NETWORK)
FORMS = {
    "factors": ("segment_appeal", "product_appeal", "segment_sensitivity", "product_sensitivity"),
    "dense": ("appeal", "sensitivity"),
}


class Segments(dy.Schema):
    """One row per segment; visits is how many visits (user-periods) it is expected to make in the pricing period."""

    segment_id = dy.Any()
    visits = dy.Float64(min=0, max=MOST_VISITS)

    @dy.rule()
    def segment_is_given(cls) -> pl.Expr:
        return pl.col("segment_id").is_not_null()

    @dy.rule()
    def segment_is_unique(cls) -> pl.Expr:
        return pl.col("segment_id").is_unique()


class DemandProducts(dy.Schema):
    """One row per product; a null product_id is its category's fallback for products never trained on.

    units_per_choice: at the reference price. quantity_sensitivity: the part of the price sensitivity by which the units
    of a choice answer the price; what is left is that of choosing the product at all.
    """

    product_id = dy.Any()
    category_id = dy.String()
    reference_price = dy.Float64(min_exclusive=0)
    min_price = dy.Float64(min_exclusive=0)
    max_price = dy.Float64(min_exclusive=0)
    availability = dy.Float64(min=0, max=1)
    choices_per_purchase = dy.Float64(min=1)
    units_per_choice = dy.Float64(min_exclusive=0)
    quantity_sensitivity = dy.Float64(min=0)

    @dy.rule()
    def support_holds_the_reference_price(cls) -> pl.Expr:
        return pl.col("reference_price").is_between(pl.col("min_price"), pl.col("max_price"))

    @dy.rule()
    def product_is_unique(cls) -> pl.Expr:
        # Not a test for unique pairs of product and category: hashing the pairs takes 200 bytes a product (at a million
        # products), more than the table itself.
        is_fallback = pl.col("product_id").is_null()
        fallback_is_unique = pl.when(is_fallback).then("category_id").is_unique()
        return pl.when(is_fallback).then(fallback_is_unique).otherwise(is_unique("product_id"))


class Posterior(dy.Schema):
    """One row per segment, category and draw from the posterior of price sensitivity.

    log_deviation is log b in the draw minus log b in the artefact. Rows with equal `draw` are one joint draw over all
    segments and categories.
    """

    segment_id = dy.Any()
    category_id = dy.String()
    draw = dy.Int64(min=0)
    log_deviation = dy.Float32()


class DemandCategories(dy.Schema):
    """One row per category that taught the price response; of all this only the dissimilarity decides a price.

    season: what the season adds to the appeal of all its products in the pricing period, against a mean period, with
    its 5 % and 95 % quantiles; the appeal holds it already. sensitivity_from_log: how far the log told its products'
    sensitivities, from 0 (they are those of any category) to 1. dissimilarity: how far prices move buyers into and out
    of the category, beside between its products; 1, the default and that of categories without a row, is the logit
    (see kernels/nesting.py).
    """

    category_id = dy.String(primary_key=True)
    season = dy.Float64()
    season_low = dy.Float64()
    season_high = dy.Float64()
    sensitivity_from_log = dy.Float64(min=0, max=1)
    dissimilarity = dy.Float64(min=LEAST_DISSIMILARITY, max=1)


@dataclass(frozen=True)
class DemandInfo:
    """The content of demand.json; dates are ISO strings, pricing_period is the first day that is priced."""

    format_version: int
    kind: str
    form: str
    run: str
    created: str
    training_start: str
    training_end: str
    period_days: int
    pricing_period: str
    outside_option: bool
    currency: str

    def __post_init__(self) -> None:
        if self.format_version != FORMAT_VERSION:
            raise ValueError(f"format_version must be {FORMAT_VERSION}, found {self.format_version!r}")
        if self.kind != "mnl":
            raise ValueError(f"kind must be 'mnl', found {self.kind!r}")
        if self.form not in FORMS:
            raise ValueError(f"form must be one of {sorted(FORMS)}, found {self.form!r}")
        require_integer("period_days", self.period_days, 1)
        require_flag("outside_option", self.outside_option)
        for name in ("training_start", "training_end", "pricing_period"):
            if not _is_date(getattr(self, name)):
                raise ValueError(f"{name} must be an ISO date, found {getattr(self, name)!r}")


def _is_date(text: object) -> bool:
    try:
        return isinstance(text, str) and bool(date.fromisoformat(text))
    except ValueError:
        return False


@dataclass(frozen=True)
class DemandArtefact:
    """Demand of S segments for P products.

    factors holds float32 arrays. Form "factors": segment_appeal [S, Da], product_appeal [P, Da],
    segment_sensitivity [S, Db], product_sensitivity [P, Db]. Form "dense": appeal [S, P], sensitivity [S, P]. Every
    appeal and sensitivity that the factors multiply to must be below LARGEST in size. Raise ValueError for any other
    shape, type or size.
    """

    info: DemandInfo
    factors: dict[str, np.ndarray]
    segments: pl.DataFrame
    products: pl.DataFrame
    offsets: pl.DataFrame | None = None
    user_segments: pl.DataFrame | None = None
    posterior: pl.DataFrame | None = None
    categories: pl.DataFrame | None = None

    def __post_init__(self) -> None:
        expected = set(FORMS[self.info.form])
        if set(self.factors) != expected:
            raise ValueError(f"factors must be {sorted(expected)}, found {sorted(self.factors)}")
        sizes = {"segment": self.segments.height, "product": self.products.height}
        for name, factor in self.factors.items():
            if factor.dtype != np.float32 or factor.ndim != 2:
                raise ValueError(f"{name} must be float32 with two axes, found {factor.dtype} {factor.shape}")
            if not np.isfinite([factor.min(initial=0), factor.max(initial=0)]).all():
                raise ValueError(f"{name} must be finite, found NaN or infinity")
            if self.info.form == "dense" and factor.shape != tuple(sizes.values()):
                raise ValueError(f"{name} must be {tuple(sizes.values())}, found {factor.shape}")
            if self.info.form == "factors" and factor.shape[0] != sizes[name.split("_")[0]]:
                raise ValueError(f"{name} must have {sizes[name.split('_')[0]]} rows, found {factor.shape[0]}")
        for kind in ("appeal", "sensitivity") if self.info.form == "factors" else ():
            widths = [self.factors[f"{side}_{kind}"].shape[1] for side in ("segment", "product")]
            if widths[0] != widths[1]:
                raise ValueError(f"segment_{kind} and product_{kind} must be equally wide, found {widths}")
        for kind, largest in self._largest().items():
            if not largest < LARGEST:
                raise ValueError(f"{kind} must stay below {LARGEST:.0e} in size, found up to {largest:.3g}")

    def _largest(self) -> dict[str, float]:
        """Return an upper bound on the size of the appeals and of the sensitivities, by name."""
        if self.info.form == "dense":
            return {name: max(float(f.max(initial=0)), float(-f.min(initial=0))) for name, f in self.factors.items()}
        kinds = ("appeal", "sensitivity")
        return {k: largest_product(self.factors[f"segment_{k}"], self.factors[f"product_{k}"]) for k in kinds}

    def fingerprint(self) -> str:
        """Return a hash of everything that decides a price.

        The time and the run that learned the demand are not part of it: equal trainings have equal fingerprints on any
        machine. Nor is the quantity_sensitivity, which the sensitivity holds already, nor are the categories, but for
        dissimilarities below 1.
        """
        info = {name: value for name, value in asdict(self.info).items() if name not in ("run", "created")}
        digest = hashlib.sha256(json.dumps(info, sort_keys=True).encode())
        for name in sorted(self.factors):
            digest.update(name.encode())
            digest.update(np.ascontiguousarray(self.factors[name]).data)
        priced = self.products.drop("quantity_sensitivity", strict=False)
        for table in (self.segments, priced, self.offsets, self.posterior, self._nested()):
            if table is not None:
                add_rows(digest, table)
        return digest.hexdigest()[:16]

    def _nested(self) -> pl.DataFrame | None:
        """Return category_id and dissimilarity of the categories whose dissimilarity is below 1; None without any."""
        if self.categories is None or "dissimilarity" not in self.categories.columns:
            return None
        found = self.categories.filter(pl.col("dissimilarity") < 1).select("category_id", "dissimilarity")
        return None if found.is_empty() else found.sort("category_id")

    def dissimilarity_of(self, category_id: pl.Series) -> np.ndarray:
        """Return the dissimilarities of categories [G], float64; 1 where the artefact says nothing."""
        nested = self._nested()
        if nested is None:
            return np.ones(len(category_id))
        found = category_id.to_frame("category_id").join(nested, on="category_id", how="left", maintain_order="left")
        return found["dissimilarity"].fill_null(1.0).to_numpy()


def write_artefact(artefact: DemandArtefact, directory: Path, network: Path | None = None) -> None:
    """Write the artefact, replacing the directory at once; `network` is a folder that is moved to network/ inside it.

    Raise InputError if the directory holds anything but an artefact.
    """
    with replacing(directory, ARTEFACT_FILES) as fresh:
        (fresh / "demand.json").write_text(json.dumps(asdict(artefact.info), indent=2) + "\n")
        with disk_errors(fresh / "factors.safetensors") as path:
            save_file({k: np.ascontiguousarray(v) for k, v in artefact.factors.items()}, path)
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


def read_artefact(directory: Path) -> DemandArtefact:
    """Return the artefact in the directory; raise InputError if a file is missing or breaks a rule."""
    require_artefact(directory)
    defaults = {"availability": 1.0, "choices_per_purchase": 1.0, "units_per_choice": 1.0, "quantity_sensitivity": 0.0}
    products = _with_defaults(_read_table(directory / "products.parquet"), defaults)
    info = read_info(directory / "demand.json")
    try:
        products = _checked(DemandProducts, products)  # before the factors are read, since checking takes much memory
        return DemandArtefact(
            info=info,
            factors=_read_factors(directory / "factors.safetensors"),
            segments=_checked(Segments, _read_table(directory / "segments.parquet")),
            products=products,
            offsets=_read_optional(directory / "offsets.parquet"),
            user_segments=_read_optional(directory / "user_segments.parquet"),
            posterior=_read_checked(directory / "posterior.parquet", Posterior),
            categories=_read_categories(directory / "categories.parquet"),
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


def read_info(path: Path) -> DemandInfo:
    """Return what a file demand.json says; raise InputError if that is not what it must be."""
    try:
        raw = json.loads(path.read_text())
        return DemandInfo(**{field.name: raw[field.name] for field in fields(DemandInfo)})
    except (KeyError, TypeError, ValueError, OSError) as error:
        reason = f"{error} is missing" if isinstance(error, KeyError) else str(error)
        raise InputError(f"{path} must describe a demand artefact, found: {reason}; train it again") from error


def _read_factors(path: Path) -> dict[str, np.ndarray]:
    try:
        with safe_open(path, "numpy") as file:
            names = [*file.keys()]
        return {name: _read_factor(path, name) for name in names}
    except (OSError, TypeError, SafetensorError) as error:  # TypeError: a dtype that NumPy does not know
        raise InputError(f"{path} must be a whole safetensors file, found: {error}; train it again") from error


def _read_factor(path: Path, name: str) -> np.ndarray:
    """Return a factor, read some rows at a time.

    The file is opened anew for each part, because what was read stays mapped into memory until the file is closed.
    """
    with safe_open(path, "numpy") as file:
        shape = file.get_slice(name).get_shape()
        if len(shape) != 2 or np.prod(shape) <= NUMBERS_AT_ONCE:
            return file.get_tensor(name)
        factor = np.empty(shape, file.get_slice(name)[:1].dtype)
    rows = max(NUMBERS_AT_ONCE // shape[1], 1)
    for first in range(0, shape[0], rows):
        last = min(first + rows, shape[0])
        with safe_open(path, "numpy") as file:
            factor[first:last] = file.get_slice(name)[first:last]
    return factor


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


def _read_checked(path: Path, schema: type[dy.Schema]) -> pl.DataFrame | None:
    """Return an optional table in the schema's types, None without the file; ValueError if it breaks a rule."""
    return _checked(schema, _read_table(path)) if path.exists() else None


def _read_categories(path: Path) -> pl.DataFrame | None:
    """Return the optional table of the categories, None without the file; ValueError if it breaks a rule."""
    return (
        _checked(DemandCategories, _with_defaults(_read_table(path), {"dissimilarity": 1.0})) if path.exists() else None
    )


def _with_defaults(table: pl.DataFrame, defaults: dict[str, float]) -> pl.DataFrame:
    """Return the table with a column of the default value for each name that it lacks."""
    return table.with_columns(
        pl.lit(value).alias(name) for name, value in defaults.items() if name not in table.columns
    )
