"""What the log says of all users as one segment, and of each user's price response beside it."""

from dataclasses import dataclass
from pathlib import Path

import polars as pl
import torch

from gpu_pricer.errors import InputError
from gpu_pricer.network.encoding.choice_data import ChoiceData
from gpu_pricer.network.response.applying import ResponseConfig
from gpu_pricer.network.response.fit import fit_response
from gpu_pricer.network.response.loading import ResponseData, ResponseTables, load_response_data
from gpu_pricer.network.segments.user_scores import UserScores, user_scores
from gpu_pricer.network.segments.user_slopes import user_slopes
from gpu_pricer.network.training.average_household import AverageHousehold
from gpu_pricer.network.training.told import Told
from gpu_pricer.tables.canonical import read_canonical


@dataclass(frozen=True)
class Market:
    """The grid and the user log of the trained periods, the users' scores, and the average household."""

    known: ResponseData
    scores: UserScores
    household: AverageHousehold


def learn_market(data: ChoiceData, directory: Path, config: ResponseConfig, told: Told | None = None) -> Market:
    """Return the market of the periods of `data` that are trained on; directory: of the canonical tables.

    told: types and shocks that need not be estimated, if any.
    InputError where no product with a unit price was seen often enough to teach.
    """
    tables = ResponseTables(
        products=data.products.table.select("product_id", "category_id", "reference_price", "has_unit_price"),
        users=data.users.table["user_id"],
        context=data.context_scale,
        periods=data.calendar.periods,
        taught=range(data.calendar.history_periods, data.calendar.trained_periods),
        shelf=read_canonical(directory, "shelf"),
        **{name: pl.read_parquet(directory / f"{name}.parquet") for name in ("choices", "visits")},
    )
    known = load_response_data(tables, config.endogeneity, config.min_price_coverage)
    if known is None:
        raise InputError(
            "training needs products with a unit price that were sold and whose price was seen in "
            f"{config.min_price_coverage:.0%} of their periods, found none: lower train.response.min_price_coverage"
        )
    if told is not None:
        known = told.with_shocks(known, data)
    pooled = fit_response(known.grid, known.log.pooled(known.grid), config.fit)
    scores = user_scores(pooled, known.log)
    slope = torch.from_numpy(user_slopes(scores)).float()
    return Market(known, scores, AverageHousehold(pooled, known.context, slope))
