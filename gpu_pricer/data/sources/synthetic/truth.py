"""The true demand as a demand artefact; the prices scored from it are the best possible ones."""

from datetime import date, timedelta

import numpy as np
import polars as pl

from gpu_pricer.data.sources.synthetic.history import MarketHistory
from gpu_pricer.data.sources.synthetic.market import SyntheticMarket
from gpu_pricer.data.sources.synthetic.sales import DAYS, Sales
from gpu_pricer.data.sources.synthetic.tables import category_ids, user_ids
from gpu_pricer.tables.artefact import FORMAT_VERSION, DemandArtefact, DemandInfo
from gpu_pricer.tables.artefact.demand_of_units import (
    at_prices,
    at_reference_prices,
    demand_of_units,
    without_nests,
)

LEAST_SUPPORT = 0.1
"""The support of a category's prices is at least ± 10 % of the reference price."""


def true_demand(
    market: SyntheticMarket, history: MarketHistory, sales: Sales, ids: np.ndarray, start: date, run: str, currency: str
) -> DemandArtefact:
    """Return the true demand in the week after the log: that week's season, without shocks and displays.

    Where units per choice answer prices, it is the demand of units as an artefact holds it (see
    tables/artefact/demand_of_units.py), right at today's prices.

    ids [P]: the product ids. start: the first day of the log. run, currency: as in the artefact. The artefact's table
    user_segments has each user's expected visits in the week, so that any other segmentation can be valued exactly.
    """
    weeks = len(history.price)
    end = start + timedelta(days=DAYS * weeks)
    reference = _reference_price(history)
    today, ratio = history.list_price[-1] / 100, reference / market.base_price
    nested = market.dissimilarity < 1
    appeal = market.appeal + history.season[weeks] - market.sensitivity * (ratio - 1)
    choices = DemandArtefact(
        info=DemandInfo(
            format_version=FORMAT_VERSION,
            kind="mnl",
            form="dense",
            run=run,
            created=f"{end.isoformat()}T00:00:00+00:00",
            training_start=start.isoformat(),
            training_end=(end - timedelta(days=1)).isoformat(),
            period_days=DAYS,
            pricing_period=end.isoformat(),
            outside_option=True,
            currency=currency,
        ),
        factors={
            "appeal": appeal.astype(np.float32),
            "sensitivity": (market.sensitivity * ratio).astype(np.float32),
        },
        segments=_segments(market),
        products=_products(market, history, sales, ids, reference, today),
        categories=_categories(market) if nested.any() else None,
        user_segments=pl.DataFrame(
            {
                "user_id": user_ids(market),
                "segment_id": _type_ids(market)[market.user_type],
                "visits": market.visit_rate,
            }
        ),
    )
    falls = choices.products["quantity_sensitivity"].to_numpy().astype(np.float32)
    if not falls.any():
        return choices
    visits = choices.segments["visits"].to_numpy()
    of_types, now = np.broadcast_to(falls, market.appeal.shape), without_nests(at_prices(choices, today / reference))
    units = demand_of_units(now, choices.categories, of_types, visits / visits.sum())
    return at_reference_prices(units, today / reference)


def _reference_price(history: MarketHistory) -> np.ndarray:
    """Return the median price [P] over the weeks on the shelf, or over all weeks if there are none, in currency."""
    weeks = len(history.price)
    seen = history.on_shelf[:weeks] | ~history.on_shelf[:weeks].any(axis=0)
    return np.round(np.nanmedian(np.where(seen, history.price, np.nan), axis=0)) / 100


def _products(
    market: SyntheticMarket,
    history: MarketHistory,
    sales: Sales,
    ids: np.ndarray,
    reference: np.ndarray,
    today: np.ndarray,
) -> pl.DataFrame:
    """Return the products of the artefact, with the units of a choice at today's prices.

    The support is the range of the category's prices over the reference.
    """
    ratio = np.where(history.on_shelf[:-1], history.price / (100 * reference), 1.0)
    base_ratio = reference / market.base_price
    units, fall = sales.units_per_choice(market.category, today / market.base_price - 1)
    start = market.category_start[:-1]
    lowest = np.minimum(np.minimum.reduceat(ratio.min(axis=0), start), 1 - LEAST_SUPPORT)[market.category]
    highest = np.maximum(np.maximum.reduceat(ratio.max(axis=0), start), 1 + LEAST_SUPPORT)[market.category]
    return pl.DataFrame(
        {
            "product_id": ids,
            "category_id": category_ids(market),
            "reference_price": reference,
            "min_price": lowest * reference,
            "max_price": highest * reference,
            "availability": history.on_shelf[-1].astype(np.float64),
            "choices_per_purchase": _choices_per_purchase(market, sales)[market.category],
            "units_per_choice": units,
            "quantity_sensitivity": base_ratio * fall,
        }
    )


def _categories(market: SyntheticMarket) -> pl.DataFrame:
    """Return the artefact's table of the categories, whose appeal holds the season already."""
    ids = pl.Series(category_ids(market)).unique(maintain_order=True)
    known = {"season": 0.0, "season_low": 0.0, "season_high": 0.0, "sensitivity_from_log": 1.0}
    return pl.DataFrame({"category_id": ids, "dissimilarity": market.dissimilarity}).with_columns(
        **{name: pl.lit(value) for name, value in known.items()}, prior_elasticity=pl.lit(None, pl.Float64)
    )


def _choices_per_purchase(market: SyntheticMarket, sales: Sales) -> np.ndarray:
    """Return the mean number of products [G] in a buying occasion of the log, 1 if the category never sold."""
    categories = len(market.category_start) - 1
    category = market.category[sales.product]
    lines = np.bincount(category, minlength=categories)
    visit = (sales.week * len(market.user_type) + sales.user) * categories + category
    occasions = np.bincount(np.unique(visit) % categories, minlength=categories)
    return np.where(occasions > 0, lines / np.maximum(occasions, 1), 1.0)


def _segments(market: SyntheticMarket) -> pl.DataFrame:
    types = len(market.sensitivity_rank)
    visits = np.bincount(market.user_type, weights=market.visit_rate, minlength=types)
    return pl.DataFrame({"segment_id": _type_ids(market), "visits": visits})


def _type_ids(market: SyntheticMarket) -> np.ndarray:
    return np.array([f"T{kind:02d}" for kind in range(len(market.sensitivity_rank))])
