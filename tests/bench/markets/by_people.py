"""Families that differ in how users differ."""

import numpy as np

from tests.bench.markets.assortment import draw_assortment
from tests.bench.markets.choice import Choice
from tests.bench.markets.history import Rule, draw_history, drawn_season, persistent
from tests.bench.markets.market import Market, drawn_market, generator
from tests.bench.markets.people import drawn_tastes, one_by_one, typed_people
from tests.bench.markets.quantities import single_pieces
from tests.bench.markets.responses import Linear, Logarithmic
from tests.bench.markets.scenario import Drift, Scenario


def lognormal_types(seed: int) -> Market:
    """Ten types whose sensitivity is log-normal and whose tastes follow from the type: the case that segments fit."""
    of_goods, of_people, of_weeks, of_sales = generator("lognormal_types", seed).spawn(4)
    goods, people = draw_assortment(of_goods, 24, 240), typed_people(of_people, 1500, 10, (0.35, 0.9))
    taste = drawn_tastes(of_people, goods, 10, 0.5)
    noise = of_people.normal(0, 0.2, (goods.categories, 1)) + of_people.normal(0, 0.1, (goods.categories, 10))
    thrift = np.array([people.thrift[people.kind == kind][0] for kind in range(10)])
    sensitivity = 2.6 * np.exp(0.45 * thrift + noise)[goods.category]
    choice = Choice(goods.start, taste[:, people.kind], Linear(goods.base, sensitivity[:, people.kind]))
    season = drawn_season(of_weeks, goods, 52, 0.25)
    return drawn_market(
        Scenario(
            goods=goods,
            people=people,
            history=draw_history(of_weeks, goods, 52, Rule(), season),
            choice=choice.at_rates(of_people.uniform(0.08, 0.3, goods.categories), goods.base),
            quantity=single_pieces(goods.base, 0.3),
            hidden=season,
        ),
        of_sales,
    )


def continuous(seed: int) -> Market:
    """No types: every user has a sensitivity of his own, and the thrifty like cheap brands and large packs."""
    of_goods, of_people, of_weeks, of_sales = generator("continuous", seed).spawn(4)
    goods, people = draw_assortment(of_goods, 16, 160), one_by_one(of_people, 1200, (0.3, 0.9))
    taste = drawn_tastes(of_people, goods, people.count, 0.4)
    taste += np.outer(-0.6 * goods.tier + 0.3 * goods.size - 0.4 * goods.is_organic, people.thrift)
    noise = of_people.normal(0, 0.2, goods.categories)[goods.category]
    sensitivity = 2.5 * np.exp(0.45 * people.thrift + noise[:, None])
    season = drawn_season(of_weeks, goods, 44, 0.2)
    return drawn_market(
        Scenario(
            goods=goods,
            people=people,
            history=draw_history(of_weeks, goods, 44, Rule(), season),
            choice=Choice(goods.start, taste, Logarithmic(goods.base, sensitivity)).at_rates(
                of_people.uniform(0.15, 0.4, goods.categories), goods.base
            ),
            quantity=single_pieces(goods.base),
            hidden=season,
        ),
        of_sales,
    )


def by_category(seed: int) -> Market:
    """Sensitivity is mostly the category's: some categories answer prices ten times as strongly as others."""
    of_goods, of_people, of_weeks, of_sales = generator("by_category", seed).spawn(4)
    goods, people = draw_assortment(of_goods, 20, 180, margin=(0.48, 0.72)), one_by_one(of_people, 1000, (0.4, 0.9))
    taste = drawn_tastes(of_people, goods, people.count, 0.5)
    level = of_people.permutation(np.geomspace(0.35, 5.5, goods.categories))[goods.category]
    sensitivity = level[:, None] * np.exp(0.45 * people.thrift)
    season = drawn_season(of_weeks, goods, 48, 0.2)
    return drawn_market(
        Scenario(
            goods=goods,
            people=people,
            history=draw_history(of_weeks, goods, 48, Rule(promotion_rate=0.1), season),
            choice=Choice(goods.start, taste, Linear(goods.base, sensitivity)).at_rates(
                of_people.uniform(0.12, 0.35, goods.categories), goods.base
            ),
            quantity=single_pieces(goods.base),
            hidden=season,
        ),
        of_sales,
    )


def drifting(seed: int) -> Market:
    """Tastes for brands and the rates of categories wander in every group of users, under a strong season."""
    of_goods, of_people, of_weeks, of_sales = generator("drifting", seed).spawn(4)
    goods, people = draw_assortment(of_goods, 18, 170), one_by_one(of_people, 1000, (0.35, 0.9))
    weeks, groups, brands = 60, 6, goods.brand.max() + 1
    loading = np.hstack([np.eye(brands)[goods.brand], np.eye(goods.categories)[goods.category]])
    path = np.cumsum(of_weeks.normal(0, 0.1, (weeks + 1, loading.shape[1], groups)), axis=0)
    sensitivity = 2.8 * np.exp(0.5 * people.thrift + of_people.normal(0, 0.2, goods.categories)[goods.category, None])
    taste = drawn_tastes(of_people, goods, people.count, 0.4)
    season = drawn_season(of_weeks, goods, weeks, 0.8)
    season += 0.15 * persistent(of_weeks, (weeks + 1, goods.categories), 0.5)[:, goods.category]
    return drawn_market(
        Scenario(
            goods=goods,
            people=people,
            history=draw_history(of_weeks, goods, weeks, Rule(), season),
            choice=Choice(goods.start, taste, Linear(goods.base, sensitivity)).at_rates(
                of_people.uniform(0.12, 0.35, goods.categories), goods.base
            ),
            quantity=single_pieces(goods.base),
            hidden=season,
            drift=Drift(loading, path, of_people.integers(0, groups, people.count)),
        ),
        of_sales,
    )
