"""The learned price response of a run against the true one, user by user."""

import numpy as np
import polars as pl

from gpu_pricer.evaluation.demand.elasticity import own_elasticity
from gpu_pricer.evaluation.truth.learned_response import Elasticities
from gpu_pricer.pricing.problem.pricing_problem import pricing_problem
from tests.bench.markets.contest import Ours
from tests.bench.markets.rungs import catalog_of, zoo_policy
from tests.bench.markets.truth import Truth


def compare_response(truth: Truth, ours: Ours) -> Elasticities:
    """Return the own elasticities at today's prices, with every user as a type of his own."""
    problem = pricing_problem(ours.artefact, catalog_of(truth, ours.tables.products), zoo_policy())
    assert problem.products.product_id.to_list() == truth.product_id.tolist()
    today = truth.today[:, None]
    learned = own_elasticity(problem.exact_demand(), problem.shelf(0, problem.category_count), truth.today)
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
