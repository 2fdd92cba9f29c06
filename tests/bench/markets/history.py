"""Prices, promotions and costs from week to week, and persistent noise."""

from dataclasses import dataclass

import numpy as np

from tests.bench.markets.assortment import Assortment

WIDEST_MOVE = 0.3
"""Regular prices stay within this distance of the usual price, in logs."""


@dataclass(frozen=True)
class Rule:
    """How a manager sets prices.

    promotion_rate: chance that a promotion of one or two weeks begins. depth: range of its cut. move_rate, move_size:
    chance of a lasting move of the regular price in a week, and its standard deviation in logs. display: share of the
    product-weeks on display without and with a promotion. answer: log price per unit of hidden demand. cost_spread:
    standard deviation of a log cost over the weeks. pass_through: log price per unit of log cost.
    """

    promotion_rate: float = 0.08
    depth: tuple[float, float] = (0.1, 0.35)
    move_rate: float = 0.03
    move_size: float = 0.07
    display: tuple[float, float] = (0.02, 0.3)
    answer: float = 0.0
    cost_spread: float = 0.0
    pass_through: float = 0.8


@dataclass(frozen=True)
class History:
    """W weeks of P products, [W, P]; prices and costs in whole cents, display 0 or 1."""

    regular: np.ndarray
    paid: np.ndarray
    display: np.ndarray
    cost: np.ndarray

    @property
    def weeks(self) -> int:
        """W, the number of weeks of the log."""
        return len(self.paid)

    @property
    def today(self) -> np.ndarray:
        """Return the prices [P] of the day of pricing: the regular prices of the last week."""
        return self.regular[-1]


def draw_history(rng: np.random.Generator, goods: Assortment, weeks: int, rule: Rule, shock: np.ndarray) -> History:
    """Return a drawn history in which regular prices end in 9 and answer the hidden demand `shock` [≥ W, P]."""
    shape = (weeks, goods.products)
    moves = np.cumsum(rng.normal(0, rule.move_size, shape) * (rng.random(shape) < rule.move_rate), axis=0)
    cost = rule.cost_spread * persistent(rng, shape, 0.9)
    move = (moves + rule.answer * shock[:weeks] + rule.pass_through * cost).clip(-WIDEST_MOVE, WIDEST_MOVE)
    regular = nine_ending(goods.base * np.exp(move))
    begins, is_long = rng.random(shape) < rule.promotion_rate, rng.random(shape) < 0.4
    goes_on = np.zeros(shape, bool)
    goes_on[1:] = (begins & is_long)[:-1]
    depth = rng.uniform(*rule.depth, shape)
    depth[1:] = np.where(goes_on[1:], depth[:-1], depth[1:])
    is_promoted = begins | goes_on
    paid = np.where(is_promoted, nine_ending(regular * (1 - depth)), regular)
    display = rng.random(shape) < np.where(is_promoted, rule.display[1], rule.display[0])
    return History(regular, paid, display.astype(float), np.maximum(np.rint(goods.cost * np.exp(cost)), 1))


def nine_ending(price: np.ndarray) -> np.ndarray:
    """Return the nearest prices in cents that end in 9."""
    return np.maximum(10 * np.rint((price + 1) / 10) - 1, 9)


def persistent(rng: np.random.Generator, shape: tuple[int, int], persistence: float) -> np.ndarray:
    """Return noise that is autoregressive along the first axis, with standard deviation 1 in every row."""
    noise = rng.standard_normal(shape)
    for row in range(1, shape[0]):
        noise[row] = persistence * noise[row - 1] + np.sqrt(1 - persistence**2) * noise[row]
    return noise


def drawn_shock(
    rng: np.random.Generator, goods: Assortment, weeks: int, spread: float, persistence: float, own: float = 0.5
) -> np.ndarray:
    """Return hidden demand [W + 1, P] in units of utility; own: the share of its variance that is the product's own.

    In the week after the log it has the value that the last week lets expect.
    """
    common = persistent(rng, (weeks, goods.categories), persistence)[:, goods.category]
    alone = persistent(rng, (weeks, goods.products), persistence)
    shock = spread * (np.sqrt(1 - own) * common + np.sqrt(own) * alone)
    return np.vstack([shock, persistence * shock[-1]])


def drawn_season(rng: np.random.Generator, goods: Assortment, weeks: int, size: float) -> np.ndarray:
    """Return a yearly wave [W + 1, P] of each category, of amplitude up to `size` in utility."""
    phase, amplitude = rng.uniform(0, 2 * np.pi, goods.categories), size * rng.uniform(0.5, 1, goods.categories)
    wave = amplitude * np.cos(2 * np.pi * np.arange(weeks + 1)[:, None] / 52 + phase)
    return wave[:, goods.category]
