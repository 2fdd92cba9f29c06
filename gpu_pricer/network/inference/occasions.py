"""Occasions, products and users that training never saw, as the tensors that the network reads."""

from dataclasses import dataclass

import numpy as np
import polars as pl
import torch
from torch import Tensor

from gpu_pricer.network.encoding.attributes import encode_attributes
from gpu_pricer.network.encoding.choice_data import ChoiceData
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
from gpu_pricer.network.encoding.history import UserHistory, build_history
from gpu_pricer.network.encoding.purchase_events import Purchases
from gpu_pricer.network.inference.context import with_context
from gpu_pricer.network.inference.past import Past
from gpu_pricer.network.storage.saved_network import NetworkSettings, SavedNetwork

OFFER = ("occasion_id", "user_id", "product_id", "period", "price")
CHOICE_SET = ("period_index", "user", "occasion_id", "category")


@dataclass(frozen=True)
class UnseenTables:
    """The tables to predict for.

    offers: the columns OFFER and numeric context columns, if any; may have no rows.
    users: user_id, attributes. products: as SavedNetwork.products.
    past: the log. now: row number of a period that the data reach.
    """

    offers: pl.DataFrame
    users: pl.DataFrame
    products: pl.DataFrame
    past: Past
    now: int


def encode_unseen(saved: SavedNetwork, unseen: UnseenTables) -> tuple[ChoiceData, Tensor]:
    """Return the encoded tables, and the row in unseen.offers of each of their R shelf rows, [R].

    There is one choice set and one choice per occasion and category.
    """
    settings = saved.settings
    products = unseen.products.sort("category_id", "product_id")
    categories = _categories(products, saved)
    numbered = products.select("product_id", "category_id", "reference_price").with_row_index("product")
    numbered = numbered.join(
        categories.select("category_id").with_row_index("category"), on="category_id", maintain_order="left"
    )
    rows = _offer_rows(unseen, numbered, settings)
    periods = max([len(unseen.past.periods) - 1, unseen.now, *rows["period_index"].unique()]) + 1
    sets = _choice_sets(rows, settings.has_outside_option)
    data = ChoiceData(
        shelf=_shelf_rows(rows, settings),
        sets=sets,
        choices=_choices(rows[sets.start[:-1].numpy()]["user"]),
        products=_products(products, numbered["category"], _first_periods(unseen.past, numbered, periods), settings),
        users=EncodedUsers(unseen.users, encode_attributes(unseen.users, settings.user_vocabulary)),
        categories=EncodedCategories(categories, to_tensor(categories["choices_per_purchase"], torch.float32)),
        calendar=_calendar(unseen.past, periods),
        history=_history(unseen, numbered, periods, settings.half_lives),
        visit_group=None,
        context_scale=settings.context,
        currency="",  # has no effect: prices enter as ratios
        files=None,
    )
    return data, to_tensor(rows["offer"])


def _shelf_rows(rows: pl.DataFrame, settings: NetworkSettings) -> ShelfRows:
    return ShelfRows(
        product=to_tensor(rows["product"]),
        price_ratio=to_tensor(rows["price"] / rows["reference_price"], torch.float32),
        context=context_tensor(rows, settings.context),
    )


def _choice_sets(rows: pl.DataFrame, has_outside_option: bool) -> ChoiceSets:
    start = starts(rows["choice_set"])
    first = rows[start[:-1]]
    return ChoiceSets(
        start=torch.from_numpy(start),
        category=to_tensor(first["category"]),
        period=to_tensor(first["period_index"]),
        price_group=torch.zeros(first.height, dtype=torch.int64),
        choices=torch.ones(first.height),
        outside=torch.full((first.height,), 0.0 if has_outside_option else -torch.inf),
    )


def _choices(user: pl.Series) -> LoggedChoices:
    """Return one choice per choice set, given the user of each [G]; what is chosen is unknown and set to nothing."""
    number = torch.arange(len(user), dtype=torch.int32)
    return LoggedChoices(
        user=to_tensor(user, torch.int32),
        choice_set=number,
        chosen=torch.full_like(number, -1),
        size=torch.ones(len(user)),
        log_kept=torch.zeros(len(user)),
        own_weight=None,
    )


def _products(
    products: pl.DataFrame, category: pl.Series, first_period: Tensor, settings: NetworkSettings
) -> EncodedProducts:
    trusted = torch.ones(products.height, dtype=torch.bool)
    return EncodedProducts(
        table=products,
        attributes=encode_attributes(products, settings.product_vocabulary),
        category=to_tensor(category),
        first_period=first_period,
        teaches_price=trusted,
        teaches_price_at_last=trusted,
    )


def _first_periods(past: Past, numbered: pl.DataFrame, periods: int) -> Tensor:
    shelf = past.shelf.with_columns(period_index=past.index(past.shelf["period"]))
    return first_periods(shelf.join(numbered, on="product_id"), numbered.height, periods)


def _calendar(past: Past, periods: int) -> Calendar:
    """Return a calendar of so many periods, with no period held out."""
    return Calendar(
        periods=past.calendar(periods),
        period_days=past.period_days,
        history_periods=0,
        trained_periods=periods,
        validated_periods=periods,
        begun=None,
    )


def _categories(products: pl.DataFrame, saved: SavedNetwork) -> pl.DataFrame:
    """Return the products' categories in their order.

    A new category has the mean rates, no season, no buyers, and supports any price.
    """
    rates = ("choices_per_purchase", "units_per_choice")
    joined = products.select(pl.col("category_id").unique(maintain_order=True)).join(
        saved.categories, on="category_id", how="left", maintain_order="left"
    )
    means = {name: pl.lit(saved.categories[name].mean()) for name in rates}
    unknown = pl.col("season", "purchase_rate", "support_low").fill_null(0.0)
    return joined.with_columns(
        unknown, pl.col("support_high").fill_null(np.inf), *(pl.col(n).fill_null(means[n]) for n in rates)
    )


def _offer_rows(unseen: UnseenTables, numbered: pl.DataFrame, settings: NetworkSettings) -> pl.DataFrame:
    """Return the offers in the order of their choice sets, with row numbers and scaled context."""
    past, context = unseen.past, [name for name in settings.context.names if name in unseen.offers.columns]
    offers = unseen.offers.select(*OFFER, *context).with_row_index("offer")
    offers = offers.with_columns(period_index=past.index(offers["period"])).join(numbered, on="product_id")
    return (
        with_context(offers, past, settings.context, settings.architecture.carry_periods)
        .join(unseen.users.select("user_id").with_row_index("user"), on="user_id")
        .sort(*CHOICE_SET, "product", "offer")
        .with_columns(choice_set=pl.struct(CHOICE_SET).rle_id().cast(pl.Int64))
    )


def _history(unseen: UnseenTables, numbered: pl.DataFrame, periods: int, half_lives: list[float]) -> UserHistory:
    past, users = unseen.past, unseen.users.select("user_id").with_row_index("user")
    bought = past.purchases.join(users, on="user_id").join(numbered, on="product_id")
    bought = bought.with_columns(period=past.index(bought["period"]))
    visits = past.visits.join(users, on="user_id")
    is_visit = np.zeros((users.height, periods), bool)
    is_visit[visits["user"].to_numpy(), past.index(visits["period"]).to_numpy()] = True
    purchases = Purchases(*(to_tensor(bought[name]).numpy() for name in ("user", "product", "category", "period")))
    categories = int(numbered["category"].n_unique())
    return build_history(purchases, is_visit, numbered.height, categories, half_lives)
