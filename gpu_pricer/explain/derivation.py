"""Why one published price is what it is, worked out again in float64 from the artefact, the catalog and the policy."""

from dataclasses import dataclass, replace

import numpy as np

from gpu_pricer.policy.ladder import Ladder
from gpu_pricer.pricing.decomposition import ObjectiveTerms, PricedChoices, expected_price_parts, price_parts
from gpu_pricer.pricing.problem.pricing_problem import PricingProblem
from gpu_pricer.tables.price_table import BINDINGS, CENTS, PARTS, PER_VISITS
from kernels import (
    Demand,
    Draws,
    Outcomes,
    Shelf,
    choice_probabilities,
    expected_choices,
    expected_outcomes,
    in_double,
    utility_lines,
)

CURVE_POINTS = 9
STEP = 1e-4  # of the logarithm of a price, to either side, where an elasticity is a difference


@dataclass(frozen=True)
class At:
    """What a price leads to, the category's other prices as published: units and profit of the product, and what the
    whole category is worth to the objective, all per 1,000 visits of the segment, in currency."""

    price: float
    units: float
    profit: float
    category_value: float


@dataclass(frozen=True)
class Interval:
    """Ends of 90 % intervals over so many draws, at the price: its profit per 1,000 visits, and its own elasticity."""

    profit: tuple[float, float]
    elasticity: tuple[float, float]
    draws: int


@dataclass(frozen=True)
class Explanation:
    """A price and its derivation; money in currency.

    parts: unit_cost, shadow_price, sensitivity_markup, opportunity_value, adjustment, which add up to the price;
    wanted: the first four; share: chance that a visit chooses it; elasticity: of its units to its price; low, high:
    the prices allowed, with the rules behind them; runner_up: the next best rung, None where no other is allowed;
    curve: the demand around; family: the products that share the price, itself included, none if it is alone;
    interval: what the draws of the artefact's posterior say of it, where there are any.
    """

    now: At
    today: At
    parts: dict[str, float]
    wanted: float
    share: float
    elasticity: float
    sensitivity: float
    reference_price: float
    support: tuple[float, float]
    low: tuple[float, str]
    high: tuple[float, str]
    runner_up: At | None
    curve: list[At]
    neighbours: int
    family: list[object]
    visits: float
    interval: Interval | None


@dataclass(frozen=True)
class CategoryAtPrices:
    """The category of a product for one segment, in float64: its demand, prices in cents [n] and what they maximise.

    draws: of its sensitivity, over which shares are expected; None to trust the demand's own.
    """

    problem: PricingProblem
    index: int
    segment: int
    demand: Demand
    shelf: Shelf
    price: np.ndarray
    draws: Draws | None

    @property
    def products(self) -> slice:
        """Its products."""
        return self.problem.product_slice(self.index, self.index + 1)

    def at(self, rows: np.ndarray, row: int, cents: float) -> At:
        """What happens with some of its products at another price; of one of them."""
        price = self.price.copy()
        price[rows] = cents
        share = self.shares(price)
        units = PER_VISITS * share * self.problem.products.units_per_choice[self.products]
        margin = price / CENTS - self.problem.products.cost[self.products]
        return At(
            cents / CENTS,
            float(units[row]),
            float(units[row] * margin[row]),
            PER_VISITS * self.category_value(price, share),
        )

    def shares(self, price: np.ndarray) -> np.ndarray:
        """The chance that a visit chooses each product, [n]."""
        if self.draws is None:
            return choice_probabilities(self.demand, self.shelf, price[:, None])[:, 0]
        return expected_choices(self.demand, self.shelf, self.draws, price[:, None])[:, 0]

    def category_value(self, price: np.ndarray, share: np.ndarray) -> float:
        """R in currency."""
        weight = self.problem.products.units_per_choice[self.products]
        cost = self.problem.products.effective_cost[self.products]
        return float((weight * (price - cost) * share).sum()) / CENTS

    def elasticity(self, row: int, slope: float) -> float:
        """How many % more units 1 % more on a product's price brings."""
        share = self.shares(self.price)[row]
        if self.draws is None or share == 0:
            return float(-slope * self.price[row] * (1 - share))
        step = np.where(np.arange(len(self.price)) == row, STEP, 0.0)
        up, down = (self.shares(self.price * np.exp(sign * step))[row] for sign in (1, -1))
        return float(np.log(up / down) / (2 * STEP))

    def outcomes(self, draws: Draws, group: str) -> Outcomes:
        """What its prices lead to under draws of its sensitivity."""
        inputs = self.problem.pricing_inputs(self.index, self.index + 1)
        return expected_outcomes(self.demand, inputs, draws, self.price[:, None], group)

    def interval(self, draws: Draws, row: int) -> Interval | None:
        """What draws say of one of its products; None where they say nothing."""
        if draws.row[0] < 0:
            return None
        share = self.outcomes(draws, "probability_interval").probability_interval
        elasticity = self.outcomes(draws, "elasticity_interval").elasticity_interval
        product = self.products.start + row
        margin = self.price[row] / CENTS - self.problem.products.cost[product]
        least, most = np.sort(PER_VISITS * self.problem.products.units_per_choice[product] * margin * share[:, row, 0])
        low, high = elasticity[:, row, 0]
        return Interval((float(least), float(most)), (float(low), float(high)), draws.factor.shape[2])

    def slopes(self) -> np.ndarray:
        """How much the utilities fall with a cent more, [n, 1]."""
        return utility_lines(self.demand, self.shelf)[1]


def category_at(problem: PricingProblem, product: int, segment: int, price: np.ndarray) -> CategoryAtPrices:
    """The category of a product (positions), at prices in cents of all its products [n]."""
    index = int(np.searchsorted(problem.products.category_start, product, side="right")) - 1
    products = problem.product_slice(index, index + 1)
    demand = in_double(problem.demand.tile(products.start, products.stop, np.array([segment])))
    shelf = problem.shelf(index, index + 1)
    exact = replace(shelf, reference_price=shelf.reference_price.astype(np.float64))
    draws = None if problem.draws is None else problem.draws.of_categories(index, index + 1).of_segment(segment)
    return CategoryAtPrices(problem, index, segment, demand, exact, price.astype(np.float64), draws)


def explanation(
    category: CategoryAtPrices,
    product: int,
    ladder: Ladder,
    support: tuple[float, float],
    parts: dict[str, float] | None,
    posterior: Draws | None,
) -> Explanation:
    """Why the product (position) has its price; parts: those of the price table, None to work them out.

    posterior: draws for the category, one row and segment, whether it was priced with them or not.
    """
    problem, row = category.problem, product - category.products.start
    mates = _mates(problem, product, category.products)
    share, slope = category.shares(category.price), category.slopes()
    cents, low, high = (
        int(array[i])
        for array, i in ((category.price, row), (problem.limits.low, product), (problem.limits.high, product))
    )
    parts = parts or _parts(category, row, share, slope)
    rules = problem.limits.rules
    rungs = _rungs(ladder, low, high)
    others = [category.at(mates, row, rung) for rung in rungs if rung != cents]
    ends = np.array([low, high, cents, problem.products.today[product], *(100 * end for end in support)])
    points = np.unique(np.round(np.append(np.linspace(ends.min(), ends.max(), CURVE_POINTS), cents)).astype(int))
    return Explanation(
        now=category.at(mates, row, cents),
        today=category.at(mates, row, float(problem.products.today[product])),
        parts=parts,
        wanted=sum(list(parts.values())[:4]),
        share=float(share[row]),
        elasticity=category.elasticity(row, slope[row, 0]),
        sensitivity=float(slope[row, 0] * problem.products.reference_price[product]),
        reference_price=float(problem.products.reference_price[product] / CENTS),
        support=support,
        low=(low / CENTS, BINDINGS[rules.at_low[product]]),
        high=(high / CENTS, BINDINGS[rules.at_high[product]]),
        runner_up=max(others, key=lambda other: other.category_value, default=None),
        curve=[category.at(mates, row, float(point)) for point in points],
        neighbours=len(category.price) - 1,
        family=[] if len(mates) == 1 else problem.products.product_id[mates + category.products.start].to_list(),
        visits=float(problem.segments.visits[category.segment]),
        interval=None if posterior is None else category.interval(posterior, row),
    )


def _parts(category: CategoryAtPrices, row: int, share: np.ndarray, slope: np.ndarray) -> dict[str, float]:
    """Return the parts of a product's price in currency, by the formula of the price table's columns."""
    problem, products, rows = category.problem.products, category.products, np.array([row])
    price, cost = category.price.astype(np.int64)[:, None], CENTS * problem.cost[products]
    effective_cost = problem.effective_cost[products]
    if category.draws is not None:
        found = category.outcomes(category.draws, "price_parts")
        parts = expected_price_parts(price, found.markup, found.opportunity, effective_cost, cost, rows)
    else:
        value = np.array([[CENTS * category.category_value(category.price, share)]])
        choices = PricedChoices(price, share[:, None], slope, value, np.zeros(len(share), np.int64))
        weight = problem.units_per_choice[products, None]
        parts = price_parts(choices, ObjectiveTerms(effective_cost[:, None], weight, np.zeros(1, np.int64)), cost, rows)
    return {name: int(part) / CENTS for name, part in zip(PARTS, parts[:, 0, 0], strict=True)}


def _mates(problem: PricingProblem, product: int, products: slice) -> np.ndarray:
    """The rows in the category of all that share the product's price, its own included."""
    family = problem.limits.family[products]
    own = family[product - products.start]
    return np.array([product - products.start]) if own < 0 else np.flatnonzero(family == own)


def _rungs(ladder: Ladder, low: int, high: int) -> list[int]:
    """The rungs from low to high; low itself where it is the only price."""
    if low == high:
        return [low]
    cents = np.arange(low, high + 1)
    return [int(rung) for rung in cents[ladder.at_or_above(cents) == cents]]
