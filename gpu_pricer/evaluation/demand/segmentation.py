"""What segments are worth: fewer of them predict less well and earn less, by the artefact's own opinion."""

import numpy as np
import polars as pl
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.special import xlogy

from gpu_pricer.evaluation.demand.catalog_demand import CatalogDemand
from gpu_pricer.evaluation.profit.rungs import legal_rungs
from gpu_pricer.evaluation.profit.uniform import best_uniform_price
from gpu_pricer.evaluation.profit.value import TrueMarket
from gpu_pricer.evaluation.truth.benchmark import exact_offer
from kernels import price_cells

RAREST = 1e-12  # choices per visit, or visits, below which nothing matters
COUNTS = (1, 4, 16, 64, 256)
NUDGE = 1.05  # of today's prices: how utilities differ there tells sensitivities apart


def segmentation_value(demand: CatalogDemand, offers: pl.DataFrame | None) -> pl.DataFrame:
    """segments, profit and log_loss for 1, 4, 16, 64 and 256 groups of the demand's segments, up to all of them.

    profit: expected per 1,000 visits, in currency, when a group's members share the best prices found for it, under
    the demand of every segment. log_loss: of held-out offers (segment_id, period, product_id, artefact_probability,
    bought, weight) when a member is given its group's mean probability; null without offers.
    Groups are nested (Ward's method), so a finer segmentation can always do what a coarser one does.
    """
    segments = len(demand.problem.visits)
    counts = sorted({*(count for count in COUNTS if count < segments), segments})
    own = price_cells(demand.demand, exact_offer(demand.problem)).price.astype(np.float64)
    rows = []
    for count in counts:
        group = _groups(demand, count)
        price = own if count == segments else _shared_prices(demand, own, group)
        loss = None if offers is None else _log_loss(offers, demand.problem.segment_id, group)
        rows.append({"segments": count, "profit": demand_as_truth(demand).profit(price), "log_loss": loss})
    return pl.DataFrame(rows, schema={"segments": pl.Int64, "profit": pl.Float64, "log_loss": pl.Float64})


def _shared_prices(demand: CatalogDemand, own: np.ndarray, group: np.ndarray) -> np.ndarray:
    """The best prices found [P, S] that are the same inside a group; own [P, S]: those of every segment alone."""
    market, rungs = demand_as_truth(demand), legal_rungs(exact_offer(demand.problem))
    price = np.empty_like(own)
    for members in (np.flatnonzero(group == g) for g in range(group.max() + 1)):
        part = market.of_types(members)
        middle = own[:, members] @ part.visits / part.visits.sum()
        price[:, members] = best_uniform_price(part, rungs, [middle])[:, None]
    return price


def demand_as_truth(demand: CatalogDemand) -> TrueMarket:
    """The demand as if it were the truth."""
    return TrueMarket(
        demand=demand.demand,
        shelf=demand.shelf,
        unit_cost=100.0 * demand.problem.cost,
        units_per_choice=demand.problem.units_per_choice,
        visits=np.maximum(demand.problem.visits, RAREST),
    )


def _groups(demand: CatalogDemand, count: int) -> np.ndarray:
    """The group of every segment, [S]: alike are those whose log purchases are, at two levels of prices."""
    if count == len(demand.problem.visits):
        return np.arange(count)
    now, then = (np.log(np.maximum(demand.shares(level), RAREST)) for level in (1.0, NUDGE))
    importance = np.sqrt(np.exp(now).mean(axis=1, keepdims=True))
    points = np.concatenate([importance * now, importance * (then - now) / np.log(NUDGE)])
    return fcluster(linkage(points.T, "ward"), count, "maxclust") - 1


def _log_loss(offers: pl.DataFrame, segment_id: pl.Series, group: np.ndarray) -> float:
    groups = pl.DataFrame({"segment_id": segment_id, "group": group})
    shared = (pl.col("weight") * pl.col("artefact_probability")).sum() / pl.col("weight").sum()
    rows = offers.join(groups, on="segment_id").with_columns(shared=shared.over("group", "period", "product_id"))
    bought, chance, weight = (rows[name].cast(pl.Float64).to_numpy() for name in ("bought", "shared", "weight"))
    return float(-(weight @ (xlogy(bought, chance) + xlogy(1 - bought, 1 - chance))) / weight.sum())
