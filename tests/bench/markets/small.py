"""A market small enough to be searched by brute force."""

import numpy as np

from tests.bench.markets.assortment import draw_assortment
from tests.bench.markets.choice import Choice
from tests.bench.markets.history import Rule, draw_history, drawn_shock
from tests.bench.markets.people import drawn_tastes, typed_people
from tests.bench.markets.quantities import Pieces
from tests.bench.markets.responses import Linear
from tests.bench.markets.scenario import Scenario


def small_scenario(seed: int, categories: int = 2, products: int = 7, users: int = 60, weeks: int = 12) -> Scenario:
    """Return a scenario of three types with shocks, displays, a product that comes late and quantities."""
    rng = np.random.default_rng(seed)
    goods, people = draw_assortment(rng, categories, products), typed_people(rng, users, 3, (0.6, 0.9))
    shock = drawn_shock(rng, goods, weeks, spread=0.4, persistence=0.5)
    taste = drawn_tastes(rng, goods, 3, 0.5)[:, people.kind]
    response = Linear(goods.base, np.ones((products, 1)) * 2.6 * np.exp(0.5 * people.thrift))
    on_shelf = np.ones((weeks, products), bool)
    on_shelf[: weeks // 2, 0] = False
    return Scenario(
        goods=goods,
        people=people,
        history=draw_history(rng, goods, weeks, Rule(answer=0.2, cost_spread=0.05), shock),
        choice=Choice(goods.start, taste, response).at_rates(np.full(categories, 0.6), goods.base),
        quantity=Pieces(goods.base, np.full(products, 0.4), np.ones(users)),
        hidden=shock,
        on_shelf=on_shelf,
        shows_cost=True,
    )
