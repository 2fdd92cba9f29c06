"""Families that differ in what is sold, and one whose shoppers follow no logit of prices."""

from dataclasses import replace

import numpy as np

from tests.bench.markets.assortment import draw_assortment
from tests.bench.markets.by_prices import thrifty_choice
from tests.bench.markets.choice import Choice
from tests.bench.markets.history import Rule, draw_history, drawn_season
from tests.bench.markets.market import Market, drawn_market, generator
from tests.bench.markets.people import drawn_tastes, one_by_one
from tests.bench.markets.quantities import Weights, single_pieces
from tests.bench.markets.responses import Linear, Remembering
from tests.bench.markets.scenario import Scenario


def new_products(seed: int) -> Market:
    """A fifth of the products came in the last eight weeks and a tenth never sold; their brands tell what they are."""
    of_goods, of_people, of_weeks, of_sales = generator("new_products", seed).spawn(4)
    goods, people = draw_assortment(of_goods, 16, 200, brands=7), one_by_one(of_people, 1000, (0.35, 0.9))
    weeks, turn = 45, of_goods.random(goods.products)
    arrival = np.where(turn < 0.1, weeks, np.where(turn < 0.3, weeks - of_goods.integers(1, 9, goods.products), 0))
    taste = drawn_tastes(of_people, goods, people.count, 0.5, common=0.25)
    of_brand = of_people.normal(0, 0.35, goods.brand.max() + 1)[goods.brand]
    sensitivity = 2.6 * np.exp((of_brand - 0.2 * goods.tier)[:, None] + 0.45 * people.thrift)
    season = drawn_season(of_weeks, goods, weeks, 0.2)
    return drawn_market(
        Scenario(
            goods=goods,
            people=people,
            history=draw_history(of_weeks, goods, weeks, Rule(), season),
            choice=Choice(goods.start, taste, Linear(goods.base, sensitivity)).at_rates(
                of_people.uniform(0.15, 0.4, goods.categories), goods.base
            ),
            quantity=single_pieces(goods.base),
            hidden=season,
            on_shelf=np.arange(weeks)[:, None] >= arrival,
        ),
        of_sales,
    )


def by_weight(seed: int) -> Market:
    """Half of the categories are weighed: a line holds kilograms, and its unit price is the rounded spend over them."""
    of_goods, of_people, of_weeks, of_sales = generator("by_weight", seed).spawn(4)
    goods, people = draw_assortment(of_goods, 14, 110), one_by_one(of_people, 900, (0.4, 0.9))
    is_weighed = (of_goods.permutation(goods.categories) < goods.categories // 2)[goods.category]
    weight = np.where(is_weighed, of_goods.uniform(0.25, 1.2, goods.categories)[goods.category], 0.0)
    season = drawn_season(of_weeks, goods, 40, 0.3)
    return drawn_market(
        Scenario(
            goods=goods,
            people=people,
            history=draw_history(of_weeks, goods, 40, Rule(), season),
            choice=thrifty_choice(of_people, goods, people, 2.6),
            quantity=Weights(weight),
            hidden=season,
        ),
        of_sales,
    )


def rarely_sold(seed: int) -> Market:
    """A long tail: most products sell less than once a week, and a week without a sale does not show the price."""
    of_goods, of_people, of_weeks, of_sales = generator("rarely_sold", seed).spawn(4)
    goods, people = draw_assortment(of_goods, 16, 340), one_by_one(of_people, 800, (0.02, 0.12))
    season = drawn_season(of_weeks, goods, 60, 0.2)
    return drawn_market(
        Scenario(
            goods=goods,
            people=people,
            history=draw_history(of_weeks, goods, 60, Rule(), season),
            choice=thrifty_choice(of_people, goods, people, 2.6, common=1.1),
            quantity=single_pieces(goods.base),
            hidden=season,
        ),
        of_sales,
    )


def remembered_prices(seed: int) -> Market:
    """No logit of the price: shoppers compare with the price they remember, overlook small moves and hate rises."""
    of_goods, of_people, of_weeks, of_sales = generator("remembered_prices", seed).spawn(4)
    goods, people = draw_assortment(of_goods, 14, 126), one_by_one(of_people, 1100, (0.4, 0.9))
    season = drawn_season(of_weeks, goods, 52, 0.2)
    choice = thrifty_choice(of_people, goods, people, 2.2)
    response = Remembering(goods.base, choice.response.sensitivity, zone=0.03, aversion=1.5, level=0.5)
    return drawn_market(
        Scenario(
            goods=goods,
            people=people,
            history=draw_history(of_weeks, goods, 52, Rule(promotion_rate=0.12), season),
            choice=replace(choice, response=response),
            quantity=single_pieces(goods.base),
            hidden=season,
        ),
        of_sales,
    )
