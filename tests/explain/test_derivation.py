"""An explanation's outcomes, runner-up and elasticity are those of the demand, counted by hand."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from gpu_pricer.explain import category_at, derivation, explain_price
from gpu_pricer.policy.objective import Objective
from gpu_pricer.pricing.problem.pricing_problem import pricing_problem
from tests.markets import NINES, USUAL, a_policy, catalog_of, small_artefact, with_dissimilarity, with_posterior
from tests.pricing.logit import category_value, dense_demand

ARTEFACT = with_dissimilarity(small_artefact(5, segments=3, products=12, categories=3), {"c1": 0.4})
DRAWN = with_posterior(ARTEFACT, 0.4)
DRAWN = replace(DRAWN, posterior=DRAWN.posterior.filter(pl.col("category_id") != "c2"))
CATALOG = catalog_of(ARTEFACT, 5)
SEGMENT = "s1"
SUPPORT = (0.1, 99.0)


def at_todays_prices(product, policy=None, artefact=ARTEFACT, uncertainty="point"):
    """The category of a product for SEGMENT at today's prices, and the product's position in the problem."""
    problem = pricing_problem(artefact, CATALOG, policy or a_policy(), uncertainty)
    at = problem.products.product_id.to_list().index(product)
    index = int(np.searchsorted(problem.products.category_start, at, side="right")) - 1
    prices = problem.products.today[problem.product_slice(index, index + 1)]
    return category_at(problem, at, problem.segments.segment_id.to_list().index(SEGMENT), prices, None), at


def neighbours(product):
    """The ids of the products of a category, and today's prices in currency."""
    names = [f"p{i:03d}" for i in range(12) if i % 3 == int(product[1:]) % 3]
    today = dict(CATALOG.select("product_id", "price").iter_rows())
    return names, np.array([today[name] for name in names])


def profit_by_hand(product, price, cost_share=1.0):
    """The category's profit per 1,000 visits of SEGMENT when a product has this price; of costs counts this share."""
    names, prices = neighbours(product)
    moved = np.where(np.array(names) == product, price, prices)
    catalog = CATALOG.with_columns(pl.col("cost") * cost_share)
    return 1000 * category_value(ARTEFACT, catalog, dense_demand(ARTEFACT).index(SEGMENT), names, moved)


def rungs(product, policy, excluded=lambda cents: False):
    """The allowed prices of a product but today's, in currency, by the policy's largest moves and endings in .x9."""
    names, prices = neighbours(product)
    today = prices[names.index(product)]
    low, high = today * (1 - policy.bounds.max_decrease), today * (1 + policy.bounds.max_increase)
    cents = [c for c in range(9, 2000, 10) if low <= c / 100 <= high and c != round(100 * today)]
    return [c / 100 for c in cents if not excluded(c / 100 / today)]


FREE = replace(USUAL, max_decrease=0.4, max_increase=0.6, min_margin_rate=None, within_support=False)


@pytest.mark.parametrize(("artefact", "uncertainty"), [(ARTEFACT, "point"), (DRAWN, "posterior")])
@pytest.mark.parametrize("product", ["p003", "p004", "p005"])
def test_outcomes_of_many_prices_are_those_of_each_price_alone(monkeypatch, product, artefact, uncertainty):
    category, at = at_todays_prices(product, None, artefact, uncertainty)
    cents = np.arange(100, 1100, 77)
    alone = [category.outcome_at(at, price) for price in cents]

    monkeypatch.setattr(derivation, "PRICES_AT_ONCE", 4)
    together = [*category.outcomes_at(at, cents)]

    for one, other in zip(alone, together, strict=True):
        assert vars(other) == pytest.approx(vars(one), rel=1e-12)
    if uncertainty == "point":
        by_hand = [profit_by_hand(product, price / 100) for price in cents]
        assert [outcome.category_profit for outcome in together] == pytest.approx(by_hand, rel=1e-5)


def test_whole_cents_are_tried_in_few_calls(monkeypatch):
    category, at = at_todays_prices("p003", a_policy(bounds=FREE, ladder=None))
    calls, choose = [], derivation.choice_probabilities
    monkeypatch.setattr(
        derivation, "choice_probabilities", lambda *inputs: calls.append(inputs[2].shape[1]) or choose(*inputs)
    )
    policy = a_policy(bounds=FREE, ladder=None)

    found = explain_price(category, at, policy.ladders[0], SUPPORT, None, None)

    assert len(found.curve) == derivation.CURVE_POINTS + 1
    assert sum(calls) > 100
    assert len(calls) < 10


def test_curve_reaches_as_far_as_rules_and_support_and_not_to_the_largest_price_there_is(monkeypatch):
    monkeypatch.setattr(derivation, "best_other_price", lambda *asked: None)  # of 1.7 million allowed prices
    today = neighbours("p003")[1][neighbours("p003")[0].index("p003")]
    ends = {}
    for name, rules in (("none", {}), ("fall", {"max_decrease": 0.4}), ("both", {"max_decrease": 0.4,
                                                                                "max_increase": 0.6})):  # fmt: skip
        bounds = replace(FREE, **({"max_decrease": None, "max_increase": None} | rules))
        category, at = at_todays_prices("p003", a_policy(bounds=bounds))

        found = explain_price(category, at, NINES, (today * 0.8, today * 1.2), None, None)

        ends[name] = [found.curve[0].price / today, found.curve[-1].price / today]

    assert ends["none"] == pytest.approx([0.8, 1.2], abs=0.01)
    assert ends["fall"] == pytest.approx([0.6, 1.2], abs=0.03)
    assert ends["both"] == pytest.approx([0.6, 1.6], abs=0.03)


@pytest.mark.parametrize("product", ["p003", "p007"])
def test_runner_up_has_the_most_of_what_the_policy_maximises(product):
    policy = a_policy(bounds=FREE, objective=Objective(profit=0.4, revenue=0.6))
    category, at = at_todays_prices(product, policy)

    found = explain_price(category, at, NINES, SUPPORT, None, None)

    value = {price: profit_by_hand(product, price, cost_share=0.4) for price in rungs(product, policy)}
    profit = {price: profit_by_hand(product, price) for price in value}
    best = max(value, key=value.__getitem__)
    assert best != max(profit, key=profit.__getitem__), "profit alone has another runner-up"
    assert found.runner_up.price == best
    assert found.runner_up.category_value == pytest.approx(value[best], rel=1e-5)
    assert found.runner_up.category_profit == pytest.approx(profit[best], rel=1e-5)


@pytest.mark.parametrize(
    ("gap", "allowed"),
    [
        (None, [512, 519, 529, 539, 547]),
        ([519, 530, 539], [512, 519, 530, 539, 547]),
        ([515, 530, 541], [512, 530, 547]),
    ],
)
def test_allowed_prices_are_rungs_and_ends_and_of_a_gap_the_middle_one(gap, allowed):
    found = derivation._allowed_prices(NINES, 512, 547, None if gap is None else np.array(gap))

    assert found.tolist() == allowed


def test_runner_up_is_no_move_that_is_too_small():
    policy = a_policy(bounds=replace(FREE, min_change=0.3))
    category, at = at_todays_prices("p000", policy)

    found = explain_price(category, at, NINES, SUPPORT, None, None)

    every = {price: profit_by_hand("p000", price) for price in rungs("p000", policy)}
    large = {p: every[p] for p in rungs("p000", policy, lambda ratio: abs(ratio - 1) < 0.3)}
    best = max(large, key=large.__getitem__)
    assert best != max(every, key=every.__getitem__), "without the rule another price is the runner-up"
    assert found.runner_up.price == best


def test_a_family_moves_without_a_product_whose_price_for_the_segment_is_set_by_hand(tmp_path):
    rows = pl.DataFrame({"product_id": ["p003"], "segment_id": [SEGMENT], "price": [3.33]})
    rows.write_csv(tmp_path / "hand.csv")
    catalog = CATALOG.with_columns(
        family_id=pl.when(pl.col("category_id") == "c0").then(pl.lit("f")),
        price=pl.when(pl.col("category_id") == "c0").then(5.0).otherwise("price"),
    )
    policy = a_policy(replace(FREE, family_column="family_id"), overrides=str(tmp_path / "hand.csv"))
    problem = pricing_problem(ARTEFACT, catalog, policy)
    names = problem.products.product_id.to_list()
    first, segment = problem.product_slice(0, 1).start, problem.segments.segment_id.to_list().index(SEGMENT)
    price = np.where(np.array(names[:4]) == "p003", 333.0, 500.0)
    category = category_at(problem, first, segment, price, None)

    found = explain_price(category, first, NINES, SUPPORT, None, None)
    by_hand = explain_price(category, names.index("p003"), NINES, SUPPORT, None, None)

    share = category.shares(price[:, None])[:, 0]
    assert found.now.units == pytest.approx(1000 * share[0] * problem.products.units_per_choice[0], rel=1e-9)
    assert found.family == ["p000", "p006", "p009"]
    assert by_hand.family == []


@pytest.mark.parametrize(("artefact", "uncertainty"), [(ARTEFACT, "point"), (DRAWN, "posterior")])
@pytest.mark.parametrize("product", ["p003", "p007", "p005"])
def test_elasticity_is_the_quotient_of_small_changes(product, artefact, uncertainty):
    category, at = at_todays_prices(product, None, artefact, uncertainty)
    cents = category.price[category.row(product=at)]

    found = explain_price(category, at, NINES, SUPPORT, None, None)

    below, above = (category.outcome_at(at, cents * (1 + sign * 1e-4)).units for sign in (-1, 1))
    assert found.elasticity == pytest.approx(np.log(above / below) / 2e-4, rel=1e-5)
