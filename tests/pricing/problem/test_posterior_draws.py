"""uncertainty=posterior: prices that earn most on average over the draws, and what their rows then say."""

import itertools
import logging
from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from gpu_pricer.constraints.rule_costs import rule_costs
from gpu_pricer.errors import InputError
from gpu_pricer.policy.ladder import Ladder
from gpu_pricer.policy.objective import Objective
from gpu_pricer.pricing.problem.posterior_draws import POINT, POSTERIOR, posterior_draws
from gpu_pricer.pricing.problem.pricing_problem import pricing_problem
from gpu_pricer.pricing.tiles.solved_tile import solve_tile
from gpu_pricer.pricing.tiles.solving import choose_changes
from gpu_pricer.pricing.tiles.tally import tally_of
from gpu_pricer.pricing.tiling import Tiling
from gpu_pricer.tables.artefact.demand_tables import Posterior
from gpu_pricer.tables.price_table import PARTS
from tests.markets import NO_RULES, USUAL, a_policy, catalog_of, small_artefact, with_posterior, with_stand_ins
from tests.pricing.logit import category_value, dense_demand
from tests.pricing.test_guardrails import with_families
from tests.pricing.tile_file import rows_of

HALVES = Ladder([0.09, 0.59], None)
WIDE = replace(NO_RULES, max_decrease=0.4, max_increase=0.5)


def solved(artefact, policy, uncertainty=POSTERIOR):
    problem = pricing_problem(artefact, catalog_of(artefact), policy, uncertainty)
    last = len(problem.products.category_start) - 1
    return solve_tile(choose_changes(problem, iter([(0, last)]), "cpu"), 0, last, "cpu")


def priced(artefact, policy, uncertainty=POSTERIOR, details=()):
    return rows_of(solved(artefact, policy, uncertainty), "long", list(details)).sort("segment_id", "product_id")


def drawn(artefact):
    """The dense artefact once per draw, its sensitivities being the draw's."""
    segment = {name: s for s, name in enumerate(artefact.segments["segment_id"])}
    for (_,), rows in artefact.posterior.group_by("draw", maintain_order=True):
        factor = np.ones_like(artefact.factors["sensitivity"])
        for name, category, _, deviation in rows.iter_rows():
            mine = (artefact.products["category_id"] == category).to_numpy()
            factor[segment[name], mine] = np.exp(deviation)
        yield replace(artefact, factors=artefact.factors | {"sensitivity": artefact.factors["sensitivity"] * factor})


def dense(seed, spread=0.6, **sizes):
    artefact = with_posterior(small_artefact(seed, form="dense", **sizes), spread)
    return replace(artefact, products=artefact.products.with_columns(availability=pl.lit(0.9)))


@pytest.mark.parametrize("seed", range(3))
def test_no_combination_of_rungs_earns_more_on_average(seed):
    artefact = dense(seed, segments=3, products=6, categories=2)
    catalog = catalog_of(artefact)

    table = priced(artefact, a_policy(WIDE, HALVES))
    plain = priced(artefact, a_policy(WIDE, HALVES), POINT)

    assert not table["price"].equals(plain["price"])
    today = dict(catalog.select("product_id", "price").iter_rows())
    for (_,), products in artefact.products.group_by("category_id"):
        names = sorted(products["product_id"])
        rungs = [[c for c in range(9, 2000, 50) if 0.6 * today[name] <= c / 100 <= 1.5 * today[name]] for name in names]
        every = np.array(list(itertools.product(*rungs)), float) / 100
        for segment, s in dense_demand(artefact).segments():
            mine = table.filter(pl.col("product_id").is_in(names), segment_id=segment)
            ours = mine["price"].cast(pl.Float64).to_numpy()
            values = np.mean([category_value(one, catalog, s, names, every) for one in drawn(artefact)], axis=0)
            at_ours = np.mean([category_value(one, catalog, s, names, ours) for one in drawn(artefact)])
            assert at_ours == pytest.approx(values.max(), rel=1e-6)
            assert mine["expected_profit"].sum() == pytest.approx(1000 * at_ours, rel=1e-5)


@pytest.mark.parametrize("form", ["factors", "dense"])
@pytest.mark.parametrize("objective", [Objective(1.0, 0.0), Objective(0.5, 1.0)])
def test_posterior_without_spread_changes_no_price_and_no_rule(form, objective):
    artefact = with_posterior(small_artefact(21, form=form), 0.0)
    policy = a_policy(objective=objective)

    certain, plain = priced(artefact, policy), priced(artefact, policy, POINT)

    exact = ["segment_id", "product_id", "price", "binding"]
    assert certain.select(exact).equals(plain.select(exact))
    for name in ("expected_units", "expected_profit"):
        assert certain[name].to_numpy() == pytest.approx(plain[name].to_numpy(), rel=1e-4, abs=1e-4)


def test_expected_profit_is_never_below_that_of_the_plain_prices():
    artefact = with_posterior(small_artefact(22, segments=12), 0.8)

    problem = pricing_problem(artefact, catalog_of(artefact), a_policy(), POSTERIOR)
    ours, plain = (solved(artefact, a_policy(), uncertainty) for uncertainty in (POSTERIOR, POINT))
    cost, per_choice = problem.products.cost[:, None], problem.products.units_per_choice[:, None]

    def profit(price):
        totals = problem.totals(ours.demand, 0, ours.last, price)
        return float((per_choice * (totals.revenue / 100 - cost * totals.chosen)).sum())

    assert profit(ours.cells.price) > profit(plain.cells.price)
    assert tally_of(ours).profit_new == pytest.approx(profit(ours.cells.price))
    assert tally_of(ours).profit_today == pytest.approx(profit(problem.products.today[:, None]))
    rows = rows_of(ours).join(artefact.segments, on="segment_id")
    assert (rows["expected_profit"] * rows["visits"] / 1000).sum() == pytest.approx(profit(ours.cells.price), rel=1e-5)


def test_interval_of_profit_holds_nine_draws_in_ten():
    artefact = dense(23, segments=3, products=6, categories=2)
    catalog = catalog_of(artefact)

    table = priced(artefact, a_policy(), details=["interval"])

    for (_,), products in artefact.products.group_by("category_id"):
        names = sorted(products["product_id"])
        known = products.join(catalog.select("product_id", "cost"), on="product_id").sort("product_id")
        for segment, s in dense_demand(artefact).segments():
            mine = table.filter(pl.col("product_id").is_in(names), segment_id=segment)
            price = mine["price"].cast(pl.Float64).to_numpy()
            profits = []
            for one in drawn(artefact):
                row = [artefact.products["product_id"].to_list().index(name) for name in names]
                a, b = one.factors["appeal"][s, row], one.factors["sensitivity"][s, row]
                odds = 0.9 * np.exp(a - b * (price / known["reference_price"].to_numpy() - 1.0))
                margin = known["units_per_choice"].to_numpy() * (price - known["cost"].to_numpy())
                profits.append(1000 * margin * odds / (1 + odds.sum()))
            ends = np.sort(np.quantile(profits, [0.05, 0.95], axis=0), axis=0)
            assert mine["profit_low"].to_numpy() == pytest.approx(ends[0], rel=1e-4)
            assert mine["profit_high"].to_numpy() == pytest.approx(ends[1], rel=1e-4)


def test_parts_add_up_and_leave_an_interior_price_nothing_but_the_cent():
    artefact = with_posterior(small_artefact(24), 0.5)

    table = priced(artefact, a_policy(NO_RULES, None), details=["parts"])

    assert (table.select(pl.sum_horizontal(PARTS)).to_series() == table["price"]).all()
    assert table.filter(binding="none")["adjustment"].cast(pl.Float64).abs().max() <= 0.03


def test_prices_set_by_hand_stay(tmp_path):
    artefact = with_posterior(small_artefact(25), 0.8)
    by_hand = {"product_id": ["p001", "p002"], "segment_id": [None, "s1"], "price": [3.33, 2.22]}
    pl.DataFrame(by_hand).write_parquet(tmp_path / "x.parquet")

    table = priced(artefact, a_policy(overrides=str(tmp_path / "x.parquet")))

    fixed = table.filter(binding="override")
    assert fixed.filter(product_id="p001")["price"].cast(pl.Float64).to_list() == [3.33] * 5
    assert fixed.filter(product_id="p002")["price"].cast(pl.Float64).to_list() == [2.22]


def test_budget_of_changes_is_kept():
    artefact = with_posterior(small_artefact(26), 0.6)

    table = priced(artefact, a_policy(replace(USUAL, max_changes=15)))

    assert table.filter(pl.col("price") != pl.col("today_price")).height <= 15
    assert "max_changes" in table["binding"]


def test_category_without_draws_is_priced_for_certain_and_said(caplog):
    artefact = with_posterior(small_artefact(27), 0.8)
    artefact = replace(artefact, posterior=artefact.posterior.filter(pl.col("category_id") == "c0"))

    with caplog.at_level(logging.WARNING):
        table = priced(artefact, a_policy())

    assert "5 of 6 categories have no draws in posterior.parquet" in caplog.text
    others = pl.col("product_id").str.slice(1).cast(pl.Int32) % 6 != 0
    plain = priced(artefact, a_policy(), POINT)
    assert table.filter(others)["price"].equals(plain.filter(others)["price"])
    assert not table["price"].equals(plain["price"])


def test_categories_without_draws_of_their_own_have_those_of_stand_ins(caplog):
    """They share few of them, by their ids, and have the same ones beside other categories."""
    artefact = with_stand_ins(with_posterior(small_artefact(28), 0.8), ["c0", "c3"], 3, 0.8)
    names = pl.Series([f"c{k}" for k in range(6)])

    draws = posterior_draws(artefact, names)
    fewer = posterior_draws(artefact, names[1:3])

    assert draws.row[[0, 3]].tolist() == [0, 1]
    others = draws.row[[1, 2, 4, 5]]
    assert ((others >= 2) & (others < 5)).all()
    assert len(np.unique(others)) > 1
    assert caplog.messages == []
    by_name = artefact.posterior.sort("segment_id", "draw")
    for category, row in zip(names, draws.row, strict=True):
        key = {"category_id": category} if row < 2 else {"stand_in": row - 2}
        expected = by_name.filter(**key)["log_deviation"].exp().to_numpy().reshape(draws.factor.shape[1:])
        np.testing.assert_allclose(draws.factor[row], expected, rtol=1e-6)
    np.testing.assert_array_equal(fewer.factor[fewer.row], draws.factor[draws.row[1:3]])


def test_stand_ins_with_fewer_draws_are_refused():
    artefact = with_stand_ins(with_posterior(small_artefact(28), 0.8), ["c0"], 3, 0.8)
    fewer = artefact.posterior.filter(pl.col("stand_in").is_null() | (pl.col("draw") > 0))

    with pytest.raises(InputError, match="as many draws of stand-ins as of categories, found 19 and 20: train again"):
        posterior_draws(replace(artefact, posterior=fewer), pl.Series(["c0", "c1"]))


def test_a_row_of_the_posterior_is_of_a_category_or_of_a_stand_in():
    rows = with_stand_ins(with_posterior(small_artefact(28), 0.8), ["c0"], 1, 0.8).posterior
    unlike = rows.with_columns(stand_in=pl.lit(0))

    assert Posterior.is_valid(rows, cast=True)
    assert not Posterior.is_valid(unlike, cast=True)


def test_stand_ins_change_prices_where_the_log_taught_nothing():
    artefact = with_posterior(small_artefact(27), 0.8)
    alone = replace(artefact, posterior=artefact.posterior.filter(pl.col("category_id") == "c0"))

    known, unlike = (priced(one, a_policy()) for one in (alone, with_stand_ins(artefact, ["c0"], 3, 0.8)))

    others = pl.col("product_id").str.slice(1).cast(pl.Int32) % 6 != 0
    assert known.filter(~others)["price"].equals(unlike.filter(~others)["price"])
    assert not known.filter(others)["price"].equals(unlike.filter(others)["price"])


def test_rules_cost_what_they_cost_on_average():
    artefact = with_posterior(small_artefact(28), 0.5)
    tiles = Tiling("long", 60, 2, None, 1)

    found = rule_costs(artefact, catalog_of(artefact), a_policy(), tiles, "cpu", uncertainty=POSTERIOR)

    assert found["objective"] == pytest.approx(tally_of(solved(artefact, a_policy())).profit_new, rel=1e-5)


FLOOR = {"floor": {"measure": "units", "at_least": 0.98, "relative_to": "current_prices"}}


@pytest.mark.parametrize(
    ("policy", "name"),
    [
        (a_policy(constraints=FLOOR), "policy.constraints"),
        (a_policy(replace(USUAL, max_segment_ratio=1.2)), "policy.bounds.max_segment_ratio"),
        (a_policy(replace(USUAL, family_column="family_id")), "policy.bounds.family_column"),
    ],
)
def test_rules_that_know_one_demand_only_are_refused(policy, name):
    artefact = with_posterior(small_artefact(29), 0.5)
    catalog = with_families(catalog_of(artefact), {"a": ["p000", "p006"]})

    with pytest.raises(InputError, match=f"uncertainty=posterior cannot price beside {name}, found it set"):
        pricing_problem(artefact, catalog, policy, POSTERIOR)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda _: None, "uncertainty=posterior needs a demand artefact with posterior.parquet, found none"),
        (lambda p: p.filter(~((p["draw"] == 3) & (p["segment_id"] == "s1"))), "every draw once for each segment"),
        (lambda p: pl.concat([p, p.head(1)]), "every draw once for each segment of a category, found 601 rows"),
        (lambda p: p.with_columns(segment_id=pl.lit(1)), "segment_id as in segments.parquet, found Int32"),
        (lambda p: p.with_columns(log_deviation=pl.lit(np.nan, pl.Float32)), "log_deviation within ± 20, found nan"),
        (lambda p: p.with_columns(pl.col("log_deviation") * 1e6), "log_deviation within ± 20, found"),
    ],
)
def test_posterior_that_does_not_fit_is_refused(change, message):
    artefact = with_posterior(small_artefact(30), 0.5)
    broken = replace(artefact, posterior=change(artefact.posterior))

    with pytest.raises(InputError, match=message):
        pricing_problem(broken, catalog_of(artefact), a_policy(), POSTERIOR)
