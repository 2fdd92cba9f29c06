"""No price moves against the rule that limits it: no cut under max_increase, no raise under max_decrease."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpu_pricer.policy.ladder import Ladder
from gpu_pricer.pricing.problem.pricing_problem import pricing_problem
from gpu_pricer.pricing.tiles.solved_tile import solve_tile
from gpu_pricer.pricing.tiles.solving import choose_changes
from tests.markets import NINES, NO_RULES, a_policy, catalog_of, one_product, small_artefact
from tests.pricing.tile_file import rows_of

LADDERS = {
    "nines": NINES,
    "uneven": Ladder([0.19, 0.49, 0.99], None),
    "list": Ladder(None, [0.15, 0.40, 1.0, 2.5, 6.0]),
    "cents": None,
}
rates = st.sampled_from([0.0, 0.02, 0.05, 0.15, 0.3])


def priced(artefact, catalog, policy):
    """The whole price table."""
    problem = pricing_problem(artefact, catalog, policy)
    problem = choose_changes(problem, iter([(0, problem.category_count)]), "cpu")
    return rows_of(solve_tile(problem, 0, problem.category_count, "cpu"))


def one(price, cost, rules, ladder=NINES):
    """The price and the binding of one product, whose best price without rules is about cost + 3.25."""
    artefact, catalog = one_product(price, cost)
    row = priced(artefact, catalog, a_policy(rules, ladder)).row(0, named=True)
    return float(row["price"]), row["binding"]


BOTH_WAYS = replace(NO_RULES, max_decrease=0.30, max_increase=0.15)


@pytest.mark.parametrize(
    ("today", "cost", "ladder", "expected"),
    [
        (0.25, 0.10, NINES, (0.25, "max_increase")),  # 0.19 is the only rung in [0.18, 0.28]
        (0.25, 0.10, Ladder([0.27], None), (0.27, "max_increase")),  # a rung above
        (5.50, 0.0, Ladder(None, [5.75, 9.0]), (5.50, "max_decrease")),  # 5.75 is the only rung in [3.85, 6.32]
        (9.10, 0.0, Ladder(None, [6.5, 9.5]), (6.50, "max_decrease")),  # a rung below
    ],
)
def test_todays_price_off_the_ladder_stays_where_no_rung_lies_in_the_wanted_direction(today, cost, ladder, expected):
    assert one(today, cost, BOTH_WAYS, ladder) == expected


def test_a_product_may_still_move_where_the_other_direction_has_a_rung():
    artefact, catalog = one_product(6.00, 1.00, reference=5.0)
    down = replace(NO_RULES, max_decrease=0.5, max_increase=0.0)

    row = priced(artefact, catalog, a_policy(down, NINES)).row(0, named=True)

    assert float(row["price"]) < 6.0
    assert row["binding"] == "none"


def test_overruled_support_pulls_a_price_towards_itself_or_not_at_all():
    artefact, catalog = one_product(0.25, 0.10, reference=0.75, support=(0.5, 1.0))
    rules = replace(BOTH_WAYS, within_support=True)

    row = priced(artefact, catalog, a_policy(rules, NINES)).row(0, named=True)

    assert (float(row["price"]), row["binding"]) == (0.25, "within_support_broken")


@given(
    seed=st.integers(0, 10_000),
    ladder=st.sampled_from(list(LADDERS)),
    moves=st.tuples(rates, rates),
    support=st.booleans(),
    level=st.sampled_from([0.05, 0.2, 1.0]),
    couple=st.sampled_from([{}, {"family_column": "family_id"}, {"max_segment_ratio": 1.0}, {"max_changes": 7}]),
)
@settings(max_examples=60, deadline=None)
def test_no_price_moves_against_the_limit_that_binds_it(seed, ladder, moves, support, level, couple):
    artefact = small_artefact(seed, segments=3, products=12, categories=4)
    cheap = ("reference_price", "min_price", "max_price")
    artefact = replace(artefact, products=artefact.products.with_columns(pl.col(name) * level for name in cheap))
    rng = np.random.default_rng(seed)
    families = pl.Series([f"c{p % 4}" if p < 8 else None for p in range(12)])
    catalog = catalog_of(artefact, seed).sort("product_id").with_columns(
        pl.max_horizontal(pl.col("price").round(2), 0.02).alias("price"),
        pl.col("cost") * pl.Series(rng.choice([0.2, 1.0], 12)),
        family_id=families,
    )  # fmt: skip
    if rng.random() < 0.5:
        catalog = catalog.with_columns(price=pl.col("price").first().over("category_id"))
    rules = replace(NO_RULES, max_decrease=moves[0], max_increase=moves[1], within_support=support, **couple)

    table = priced(artefact, catalog, a_policy(rules, LADDERS[ladder]))

    up, down = pl.col("price") > pl.col("today_price"), pl.col("price") < pl.col("today_price")
    assert table.filter(down & pl.col("binding").is_in(["max_increase", "max_increase_amount"])).is_empty()
    assert table.filter(up & pl.col("binding").is_in(["max_decrease", "max_decrease_amount"])).is_empty()
    assert table.filter((up | down) & (pl.col("binding") == "no_rung")).is_empty()
    moved = pl.col("price").cast(pl.Float64) / pl.col("today_price").cast(pl.Float64) - 1
    assert table.filter(~moved.is_between(-moves[0] - 1e-9, moves[1] + 1e-9)).is_empty()


@given(seed=st.integers(0, 10_000), ladder=st.sampled_from(list(LADDERS)), moves=st.tuples(rates, rates))
@settings(max_examples=60, deadline=None)
def test_a_price_that_may_stay_lies_between_the_ends_of_its_range(seed, ladder, moves):
    artefact = small_artefact(seed, segments=1, products=12, categories=4)
    rules = replace(NO_RULES, max_decrease=moves[0], max_increase=moves[1], within_support=True, min_margin_rate=0.3)

    problem = pricing_problem(artefact, catalog_of(artefact, seed), a_policy(rules, LADDERS[ladder]))

    limits, today = problem.limits, problem.products.today
    assert ((limits.low <= today) & (today <= limits.high))[limits.may_stay].all()
