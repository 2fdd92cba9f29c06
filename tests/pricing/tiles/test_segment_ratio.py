"""Limits on the differences between segments: kept by every price, and close to the best that a search can find."""

import itertools
from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from gpu_pricer.policy.ladder import Ladder
from tests.markets import NO_RULES, USUAL, a_policy, catalog_of, small_artefact, with_dissimilarity
from tests.pricing.logit import category_value, dense_demand
from tests.pricing.test_guardrails import _prices, priced, with_families

SHARE_OF_THE_BEST = 0.999
"""The search makes no claim of the global optimum; on these markets it misses at most this much."""


def spread(seed, segments=4, products=6, categories=2):
    """Return an artefact whose segments have very different best prices."""
    artefact = small_artefact(seed, segments, products, categories, form="dense")
    rng = np.random.default_rng(seed)
    sensitivity = rng.uniform(1, 2, (segments, 1)) ** 2 * rng.uniform(1.0, 1.6, (1, products))
    return replace(artefact, factors=artefact.factors | {"sensitivity": sensitivity.astype(np.float32)})


def ratios(table):
    by_product = table.group_by("product_id").agg(
        pl.col("price").max().cast(pl.Float64) / pl.col("price").min().cast(pl.Float64)
    )
    return by_product["price"].to_numpy()


@pytest.mark.parametrize("ladder", [None, Ladder([0.25, 0.75], None), Ladder(None, [k / 4 for k in range(4, 60)])])
@pytest.mark.parametrize("ratio", [1.0, 1.07, 1.3])
def test_ratio_is_kept_by_every_product(ratio, ladder):
    artefact = spread(3, products=24, categories=5)
    wide = replace(NO_RULES, max_decrease=0.5, max_increase=0.8)

    unlimited = priced(artefact, catalog_of(artefact), a_policy(wide, ladder))
    kept = priced(artefact, catalog_of(artefact), a_policy(replace(wide, max_segment_ratio=ratio), ladder))

    assert ratios(unlimited).max() > 1.3
    assert ratios(kept).max() <= ratio + 1e-12
    assert "max_segment_ratio" in kept["binding"].to_list()


@pytest.mark.parametrize(("seed", "dissimilarity"), [*((seed, 1.0) for seed in range(5)), (0, 0.2), (1, 0.6)])
@pytest.mark.parametrize("ratio", [1.0, 1.2])
def test_levels_are_nearly_as_good_as_the_best_of_every_combination(seed, dissimilarity, ratio):
    artefact = with_dissimilarity(spread(seed, products=4, categories=2), {"c0": dissimilarity})
    catalog, ladder = catalog_of(artefact), Ladder([0.15, 0.65], None)
    wide = replace(NO_RULES, max_decrease=0.4, max_increase=0.5, max_segment_ratio=ratio)

    table = priced(artefact, catalog, a_policy(wide, ladder))

    visits = dict(artefact.segments.iter_rows())
    today = dict(catalog.select("product_id", "price").iter_rows())
    for (_,), rows in artefact.products.group_by("category_id", maintain_order=True):
        names = rows["product_id"].to_list()
        rungs = [[c for c in range(1, 2000) if c % 50 == 15 and 60 * today[n] <= c <= 150 * today[n]] for n in names]
        found = sum(
            visits[segment] * category_value(artefact, catalog, s, names, _prices(table, segment, names))
            for segment, s in dense_demand(artefact).segments()
        )
        best = best_of_levels(artefact, catalog, names, rungs, ratio, visits)
        assert found >= SHARE_OF_THE_BEST * best


def best_of_levels(artefact, catalog, names, rungs, ratio, visits):
    """Return the most that a period's visits earn over all combinations of levels, with each segment's best prices."""
    every = np.array(list(itertools.product(*rungs)))
    values = {
        segment: category_value(artefact, catalog, s, names, every / 100)
        for segment, s in dense_demand(artefact).segments()
    }
    best = 0.0
    for level in itertools.product(*rungs):
        inside = ((every >= level) & (every <= np.array(level) * ratio + 1e-9)).all(axis=1)
        best = max(best, sum(visits[segment] * value[inside].max() for segment, value in values.items()))
    return best


@pytest.mark.parametrize("ratio", [1.0, 1.1])
def test_empty_shelf_of_a_nested_category_has_the_prices_of_one_that_is_not(ratio):
    artefact = spread(3, products=12, categories=3)
    is_empty = pl.col("category_id") == "c0"
    catalog = catalog_of(artefact).with_columns(availability=pl.when(is_empty).then(0.0).otherwise(1.0))
    policy = a_policy(replace(USUAL, max_segment_ratio=ratio))

    nested, plain = (priced(with_dissimilarity(artefact, {"c0": gamma}), catalog, policy) for gamma in (0.5, 1.0))

    assert nested.equals(plain)
    assert ratios(nested).max() <= ratio + 1e-12


def test_uniform_price_costs_profit_but_beats_todays():
    artefact = spread(7, products=20, categories=4)
    catalog = catalog_of(artefact)

    def profit(**rules):
        table = priced(artefact, catalog, a_policy(replace(USUAL, **rules))).join(artefact.segments, on="segment_id")
        return (table["expected_profit"] * table["visits"]).sum()

    unlimited, one, today = profit(), profit(max_segment_ratio=1.0), profit(max_changes=0)
    assert unlimited > one > today


@pytest.mark.parametrize("tiles", [2, 4])
def test_levels_are_the_same_for_any_tiling(tiles):
    from gpu_pricer.pricing.problem.pricing_problem import pricing_problem
    from gpu_pricer.pricing.tiles.solved_tile import solve_tile
    from tests.pricing.tile_file import rows_of

    artefact = spread(9, products=20, categories=4)
    problem = pricing_problem(artefact, catalog_of(artefact), a_policy(replace(USUAL, max_segment_ratio=1.05)))
    edges = np.linspace(0, 4, tiles + 1).astype(int).tolist()

    parts = [rows_of(solve_tile(problem, first, last, "cpu")) for first, last in itertools.pairwise(edges)]

    whole = rows_of(solve_tile(problem, 0, 4, "cpu"))
    assert pl.concat(parts).sort("product_id", "segment_id").equals(whole)


def test_budget_moves_whole_categories_where_segments_must_stay_together():
    artefact = spread(11, products=20, categories=4)
    rules = replace(USUAL, max_segment_ratio=1.0, max_changes=25)

    table = priced(artefact, catalog_of(artefact), a_policy(rules))

    assert ratios(table).max() == 1.0
    assert 0 < (table["price"] != table["today_price"]).sum() <= 25


def test_family_keeps_the_ratio_together():
    artefact = spread(13, products=8, categories=2)
    catalog = with_families(catalog_of(artefact), {"a": ["p000", "p002"]}).with_columns(
        price=pl.lit(4.0), cost=pl.lit(2.0)
    )
    rules = replace(NO_RULES, max_decrease=0.5, max_increase=0.9, family_column="family_id", max_segment_ratio=1.1)

    table = priced(artefact, catalog, a_policy(rules))

    assert ratios(table).max() <= 1.1
    mates = [table.filter(product_id=name).sort("segment_id")["price"] for name in ("p000", "p002")]
    assert mates[0].equals(mates[1])
