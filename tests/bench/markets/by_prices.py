"""Families that differ in what moves together with prices."""

import numpy as np

from tests.bench.markets.assortment import Assortment, draw_assortment
from tests.bench.markets.choice import Choice
from tests.bench.markets.history import Rule, draw_history, drawn_season, drawn_shock
from tests.bench.markets.market import Market, drawn_market, generator
from tests.bench.markets.people import People, drawn_tastes, one_by_one, typed_people
from tests.bench.markets.quantities import single_pieces
from tests.bench.markets.responses import Linear
from tests.bench.markets.scenario import Scenario


def displays(seed: int) -> Market:
    """Nearly every cut comes with a display that sells about as much as the cut, so that neither is seen alone."""
    of_goods, of_people, of_weeks, of_sales = generator("displays", seed).spawn(4)
    goods, people = draw_assortment(of_goods, 15, 150), typed_people(of_people, 1200, 8, (0.4, 0.9))
    season = drawn_season(of_weeks, goods, 50, 0.2)
    rule = Rule(promotion_rate=0.1, display=(0.03, 0.85))
    return drawn_market(
        Scenario(
            goods=goods,
            people=people,
            history=draw_history(of_weeks, goods, 50, rule, season),
            choice=thrifty_choice(of_people, goods, people, 2.4),
            quantity=single_pieces(goods.base),
            hidden=season,
            display=0.8,
        ),
        of_sales,
    )


def shocks_with_cost(seed: int) -> Market:
    """Regular prices answer moderate, quickly passing shocks of demand, and also costs, which the log shows."""
    of_goods, of_people, of_weeks, of_sales = generator("shocks_with_cost", seed).spawn(4)
    goods, people = draw_assortment(of_goods, 22, 200), one_by_one(of_people, 1000, (0.4, 0.9))
    season = drawn_season(of_weeks, goods, 52, 0.2)
    shock = drawn_shock(of_weeks, goods, 52, spread=0.35, persistence=0.5)
    rule = Rule(answer=0.2, cost_spread=0.08, promotion_rate=0.06)
    return drawn_market(
        Scenario(
            goods=goods,
            people=people,
            history=draw_history(of_weeks, goods, 52, rule, shock),
            choice=thrifty_choice(of_people, goods, people, 2.8),
            quantity=single_pieces(goods.base),
            hidden=season + shock,
            shows_cost=True,
        ),
        of_sales,
    )


def shocks_without_cost(seed: int) -> Market:
    """Regular prices answer strong, lasting shocks of demand, most of them a product's own, and nothing tells."""
    of_goods, of_people, of_weeks, of_sales = generator("shocks_without_cost", seed).spawn(4)
    goods, people = draw_assortment(of_goods, 20, 200), typed_people(of_people, 1400, 12, (0.35, 0.9))
    shock = drawn_shock(of_weeks, goods, 52, spread=0.6, persistence=0.9, own=0.6)
    rule = Rule(answer=0.25, promotion_rate=0.06)
    return drawn_market(
        Scenario(
            goods=goods,
            people=people,
            history=draw_history(of_weeks, goods, 52, rule, shock),
            choice=thrifty_choice(of_people, goods, people, 3.0),
            quantity=single_pieces(goods.base),
            hidden=shock,
        ),
        of_sales,
    )


def thrifty_choice(
    rng: np.random.Generator, goods: Assortment, people: People, sensitivity: float, common: float = 0.6
) -> Choice:
    """Return a linear choice of users whose log sensitivity rises with thrift around that of the category.

    common: standard deviation of the products' levels, in utility.
    """
    groups = people.count if people.kind is None else int(people.kind.max()) + 1
    group = np.arange(people.count) if people.kind is None else people.kind
    taste = drawn_tastes(rng, goods, groups, 0.45, common)[:, group]
    level = sensitivity * np.exp(rng.normal(0, 0.25, goods.categories))[goods.category]
    response = Linear(goods.base, level[:, None] * np.exp(0.45 * people.thrift))
    mean_rate = 4.5 / goods.categories
    rate = rng.uniform(0.5 * mean_rate, 1.5 * mean_rate, goods.categories)
    return Choice(goods.start, taste, response).at_rates(rate, goods.base)
