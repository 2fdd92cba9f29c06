"""The canonical tables, read from files, numbered and turned into tensors."""

from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch

from gpu_pricer.checks import require_integer
from gpu_pricer.errors import InputError
from gpu_pricer.network.encoding.attributes import Vocabulary, encode_attributes, learn_vocabulary
from gpu_pricer.network.encoding.choice_data import ChoiceData
from gpu_pricer.network.encoding.choice_reading import purchases_of, read_choices
from gpu_pricer.network.encoding.choice_records import (
    Calendar,
    ChoiceSets,
    EncodedCategories,
    EncodedProducts,
    EncodedUsers,
    LoggedChoices,
    ShelfRows,
)
from gpu_pricer.network.encoding.columns import context_tensor, first_periods, starts, to_tensor
from gpu_pricer.network.encoding.context_scale import ContextScale, learn_context_scale, scale_context
from gpu_pricer.network.encoding.history import UserHistory, build_history, half_lives_of
from gpu_pricer.network.encoding.idle_attributes import warn_of_idle_attributes
from gpu_pricer.network.encoding.numbering import (
    numbered_categories,
    numbered_products,
    numbered_shelf,
)
from gpu_pricer.network.encoding.purchase_events import Purchases
from gpu_pricer.network.encoding.teaching import TeachingRule
from gpu_pricer.network.encoding.tensor_files import TensorFiles
from gpu_pricer.tables.attributes import with_attributes
from gpu_pricer.tables.canonical import read_canonical, read_group_shelf, read_summary
from gpu_pricer.tables.further_columns import FURTHER, name_apart
from gpu_pricer.tables.periods import Split
from gpu_pricer.tables.schemas import COST_SHIFTERS, PRICE_GROUP, PROMOTIONS, Shelf, Users

TAUGHT_BY = ("price_coverage", "shelf_periods", "is_listed")  # columns of numbered_products, as TeachingRule reads them
SHELF_COLUMNS = {*Shelf.column_names(), *COST_SHIFTERS} - {*PROMOTIONS}  # other columns are context


@dataclass(frozen=True)
class EncodingConfig:
    """What the network may see of the tables.

    min_count: a word that fewer rows carry counts as unknown. teaching: which products teach price response.
    User columns that `prepare` protects never enter the network.
    """

    min_count: int
    teaching: TeachingRule

    def __post_init__(self) -> None:
        require_integer("encoding.min_count", self.min_count, 1)


@dataclass(frozen=True)
class Tables:
    """The canonical tables in the order of their row numbers.

    shelf carries the row numbers of the products and others that it refers to; context is the scale of its context
    columns. begun: first day of a period that has begun, None where none teaches.
    """

    products: pl.DataFrame
    users: pl.DataFrame
    categories: pl.DataFrame
    shelf: pl.DataFrame
    choices: LoggedChoices
    visits: pl.DataFrame
    periods: list[date]
    begun: date | None
    context: ContextScale


def load_choice_data(
    directory: Path, config: EncodingConfig, split: Split, files: TensorFiles | None = None
) -> ChoiceData:
    """Return the canonical tables in `directory` as tensors; files: where those of choices and histories lie, if any.

    InputError where `prepare` has not written them, or wrote them for another split.
    """
    summary = read_summary(directory)
    if summary is None:
        raise InputError(f"canonical tables must lie in {directory}, found none: run `gpu-pricer prepare` first")
    if Split(**summary["split"]) != split:
        raise InputError(
            f"the tables in {directory} must be of {split}, found {summary['split']}: run `gpu-pricer prepare` again"
        )
    periods = pl.read_parquet(directory / "shelf.parquet", columns=["period"])["period"].unique().sort().to_list()
    trained = split.training_periods(len(periods))
    tables = _read_tables(directory, periods, trained)
    purchases = purchases_of(tables.choices, tables.shelf)
    if files is not None:
        tables = replace(tables, choices=files.hold(tables.choices))
    history = _history(tables, purchases, files)
    data = _tensors(tables, history if files is None else files.hold(history), config, split, summary)
    data = replace(data, files=files)
    data.set_aside()
    return data


def _begun(directory: Path) -> date | None:
    """Return the first day of the period that has begun; None where none teaches."""
    path = directory / "begun_visits.parquet"
    return pl.read_parquet(path, columns=["period"])["period"].to_list()[0] if path.is_file() else None


def _read_tables(directory: Path, periods: list[date], trained: int) -> Tables:
    shelf = read_canonical(directory, "shelf")
    products = numbered_products(_described(directory, "products"), shelf, periods[trained - 1])
    users = _described(directory, "users").sort("user_id")
    categories = numbered_categories(pl.read_parquet(directory / "categories.parquet"), products)
    context_names = [name for name in shelf.columns if name not in SHELF_COLUMNS]
    shelf = numbered_shelf(shelf, read_group_shelf(directory), products, categories, periods)
    visits = read_canonical(directory, "visits")
    context = learn_context_scale(shelf, context_names, trained)
    shelf = scale_context(shelf, context)
    return Tables(
        products=products,
        users=users,
        categories=categories,
        shelf=shelf,
        choices=read_choices(directory / "choices.parquet", shelf, users, visits),
        visits=visits,
        periods=periods,
        begun=_begun(directory),
        context=context,
    )


def _tensors(
    tables: Tables, history: UserHistory, config: EncodingConfig, split: Split, summary: dict[str, Any]
) -> ChoiceData:
    trained = split.training_periods(len(tables.periods))
    protected = {name_apart(name, Users.column_names()) for name in summary["protected"]}
    user_columns = _attribute_names(tables.users, protected)
    user_vocabulary = _vocabulary(tables.users, user_columns, "users", config.min_count)
    return ChoiceData(
        shelf=_shelf_rows(tables),
        sets=_choice_sets(tables, summary["outside_option"]),
        choices=tables.choices,
        products=_encoded_products(tables, config),
        users=EncodedUsers(tables.users, encode_attributes(tables.users, user_vocabulary)),
        categories=EncodedCategories(
            tables.categories, to_tensor(tables.categories["choices_per_purchase"], torch.float32)
        ),
        calendar=Calendar(
            periods=tables.periods,
            period_days=summary["period_days"],
            history_periods=split.history_periods,
            trained_periods=trained,
            validated_periods=trained + split.validation_periods,
            begun=tables.begun,
            begun_days=0 if tables.begun is None else round(summary["begun_share"] * summary["period_days"]),
        ),
        history=history,
        visit_group=_visit_groups(tables),
        context_scale=tables.context,
        currency=summary["currency"],
        files=None,
    )


def _shelf_rows(tables: Tables) -> ShelfRows:
    shelf, reference_price = tables.shelf, tables.products["reference_price"]
    return ShelfRows(
        product=to_tensor(shelf["product"]),
        price_ratio=to_tensor(shelf["price"] / reference_price.gather(shelf["product"]), torch.float32),
        context=context_tensor(shelf, tables.context),
    )


def _choice_sets(tables: Tables, has_outside_option: bool) -> ChoiceSets:
    start = starts(tables.shelf["choice_set"])
    sets = tables.shelf[start[:-1]]
    return ChoiceSets(
        start=torch.from_numpy(start),
        category=to_tensor(sets["category"]),
        period=to_tensor(sets["period_index"]),
        price_group=to_tensor(sets[PRICE_GROUP]),
        choices=torch.bincount(tables.choices.choice_set, minlength=sets.height).float(),
        outside=torch.full((sets.height,), 0.0 if has_outside_option else -torch.inf),
    )


def _encoded_products(tables: Tables, config: EncodingConfig) -> EncodedProducts:
    products = tables.products
    names = _attribute_names(products, set())
    vocabulary = _vocabulary(products, names, "products", config.min_count)
    categories = learn_vocabulary(products, ["category_id"], config.min_count)
    vocabulary = replace(vocabulary, words=categories.words | vocabulary.words)
    numbered = tables.categories.with_row_index("category")
    of_products = products.select("category_id").join(numbered, on="category_id", how="left", maintain_order="left")
    teaches, teaches_at_last = (
        torch.from_numpy(config.teaching.teaches(*(products[of + name].to_numpy() for name in TAUGHT_BY)))
        for of in ("", "whole_")
    )
    return EncodedProducts(
        table=products,
        attributes=encode_attributes(products, vocabulary),
        category=to_tensor(of_products["category"]),
        first_period=first_periods(tables.shelf, products.height, len(tables.periods)),
        teaches_price=teaches,
        teaches_price_at_last=teaches_at_last,
    )


def _of_visits(tables: Tables, values: pl.Series) -> np.ndarray:
    """Return the values of the visits by user and period, [U, T]; 0 where a user did not come."""
    visits = tables.visits.with_columns(values.alias("value"))
    visits = visits.join(tables.users.select("user_id").with_row_index("user"), on="user_id").join(
        pl.DataFrame({"period": tables.periods}).with_row_index("period_index"), on="period"
    )
    of_visits = np.zeros((tables.users.height, len(tables.periods)), dtype=visits["value"].to_numpy().dtype)
    of_visits[visits["user"].to_numpy(), visits["period_index"].to_numpy()] = visits["value"].to_numpy()
    return of_visits


def _visit_groups(tables: Tables) -> torch.Tensor | None:
    """Return the price group of every user in every period, None where the log has no groups."""
    group = tables.visits[PRICE_GROUP].cast(pl.UInt8)
    return torch.from_numpy(_of_visits(tables, group)) if group.max() else None


def _history(tables: Tables, purchases: Purchases, files: TensorFiles | None) -> UserHistory:
    is_visit = _of_visits(tables, pl.repeat(True, tables.visits.height, eager=True))
    half_lives = half_lives_of(len(tables.periods))
    return build_history(purchases, is_visit, tables.products.height, tables.categories.height, half_lives, files)


def _described(directory: Path, name: str) -> pl.DataFrame:
    """Return products or users with their attributes; InputError for a column that can be none."""
    table = read_canonical(directory, name)
    return with_attributes(table, _attribute_names(table, set()), str(directory / f"{name}.parquet"))


def _vocabulary(table: pl.DataFrame, names: list[str], rows: str, min_count: int) -> Vocabulary:
    """Return the vocabulary of the named columns; the log says which of them teach nothing. rows: users or products."""
    vocabulary = learn_vocabulary(table, names, min_count)
    warn_of_idle_attributes(table, vocabulary, rows, min_count)
    return vocabulary


def _attribute_names(table: pl.DataFrame, hidden: set[str]) -> list[str]:
    """Return the columns of users or products that are attributes: the further ones, but for the hidden."""
    return sorted(name for name in table.columns if name.startswith(FURTHER) and name not in hidden)
