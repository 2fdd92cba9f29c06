"""The canonical tables as tensors: choice sets end to end, and the choices made from them."""

import hashlib
import json
from dataclasses import dataclass, fields, replace
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl
import torch
from torch import Tensor

from gpu_pricer.checks import require_number, require_whole
from gpu_pricer.errors import InputError
from gpu_pricer.network.attributes import Attributes, encode_attributes
from gpu_pricer.tables.category import category_key
from gpu_pricer.tables.schemas import COST_SHIFTERS, PROMOTIONS, Catalog, Shelf

MARKET_COLUMNS = {*Catalog.column_names(), "reference_price", "is_trained", "price_coverage"}  # others are attributes
SHELF_COLUMNS = {*Shelf.column_names(), *COST_SHIFTERS} - {*PROMOTIONS}  # all others are context


@dataclass(frozen=True)
class EncodingConfig:
    """What the network may see of the tables.

    A word fewer than min_count rows carry counts as unknown; a product's price moves teach price response only if its
    price was seen in at least min_price_coverage of its periods; the last test_periods and the validation_periods
    before them are kept from training. User columns that `prepare` was told to protect never enter.
    """

    min_count: int
    min_price_coverage: float
    validation_periods: int
    test_periods: int

    def __post_init__(self) -> None:
        for name, least in (("min_count", 1), ("validation_periods", 1), ("test_periods", 0)):
            require_whole(f"encoding.{name}", getattr(self, name), least)
        require_number("encoding.min_price_coverage", self.min_price_coverage, least=0, most=1)


@dataclass(frozen=True)
class ChoiceData:
    """Everything the network learns from, resident as tensors.

    Shelf rows [R], sorted by period, then category: product, price_ratio (price / reference price), context [R, C].
    Choice sets [G]: set_start [G + 1] into the shelf rows, set_category, set_period, choices_of_set (float).
    Choices [N]: user, choice_set, chosen (shelf row, -1 for nothing), weight, outside (log of the share of the
    occasions without purchase that the sample kept; -inf where buying nothing is no option).
    Products [P]: product_category, teaches_price (its price was seen often enough); the table carries reference_price
    and is_trained. trained_periods: the first so many periods are trained on.
    """

    users: pl.DataFrame
    products: pl.DataFrame
    categories: pl.DataFrame
    periods: list[date]
    trained_periods: int
    validated_periods: int
    context_names: list[str]
    product_attributes: Attributes
    user_attributes: Attributes
    product_category: Tensor
    teaches_price: Tensor
    product: Tensor
    price_ratio: Tensor
    context: Tensor
    set_start: Tensor
    set_category: Tensor
    set_period: Tensor
    choices_of_set: Tensor
    user: Tensor
    choice_set: Tensor
    chosen: Tensor
    weight: Tensor
    outside: Tensor
    period_days: int
    currency: str

    def to(self, device: torch.device) -> "ChoiceData":
        """The same data with every tensor on the device."""
        moved = {f.name: getattr(self, f.name) for f in fields(self) if isinstance(getattr(self, f.name), Tensor)}
        return replace(self, **{name: tensor.to(device) for name, tensor in moved.items()})

    @property
    def has_outside_option(self) -> bool:
        """Whether buying nothing is one of the choices."""
        return bool(torch.isfinite(self.outside).any())

    def set_of_row(self) -> Tensor:
        """The choice set of every shelf row, [R]."""
        return torch.repeat_interleave(self.set_start.diff())

    def fingerprint(self) -> str:
        """A hash of everything that training sees: on other data or another split it differs."""
        tensors = [getattr(self, field.name) for field in fields(self)]
        for attributes in (self.product_attributes, self.user_attributes):
            tensors += [attributes.codes, attributes.numbers, torch.tensor(attributes.sizes)]
        tensors.append(torch.tensor([self.trained_periods, self.validated_periods]))
        digest = hashlib.sha256()
        for tensor in tensors:
            if isinstance(tensor, Tensor):
                digest.update(f"{tuple(tensor.shape)} {tensor.dtype}".encode() + tensor.numpy().tobytes())
        return digest.hexdigest()

    def with_every_period(self) -> "ChoiceData":
        """The same data with no period kept from training."""
        return replace(self, trained_periods=len(self.periods), validated_periods=len(self.periods))

    def split(self) -> tuple[Tensor, Tensor, Tensor]:
        """Indices of the choices for training, validation and test: by period, never by random rows."""
        period = self.set_period[self.choice_set]
        is_test = period >= self.validated_periods
        is_trained = period < self.trained_periods
        return tuple(mask.nonzero().squeeze(1) for mask in (is_trained, ~is_trained & ~is_test, is_test))  # type: ignore[return-value]


def load_choice_data(directory: Path, config: EncodingConfig) -> ChoiceData:
    """Read the canonical tables that `prepare` wrote; InputError where they are not there or too short."""
    if not (directory / "summary.json").is_file():
        raise InputError(f"canonical tables must lie in {directory}, found none: run `gpu-pricer prepare` first")
    summary = json.loads((directory / "summary.json").read_text())
    shelf = pl.read_parquet(directory / "shelf.parquet")
    periods = shelf["period"].unique().sort().to_list()
    trained = len(periods) - config.validation_periods - config.test_periods
    if trained < 2:
        raise InputError(
            f"training needs at least 2 periods besides {config.validation_periods} for validation and "
            f"{config.test_periods} for test, found {len(periods)} in {directory / 'shelf.parquet'}: give more data"
        )
    products = _index_products(
        pl.read_parquet(directory / "products.parquet"),
        shelf.filter(pl.col("period") <= periods[trained - 1]),
    )
    users = pl.read_parquet(directory / "users.parquet").sort("user_id")
    categories = (
        products.select(pl.col("category_id").unique(maintain_order=True))
        .join(
            pl.read_parquet(directory / "categories.parquet"),
            on="category_id",
            how="left",
            maintain_order="left",
        )
        .with_columns(
            pl.col(name).fill_null(pl.col(name).mean()) for name in ("choices_per_purchase", "units_per_choice")
        )
    )
    context_names = [name for name in shelf.columns if name not in SHELF_COLUMNS]
    shelf = _scale_context(_index_shelf(shelf, products, categories, periods), context_names, trained)
    choices = _index_choices(pl.read_parquet(directory / "choices.parquet"), shelf, users)
    is_start = np.diff(shelf["choice_set"].to_numpy(), prepend=-1) != 0
    sets = shelf.filter(pl.Series(is_start))
    outside = (
        choices["outside_rate"].log() if summary["outside_option"] else pl.repeat(-np.inf, choices.height, eager=True)
    )
    return ChoiceData(
        users=users,
        products=products,
        categories=categories,
        periods=periods,
        trained_periods=trained,
        validated_periods=trained + config.validation_periods,
        context_names=context_names,
        product_attributes=encode_attributes(
            products, ["category_id", *_attribute_names(products, MARKET_COLUMNS)],
            config.min_count,
        ),
        user_attributes=encode_attributes(
            users, _attribute_names(users, {"user_id", *summary["protected"]}), config.min_count
        ),
        product_category=_tensor(
            products.join(categories.with_row_index("category"), on="category_id", maintain_order="left")["category"]
        ),
        teaches_price=_tensor(products["price_coverage"] >= config.min_price_coverage, torch.bool),
        product=_tensor(shelf["product"]),
        price_ratio=_tensor(shelf["price"] / products["reference_price"].gather(shelf["product"]), torch.float32),
        context=torch.from_numpy(shelf.select(pl.col(context_names).cast(pl.Float32)).to_numpy().copy()),
        set_start=torch.from_numpy(np.append(np.flatnonzero(is_start), shelf.height)),
        set_category=_tensor(sets["category"]),
        set_period=_tensor(sets["period_index"]),
        choices_of_set=torch.bincount(_tensor(choices["choice_set"]), minlength=sets.height).float(),
        user=_tensor(choices["user"]),
        choice_set=_tensor(choices["choice_set"]),
        chosen=_tensor(choices["shelf_row"]),
        weight=_tensor(choices["weight"], torch.float32),
        outside=_tensor(outside, torch.float32),
        period_days=summary["period_days"],
        currency=summary["currency"],
    )  # fmt: skip


def _index_products(products: pl.DataFrame, training_shelf: pl.DataFrame) -> pl.DataFrame:
    """Products by category, with reference_price (their median price in training, else today's) and price_coverage."""
    seen = training_shelf.group_by("product_id").agg(
        reference_price=pl.col("price").median(), price_coverage=(pl.col("price_age") == 0).mean()
    )
    return (
        products.with_columns(category_key())
        .join(seen, on="product_id", how="left")
        .with_columns(
            is_trained=pl.col("reference_price").is_not_null(),
            reference_price=pl.coalesce("reference_price", "price"),
            price_coverage=pl.col("price_coverage").fill_null(0.0),
        )
        .sort("category_id", "product_id")
    )


def _index_shelf(
    shelf: pl.DataFrame, products: pl.DataFrame, categories: pl.DataFrame, periods: list[date]
) -> pl.DataFrame:
    """The shelf with row numbers of product, category, period and choice set, sorted by choice set."""
    return (
        shelf.drop("category_id")
        .join(
            products.select("product_id", "category_id", "reference_price").with_row_index("product"), on="product_id"
        )
        .join(categories.select("category_id").with_row_index("category"), on="category_id")
        .join(pl.DataFrame({"period": periods}).with_row_index("period_index"), on="period")
        .sort("period_index", "category", "product")
        .with_columns(choice_set=pl.struct("period_index", "category").rle_id().cast(pl.Int64))
        .with_row_index("shelf_row")
    )


def _scale_context(shelf: pl.DataFrame, names: list[str], trained_periods: int) -> pl.DataFrame:
    """Shares (display, mailer) stay; any other context is standardised over training, so that unknown means average.

    A competitor's price counts relative to the product's own reference price.
    """
    trained = pl.col("period_index") < trained_periods
    relative = {"competitor_price": pl.col("competitor_price") / pl.col("reference_price")}
    for name in (name for name in names if name not in PROMOTIONS):
        value = relative.get(name, pl.col(name))
        centre, spread = value.filter(trained).mean(), value.filter(trained).std()
        scaled = (value - centre) / pl.when(spread > 0).then(spread).otherwise(1.0)
        shelf = shelf.with_columns(scaled.fill_nan(None).fill_null(0.0).alias(name))
    return shelf


def _index_choices(choices: pl.DataFrame, shelf: pl.DataFrame, users: pl.DataFrame) -> pl.DataFrame:
    """The choices with row numbers of user, choice set and the shelf row bought (-1 for nothing)."""
    sets = shelf.select("period", "category_id", "choice_set").unique()
    rows = shelf.select("period", "product_id", pl.col("shelf_row").cast(pl.Int64))
    return (
        choices.join(users.select("user_id").with_row_index("user"), on="user_id")
        .join(sets, on=["period", "category_id"])
        .join(rows, on=["period", "product_id"], how="left")
        .filter(pl.col("product_id").is_null() | pl.col("shelf_row").is_not_null())
        .with_columns(pl.col("shelf_row").fill_null(-1))
        .sort("choice_set", "user", "shelf_row")
    )


def _attribute_names(table: pl.DataFrame, left_out: set[str]) -> list[str]:
    return sorted(name for name in table.columns if name not in left_out)


def _tensor(column: pl.Series, dtype: torch.dtype = torch.int64) -> Tensor:
    return torch.from_numpy(column.to_numpy().copy()).to(dtype)
