"""The value of segments: profit and log loss for several numbers of segments, by the artefact's own demand."""

from dataclasses import dataclass, replace

import numpy as np
import polars as pl
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.special import xlogy

from gpu_pricer.evaluation.demand.catalog_demand import CatalogDemand
from gpu_pricer.evaluation.profit import TrueMarket, best_uniform_price, hand_set_prices, legal_rungs
from gpu_pricer.pricing.tiles.solving import reference_cells

RAREST = 1e-12  # choices per visit, or visits; anything below counts as this much
COUNTS = (1, 4, 16, 64, 256)
NUDGE = 1.05  # a second price level, times today's; utilities at it separate segments of different sensitivity
MEAN_CHANCE = ((pl.col("weight") * pl.col("artefact_probability")).sum() / pl.col("weight").sum()).alias("chance")


def segmentation_value(demand: CatalogDemand, offers: pl.DataFrame | None) -> pl.DataFrame:
    """Return segments, profit and log_loss for 1, 4, 16, 64 and 256 groups of the demand's segments, and for all.

    profit: expected profit per 1,000 visits, in currency, under the demand of every segment, when the segments of a
    group share the best prices found for the group.
    log_loss: of the held-out offers (segment_id, period, product_id, artefact_probability, bought, weight), when every
    segment gets the mean probability of its group; null without offers. The segments of the offers are those of the
    artefact trained before the held-out periods; they are grouped separately.
    Groups are nested (Ward's method), so a finer segmentation can always use the prices of a coarser one.
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
    """Return the best prices found [P, S] that are equal inside a group, except prices set by hand for one segment.

    own [P, S]: the best prices per segment.
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
    """Return the market in which this demand is the truth; every segment has at least RAREST visits."""
    return TrueMarket.of(demand.problem, np.maximum(demand.problem.segments.visits, RAREST))


def _points_of(demand: CatalogDemand) -> np.ndarray:
    """Return segments as points [S, D]; segments with similar log purchases at two price levels are near each other."""
    now, then = (np.log(np.maximum(demand.shares(level), RAREST)) for level in (1.0, NUDGE))
    importance = np.sqrt(np.exp(now).mean(axis=1, keepdims=True))
    return np.concatenate([importance * now, importance * (then - now) / np.log(NUDGE)]).T


def _groups(points: np.ndarray, count: int) -> np.ndarray:
    """Return the number of each point's group, [S], with at most `count` groups."""
    if count >= len(points):
        return np.arange(len(points))
    return fcluster(linkage(points, "ward"), count, "maxclust") - 1


@dataclass(frozen=True)
class _Predicted:
    """Held-out offers, whose column `segment` is a row of points, and their segments as points [S, D]."""

    offers: pl.DataFrame
    points: np.ndarray

    @classmethod
    def by(cls, offers: pl.DataFrame) -> "_Predicted":
        """Return the offers' segments as points: segments with similar log chances to buy each product are near.

        A segment without an offer of a product gets the mean chance of all segments.
        """
        offers = offers.with_columns(segment=pl.col("segment_id").rank("dense") - 1)
        cells = offers.group_by("product_id", "segment").agg(MEAN_CHANCE)
        product, segment = (cells[name].rank("dense").to_numpy() - 1 for name in ("product_id", "segment"))
        chance = np.full((product.max() + 1, segment.max() + 1), np.nan)
        chance[product, segment] = cells["chance"].to_numpy()
        of_product = np.nanmean(chance, axis=1, keepdims=True)
        log_chance = np.log(np.maximum(np.where(np.isnan(chance), of_product, chance), RAREST))
        return cls(offers, (np.sqrt(of_product) * log_chance).T)

    def log_loss(self, count: int) -> float:
        """Return the log loss when every segment gets its group's mean chance of each product in each period."""
        group = pl.Series(_groups(self.points, count))
        rows = self.offers.with_columns(group=group.gather(self.offers["segment"]))
        rows = rows.with_columns(MEAN_CHANCE.over("group", "period", "product_id"))
        bought, chance, weight = (rows[name].cast(pl.Float64).to_numpy() for name in ("bought", "chance", "weight"))
        return float(-(weight @ (xlogy(bought, chance) + xlogy(1 - bought, 1 - chance))) / weight.sum())
