"""The derivation of one published price, in float64, from the artefact, the catalog and the policy."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import isclose
from operator import attrgetter

import numpy as np

from gpu_pricer.policy.ladder import Ladder
from gpu_pricer.pricing.decomposition import (
    ObjectiveTerms,
    PricedChoices,
    UnitCosts,
    expected_price_parts,
    price_parts,
)
from gpu_pricer.pricing.problem.families import ALONE
from gpu_pricer.pricing.problem.pricing_problem import PricingProblem
from gpu_pricer.pricing.tiles.lagrangian import LagrangianWeights
from gpu_pricer.pricing.tiles.objective_terms import objective_terms
from gpu_pricer.tables.price_table import BINDINGS, CENTS, PER_VISITS, VAT_PART, part_names
from kernels import (
    Demand,
    Draws,
    Outcomes,
    Shelf,
    choice_probabilities,
    expected_choices,
    expected_outcomes,
    in_double,
    own_elasticities,
    switching_factors,
    take_segments,
    utility_lines,
)

CURVE_POINTS = 9
PRICES_AT_ONCE = 1024  # prices of a product whose outcomes one call computes: for each, a number per product and draw
STEP = 1e-4  # change of a log price, up and down, over which an elasticity is a difference quotient


@dataclass(frozen=True)
class PriceOutcome:
    """What a price of a product leads to while the category's other prices stay, per 1,000 visits of the segment.

    price: in currency. units, profit: of the product, profit in currency. category_profit: the category's expected
    profit in currency. category_value: what prices maximise, that profit weighted as in the policy's objective and,
    under constraints, by their multipliers.
    """

    price: float
    units: float
    profit: float
    category_profit: float
    category_value: float


@dataclass(frozen=True)
class Interval:
    """90 % intervals over the draws of the sensitivity, at the price of a product.

    profit: in currency per 1,000 visits; elasticity: of the product's own price; draws: their number.
    """

    profit: tuple[float, float]
    elasticity: tuple[float, float]
    draws: int


@dataclass(frozen=True)
class Explanation:
    """A price and its derivation; money in currency.

    now, today: outcomes of the price and of today's price. parts: PARTS, and the VAT where prices include it, which add
    up to the price. unconstrained_price: the sum of the parts without adjustment and VAT. elasticity: of the units to
    the price. sensitivity: b at the reference price. support: the least and the largest price that training saw. low,
    high: the range of allowed prices, with the rules that set its ends. runner_up: the outcome of the best other
    allowed price, None where no other is allowed. curve: outcomes of prices below and above, as far as rules, the
    support and today's price reach. neighbours: number of other products in the category. family: ids of the products
    that share the price, this product included; empty without a family. visits: of the segment in a period.
    is_on_shelf: whether the product can be bought. interval: None without draws.
    """

    now: PriceOutcome
    today: PriceOutcome
    parts: dict[str, float]
    unconstrained_price: float
    elasticity: float
    sensitivity: float
    reference_price: float
    support: tuple[float, float]
    low: tuple[float, str]
    high: tuple[float, str]
    runner_up: PriceOutcome | None
    curve: list[PriceOutcome]
    neighbours: int
    family: list[object]
    visits: float
    is_on_shelf: bool
    interval: Interval | None

    @property
    def is_weighted(self) -> bool:
        """Return whether prices maximise something else than profit, because of the policy's weights or limits."""
        pairs = ((point.category_value, point.category_profit) for point in self.curve)
        return any(not isclose(value, profit, rel_tol=1e-9, abs_tol=1e-9) for value, profit in pairs)


@dataclass(frozen=True)
class CategoryAtPrices:
    """A category of n products for one segment at given prices, in float64.

    problem: the pricing problem; index, segment: positions of category and segment in the problem. demand, shelf: of
    the category alone. terms: the costs and weights that prices maximise, for the one segment. price [n]: in cents.
    draws: of the category's sensitivity, over which probabilities are means;
    None to use the demand's own sensitivity.
    """

    problem: PricingProblem
    index: int
    segment: int
    demand: Demand
    shelf: Shelf
    terms: ObjectiveTerms
    price: np.ndarray
    draws: Draws | None

    @property
    def products(self) -> slice:
        """Return the category's products among all of the problem."""
        return self.problem.product_slice(self.index, self.index + 1)

    def row(self, product: int) -> int:
        """Return the row, in the category, of a product (position in the problem)."""
        return product - self.products.start

    def family(self, product: int) -> np.ndarray:
        """Return the rows, in the category, of the products that share the product's price, its own included.

        A product whose price for the segment is set by hand shares none.
        """
        first, family = self.products.start, self.problem.limits.family[self.products].copy()
        by_hand = self.problem.overrides.of_cells(first, self.products.stop).of_segment(self.segment)
        family[by_hand.product - first] = ALONE
        own = family[self.row(product)]
        return np.array([self.row(product)]) if own < 0 else np.flatnonzero(family == own)

    def outcome_at(self, product: int, cents: float) -> PriceOutcome:
        """Return the outcome for a product (position in the problem) when its family has this price in cents."""
        return next(self.outcomes_at(product, np.array([cents])))

    def outcomes_at(self, product: int, cents: np.ndarray) -> Iterator[PriceOutcome]:
        """Yield the outcome for a product (position in the problem) at each price in cents [K] of its family."""
        row, family = self.row(product), self.family(product)
        for first in range(0, len(cents), PRICES_AT_ONCE):
            tried = cents[first : first + PRICES_AT_ONCE].astype(np.float64)
            price = np.repeat(self.price[:, None], len(tried), axis=1)
            price[family] = tried
            share = self.shares(price)
            units = PER_VISITS * share * self.problem.products.units_per_choice[self.products, None]
            profit = units * self.problem.products.margin(price / CENTS, self.products)
            value = PER_VISITS * self.category_value(price, share)
            amounts = (tried / CENTS, units[row], profit[row], profit.sum(axis=0), value)
            yield from (PriceOutcome(*amount) for amount in zip(*(each.tolist() for each in amounts), strict=True))

    def shares(self, price: np.ndarray) -> np.ndarray:
        """Return the probability that a visit chooses each product, [n, K], at K prices in cents of each, [n, K]."""
        demand = take_segments(self.demand, np.zeros(price.shape[1], np.int64))
        if self.draws is None:
            return choice_probabilities(demand, self.shelf, price)
        return expected_choices(demand, self.shelf, _repeated(self.draws, price.shape[1]), price)

    def category_value(self, price: np.ndarray, share: np.ndarray) -> np.ndarray:
        """Return R, the category's expected weighted profit of a visit in currency, [K].

        price [n, K]: in cents. share [n, K]: the choice probabilities at these prices.
        """
        return (self.terms.weight * (price - self.terms.effective_cost) * share).sum(axis=0) / CENTS

    def elasticity(self, row: int) -> float:
        """Return the change in % of a product's units for 1 % more on its price."""
        share = self.shares(self.price[:, None])
        if self.draws is None or share[row] == 0:
            return float(own_elasticities(share, self.price[:, None], self.slopes(), self.shelf)[row, 0])
        step = np.where(np.arange(len(self.price)) == row, STEP, 0.0)[:, None] * np.array([1, -1])
        up, down = self.shares(self.price[:, None] * np.exp(step))[row]
        return float(np.log(up / down) / (2 * STEP))

    def switching(self, share: np.ndarray) -> float:
        """Return the factor of the probabilities [n] in elasticities and parts of prices, see kernels."""
        return float(switching_factors(share[:, None], self.shelf)[0, 0])

    def outcomes(self, draws: Draws, group: str) -> Outcomes:
        """Return a group of the kernels' outcomes of the prices under draws of the sensitivity."""
        inputs = self.problem.pricing_inputs(self.index, self.index + 1)
        return expected_outcomes(self.demand, inputs, draws, self.price[:, None], group)

    def interval(self, draws: Draws, row: int) -> Interval | None:
        """Return the intervals of product `row` under the draws; None where the category has no draws."""
        if draws.row[0] < 0:
            return None
        share = self.outcomes(draws, "probability_interval").probability_interval
        elasticity = self.outcomes(draws, "elasticity_interval").elasticity_interval
        product = self.products.start + row
        margin = self.problem.products.margin(self.price[[row]] / CENTS, np.array([product]))[0]
        least, most = np.sort(PER_VISITS * self.problem.products.units_per_choice[product] * margin * share[:, row, 0])
        low, high = elasticity[:, row, 0]
        return Interval((float(least), float(most)), (float(low), float(high)), draws.factor.shape[2])

    def slopes(self) -> np.ndarray:
        """Return the fall of each product's utility for one cent more, [n, 1]."""
        return utility_lines(self.demand, self.shelf)[1]


def category_at(
    problem: PricingProblem, product: int, segment: int, price: np.ndarray, lagrangian: LagrangianWeights | None
) -> CategoryAtPrices:
    """Return the category of a product (positions in the problem), at the prices in cents of all its products [n].

    lagrangian: what the prices maximise under constraints on the assortment, None without constraints.
    """
    index = int(np.searchsorted(problem.products.category_start, product, side="right")) - 1
    products = problem.product_slice(index, index + 1)
    demand = in_double(problem.demand.tile(products.start, products.stop, np.array([segment])))
    shelf = problem.shelf(index, index + 1)
    exact = replace(shelf, reference_price=shelf.reference_price.astype(np.float64))
    draws = None if problem.draws is None else problem.draws.of_categories(index, index + 1).of_segment(segment)
    terms = objective_terms(problem, products, lagrangian)
    own = terms.class_of[[segment]]
    terms = ObjectiveTerms(terms.effective_cost[:, own], terms.weight[:, own], np.zeros(1, np.int64))
    return CategoryAtPrices(problem, index, segment, demand, exact, terms, price.astype(np.float64), draws)


def explain_price(
    category: CategoryAtPrices,
    product: int,
    ladder: Ladder,
    support: tuple[float, float],
    parts: dict[str, float] | None,
    posterior: Draws | None,
) -> Explanation:
    """Return why a product (position in the problem) has its price.

    support: prices in currency. parts: those of the price table, None to compute them. posterior: draws for the
    category and the segment, None without; they do not have to be those that the price was set with.
    """
    problem, row, family = category.problem, category.row(product), category.family(product)
    share, slope = category.shares(category.price[:, None])[:, 0], category.slopes()
    parts = parts or _parts(category, row, share, slope)
    cents, today = int(category.price[row]), problem.products.today[product]
    (low, at_low), (high, at_high) = _allowed_range(problem, product, category.segment)
    ruled = [end for end, rule in ((low, at_low), (high, at_high)) if rule != "price_limit"]
    points = _curve_points(cents, np.array([*ruled, cents, today, *(CENTS * end for end in support)]))
    return Explanation(
        now=category.outcome_at(product, cents),
        today=category.outcome_at(product, today),
        parts=parts,
        unconstrained_price=sum(amount for name, amount in parts.items() if name not in ("adjustment", VAT_PART)),
        elasticity=category.elasticity(row),
        sensitivity=float(slope[row, 0] * problem.products.reference_price[product]),
        reference_price=float(problem.products.reference_price[product] / CENTS),
        support=support,
        low=(low / CENTS, at_low),
        high=(high / CENTS, at_high),
        runner_up=best_other_price(category, product, ladder, "category_value"),
        curve=[*category.outcomes_at(product, points)],
        neighbours=len(category.price) - 1,
        family=[] if len(family) == 1 else problem.products.product_id[family + category.products.start].to_list(),
        visits=float(problem.segments.visits[category.segment]),
        is_on_shelf=bool(problem.products.is_on_shelf[product]),
        interval=None if posterior is None else category.interval(posterior, row),
    )


def best_other_price(category: CategoryAtPrices, product: int, ladder: Ladder, gain: str) -> PriceOutcome | None:
    """Return the outcome of the allowed price, other than the product's own, that has most of `gain`; None without one.

    gain: the field of PriceOutcome to compare by; of equal ones the lowest price counts.
    """
    problem = category.problem
    (low, _), (high, _) = _allowed_range(problem, product, category.segment)
    allowed = _allowed_prices(ladder, low, high, None if problem.limits.gap is None else problem.limits.gap[product])
    others = allowed[allowed != category.price[category.row(product)]]
    return max(category.outcomes_at(product, others), key=attrgetter(gain), default=None)


def _allowed_range(problem: PricingProblem, product: int, segment: int) -> tuple[tuple[int, str], tuple[int, str]]:
    """Return the least and the largest price in cents of a product for a segment, each with the rule that sets it."""
    by_hand = problem.overrides.of_cells(product, product + 1).of_segment(segment)
    if len(by_hand):
        return ((int(by_hand.price[0]), "override"),) * 2
    limits = problem.limits
    ends = ((limits.low, limits.rules.at_low), (limits.high, limits.rules.at_high))
    low, high = ((int(price[product]), BINDINGS[rule[product]]) for price, rule in ends)
    return low, high


def _curve_points(cents: int, ends: np.ndarray) -> np.ndarray:
    """Return CURVE_POINTS prices in whole cents over the range of `ends`, and the price itself, ascending."""
    return np.unique(np.round(np.append(np.linspace(ends.min(), ends.max(), CURVE_POINTS), cents)).astype(int))


def _parts(category: CategoryAtPrices, row: int, share: np.ndarray, slope: np.ndarray) -> dict[str, float]:
    """Return the parts of a product's price in currency, by the formula of the price table's columns."""
    problem, products, rows = category.problem.products, category.products, np.array([row])
    price = category.price.astype(np.int64)[:, None]
    unit = UnitCosts(CENTS * problem.cost[products], problem.net_share[products])
    if category.draws is not None:
        found, effective_cost = category.outcomes(category.draws, "price_parts"), category.terms.effective_cost[:, 0]
        parts = expected_price_parts(price, found.markup, found.opportunity, effective_cost, unit, rows)
    else:
        switching = category.switching(share)
        now = category.category_value(category.price[:, None], share[:, None])[:, None]
        value = CENTS * now * switching
        choices = PricedChoices(price, switching * share[:, None], slope, value, np.zeros(len(share), np.int64))
        parts = price_parts(choices, category.terms, unit, rows)
    names = part_names(category.problem.includes_vat)
    return {name: int(part) / CENTS for name, part in zip(names, parts[: len(names), 0, 0], strict=True)}


def _allowed_prices(ladder: Ladder, low: int, high: int, gap: np.ndarray | None) -> np.ndarray:
    """Return the rungs from low to high in cents, and low and high, which may lie off the ladder.

    gap [3]: see small_moves; of the prices between its ends only the middle one is returned. None: no gap.
    """
    cents = np.arange(low, high + 1)
    is_allowed = (ladder.at_or_above(cents) == cents) | (cents == low) | (cents == high)
    if gap is not None:
        is_allowed = (is_allowed & ((cents <= gap[0]) | (cents >= gap[2]))) | (cents == gap[1])
    return cents[is_allowed]


def _repeated(draws: Draws, count: int) -> Draws:
    """Return the draws of one segment and category for `count` segments that are like it."""
    row = draws.row[draws.row >= 0]
    return Draws(np.repeat(draws.factor[row], count, axis=1), np.where(draws.row < 0, draws.row, 0))
