"""Constraints beside a limit on the segment ratio: both are kept, and the prices are close to the best that exist."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from gpu_pricer.errors import InputError
from gpu_pricer.policy.constraint import Constraint
from tests.constraints.markets import AROUND_TODAY
from tests.constraints.oracle import sums_at
from tests.constraints.test_constrained_problem import a_market, every_sum, measures, prices_of, solve

TODAY = "current_prices"
VOLUME = Constraint("units", at_least=1.0, relative_to=TODAY)
NO_DEARER = Constraint("price_index", at_most=1.0, where="department = 'drinks'")


@pytest.mark.parametrize("ratio", [1.0, 1.1])
def test_limits_are_met_by_prices_that_keep_the_ratio(ratio):
    market = a_market(products=600, rules=replace(AROUND_TODAY, max_segment_ratio=ratio))
    free = a_market(products=600)

    found, best = (solve(at, {"volume": VOLUME, "no dearer": NO_DEARER}) for at in (market, free))

    price, summary = prices_of(market, found), found.certificate.summary
    for constraint, is_floor in ((VOLUME, True), (NO_DEARER, False)):
        reached, today = measures(market, price, constraint)
        limit = constraint.limit * (today if constraint.relative_to else 1.0)
        assert (reached >= limit * (1 - 1e-12)) if is_floor else (reached <= limit * (1 + 1e-12))
    assert (price.max(axis=1) <= ratio * price.min(axis=1) + 1e-9).all()
    assert summary["status"] == "met"
    assert summary["objective"] == pytest.approx(sums_at(market.artefact, market.catalog, price)[2], rel=1e-9)
    assert summary["objective"] < best.certificate.summary["objective"] <= summary["dual_bound"]
    assert summary["gap"] < 0.05, "the gap is what the ratio costs"


@pytest.mark.parametrize("seed", range(6))
def test_one_price_list_is_close_to_the_best_of_all_lists_that_meet_the_limit(seed):
    market = a_market(seed=seed, products=3, segments=3, rules=replace(AROUND_TODAY, max_segment_ratio=1.0))
    sums = sum(every_sum(market, segment, {}) for segment in range(3))
    limit = np.quantile(sums[:, 0], 0.7)

    found = solve(market, {"units": Constraint("units", at_least=float(limit))})

    summary, best = found.certificate.summary, sums[sums[:, 0] >= limit, 2].max()
    loosest = sums[sums[:, 0] >= summary["constraints"]["units"]["achieved"] * (1 - 1e-9), 2].max()
    assert summary["constraints"]["units"]["achieved"] >= limit
    assert best <= summary["dual_bound"] * (1 + 1e-9)
    assert summary["objective"] >= 0.999 * loosest, "the best list of its volume"


def test_prices_set_by_hand_for_single_segments_stand_beside_one_price_list(tmp_path):
    by_hand = {"product_id": ["p0000001"], "segment_id": ["s001"], "price": [5.55]}
    pl.DataFrame(by_hand).write_parquet(tmp_path / "by_hand.parquet")
    rules = replace(AROUND_TODAY, max_segment_ratio=1.0)
    market = a_market(products=60, segments=4, overrides=str(tmp_path / "by_hand.parquet"), rules=rules)

    found = solve(market, {"volume": VOLUME})

    price = prices_of(market, found)
    assert price[1, 1] == 5.55
    others = np.delete(price, 1, axis=0)
    assert (others == others[:, :1]).all()
    assert found.certificate.status == "met"


def test_a_condition_on_segments_is_refused_beside_one_price_list():
    market = a_market(products=60, rules=replace(AROUND_TODAY, max_segment_ratio=1.0))

    with pytest.raises(InputError, match=r"must cover every segment alike beside bounds\.max_segment_ratio"):
        solve(market, {"some": Constraint("units", at_least=1.0, relative_to=TODAY, where="segment_id = 's001'")})
