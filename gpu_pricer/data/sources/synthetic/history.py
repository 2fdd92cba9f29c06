"""What happens from week to week: prices, promotions, the shelf, and demand shocks that no log shows."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gpu_pricer.checks import require_number, require_range
from gpu_pricer.data.sources.synthetic.market import Assortment, SyntheticMarket, Tastes, draw_between

PERIODS_PER_YEAR = 52
SHOCK_PERSISTENCE = 0.7
WIDEST_WALK = 0.25
"""Regular prices stay within this distance of the base price, in logs."""
COST_PERSISTENCE = 0.9


@dataclass(frozen=True)
class Manager:
    """How prices are set.

    promotion_rate: chance of a promotion in a product-week. promotion_depth: range of the price cut of a promotion.
    move_rate, move_size: chance of a lasting move of the regular price, and its standard deviation in logs.
    display_rate: chance of a display, and of a mailer, [without, with] a promotion.
    confounding: log price per unit of the demand shock, which the manager sees and the log does not show.
    cost_spread: standard deviation of a product's log cost from week to week, a reason to move prices that has nothing
    to do with demand. pass_through: log price per unit of log cost.
    """

    promotion_rate: float
    promotion_depth: Sequence[float]
    move_rate: float
    move_size: float
    display_rate: Sequence[float]
    confounding: float
    cost_spread: float
    pass_through: float

    def __post_init__(self) -> None:
        require_number("promotion_rate", self.promotion_rate, least=0.0, most=1.0)
        require_range("promotion_depth", self.promotion_depth, 0.0, 0.9)
        require_number("move_rate", self.move_rate, least=0.0, most=1.0)
        require_number("move_size", self.move_size, least=0.0, most=1.0)
        require_range("display_rate", self.display_rate, 0.0, 1.0)
        require_number("confounding", self.confounding, least=0.0, most=2.0)
        require_number("cost_spread", self.cost_spread, least=0.0, most=1.0)
        require_number("pass_through", self.pass_through, least=0.0, most=2.0)


@dataclass(frozen=True)
class MarketHistory:
    """The W weeks of the log for P products: arrays [W, P].

    season and on_shelf are [W + 1, P], since they include the week to be priced.

    cost, list_price and price are in integer cents; season and shock are added to the utility.
    """

    cost: np.ndarray
    list_price: np.ndarray
    price: np.ndarray
    display: np.ndarray
    mailer: np.ndarray
    shock: np.ndarray
    season: np.ndarray
    on_shelf: np.ndarray


def draw_history(
    market: SyntheticMarket,
    assortment: Assortment,
    tastes: Tastes,
    manager: Manager,
    weeks: int,
    rng: np.random.Generator,
) -> MarketHistory:
    """Return the drawn history of `weeks` weeks.

    The same generator gives the same shocks, promotions and costs for any confounding.
    """
    shape = (weeks, len(market.category))
    shock = _draw_shocks(market, tastes, weeks, rng)
    moves = rng.normal(0.0, manager.move_size, shape) * (rng.random(shape) < manager.move_rate)
    walk = np.clip(np.cumsum(moves, axis=0), -WIDEST_WALK, WIDEST_WALK)
    promoted = rng.random(shape) < manager.promotion_rate
    cut = np.where(promoted, draw_between(manager.promotion_depth, shape, rng), 0.0)
    chance = np.where(promoted, manager.display_rate[1], manager.display_rate[0])
    display, mailer = rng.random(shape) < chance, rng.random(shape) < chance
    on_shelf = _draw_shelf(assortment, shape, rng)
    cost = manager.cost_spread * _persistent(shape, COST_PERSISTENCE, rng)
    regular = market.base_price * np.exp(walk + manager.confounding * shock + manager.pass_through * cost)
    return MarketHistory(
        cost=_cents(market.cost * np.exp(cost)),
        list_price=_cents(regular),
        price=_cents(np.round(regular, 2) * (1.0 - cut)),
        display=display,
        mailer=mailer,
        shock=shock,
        season=_season(market, tastes.season, weeks),
        on_shelf=on_shelf,
    )


def _draw_shocks(market: SyntheticMarket, tastes: Tastes, weeks: int, rng: np.random.Generator) -> np.ndarray:
    """Return demand shocks [W, P]: the sum of one of the category and one of the product, both persistent."""
    common = _persistent((weeks, len(market.category_start) - 1), SHOCK_PERSISTENCE, rng)[:, market.category]
    own = _persistent((weeks, len(market.category)), SHOCK_PERSISTENCE, rng)
    shared = tastes.shared_shock
    return tastes.shock * (np.sqrt(shared) * common + np.sqrt(1.0 - shared) * own)


def _persistent(shape: tuple[int, int], persistence: float, rng: np.random.Generator) -> np.ndarray:
    """Return noise that is autoregressive along the first axis, with standard deviation 1 in every week."""
    noise = rng.standard_normal(shape)
    for week in range(1, shape[0]):
        fresh = np.sqrt(1.0 - persistence**2) * noise[week]
        noise[week] = persistence * noise[week - 1] + fresh
    return noise


def _season(market: SyntheticMarket, size: float, weeks: int) -> np.ndarray:
    """Return the seasonal wave [W + 1, P] of each product's category."""
    moment = np.arange(weeks + 1)[:, None] / PERIODS_PER_YEAR
    return size * np.cos(2 * np.pi * (moment - market.season_peak[market.category]))


def _draw_shelf(assortment: Assortment, shape: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """Return which product is on the shelf [W + 1, P]: some are new, arrive late, leave early or miss weeks."""
    weeks, products = shape
    week = np.arange(weeks + 1)[:, None]
    is_part_time = rng.random(products) < assortment.part_time
    arrives = rng.random(products) < 0.5
    turn = rng.integers(1, weeks + 1, products)
    on_shelf = np.where(is_part_time, np.where(arrives, week >= turn, week < turn), True)
    on_shelf[:-1] &= rng.random(shape) >= assortment.gap_rate
    is_new = rng.random(products) < assortment.new_rate
    on_shelf[:-1] &= ~is_new
    on_shelf[-1] |= is_new
    return on_shelf


def _cents(price: np.ndarray) -> np.ndarray:
    return np.maximum(np.rint(100.0 * price), 1).astype(np.int64)
