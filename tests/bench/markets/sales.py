"""The purchases of a log, drawn from the market's own choice."""

from dataclasses import dataclass

import numpy as np

from tests.bench.markets.scenario import Scenario

DAYS = 7


@dataclass(frozen=True)
class Lines:
    """N lines: user, product, week [N] are numbers, day [N] is 0 to 6, quantity [N] in units."""

    user: np.ndarray
    product: np.ndarray
    week: np.ndarray
    day: np.ndarray
    quantity: np.ndarray


def draw_lines(scenario: Scenario, rng: np.random.Generator) -> Lines:
    """Return the lines of all weeks: a visit takes one product of each category, or none."""
    weeks = [_week(scenario, week, rng) for week in range(scenario.history.weeks)]
    return Lines(*(np.concatenate(parts) for parts in zip(*weeks, strict=True)))


def _week(scenario: Scenario, week: int, rng: np.random.Generator) -> tuple[np.ndarray, ...]:
    """Return user, product, week, day and quantity of a week's lines, [n] each."""
    people, price = scenario.people, scenario.history.paid[week][:, None]
    visitors = np.flatnonzero(rng.random(people.count) < people.visit_rate)
    choice, quantity = scenario.choice.of(visitors), scenario.quantity.of(visitors)
    day = rng.integers(0, DAYS, len(visitors))
    product, visitor = chosen(choice.probability(price, scenario.week_state(week).of(visitors)), choice.start, rng)
    mean = np.broadcast_to(quantity.mean(price), choice.appeal.shape)[product, visitor]
    units = quantity.draw(mean, product, rng)
    return visitors[visitor], product, np.full(len(product), week), day[visitor], units


def chosen(probability: np.ndarray, start: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return product and visit [n] of the drawn choices, for the probabilities [P, V] of V visits.

    start [G + 1]: the first product of each category, and P.
    """
    size = np.diff(start)
    below = np.cumsum(probability, axis=0)
    before_category = np.vstack([np.zeros(below.shape[1]), below[start[1:-1] - 1]])
    draw = np.repeat(before_category + rng.random(before_category.shape), size, axis=0)
    position = np.add.reduceat(draw >= below, start[:-1], dtype=np.int64)
    category, visit = np.nonzero(position < size[:, None])
    return start[category] + position[category, visit], visit
