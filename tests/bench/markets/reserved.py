"""The reserved families of the zoo, by name: nobody looks at them, or at what they give, before the last judgement."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from tests.bench.markets.assortment import draw_assortment
from tests.bench.markets.by_prices import thrifty_choice
from tests.bench.markets.choice import Choice
from tests.bench.markets.history import Rule, draw_history, drawn_season, drawn_shock
from tests.bench.markets.market import Market, drawn_market, generator
from tests.bench.markets.people import People, drawn_tastes, one_by_one
from tests.bench.markets.quantities import Pieces, single_pieces
from tests.bench.markets.responses import Linear, Logarithmic, Stepped
from tests.bench.markets.scenario import Scenario


def deal_seekers(seed: int) -> Market:
    """Sensitivity is bimodal: a third seeks deals and the rest hardly looks at prices, whatever they like to eat."""
    of_goods, of_people, of_weeks, of_sales = generator("deal_seekers", seed).spawn(4)
    goods, people = draw_assortment(of_goods, 12, 120), one_by_one(of_people, 1000, (0.4, 0.9))
    seeks = of_people.random(people.count) < 0.35
    own = of_people.normal(0, 0.15, people.count)
    sensitivity = np.where(seeks, 5.0, 1.3) * np.exp(own + of_people.normal(0, 0.15, (12, 1)))[goods.category]
    taste = drawn_tastes(of_people, goods, people.count, 0.5)
    season = drawn_season(of_weeks, goods, 40, 0.2)
    return drawn_market(
        Scenario(
            goods=goods,
            people=replace(people, thrift=0.3 * (seeks - 0.35) + of_people.normal(0, 0.7, people.count)),
            history=draw_history(of_weeks, goods, 40, Rule(), season),
            choice=Choice(goods.start, taste, Linear(goods.base, sensitivity)).at_rates(
                of_people.uniform(0.2, 0.5, goods.categories), goods.base
            ),
            quantity=single_pieces(goods.base),
            hidden=season,
        ),
        of_sales,
    )


def few_and_many(seed: int) -> Market:
    """A tenth of the users comes weekly and fills the log; all others come now and then, and respond on their own."""
    of_goods, of_people, of_weeks, of_sales = generator("few_and_many", seed).spawn(4)
    goods = draw_assortment(of_goods, 26, 234)
    comes_often = of_people.random(1600) < 0.1
    rate = np.where(comes_often, of_people.uniform(0.8, 1.0, 1600), of_people.uniform(0.02, 0.2, 1600))
    people = People(rate, of_people.standard_normal(1600) - 0.4 * comes_often)
    season = drawn_season(of_weeks, goods, 52, 0.2)
    return drawn_market(
        Scenario(
            goods=goods,
            people=people,
            history=draw_history(of_weeks, goods, 52, Rule(), season),
            choice=thrifty_choice(of_people, goods, people, 2.6),
            quantity=single_pieces(goods.base),
            hidden=season,
        ),
        of_sales,
    )


def stocking_up(seed: int) -> Market:
    """Half of the response is in the number of units: low prices fill the cupboards of those who have the room."""
    of_goods, of_people, of_weeks, of_sales = generator("stocking_up", seed).spawn(4)
    goods, people = draw_assortment(of_goods, 16, 140), one_by_one(of_people, 1000, (0.4, 0.9))
    extra = of_goods.uniform(0.4, 1.2, goods.categories)[goods.category]
    season = drawn_season(of_weeks, goods, 46, 0.2)
    return drawn_market(
        Scenario(
            goods=goods,
            people=people,
            history=draw_history(of_weeks, goods, 46, Rule(), season),
            choice=thrifty_choice(of_people, goods, people, 1.6),
            quantity=Pieces(goods.base, extra, 2.5 * np.exp(0.4 * people.thrift)),
            hidden=season,
        ),
        of_sales,
    )


def left_digits(seed: int) -> Market:
    """No logit: shoppers rather switch than leave (dissimilarity 0.5), and read prices from the left."""
    of_goods, of_people, of_weeks, of_sales = generator("left_digits", seed).spawn(4)
    goods, people = draw_assortment(of_goods, 10, 100, margin=(0.58, 0.7)), one_by_one(of_people, 800, (0.5, 0.9))
    taste = drawn_tastes(of_people, goods, people.count, 0.6)
    level = 3.6 * np.exp(of_people.normal(0, 0.2, goods.categories))[goods.category, None]
    response = Stepped(goods.base, level * np.exp(0.5 * people.thrift), of_people.uniform(0, 0.35, people.count))
    choice = Choice(goods.start, taste, response, dissimilarity=0.5)
    season = drawn_season(of_weeks, goods, 36, 0.2)
    return drawn_market(
        Scenario(
            goods=goods,
            people=people,
            history=draw_history(of_weeks, goods, 36, Rule(promotion_rate=0.1), season),
            choice=choice.at_rates(of_people.uniform(0.3, 0.6, goods.categories), goods.base),
            quantity=single_pieces(goods.base),
            hidden=season,
        ),
        of_sales,
    )


def quick_shocks(seed: int) -> Market:
    """Regular prices answer shocks that pass within weeks, of products more than of categories, and nothing tells."""
    of_goods, of_people, of_weeks, of_sales = generator("quick_shocks", seed).spawn(4)
    goods, people = draw_assortment(of_goods, 36, 300), one_by_one(of_people, 700, (0.5, 0.95))
    taste = drawn_tastes(of_people, goods, people.count, 0.4)
    level = 2.4 * np.exp(of_people.normal(0, 0.3, goods.categories))[goods.category, None]
    response = Logarithmic(goods.base, level * np.exp(0.5 * people.thrift))
    shock = drawn_shock(of_weeks, goods, 32, spread=0.4, persistence=0.3, own=0.8)
    rule = Rule(answer=0.25, promotion_rate=0.1)
    return drawn_market(
        Scenario(
            goods=goods,
            people=people,
            history=draw_history(of_weeks, goods, 32, rule, shock),
            choice=Choice(goods.start, taste, response).at_rates(
                of_people.uniform(0.08, 0.25, goods.categories), goods.base
            ),
            quantity=single_pieces(goods.base),
            hidden=shock + drawn_season(of_weeks, goods, 32, 0.2),
        ),
        of_sales,
    )


RESERVED: dict[str, Callable[[int], Market]] = {
    family.__name__: family for family in (deal_seekers, few_and_many, stocking_up, left_digits, quick_shocks)
}
