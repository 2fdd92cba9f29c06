"""An explanation is said in plain sentences."""

from math import isnan, nan

import polars as pl
import pytest

from gpu_pricer.explain import category_at, explain_price, explanation_lines, limit_lines
from gpu_pricer.explain.limit_effects import AddedCosts, LimitEffect
from gpu_pricer.explain.text import cost_words
from gpu_pricer.policy.constraint import Constraint
from gpu_pricer.policy.policy import WHOLE_CENTS
from gpu_pricer.pricing.problem.pricing_problem import pricing_problem
from gpu_pricer.versions.appraisal.assumed_cost import assumed_share
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
        ("none", "no rule for single prices limits this price"),
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
        "          2.5000  = 2.50, unit cost and effect of the limits, in whole cents",
        "  A limit's line is its shadow price times what a unit sold at cost adds to it, divided by the weight of 1 "
        "EUR of revenue: 0.8000.",
    ]


def explained(parts, added=None, unit_cost="unit cost: what a unit costs"):
    """The lines on a price with these parts."""
    artefact = small_artefact(1, segments=1, products=1, categories=1)
    problem = pricing_problem(artefact, catalog_of(artefact), a_policy())
    category = category_at(problem, 0, 0, problem.products.today.astype(float), None)
    found = explain_price(category, 0, NINES, (0.1, 99.0), parts, None)
    return explanation_lines("It", found, "none", "EUR", added, unit_cost)


REST = {"sensitivity_markup": 1.0, "opportunity_value": 0.1, "adjustment": 0.0}


@pytest.mark.parametrize(
    ("effect", "added", "said"),
    [
        (
            -1.91,
            FREE._replace(limits={"no_dearer[DAIRY]": -1.95, "units": 0.04}),
            "the limits on the assortment push it down: they count as 1.91 EUR less cost (no_dearer[DAIRY] -1.9500, "
            "units +0.0400)",
        ),
        (0.5, FREE._replace(stock=0.5), "the limits on the assortment push it up: they count as 0.50 EUR more cost "
                                        "(its scarce stock +0.5000)"),
        (-0.3, None, "the policy's weight of revenue pushes it down: it counts as 0.30 EUR less cost"),
        (0.0, FREE, None),
    ],
)  # fmt: skip
def test_limits_on_the_assortment_that_move_a_price_are_said_where_no_rule_limits_it(effect, added, said):
    lines = explained({"unit_cost": 2.0, "shadow_price": effect} | REST, added)

    rule = lines.index("  no rule for single prices limits this price")
    assert ([line.strip() for line in lines if "count as" in line or "counts as" in line]) == ([said] if said else [])
    assert said is None or lines[rule + 1] == f"  {said}"


@pytest.mark.parametrize(
    ("share", "said"),
    [
        (None, "unit cost: what a unit costs"),
        (0.65, "unit cost, assumed: 65 % of the list price, because the products table has no cost"),
        (0.625, "unit cost, assumed: 62.5 % of the list price, because the products table has no cost"),
        (nan, "unit cost, assumed: a configured share of the list price, because the products table has no cost"),
    ],
)
def test_assumed_cost_is_not_said_as_a_fact(share, said):
    lines = explained({"unit_cost": 2.0, "shadow_price": 0.0} | REST, None, cost_words(share))

    assert f"       +2.00  {said}" in lines


@pytest.mark.parametrize(("listed", "share"), [(4.0, 0.65), (None, 0.5)])
def test_share_of_an_assumed_cost_is_of_the_list_price_without_vat(tmp_path, listed, share):
    cost = share * (listed or 5.0) / 1.25
    priced = pl.DataFrame(
        {"product_id": ["a", "b"], "price": [5.0, 5.0], "cost": [cost, 1.0], "vat_rate": [0.25, 0.25],
         "cost_source": ["assumed", "given"]}
    )  # fmt: skip
    shop = priced.with_columns(list_price=pl.lit(listed, pl.Float64))
    shop.write_parquet(tmp_path / "products.parquet")

    assert assumed_share(shop, tmp_path / "none.parquet", "a") == pytest.approx(share)
    assert assumed_share(priced, tmp_path / "products.parquet", "a") == pytest.approx(share)
    assert isnan(assumed_share(priced, tmp_path / "none.parquet", "a"))
    assert isnan(assumed_share(priced.with_columns(cost=pl.lit(2.22)), tmp_path / "products.parquet", "a"))
    assert assumed_share(priced, tmp_path / "none.parquet", "b") is None


@pytest.mark.parametrize("unsold", ["", "The prepared log has no sale of this product: so."])
def test_a_product_that_was_never_sold_is_said_to_be_one(unsold):
    artefact = small_artefact(1, segments=1, products=2, categories=1)
    problem = pricing_problem(artefact, catalog_of(artefact), a_policy())
    category = category_at(problem, 0, 0, problem.products.today.astype(float), None)
    found = explain_price(category, 0, NINES, (1.0, 9.0), None, None)

    lines = explanation_lines("It", found, "none", "EUR", unsold=unsold)

    assert lines[1 : 2 + bool(unsold)] == [*([unsold] if unsold else []), ""]
    level = f"{found.reference_price:.2f}"
    of_others = (
        "  no sale of this product taught the demand: prices of other products, scaled to its level of "
        f"{level}, cover 1.00 to 9.00"
    )
    own = f"  demand was learned from prices of 1.00 to 9.00, around {level}"
    assert [line for line in lines if "1.00 to 9.00" in line] == [of_others if unsold else own]
