"""What segments are worth: fewer of them predict less well and earn less, by the artefact's own opinion."""

from dataclasses import dataclass, replace

import numpy as np
import polars as pl
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.special import xlogy

from gpu_pricer.evaluation.demand.catalog_demand import CatalogDemand
from gpu_pricer.evaluation.profit.rungs import legal_rungs
from gpu_pricer.evaluation.profit.uniform import best_uniform_price
from gpu_pricer.evaluation.profit.value import TrueMarket, hand_set_prices
from gpu_pricer.pricing.tiles.solving import reference_cells

RAREST = 1e-12  # choices per visit, or visits, below which nothing matters
COUNTS = (1, 4, 16, 64, 256)
NUDGE = 1.05  # of today's prices: how utilities differ there tells sensitivities apart
MEAN_CHANCE = ((pl.col("weight") * pl.col("artefact_probability")).sum() / pl.col("weight").sum()).alias("chance")


def segmentation_value(demand: CatalogDemand, offers: pl.DataFrame | None) -> pl.DataFrame:
    """segments, profit and log_loss for 1, 4, 16, 64 and 256 groups of the demand's segments, up to all of them.

    profit: expected per 1,000 visits, in currency, when a group's members share the best prices found for it, under
    the demand of every segment. log_loss: of held-out offers (segment_id, period, product_id, artefact_probability,
    bought, weight) when a member is given its group's mean probability; null without offers. Their segments are those
    of the artefact before the held-out periods and have groups of their own.
    Groups are nested (Ward's method), so a finer segmentation can always do what a coarser one does.
    """
    segments = len(demand.problem.segments.visits)
    counts = sorted({*(count for count in COUNTS if count < segments), segments})
    own = reference_cells(demand.problem).price.astype(np.float64)
    points, predicted = _points_of(demand), None if offers is None else _Predicted.by(offers)
    rows = []
    for count in counts:
        price = own if count == segments else _shared_prices(demand, own, _groups(points, count))
        loss = None if predicted is None else predicted.log_loss(count)
        rows.append({"segments": count, "profit": demand_as_truth(demand).profit(price), "log_loss": loss})
    return pl.DataFrame(rows, schema={"segments": pl.Int64, "profit": pl.Float64, "log_loss": pl.Float64})


def _shared_prices(demand: CatalogDemand, own: np.ndarray, group: np.ndarray) -> np.ndarray:
    """Return the best prices found [P, S] that are the same inside a group, but for prices set by hand for a segment.

    own [P, S]: the best prices for each segment alone.
    """
    market = replace(demand_as_truth(demand), by_hand=hand_set_prices(demand.problem))
    rungs = legal_rungs(demand.problem.pricing_inputs(0, demand.problem.category_count))
    price = np.empty_like(own)
    for members in (np.flatnonzero(group == g) for g in range(group.max() + 1)):
        part = market.select_types(members)
        middle = own[:, members] @ part.visits / part.visits.sum()
        price[:, members] = part.paid(best_uniform_price(part, rungs, [middle])[:, None])
    return price


def demand_as_truth(demand: CatalogDemand) -> TrueMarket:
    """Return the market in which the demand is the truth; every segment counts at least RAREST visits."""
    return TrueMarket.of(demand.problem, np.maximum(demand.problem.segments.visits, RAREST))


def _points_of(demand: CatalogDemand) -> np.ndarray:
    """Segments as points, [S, D]: near are those whose log purchases are, at two levels of prices."""
    now, then = (np.log(np.maximum(demand.shares(level), RAREST)) for level in (1.0, NUDGE))
    importance = np.sqrt(np.exp(now).mean(axis=1, keepdims=True))
    return np.concatenate([importance * now, importance * (then - now) / np.log(NUDGE)]).T


def _groups(points: np.ndarray, count: int) -> np.ndarray:
    """The group of every point, [S], at most `count` of them."""
    if count >= len(points):
        return np.arange(len(points))
    return fcluster(linkage(points, "ward"), count, "maxclust") - 1


@dataclass(frozen=True)
class _Predicted:
    """Held-out offers (segment: a row number), and their segments as points [S, D]."""

    offers: pl.DataFrame
    points: np.ndarray

    @classmethod
    def by(cls, offers: pl.DataFrame) -> "_Predicted":
        """Near are segments that had like log chances to buy each product; where there is none, all segments' mean."""
        offers = offers.with_columns(segment=pl.col("segment_id").rank("dense") - 1)
        cells = offers.group_by("product_id", "segment").agg(MEAN_CHANCE)
        product, segment = (cells[name].rank("dense").to_numpy() - 1 for name in ("product_id", "segment"))
        chance = np.full((product.max() + 1, segment.max() + 1), np.nan)
        chance[product, segment] = cells["chance"].to_numpy()
        of_product = np.nanmean(chance, axis=1, keepdims=True)
        log_chance = np.log(np.maximum(np.where(np.isnan(chance), of_product, chance), RAREST))
        return cls(offers, (np.sqrt(of_product) * log_chance).T)

    def log_loss(self, count: int) -> float:
        """When every segment is given its group's mean chance of each product in each period."""
        group = pl.Series(_groups(self.points, count))
        rows = self.offers.with_columns(group=group.gather(self.offers["segment"]))
        rows = rows.with_columns(MEAN_CHANCE.over("group", "period", "product_id"))
        bought, chance, weight = (rows[name].cast(pl.Float64).to_numpy() for name in ("bought", "chance", "weight"))
        return float(-(weight @ (xlogy(bought, chance) + xlogy(1 - bought, 1 - chance))) / weight.sum())
