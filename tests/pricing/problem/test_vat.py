"""Prices that include VAT of unlike rates: the best of every combination after VAT, and what VAT alone changes."""

import itertools
from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from gpu_pricer.policy.ladder import Ladder
from gpu_pricer.policy.objective import Objective
from gpu_pricer.pricing.problem.posterior_draws import POSTERIOR
from gpu_pricer.pricing.problem.pricing_problem import pricing_problem
from gpu_pricer.pricing.tiles.solved_tile import solve_tile
from gpu_pricer.pricing.tiles.tally import tally_of
from gpu_pricer.tables.price_table import PARTS
from tests.markets import NO_RULES, PROFIT, a_policy, catalog_of, one_product, small_artefact, with_posterior
from tests.pricing.logit import dense_demand
from tests.pricing.tile_file import rows_of

RATES = np.array([0.19, 0.07, 0.0, 0.25])
AROUND = replace(NO_RULES, max_decrease=0.3, max_increase=0.3)
CENTS = a_policy(NO_RULES, None)


def with_rates(catalog, rates):
    """The catalog with VAT rates, dealt to its products in the order of their ids."""
    ids = catalog.sort("product_id").select("product_id")
    return catalog.join(ids.with_columns(vat_rate=pl.Series(np.resize(rates, ids.height))), on="product_id")


def solved(artefact, catalog, policy, **options):
    problem = pricing_problem(artefact, catalog, policy, **options)
    return solve_tile(problem, 0, problem.category_count, "cpu")


def value_of(artefact, rows, segment, price, objective=PROFIT):
    """What a visit of a segment is worth after VAT at prices [..., n] of `rows`: written out in NumPy."""
    demand, row = dense_demand(artefact), rows["row"].to_numpy()
    utility = demand.appeal[segment, row]
    utility = utility - demand.sensitivity[segment, row] * (price / rows["reference_price"].to_numpy() - 1)
    odds = np.exp(utility) * rows["availability"].to_numpy()
    chance = odds / (1 + odds.sum(-1, keepdims=True))
    kept = price / (1 + rows["vat_rate"].to_numpy())
    earned = objective.profit * (kept - rows["cost"].to_numpy()) + objective.revenue * kept
    return (chance * rows["units_per_choice"].to_numpy() * earned).sum(-1)


@pytest.mark.parametrize("objective", [PROFIT, Objective(1.0, 0.5), Objective(0.0, 1.0)])
def test_prices_of_unlike_rates_in_one_category_are_the_best_of_every_combination_after_vat(objective):
    artefact = small_artefact(7, segments=3, products=12, categories=3)
    catalog = with_rates(
        catalog_of(artefact).with_columns(availability=pl.lit(0.8)), RATES[[0, 0, 0, 1, 1, 1, 2, 3, 0]]
    )
    policy = a_policy(AROUND, Ladder([0.09, 0.59], None), objective)

    table = rows_of(solved(artefact, catalog, policy))

    names = artefact.products.with_row_index("row").select("row", "product_id", "reference_price", "units_per_choice")
    known = names.join(catalog, on="product_id").sort("category_id", "product_id")
    for (_,), rows in known.group_by("category_id", maintain_order=True):
        rungs = [
            [cents / 100 for cents in range(1, 2000) if cents % 100 in (9, 59) and 0.7 * x <= cents / 100 <= 1.3 * x]
            for x in rows["price"]
        ]
        every = np.array([*itertools.product(*rungs)])
        assert rows["vat_rate"].n_unique() > 1
        for segment, name in enumerate(artefact.segments["segment_id"]):
            mine = rows.select("product_id").join(table.filter(segment_id=name), on="product_id", maintain_order="left")
            found = value_of(artefact, rows, segment, mine["price"].cast(pl.Float64).to_numpy(), objective)
            best = value_of(artefact, rows, segment, every, objective).max()
            assert found == pytest.approx(best, rel=1e-5)
            if objective == PROFIT:
                assert mine["expected_profit"].sum() == pytest.approx(1000 * found, rel=1e-4)


def test_costs_with_vat_in_place_of_rates_earn_less_where_rates_differ():
    artefact = small_artefact(8, segments=4, products=24, categories=4)
    catalog = with_rates(catalog_of(artefact), RATES[[0, 2, 3]])

    ours = solved(artefact, catalog, CENTS)
    raised = catalog.with_columns(cost=pl.col("cost") * (1 + pl.col("vat_rate"))).drop("vat_rate")
    theirs = solved(artefact, raised, CENTS)

    assert (ours.cells.price != theirs.cells.price).any()
    assert tally_of(replace(ours, cells=theirs.cells)).profit_new < tally_of(ours).profit_new


@pytest.mark.parametrize("rate", [0.0, 0.07, 0.25])
def test_one_rate_for_all_is_a_higher_cost_and_a_smaller_profit(rate):
    artefact = small_artefact(9, segments=4, products=24, categories=6)
    catalog = catalog_of(artefact)
    policy = a_policy(replace(AROUND, min_margin_rate=0.2))

    taxed = rows_of(solved(artefact, with_rates(catalog, [rate]), policy))
    plain = rows_of(solved(artefact, catalog.with_columns(cost=pl.col("cost") * (1 + rate)), policy))

    same = ["segment_id", "product_id", "price", "today_price", "expected_units", "binding"]
    assert taxed.select(same).equals(plain.select(same))
    profit = taxed["expected_profit"].to_numpy() * (1 + rate)
    assert profit == pytest.approx(plain["expected_profit"].to_numpy(), rel=1e-5, abs=1e-4)


def test_a_catalog_without_rates_and_one_with_rates_of_0_have_the_same_rows():
    artefact = small_artefact(10)
    catalog = catalog_of(artefact)

    taxed, plain = (rows_of(solved(artefact, c, a_policy()), "long") for c in (with_rates(catalog, [0.0]), catalog))

    assert taxed.equals(plain)


def test_a_higher_rate_never_lowers_the_price_of_a_product_alone():
    artefact = small_artefact(11, products=12, categories=12)
    catalog = catalog_of(artefact)

    prices = [solved(artefact, with_rates(catalog, [rate]), CENTS).cells.price for rate in (0.0, 0.07, 0.19, 0.5)]

    assert all((dearer >= cheaper).all() for cheaper, dearer in itertools.pairwise(prices))
    assert (prices[-1] > prices[0]).all()


def test_the_least_margin_is_that_of_the_price_after_vat():
    artefact, catalog = one_product(price=5.0, cost=4.0)
    floor = a_policy(replace(NO_RULES, min_margin_rate=0.2), None)

    tile = solved(artefact, catalog.with_columns(vat_rate=0.19), floor)

    assert tile.problem.limits.low.tolist() == [595]  # 5.95 / 1.19 = 5.00, of which 4.00 are 80 %


@pytest.mark.parametrize("uncertainty", ["point", POSTERIOR])
def test_parts_and_vat_add_up_to_the_price_and_are_what_is_left_after_vat(uncertainty):
    artefact = with_posterior(small_artefact(12, segments=3, products=8, categories=2), 0.3)
    catalog = with_rates(catalog_of(artefact), RATES)
    tile = solved(artefact, catalog, CENTS, uncertainty=uncertainty)

    table = rows_of(tile, "long", ["parts"]).join(catalog.select("product_id", "cost", "vat_rate"), on="product_id")

    assert (table.select(pl.sum_horizontal(*PARTS, "vat")).to_series() == table["price"]).all()
    price, part = table["price"].cast(pl.Float64), {name: table[name].cast(pl.Float64) for name in (*PARTS, "vat")}
    rate = table["vat_rate"]
    assert (part["vat"] - price * rate / (1 + rate)).abs().max() <= 0.0051
    assert (part["unit_cost"] - table["cost"]).abs().max() <= 0.0051
    assert (part["shadow_price"] == 0).all()
    on_shelf = table.filter(pl.col("binding") == "none")
    assert on_shelf["adjustment"].cast(pl.Float64).abs().max() <= 0.03


def test_the_tally_counts_profit_after_vat_and_the_price_index_with_it():
    artefact = small_artefact(13, segments=3, products=8, categories=2)
    catalog = with_rates(catalog_of(artefact), RATES)
    tile = solved(artefact, catalog, CENTS)

    tally, table = tally_of(tile), rows_of(tile)

    visits = artefact.segments.select("segment_id", "visits")
    cells = table.join(visits, on="segment_id").join(catalog.select("product_id", "cost", "vat_rate"), on="product_id")
    cells = cells.with_columns(
        pl.col("price", "today_price").cast(pl.Float64), units=pl.col("expected_units") * pl.col("visits") / 1000
    )
    kept, units = cells["price"] / (1 + cells["vat_rate"]), cells["units"]
    assert tally.profit_new == pytest.approx((units * (kept - cells["cost"])).sum(), rel=1e-5)
    index = (units * cells["price"]).sum() / (units * cells["today_price"]).sum()
    assert tally.price_index == pytest.approx(index, rel=1e-5)
