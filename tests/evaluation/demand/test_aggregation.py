"""The profit lost when prices are set for segments and not for their members."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from gpu_pricer.evaluation.demand.aggregation import aggregation_regret
from gpu_pricer.tables.artefact import DemandArtefact
from tests.evaluation.markets import policy
from tests.markets import NO_RULES, a_policy, catalog_of, small_artefact

CENTS = a_policy(bounds=replace(NO_RULES, max_decrease=0.6, max_increase=0.6), ladder=None)


def members_of(segments: DemandArtefact, spread: float) -> DemandArtefact:
    """Return four users per segment: the segment's appeals ± 3 spread and its sensitivities times 1 ± spread."""
    rng = np.random.default_rng(1)
    sign = np.where(rng.permuted(np.tile([0, 0, 1, 1], (segments.segments.height, 1)), axis=1).ravel() == 0, -1, 1)
    appeal, sensitivity = (np.repeat(segments.factors[name], 4, axis=0) for name in ("appeal", "sensitivity"))
    change = (spread * sign[:, None]).astype(np.float32)
    return replace(
        segments,
        factors={"appeal": appeal + 3 * change, "sensitivity": sensitivity * (1 + change)},
        segments=pl.DataFrame({"segment_id": np.arange(len(sign)), "visits": rng.uniform(1, 9, len(sign))}),
    )


@pytest.fixture
def segments() -> DemandArtefact:
    artefact = small_artefact(3, segments=3, products=12, categories=4, form="dense")
    ids = artefact.segments["segment_id"].to_list()
    users = pl.DataFrame({"user_id": range(12), "segment_id": [ids[user // 4] for user in range(12)]})
    return replace(artefact, user_segments=users)


@pytest.mark.parametrize("rules", [CENTS, policy([0.09, 0.49, 0.99])])
def test_nothing_is_lost_where_all_members_are_alike(segments, rules):
    found = aggregation_regret(members_of(segments, 0.0), segments, catalog_of(segments), rules)

    assert found["regret"] == pytest.approx(0.0, abs=1e-4)  # the search moves by cents, the kernel is exact
    assert found["profit_of_moments"] > 0


def test_the_more_members_differ_the_more_profit_is_lost(segments):
    losses = [
        aggregation_regret(members_of(segments, spread), segments, catalog_of(segments), CENTS)["regret"]
        for spread in (0.2, 0.5)
    ]

    assert 0.0001 < losses[0] < losses[1] < 1


def test_products_without_the_members_demand_are_left_out(segments):
    kept = segments.products["category_id"].is_in(["c0", "c1"]).to_numpy()
    members = members_of(segments, 0.3)
    some = replace(
        members,
        factors={name: factor[:, kept] for name, factor in members.factors.items()},
        products=members.products.filter(pl.Series(kept)),
    )

    part, complete = (aggregation_regret(known, segments, catalog_of(segments), CENTS) for known in (some, members))

    assert 0 < part["profit_of_moments"] < complete["profit_of_moments"]
