"""What the log says of all users as one segment, and of each user's price response beside it."""

import logging
from dataclasses import dataclass, replace
from pathlib import Path

import polars as pl
import torch
from torch import Tensor

from gpu_pricer.errors import InputError
from gpu_pricer.network.encoding.choice_data import ChoiceData
from gpu_pricer.network.response.applying import ResponseConfig
from gpu_pricer.network.response.bend import learned_bend
from gpu_pricer.network.response.fitting.attribute_effects import AttributeEffects
from gpu_pricer.network.response.fitting.dissimilarity import Nests
from gpu_pricer.network.response.fitting.fit import Fit, fit_response
from gpu_pricer.network.response.gaps import find_gaps, without_gaps
from gpu_pricer.network.response.grid.grid import Counts, Grid
from gpu_pricer.network.response.grid.loading import ResponseData, ResponseTables, load_response_data
from gpu_pricer.network.segments.user_scores import UserScores, user_scores
from gpu_pricer.network.segments.user_slopes import user_slopes
from gpu_pricer.network.training.average_household import AverageHousehold
from gpu_pricer.network.training.told import Told
from gpu_pricer.tables.canonical import read_canonical, read_group_shelf

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Market:
    """The grid and the user log of the trained periods, and the average household."""

    known: ResponseData
    household: AverageHousehold

    def scores(self) -> UserScores:
        """Return the users' scores in folds of the periods, from which segments are formed."""
        return user_scores(self.household.fit, self.known.log)


def learn_market(
    data: ChoiceData, directory: Path, config: ResponseConfig, told: Told | None = None, start: Fit | None = None
) -> Market:
    """Return the market of the periods of `data` that are trained on; directory: of the canonical tables.

    A first response learns neither dissimilarities nor what attributes tell. It finds the gaps of products (see
    response/gaps.py), which are left out of the market, and the bend (see response/bend.py), but for periods with a
    `start`, whose bend is kept. Learned before the bend, effects of attributes would take up a part of it.
    told: types and shocks that need not be estimated, if any. start: the average household's response in other
    periods, from which the search starts.
    InputError where no product with a unit price was seen often enough to teach, or where the search did not settle.
    """
    calendar, periods = data.calendar, data.calendar.with_begun
    is_whole = len(periods) == calendar.count
    tables = ResponseTables(
        products=data.products.table.select(
            *("product_id", "category_id", "reference_price", "has_unit_price", "is_listed", "launched"),
            teaches_price=pl.Series(data.products.teaches_price.numpy()),
        ),
        users=data.users.table["user_id"],
        context=data.context_scale,
        periods=periods,
        taught=range(calendar.history_periods, calendar.trained_periods if is_whole else len(periods)),
        begun=None if is_whole else pl.read_parquet(directory / "begun_categories.parquet"),
        shelf=_log_table(directory, "shelf", is_whole),
        group_shelf=read_group_shelf(directory),
        choices=_choices(directory, is_whole),
        visits=_log_table(directory, "visits", is_whole),
    )
    known = load_response_data(tables, config.endogeneity, config.nested)
    if known is None:
        raise InputError(
            "training needs products with a unit price that were sold and whose price was seen often enough, found "
            "none: lower train.encoding.teaching.price_coverage, or for products with list prices least_price_coverage"
        )
    if told is not None:
        known = told.with_shocks(known, data)
    if start is not None:
        known = replace(known, grid=replace(known.grid, bend=start.grid.bend))
    first = fit_response(*_by_period(known), config.fit, start)
    gaps = find_gaps(first)
    if bool(gaps.missing.any()):
        log.info(
            "%d product-periods are gaps, in which the product was missing: no sale where many were expected; %d "
            "products are missing at the end; of those missing for one period %.0f %% return in the next",
            int(gaps.missing.sum()), int((gaps.at_end > 0).sum()), 100 * float(gaps.returning[0]),
        )  # fmt: skip
        known = replace(known, grid=without_gaps(known.grid, gaps))
    if start is None:
        everybody = _of_columns(first, known)
        bend = learned_bend(everybody, known.log, _slopes(everybody, known))
        known = replace(known, grid=replace(known.grid, bend=bend))
    pooled = _respond(known, data, config, first).require_settled()
    return Market(known, AverageHousehold(pooled, known.context, _slopes(pooled, known)))


def _respond(known: ResponseData, data: ChoiceData, config: ResponseConfig, start: Fit | None) -> Fit:
    """Return the response of all users as one segment."""
    grid, counts = _by_period(known)
    nests = Nests.of(grid) if known.tells_nests else None
    return _of_columns(
        fit_response(grid, counts, config.fit, start, nests, AttributeEffects.of(data.products, grid)), known
    )


def _of_columns(fit: Fit, known: ResponseData) -> Fit:
    """Return the response that was learned from the periods as one of all columns of the grid."""
    return fit if fit.grid is known.grid else replace(fit, grid=known.grid, counts=known.log.pooled(known.grid))


def _by_period(known: ResponseData) -> tuple[Grid, Counts]:
    """Return the grid and what all users as one segment did, price groups taken together.

    Groups differ in tastes that last, and a shop may price by them: between the groups, one segment with the tastes of
    all would take these for a response to prices. So it learns from what differs between periods alone.
    """
    grid, counts = known.grid, known.log.pooled(known.grid)
    if grid.columns.count == grid.columns.periods:
        return grid, counts
    return grid.by_period(known.log.visits.sum(0)), counts.by_period(grid.columns)


def _slopes(pooled: Fit, known: ResponseData) -> Tensor:
    """Return every user's sensitivity relative to everybody's, [U]."""
    return torch.from_numpy(user_slopes(user_scores(pooled, known.log, folds=1))).float()


def _log_table(directory: Path, name: str, is_whole: bool) -> pl.DataFrame:
    """Return shelf or visits of the whole periods, with those of the begun one unless `is_whole`."""
    return pl.concat([read_canonical(directory, part) for part in _parts(name, is_whole)], how="diagonal_relaxed")


def _choices(directory: Path, is_whole: bool) -> pl.LazyFrame:
    """Return the choices, not yet read, of the same periods."""
    files = [pl.scan_parquet(directory / f"{part}.parquet") for part in _parts("choices", is_whole)]
    return pl.concat(files, how="diagonal_relaxed")


def _parts(name: str, is_whole: bool) -> list[str]:
    return [name] if is_whole else [name, f"begun_{name}"]
