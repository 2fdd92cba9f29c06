"""An explanation is said in plain sentences."""

import pytest

from gpu_pricer.explain import category_at, explain_price, explanation_lines, limit_lines
from gpu_pricer.explain.limit_effects import AddedCosts, LimitEffect
from gpu_pricer.policy.constraint import Constraint
from gpu_pricer.policy.policy import WHOLE_CENTS
from gpu_pricer.pricing.problem.pricing_problem import pricing_problem
from tests.markets import NINES, USUAL, a_policy, catalog_of, small_artefact

PARTS = {"unit_cost": 2.0, "shadow_price": 0.5}
FREE = AddedCosts(cost=2.0, objective=0.0, limits={}, stock=0.0, stock_price=0.0, stock_charge=0.0, weight=1.0)


@pytest.mark.parametrize(
    ("products", "said"),
    [
        (1, "the only product of its category"),
        (2, "the category's other product keeps its price"),
        (3, "the category's 2 other products keep their prices"),
    ],
)
def test_other_products_of_the_category_are_counted_in_words(products, said):
    artefact = small_artefact(1, segments=1, products=products, categories=1)
    problem = pricing_problem(artefact, catalog_of(artefact), a_policy())
    category = category_at(problem, 0, 0, problem.products.today.astype(float), None)
    found = explain_price(category, 0, NINES, (0.1, 99.0), None, None)

    lines = explanation_lines("It", found, "none", "EUR")

    assert f"Other prices ({said})" in lines


@pytest.mark.parametrize(("reach", "is_beyond"), [(1.0, False), (4.0, True)])
def test_prices_at_the_ends_of_what_is_allowed_are_not_marked_as_beyond(reach, is_beyond):
    artefact = small_artefact(1, segments=1, products=3, categories=1)
    problem = pricing_problem(artefact, catalog_of(artefact), a_policy(USUAL, ladder=None))
    category = category_at(problem, 0, 0, problem.products.today.astype(float), None)
    today = problem.products.today[0] / 100

    found = explain_price(category, 0, WHOLE_CENTS, (today / reach, today * reach), None, None)

    lines = explanation_lines("It", found, "none", "EUR")
    curve = lines[lines.index(next(line for line in lines if line.startswith("Demand around it"))) + 2 :]
    assert len(curve) == len(found.curve)
    assert [line[1] == "·" for line in curve] == [
        not found.low[0] <= point.price <= found.high[0] for point in found.curve
    ]
    assert (curve[0][1] == curve[-1][1] == "·") == is_beyond
    if not is_beyond:
        assert [found.curve[0].price, found.curve[-1].price] == [found.low[0], found.high[0]]


@pytest.mark.parametrize(
    ("binding", "said"),
    [
        ("none", "no rule limits this price"),
        ("ceiling", "limiting rule: ceiling of the product (ceiling)"),
        (
            "max_decrease_broken",
            "the price breaks a rule that a later one overrules: largest decrease (max_decrease_broken)",
        ),
    ],
)
def test_an_overruled_rule_is_not_said_to_set_the_price(binding, said):
    artefact = small_artefact(1, segments=1, products=1, categories=1)
    problem = pricing_problem(artefact, catalog_of(artefact), a_policy())
    category = category_at(problem, 0, 0, problem.products.today.astype(float), None)
    found = explain_price(category, 0, NINES, (0.1, 99.0), None, None)

    assert f"  {said}" in explanation_lines("It", found, binding, "EUR")


@pytest.mark.parametrize(
    ("measure", "required", "achieved", "said"),
    [
        ("units", 331_912.4, 332_000.0, "units at least 331,912, reached 332,000"),
        ("profit", 0.123456, -12.5, "profit at least 0.1235, reached -12.5"),
        ("margin_rate", 0.375, 0.37512, "margin rate at least 37.50%, reached 37.51%"),
        ("price_index", 1.0, 1.0, "price index at least 100.00%, reached 100.00%"),
    ],
)
def test_limits_are_said_in_numbers_that_a_person_reads(measure, required, achieved, said):
    effect = LimitEffect("keep", Constraint(measure, at_least=required), multiplier=0.5, per_unit=0.5)
    entry = {"measure": measure, "kind": "at_least", "required": required, "achieved": achieved}

    lines = limit_lines([effect], FREE, {"status": "met", "constraints": {"keep": entry}}, PARTS, "EUR")

    assert f"  keep requires {said}:" in lines


def test_limits_that_do_not_bind_are_said_to_add_nothing():
    _, line = limit_lines([], FREE, {"status": "optimal"}, PARTS, "EUR")

    assert line == "  No limit that includes this price is binding, so that limits add nothing to the cost."


def test_cost_that_scarce_stock_adds_is_a_sum_with_its_rule():
    scarce = FREE._replace(stock=0.5, stock_price=0.8, stock_charge=0.4, weight=0.8)

    lines = limit_lines([], scarce, {"status": "optimal"}, PARTS, "EUR")

    assert lines[1:] == [
        "  the stock is scarce: the shadow price of a unit is 0.8000 EUR, but counts 0.4000 here: no allowed price "
        "earns more than this",
        "  The price is set as if a unit cost 2.50 instead of 2.00:",
        "         +2.0000  the cost of a unit",
        "         +0.5000  its scarce stock",
        "          2.5000  = 2.50, unit cost and shadow price, in whole cents",
        "  A limit's line is its shadow price times what a unit sold at cost adds to it, divided by the weight of 1 "
        "EUR of revenue: 0.8000.",
    ]
