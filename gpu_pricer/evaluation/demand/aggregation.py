"""The profit lost because a segment is priced as one shopper although its members differ."""

from dataclasses import replace

import numpy as np
import polars as pl

from gpu_pricer.evaluation.demand.catalog_demand import CatalogDemand
from gpu_pricer.evaluation.demand.segmentation import demand_as_truth
from gpu_pricer.evaluation.profit import best_uniform_price, hand_set_prices, legal_rungs
from gpu_pricer.policy.policy import Policy
from gpu_pricer.pricing.tiles.solving import reference_cells
from gpu_pricer.tables.artefact import DemandArtefact
from gpu_pricer.tables.price_table import CENTS, PER_VISITS


def aggregation_regret(
    members: DemandArtefact, segments: DemandArtefact, catalog: pl.DataFrame, policy: Policy
) -> dict[str, float]:
    """Return regret, profit_of_moments and profit_of_members, all under the members' own demand.

    members: the demand of every user as a segment of its own, for some products; segments: the demand of the segments
    of these users, with user_segments. profit_of_moments is what the best prices for each segment's demand earn,
    profit_of_members what the best prices found for the members together earn, both in currency per 1,000 visits with
    one price per segment and product. regret is the share of profit_of_members that profit_of_moments misses. Both
    price lists keep the prices that are set by hand.
    """
    known = catalog.join(members.products.select("product_id"), on="product_id", how="semi")
    ours = CatalogDemand.of_part(segments, known, policy)
    theirs = CatalogDemand.of_part(members, known, replace(policy, overrides=None))  # overrides name no users
    problem, market = ours.problem, demand_as_truth(theirs)
    price = reference_cells(problem).price.astype(np.float64)
    rungs = legal_rungs(problem.pricing_inputs(0, problem.category_count))
    by_hand = hand_set_prices(problem)
    earned = np.zeros(2)
    for column, users in enumerate(
        _members_of(segments, ours.problem.segments.segment_id, theirs.problem.segments.segment_id)
    ):
        if len(users):
            part = market.select_types(users)
            if by_hand is not None:
                part = replace(part, by_hand=np.repeat(by_hand[:, [column]], len(users), axis=1))
            lists = price[:, column], best_uniform_price(part, rungs, [price[:, column]])
            earned += np.array([part.category_profit(each).sum() for each in lists]) * part.visits.sum()
    of_moments, of_members = PER_VISITS * earned / market.visits.sum() / CENTS
    return {
        "regret": float(1 - of_moments / of_members),
        "profit_of_moments": float(of_moments),
        "profit_of_members": float(of_members),
    }


def _members_of(segments: DemandArtefact, segment_id: pl.Series, user_id: pl.Series) -> list[np.ndarray]:
    """Return the positions of the users of every segment."""
    assert segments.user_segments is not None
    users = pl.DataFrame({"user_id": user_id}).with_row_index("user").join(segments.user_segments, on="user_id")
    return [users.filter(pl.col("segment_id") == segment)["user"].to_numpy() for segment in segment_id]
