"""A price test: prices that vary at random from period to period, so that the log tells how demand answers them.

A price response is learned from prices that move for reasons other than demand. If a shop's prices hardly move, a
category gets the response that all categories have in common. In a test every category is a step below, at, or a step
above its usual prices in equally many periods, in random order, and so is every product in the periods of each of these
three. In nine periods each combination of the two steps occurs once: a full factorial design. Steps of a whole category
show how many shoppers buy elsewhere or nothing, steps of a product how many switch to another one. All shoppers see the
same price, because a log has one price per product and period.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import polars as pl

from gpu_pricer.checks import require_integer, require_number
from gpu_pricer.errors import InputError
from gpu_pricer.policy.conditions import columns_in, evaluate_condition, require_condition
from gpu_pricer.policy.ladder import Ladder
from gpu_pricer.pricing.problem.matching import Matched
from gpu_pricer.pricing.problem.posterior_draws import has_own_draws, posterior_draws
from gpu_pricer.pricing.problem.pricing_problem import PricingProblem
from gpu_pricer.pricing.tiling import ranges_of
from gpu_pricer.tables.artefact import DemandArtefact
from gpu_pricer.versions.appraisal.outlook import is_own, vague_categories
from kernels import choice_probabilities, in_double, own_elasticities, utility_lines

STEPS = np.array([-1, 0, 1])
"""Where a price lies in a period, in steps of half of PriceTest.size."""

LEAST_PERIODS = 2 * len(STEPS)
"""Fewer periods would leave products whose own steps undo their category's."""


@dataclass(frozen=True)
class PriceTest:
    """How long a price test takes, and what it changes.

    periods: of the demand. size: the largest distance from today's price, relative to it; half of it is a step of the
    whole category, half one of the product. where: SQL over columns of the catalog; None: the categories whose price
    response the log does not identify.
    """

    periods: int
    size: float
    where: str | None

    def __post_init__(self) -> None:
        require_integer("pricetest.periods", self.periods, LEAST_PERIODS)
        require_number("pricetest.size", self.size, above=0, most=0.5)
        if self.where is not None:
            require_condition("pricetest.where", self.where)

    @property
    def columns(self) -> list[str]:
        """The columns of the catalog that `where` reads."""
        return [] if self.where is None else columns_in(self.where)


class PlannedTest(NamedTuple):
    """The prices of a test.

    rows int64 [n]: the positions of the tested products in the pricing problem. price int32 cents [T, n]: of every
    period. fixed: how many chosen products have a single price by the rules of the policy, and are not tested.
    """

    rows: np.ndarray
    price: np.ndarray
    fixed: int


class ExpectedOutcome(NamedTuple):
    """What a test is expected to cost and to tell, by the demand that is known before it.

    error [categories with tested products]: of the elasticity, see relative_error. profit_today, profit: of these
    categories in a period, in currency, at today's prices and in the mean of the periods of the test.
    """

    error: np.ndarray
    profit_today: float
    profit: float


def chosen_products(
    problem: PricingProblem, matched: Matched, catalog: pl.DataFrame, artefact: DemandArtefact, test: PriceTest
) -> np.ndarray:
    """Return the products to be tested, bool [P]: those on the shelf that `where` selects.

    Without `where`, those of categories that do not identify a price response, or take most of it from other
    categories.
    matched: what the problem is of; catalog: before it was matched, with the columns that `where` reads. InputError
    where the test names no products and the demand has no draws that say which categories are not identified.
    """
    is_on_shelf = problem.products.is_on_shelf
    if test.where is not None:
        named = catalog["product_id"].filter(evaluate_condition("pricetest.where", test.where, catalog))
        return is_on_shelf & problem.products.product_id.is_in(named.implode()).to_numpy()
    if artefact.posterior is None:
        raise InputError(
            "pricetest.where must choose products where the demand has no posterior draws, found null: set it, "
            "such as pricetest.where='price < 5'"
        )
    category_id = matched.products["category_id"].rle().struct.field("value")
    is_taught = has_own_draws(artefact, category_id)
    is_open = vague_categories(problem, posterior_draws(artefact, category_id), is_taught)
    is_open |= is_taught & ~is_own(artefact, category_id)
    return is_on_shelf & np.repeat(is_open, np.diff(problem.products.category_start))


def planned_test(
    problem: PricingProblem, ladders: list[Ladder], is_chosen: np.ndarray, test: PriceTest, seed: int
) -> PlannedTest:
    """Return the prices of a test of the chosen products, bool [P], within the limits of the pricing problem.

    A price is the rung of its ladder that lies nearest to what the steps ask for, moved into the limits. Products of a
    family keep one price. The plan is the same for the same seed, products and limits.
    """
    limits, today, rng = problem.limits, problem.products.today, np.random.default_rng(seed)
    of_category, own = _steps(test.periods, np.diff(problem.products.category_start), rng)
    steps = of_category + own[:, _first_of_family(limits.family)]
    asked = np.round(today * (1 + test.size / 2 * steps)).astype(np.int64)
    price = np.empty_like(asked)
    for number, ladder in enumerate(ladders):
        mine = limits.ladder == number
        price[:, mine] = ladder.nearest(asked[:, mine])
    price = np.clip(price, limits.low, limits.high)
    if limits.gap is not None:
        first, kept, last = limits.gap.T
        price = np.where((first < price) & (price < last), kept, price)
    moves = (price != price[0]).any(axis=0)
    rows = np.flatnonzero(is_chosen & moves)
    return PlannedTest(rows, price[:, rows].astype(np.int32), int(np.count_nonzero(is_chosen & ~moves)))


def expected_outcome(problem: PricingProblem, planned: PlannedTest) -> ExpectedOutcome:
    """Return what a planned test is expected to cost and to tell."""
    start, today = problem.products.category_start, problem.products.today.astype(np.float64)
    is_tested = np.isin(np.arange(len(start) - 1), np.searchsorted(start, planned.rows, side="right") - 1)
    price = np.broadcast_to(today, (len(planned.price), len(today))).copy()
    price[:, planned.rows] = planned.price
    errors, at_today, testing = [], 0.0, 0.0
    for first, last in ranges_of(is_tested):
        rows = problem.product_slice(first, last)
        errors.append(relative_error(problem, first, last, price[:, rows]))
        at_today += _profit(problem, first, last, today[rows])
        testing += float(np.mean([_profit(problem, first, last, of_period[rows]) for of_period in price]))
    return ExpectedOutcome(np.concatenate(errors), at_today, testing)


def relative_error(problem: PricingProblem, first: int, last: int, price: np.ndarray) -> np.ndarray:
    """Return the relative standard error of each category's elasticity by prices [T, n] in cents alone, [categories].

    It is that of a Poisson regression of units on log prices in which all else is known: 1 over the root of the units
    times squared elasticities times the variance of the log prices, summed over products, segments and periods. So it
    is the least that so many sales allow.
    """
    rows, visits = problem.product_slice(first, last), problem.segments.visits
    demand, shelf = in_double(problem.demand.tile(rows.start, rows.stop)), problem.shelf(first, last)
    today = problem.products.today[rows, None].astype(np.float64)
    probability, slope = choice_probabilities(demand, shelf, today), utility_lines(demand, shelf)[1]
    elasticity = own_elasticities(probability, today, slope, shelf)
    units = probability * visits * problem.products.units_per_choice[rows, None]
    told = (units * elasticity**2).sum(axis=1) * len(price) * np.log(price).var(axis=0)
    information = np.add.reduceat(told, problem.starts(first, last)[:-1])
    return np.divide(1.0, np.sqrt(information), out=np.full(last - first, np.inf), where=information > 0)


def _profit(problem: PricingProblem, first: int, last: int, price: np.ndarray) -> float:
    """Return the profit of a period of some categories at prices [n] in cents for all segments, in currency."""
    rows = problem.product_slice(first, last)
    demand = in_double(problem.demand.tile(rows.start, rows.stop))
    sales = problem.products.sales(problem.totals(demand, first, last, price[:, None]), rows)
    return float(sales.profit(problem.products.net_share[rows]).sum())


def _steps(periods: int, sizes: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return the steps of each product's category and of each product itself, int64 [periods, P] both.

    sizes int64 [G]: the number of products of each category. Each step comes as often as another, up to one: a
    category's among all periods, a product's among the periods in which its category takes the same step.
    """
    of_category = rng.permuted(np.tile(np.resize(STEPS, periods), (len(sizes), 1)), axis=1).T
    is_step = of_category == STEPS[:, None, None]
    earlier = np.where(is_step, np.cumsum(is_step, axis=1) - 1, 0).sum(axis=0)  # periods before with the same step
    category = np.repeat(np.arange(len(sizes)), sizes)
    order = rng.permuted(np.tile(STEPS, (len(category), len(STEPS), 1)), axis=2)
    kind, turn = of_category[:, category] - STEPS[0], earlier[:, category] % len(STEPS)
    return of_category[:, category], order[np.arange(len(category)), kind, turn]


def _first_of_family(family: np.ndarray) -> np.ndarray:
    """Return for each product [P] the position of the first one of its family, its own without a family."""
    own = np.arange(len(family))
    key = np.where(family < 0, -1 - own, family)
    _, first, which = np.unique(key, return_index=True, return_inverse=True)
    return first[which]
