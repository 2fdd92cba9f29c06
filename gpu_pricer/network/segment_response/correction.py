"""A demand artefact with the price response that its segments showed, and what is left uncertain of it."""

from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from gpu_pricer.checks import require_integer, require_number
from gpu_pricer.errors import InputError
from gpu_pricer.network.segment_response.counts import CategoryCounts, count_choices
from gpu_pricer.network.segment_response.endogeneity import EndogeneityConfig
from gpu_pricer.network.segment_response.fit import Fit, FitConfig, fit_response
from gpu_pricer.network.segment_response.model import CategoryState, sensitivity_of
from gpu_pricer.network.segment_response.posterior import Untaught, draw_sensitivities, posterior_table
from gpu_pricer.tables.artefact import DemandArtefact


@dataclass(frozen=True)
class ResponseConfig:
    """How the segments' price response is learned from what they bought.

    min_price_coverage: products whose price was seen less often teach nothing; carry_periods: the pricing period takes
    the mean season and promotion of so many last ones; draws: of the posterior, 0 for none.
    """

    endogeneity: EndogeneityConfig
    fit: FitConfig
    min_price_coverage: float
    carry_periods: int
    draws: int

    def __post_init__(self) -> None:
        require_number("response.min_price_coverage", self.min_price_coverage, least=0, most=1)
        require_integer("response.carry_periods", self.carry_periods, 1)
        require_integer("response.draws", self.draws, 0)


@dataclass(frozen=True)
class Responses:
    """The artefact with a price response that takes prices as they are, and with one that is corrected by instruments.

    Without instruments there is nothing to correct, and naive is None.
    """

    naive: DemandArtefact | None
    corrected: DemandArtefact


def learn_responses(
    artefact: DemandArtefact, shelf: pl.DataFrame, choices: pl.DataFrame, config: ResponseConfig, seed: int
) -> Responses:
    """The artefact with the sensitivities that fit_response finds, and levels to go with them.

    A product that taught nothing takes its category's sensitivity, and keeps its share at the reference price.
    InputError where the artefact is not dense, since factors cannot hold a response for every segment and category, or
    has no outside option.
    """
    if artefact.info.form != "dense":
        raise InputError(
            f"train.export.form must be dense for train.response, found {artefact.info.form!r}: "
            "set train.export.form=dense, or train.response=null"
        )
    if not artefact.info.outside_option:
        raise InputError(
            "train.response needs occasions on which nothing was bought, found a demand with no outside option: "
            "set train.response=null"
        )
    counts = count_choices(artefact, shelf, choices, config.endogeneity, config.min_price_coverage)
    if not counts:
        raise InputError(
            f"train.response needs products whose price was seen in {config.min_price_coverage:.0%} of their periods, "
            "found none: lower train.response.min_price_coverage, or set train.response=null"
        )
    corrected = _with_response(artefact, counts, config, seed)
    if config.endogeneity.instruments is None:
        return Responses(None, corrected)
    as_they_are = [replace(part, surprise=np.zeros_like(part.surprise)) for part in counts]
    return Responses(_with_response(artefact, as_they_are, config, seed), corrected)


def _with_response(
    artefact: DemandArtefact, counts: list[CategoryCounts], config: ResponseConfig, seed: int
) -> DemandArtefact:
    fit = fit_response(counts, config.fit)
    category = artefact.products["category_id"].to_numpy()
    has_id = artefact.products["product_id"].is_not_null().to_numpy()
    ids = [category[part.row[0]] for part in counts]
    appeal, sensitivity = artefact.factors["appeal"].copy(), artefact.factors["sensitivity"].copy()
    sensitivity[:] = np.exp(fit.shared["slope"] + fit.shared["slope_of_segment"])[:, None]
    untaught = []
    for name, part, state in zip(ids, counts, fit.categories, strict=True):
        mates = np.flatnonzero(category == name)
        untaught.append(Untaught(int(has_id[mates].sum()) - len(part.row), part.price_spread()))
        like_the_category = {**state.own, "slope_of_product": np.zeros(len(mates))}
        sensitivity[:, mates] = sensitivity_of(fit.shared, like_the_category)[:, 0]
        sensitivity[:, part.row] = sensitivity_of(fit.shared, state.own)[:, 0]
        appeal[:, part.row] = _appeal(part, fit, state, config.carry_periods)
    posterior = None
    if config.draws:
        drawn = draw_sensitivities(fit, untaught, config.draws, np.random.default_rng(seed))
        posterior = posterior_table(artefact.segments["segment_id"], ids, drawn)
    return replace(artefact, factors={"appeal": appeal, "sensitivity": sensitivity}, posterior=posterior)


def _appeal(counts: CategoryCounts, fit: Fit, state: CategoryState, carry_periods: int) -> np.ndarray:
    """Appeal [S, n] at the reference price in the pricing period, which holds no surprise and no shock."""
    recent = slice(-carry_periods, None)
    seen = np.maximum(counts.on_shelf[recent].sum(axis=0), 1)
    promotion = np.tensordot(fit.shared["context"], counts.context[:, recent], axes=1).sum(axis=0) / seen
    level = state.own["level"] + state.own["season"][recent].mean() + promotion
    return counts.appeal + state.own["taste"][:, None] + level
