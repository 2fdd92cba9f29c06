"""The smallest move worth making: a price moves at least so far, or stays, and is the best of what is then allowed."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpu_pricer.constraints import MarketData
from gpu_pricer.constraints.constrained_problem import solve_constrained
from gpu_pricer.policy.ladder import Ladder
from gpu_pricer.pricing.problem.pricing_problem import pricing_problem
from gpu_pricer.pricing.tiles.solved_tile import solve_tile
from tests.markets import NINES, NO_RULES, PROFIT, a_policy, catalog_of, one_product, small_artefact
from tests.pricing.logit import best_of, category_value, dense_demand
from tests.pricing.problem.test_price_directions import LADDERS, priced
from tests.pricing.tile_file import rows_of

BOTH_WAYS = replace(NO_RULES, max_decrease=0.30, max_increase=0.15)
SINGLE_PRECISION = 1e-5


# One product, appeal 0, sensitivity 2 at reference 5, cost 4: its best price without rules is about 7.25.
@pytest.mark.parametrize(
    ("today", "rules", "ladder", "expected"),
    [
        (7.35, {"min_change": 0.05}, None, (7.35, "min_change")),  # 7.72 and 6.98 earn less
        (7.00, {"min_change": 0.01}, None, None),
        (7.00, {"min_change": 0.03, "max_increase": 0.02}, None, (7.00, "min_change")),
        (5.00, {"min_change": 0.03, "max_increase": 0.10}, None, (5.50, "max_increase")),
        (7.35, {"min_change": 0.05}, NINES, (7.35, "min_change")),  # off the ladder
        (7.05, {"min_change": 0.001}, Ladder([0.29], None), (7.29, "none")),  # no rung so near
        (5.00, {"min_change": 0.30, "min_margin_rate": 0.25}, None, (7.25, None)),
    ],
)
def test_smaller_move_is_not_made_and_says_so(today, rules, ladder, expected):
    artefact, catalog = one_product(today, 4.0)

    row = priced(artefact, catalog, a_policy(replace(NO_RULES, **rules), ladder)).row(0, named=True)

    found = float(row["price"]), row["binding"]
    if expected is None:
        assert found[0] >= 7.07
        assert found[1] == "none"
    elif expected[1] is None:
        assert found[0] == pytest.approx(expected[0], abs=0.3)
    else:
        assert found == expected


@given(
    seed=st.integers(0, 10_000),
    ladder=st.sampled_from(list(LADDERS)),
    min_change=st.sampled_from([0.01, 0.05, 0.12, 0.2]),
    support=st.booleans(),
    couple=st.sampled_from([{}, {"max_segment_ratio": 1.0}, {"max_segment_ratio": 1.1}, {"max_changes": 7}]),
)
@settings(max_examples=50, deadline=None)
def test_every_move_is_large_enough_and_inside_the_bounds(seed, ladder, min_change, support, couple):
    artefact = small_artefact(seed, segments=3, products=12, categories=4)
    rules = replace(BOTH_WAYS, min_change=min_change, within_support=support, **couple)
    catalog = catalog_of(artefact, seed)
    problem = pricing_problem(artefact, catalog, a_policy(rules, LADDERS[ladder]))
    may_stay = pl.DataFrame({"product_id": problem.products.product_id, "may_stay": problem.limits.may_stay})

    table = priced(artefact, catalog, a_policy(rules, LADDERS[ladder])).join(may_stay, on="product_id")

    move = pl.col("price").cast(pl.Float64) / pl.col("today_price").cast(pl.Float64) - 1
    stays = pl.col("price") == pl.col("today_price")
    assert table.filter("may_stay", ~stays, move.abs() < min_change - 1e-9).is_empty()
    assert table.filter("may_stay", ~move.is_between(-0.3 - 1e-9, 0.15 + 1e-9)).is_empty()
    assert table.filter(~stays, pl.col("binding") == "min_change").is_empty()


@pytest.mark.parametrize("seed", range(6))
def test_prices_are_the_best_of_every_combination_that_is_left(seed):
    artefact = small_artefact(seed, segments=3, products=9, categories=3)
    catalog, ladder = catalog_of(artefact), Ladder([0.15, 0.45, 0.75], None)
    today = dict(catalog.select("product_id", "price").iter_rows())

    table = priced(artefact, catalog, a_policy(replace(BOTH_WAYS, min_change=0.06), ladder))

    for segment, s in dense_demand(artefact).segments():
        for _, rows in artefact.products.group_by("category_id", maintain_order=True):
            names = rows["product_id"].to_list()
            chosen = [
                float(table.filter(product_id=name, segment_id=segment)["price"][0]) for name in names
            ]  # fmt: skip
            best = best_of(artefact, catalog, s, names, [allowed(round(100 * today[name])) for name in names])
            found = category_value(artefact, catalog, s, names, np.array(chosen))
            assert found >= best - SINGLE_PRECISION * abs(best)
            assert all(
                round(100 * price) in allowed(round(100 * today[n])) for n, price in zip(names, chosen, strict=True)
            )


def allowed(today):
    """The prices in cents that a product may have, by listing whole cents."""
    rungs = [c for c in range(1, 2000) if c % 100 in (15, 45, 75) and 70 * today <= 100 * c <= 115 * today]
    near = [c for c in rungs if c != today and 94 * today < 100 * c < 106 * today]
    one_sided = not rungs or max(rungs) < today or min(rungs) > today
    kept = [today] if near or one_sided else []
    return sorted({*rungs} - {*near} | {*kept})


def test_constrained_prices_make_no_small_moves_either():
    artefact = small_artefact(55, segments=4, products=40, categories=8)
    catalog = catalog_of(artefact)
    keep = {"keep_volume": {"measure": "units", "at_least": 1.0, "relative_to": "current_prices"}}
    policy = a_policy(replace(BOTH_WAYS, min_change=0.04), NINES, constraints=keep)
    problem = pricing_problem(artefact, catalog, policy)
    market = MarketData(catalog, artefact.segments, artefact.info.currency)

    found = solve_constrained(problem, PROFIT, policy.active_constraints, market, "cpu")
    tile = solve_tile(problem, 0, problem.category_count, "cpu", found.lagrangian)

    table = rows_of(tile)
    move = (table["price"].cast(pl.Float64) / table["today_price"].cast(pl.Float64) - 1).abs()
    assert ((move == 0) | (move >= 0.04 - 1e-9)).all()
    assert 0 < (move == 0).mean() < 1
    assert found.certificate.status == "met"
    assert found.solution.bound >= found.solution.objective
