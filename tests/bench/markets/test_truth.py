"""The log of a market follows its truth."""

import numpy as np
import pytest

from tests.bench.markets.market import drawn_market
from tests.bench.markets.quantities import Weights
from tests.bench.markets.responses import Linear, Logarithmic, Remembering, Stepped
from tests.bench.markets.sales import chosen, draw_lines
from tests.bench.markets.small import small_scenario


def expected(scenario):
    """The probability [W, P, U] that a user comes and takes a product."""
    chance = [
        scenario.choice.probability(paid[:, None], scenario.week_state(week))
        for week, paid in enumerate(scenario.history.paid)
    ]
    return np.array(chance) * scenario.people.visit_rate


def test_purchases_follow_the_probabilities_of_the_truth():
    scenario = small_scenario(3, users=300, weeks=30)
    probability = expected(scenario)

    lines = draw_lines(scenario, np.random.default_rng(4))

    count = np.zeros(probability.shape[:2])
    np.add.at(count, (lines.week, lines.product), 1)
    deviation = np.sqrt((probability * (1 - probability)).sum(axis=2))
    assert (count[probability.sum(axis=2) == 0] == 0).all()
    seen = deviation > 0
    score = (count - probability.sum(axis=2))[seen] / deviation[seen]
    assert np.abs(score).max() < 4.5
    assert (score**2).mean() == pytest.approx(1, abs=0.3)


def test_units_follow_the_expected_quantity():
    scenario = small_scenario(3, users=300, weeks=30)
    mean = np.array([scenario.quantity.mean(paid[:, None]).mean(axis=1) for paid in scenario.history.paid])
    units = (expected(scenario).sum(axis=2) * mean).sum(axis=0)

    lines = draw_lines(scenario, np.random.default_rng(4))

    assert np.bincount(lines.product, lines.quantity) == pytest.approx(units, rel=0.1)


def test_weighed_goods_weigh_what_they_should_on_average():
    quantity, product = Weights(np.array([0.5, 0.0])), np.repeat([0, 1], 5000)

    drawn = quantity.draw(quantity.mean(np.ones((2, 1)))[product, 0], product, np.random.default_rng(0))

    assert drawn[product == 0].mean() == pytest.approx(0.5, rel=0.03)
    assert (drawn[product == 1] == 1).all()


def test_certain_choices_are_the_ones_chosen():
    probability = np.array([[1.0, 0.0], [0.0, 0.0], [0.0, 1.0], [0.0, 0.0], [1.0, 0.0]])

    product, visit = chosen(probability, np.array([0, 2, 5]), np.random.default_rng(0))

    assert {*zip(product.tolist(), visit.tolist(), strict=True)} == {(0, 0), (4, 0), (2, 1)}


def test_elasticity_of_a_logit_is_its_formula():
    truth = drawn_market(small_scenario(5), np.random.default_rng(0)).truth
    price = truth.today[:, None]
    linear = truth.choice.response
    formula = (
        -linear.sensitivity * price / linear.base[:, None] * (1 - truth.choice.probability(price, truth.week_state))
    )
    mean = truth.quantity.mean(price)
    formula -= (mean - 1) / mean

    assert truth.elasticity(price) == pytest.approx(formula, rel=0.01)


def test_profit_counts_margins_units_and_visits():
    truth = drawn_market(small_scenario(5), np.random.default_rng(0)).truth
    price = truth.today[:, None]

    margin = (price - truth.unit_cost[:, None]) * truth.units(price) / 100
    assert truth.profit(price) == pytest.approx(1000 * (margin @ truth.visits).sum() / truth.visits.sum())


def test_one_user_stands_for_a_type_whose_users_are_alike():
    truth = drawn_market(small_scenario(5), np.random.default_rng(0)).truth
    price = 0.9 * truth.today[:, None]

    condensed = truth.condensed()

    assert len(condensed.visits) == 3
    assert condensed.profit(price) == pytest.approx(truth.profit(price), rel=1e-12)


def test_hidden_demand_is_the_shock_of_every_week():
    scenario = small_scenario(5)

    hidden = drawn_market(scenario, np.random.default_rng(0)).truth.hidden

    one = hidden.filter(product_id=scenario.goods.product_id[2]).sort("period")
    assert one["shock"].to_numpy() == pytest.approx(scenario.hidden[:-1, 2])
    assert one["period"].diff().drop_nulls().dt.total_days().unique().to_list() == [7]


@pytest.mark.parametrize(
    "response",
    [
        Linear(np.array([200.0]), np.array([[2.0]])),
        Logarithmic(np.array([200.0]), np.array([[2.0]])),
        Remembering(np.array([200.0]), np.array([[2.0]]), zone=0.03, aversion=1.5, level=0.5),
        Stepped(np.array([200.0]), np.array([[2.0]]), np.array([0.3])),
    ],
    ids=lambda response: type(response).__name__,
)
def test_utility_falls_with_the_price_and_is_none_at_the_usual_price(response):
    price = np.arange(100.0, 320.0, 10.0)

    utility = np.array([response.utility(np.array([[x]]), np.array([200.0]))[0, 0] for x in price])

    assert (np.diff(utility) < 0).all()
    assert utility[price == 200] == pytest.approx(0)
