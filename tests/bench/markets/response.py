"""The learned price response of a run against the true one, user by user and segment by segment."""

from dataclasses import replace

import numpy as np
import polars as pl
import torch

from gpu_pricer.evaluation.demand.catalog_demand import CatalogDemand
from gpu_pricer.evaluation.demand.elasticity import own_elasticity
from gpu_pricer.evaluation.demand.intervals import ElasticityIntervals
from gpu_pricer.evaluation.truth.learned_response import Elasticities
from gpu_pricer.network.model.price_bend import bent, steepness
from tests.bench.markets.contest import Ours
from tests.bench.markets.rungs import catalog_of, zoo_policy
from tests.bench.markets.truth import Truth

PRICES = 25
"""Prices of a category, at evenly spaced quantiles, over which a response is compared."""
UNITS_BEND = 1.0
"""Of the response of the units per choice, which is a power function of the price."""


def compare_response(truth: Truth, ours: Ours) -> Elasticities:
    """Return the own elasticities at today's prices, with every user as a type of his own."""
    problem = demand_of(truth, ours).problem
    assert problem.products.product_id.to_list() == truth.product_id.tolist()
    today = truth.today[:, None]
    learned = own_elasticity(problem.demand_in_double(), problem.shelf(0, problem.category_count), truth.today)
    column = pl.DataFrame({"segment_id": problem.segments.segment_id}).with_row_index("column")
    order = ours.artefact.segments.join(column, on="segment_id", maintain_order="left")["column"].to_numpy()
    segment = ours.segment(truth.user_id)
    visits = np.where(segment == np.arange(len(order))[:, None], truth.visits, 0.0)
    return Elasticities(
        learned=learned[:, order],
        true=truth.elasticity(today),
        share=truth.units(today),
        visits=visits,
        segment_id=ours.artefact.segments["segment_id"],
        category_id=ours.tables.products["category_id"],
    )


def demand_of(truth: Truth, ours: Ours) -> CatalogDemand:
    """Return the learned demand on the catalog of the market."""
    return CatalogDemand.of(ours.artefact, catalog_of(truth, ours.tables.products), zoo_policy())


def within_product_slope(found: Elasticities) -> float | None:
    """Return the slope of true on estimated elasticity across users, within products, weighted by visits.

    It is 1 where differences between users are estimated without bias and without noise that is not shrunk, and None
    where all users have the same estimate.
    """
    of_user = found.visits.sum(axis=0)
    estimate = found.learned[:, found.visits.argmax(axis=0)]
    estimate, true = (values - values @ of_user[:, None] / of_user.sum() for values in (estimate, found.true))
    spread = (estimate**2 @ of_user).sum()
    return float((estimate * true @ of_user).sum() / spread) if spread > 0 else None


def closest_logit(truth: Truth, shelf: pl.DataFrame, segment: np.ndarray, bend: float) -> tuple[np.ndarray, np.ndarray]:
    """Return own elasticities of units at today's prices, of the logits closest to the segments' true demand, [P, S].

    Also return the segments' choice probabilities at these prices, [P, S]. A segment's demand is the sum of its
    members', whose utility need not fall as the model assumes, so that it is no logit of the model's form. What a log
    tells, and the posterior is of, is the logit of that form that comes closest over the log's prices (White 1982).
    The elasticity is −b (1 − P) − κ, b and κ the slopes of regressions of the log odds of a choice and of the log of
    its units, weighted by the information of a choice: of the odds on the price as `bend` bends it, of the units on its
    log, as the model has them. Each product takes in turn the prices that its category's products had, over their
    median, since products whose own prices rested take their response from those.
    shelf: product_id and price of the log. segment [U]: from 0 to S − 1. bend: of the learned response, 0 to 1.
    """
    reference, ratio = _logged_prices(truth, shelf)
    today = truth.today[:, None].astype(np.float64)
    bends, now = torch.tensor([bend, UNITS_BEND])[:, None, None], torch.from_numpy(truth.today / reference)[:, None]
    member = np.eye(segment.max() + 1)[segment] * truth.visits[:, None]
    member /= np.maximum(member.sum(axis=0), np.finfo(float).tiny)
    of_segments = (2, len(reference), member.shape[1])
    sums, outcomes = np.zeros((3, *of_segments)), np.zeros((2, *of_segments))
    for at in ratio.T:
        for rank in range(int(truth.rank.max()) + 1):
            is_moved = (truth.rank == rank)[:, None]
            share, units = _pooled(truth, np.where(is_moved, (reference * at)[:, None], today), member)
            weight, outcome = is_moved * share * (1 - share), np.log([share / (1 - share), units / share])
            move = np.broadcast_to(bent(torch.from_numpy(at[:, None] - 1), bends), outcome.shape)
            sums += weight * np.stack([np.ones_like(move), move, move**2])
            outcomes += weight * np.stack([outcome, move * outcome])
    (total, first, second), (height, tilt) = sums, outcomes
    slope = (tilt - first * height / total) / (second - first**2 / total)
    of_choices, of_units = slope * steepness(now - 1, bends).numpy()
    share = _pooled(truth, today, member)[0]
    return (of_choices * (1 - share) + of_units) * now.numpy(), share


def coverage_of_closest(truth: Truth, ours: Ours, found: Elasticities, intervals: ElasticityIntervals) -> float:
    """Return the share of the 90 % intervals of segments × categories that hold the elasticity of the closest logit."""
    elasticity, share = closest_logit(truth, ours.tables.shelf, ours.segment(truth.user_id), ours.bend)
    visits = np.diag(found.visits.sum(axis=1))
    return replace(found, true=elasticity, share=share, visits=visits).coverage(intervals)


def _pooled(truth: Truth, price: np.ndarray, member: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return choice probability and units [P, S] of a mean visit at prices [P, 1]; member [U, S]: shares of visits."""
    chosen = truth.choice.probability(price, truth.week_state)
    return chosen @ member, (chosen * truth.quantity.mean(price)) @ member


def _logged_prices(truth: Truth, shelf: pl.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Return each product's median price in cents [P], else today's, and its category's prices over it [P, PRICES]."""
    rows = pl.DataFrame({"product_id": truth.product_id}).with_row_index("row")
    seen = shelf.join(rows, on="product_id").select("row", "price", median=pl.col("price").median().over("row"))
    reference = truth.today.astype(np.float64)
    reference[seen["row"].to_numpy()] = 100 * seen["median"].to_numpy()
    category, ratio = truth.category[seen["row"].to_numpy()], (seen["price"] / seen["median"]).to_numpy()
    quantile = (np.arange(PRICES) + 0.5) / PRICES
    of_category = [np.quantile(ratio[category == number], quantile) for number in range(len(truth.start) - 1)]
    return reference, np.array(of_category)[truth.category]
