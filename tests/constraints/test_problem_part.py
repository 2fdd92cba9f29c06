"""Some categories of a problem, priced alone, have the prices and the sums that they have in the whole, bit for bit."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from gpu_pricer.constraints.subproblems import LagrangianSubproblems
from gpu_pricer.policy.constraint import Constraint
from gpu_pricer.policy.slices import slices_of
from gpu_pricer.pricing.problem.pricing_problem import pricing_problem
from gpu_pricer.pricing.tiles.lagrangian import LagrangianWeights
from gpu_pricer.pricing.tiles.solved_tile import solve_tile
from tests.markets import NINES, USUAL, a_policy, catalog_of, small_artefact

SEGMENTS, PRODUCTS, CATEGORIES = 3, 28, 7
CHOSEN = np.isin(np.arange(CATEGORIES), [1, 2, 5])
RULES = {
    "usual": {},
    "families": {"family_column": "family"},
    "one ratio": {"max_segment_ratio": 1.05},
    "no small moves": {"min_change": 0.08},
}
CONSTRAINTS = {
    "units": Constraint("units", at_least=1.0, relative_to="current_prices"),
    "dear": Constraint("margin_rate", at_least=0.3, where="price > 4"),
}


def a_problem(rules, folder, form="factors", has_offsets=False):
    """A problem with every kind of thing that belongs to single products or cells, and its catalog."""
    artefact = small_artefact(5, SEGMENTS, PRODUCTS, CATEGORIES, form)
    catalog = catalog_of(artefact).with_columns(
        family=pl.col("category_id") + (pl.int_range(pl.len()) // CATEGORIES % 2).cast(pl.String)
    )
    if has_offsets:
        cells = {"product_id": ["p001", "p004", "p012"], "segment_id": ["s0", "s1", "s2"]}
        offsets = pl.DataFrame(cells | {"appeal_offset": [0.5, 0.7, -0.4], "sensitivity_offset": [0.1, 0.0, 0.3]})
        artefact = replace(artefact, offsets=offsets)
    by_hand = {"product_id": ["p000", "p001", "p009", "p012"], "segment_id": [None, "s0", None, "s1"]}
    pl.DataFrame(by_hand | {"price": [3.0, 4.2, 5.0, 2.5]}).write_parquet(folder / "by_hand.parquet")
    policy = a_policy(replace(USUAL, **rules), NINES, overrides=str(folder / "by_hand.parquet"))
    return pricing_problem(artefact, catalog, policy), catalog, artefact.segments


@pytest.mark.parametrize("rules", RULES)
@pytest.mark.parametrize(("form", "has_offsets"), [("factors", False), ("factors", True), ("dense", False)])
def test_chosen_categories_have_the_prices_of_the_whole(tmp_path, rules, form, has_offsets):
    problem, *_ = a_problem(RULES[rules], tmp_path, form, has_offsets)

    part = problem.of_categories(CHOSEN)

    is_chosen = np.repeat(CHOSEN, np.diff(problem.products.category_start))
    whole, alone = (solve_tile(one, 0, one.category_count, "cpu") for one in (problem, part))
    assert part.products.product_id.to_list() == problem.products.product_id.filter(is_chosen).to_list()
    assert np.array_equal(alone.cells.price, whole.cells.price[is_chosen])
    assert np.array_equal(alone.cells.probability, whole.cells.probability[is_chosen])
    assert np.array_equal(alone.cells.binding_side, whole.cells.binding_side[is_chosen])
    assert all(np.array_equal(one, other[is_chosen]) for one, other in zip(alone.rules, whole.rules, strict=True))


@pytest.mark.parametrize("limit", [None, 20.0])
def test_sums_and_bounds_of_evaluated_categories_are_those_of_all(tmp_path, limit):
    problem, catalog, segments = a_problem({}, tmp_path)
    products = problem.products.product_id.to_frame("product_id").join(catalog, on="product_id", maintain_order="left")
    kinds = problem.overrides.of_cells().kinds_of_segments(SEGMENTS)
    slices = slices_of(CONSTRAINTS, products, segments.sort("segment_id"), kinds)
    unit_limit = None if limit is None else np.full(PRODUCTS, limit)
    rng = np.random.default_rng(3)
    whole, some = (LagrangianSubproblems(problem, slices, "cpu", chosen, unit_limit) for chosen in (None, CHOSEN))
    is_chosen = np.repeat(CHOSEN, np.diff(problem.products.category_start))
    lagrangian = LagrangianWeights(
        objective=np.array([0.0, 1.0, -1.0, 0.0, 0.0, 0.0]),
        slices=slices,
        coefficient=rng.uniform(0, 0.2, (2, 6)),
        multiplier=rng.uniform(0, 0.3, (2, 2)),
        iterate=np.repeat(np.arange(CATEGORIES) % 2, PRODUCTS // CATEGORIES),
        stock_price=np.zeros(PRODUCTS) if limit is None else rng.uniform(0, 0.5, PRODUCTS),
        unit_limit=np.full(PRODUCTS, np.inf if limit is None else limit),
    )

    for sums in ("evaluate_today", "evaluate", "solve"):
        arguments = () if sums == "evaluate_today" else (lagrangian,)
        of_all, found = (getattr(one, sums)(*arguments) for one in (whole, some))
        of_all, found = (of_all[0], found[0]) if sums == "solve" else (of_all, found)
        assert np.array_equal(found.total, np.where(CHOSEN[:, None], of_all.total, 0))
        assert np.array_equal(found.covered, np.where(CHOSEN[:, None, None], of_all.covered, 0))
        assert np.array_equal(found.units, np.where(is_chosen, of_all.units, 0))
        assert of_all.total[CHOSEN].any()
    bounds = whole.category_bounds(lagrangian)
    assert np.array_equal(some.category_bounds(lagrangian), np.where(CHOSEN, bounds, 0))
    assert np.array_equal(some.stock.limit[is_chosen], whole.stock.limit[is_chosen])
