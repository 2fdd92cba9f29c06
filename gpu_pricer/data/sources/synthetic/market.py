"""The part of the market that stays from week to week: users, their tastes, products and their costs."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gpu_pricer.checks import require_integer, require_number, require_range
from kernels import LEAST_DISSIMILARITY

LEAST_PER_CATEGORY = 2


@dataclass(frozen=True)
class People:
    """How many users there are, of how many types, and the range of their chance to visit in a week."""

    users: int
    types: int
    visit_rate: Sequence[float]

    def __post_init__(self) -> None:
        require_integer("types", self.types, 1)
        require_integer("users", self.users, self.types)
        require_range("visit_rate", self.visit_rate, 0.01, 1.0)


@dataclass(frozen=True)
class Assortment:
    """The categories and products that are drawn.

    margin: range of the margin rates at which categories are priced, independently of their users' sensitivity.
    margin_spread: standard deviation of a product's log price around the price at its category's margin rate.
    part_time: share of products that are on the shelf in some of the weeks only.
    gap_rate: chance that a product misses a week.
    new_rate: chance that a product is new in the week to be priced, with attributes but without sales.
    """

    categories: int
    products: int
    margin: Sequence[float]
    margin_spread: float
    part_time: float
    gap_rate: float
    new_rate: float

    def __post_init__(self) -> None:
        require_integer("categories", self.categories, 1)
        require_integer("products", self.products, LEAST_PER_CATEGORY * self.categories)
        require_range("margin", self.margin, 0.01, 0.9)
        require_number("margin_spread", self.margin_spread, least=0.0, most=1.0)
        require_number("part_time", self.part_time, least=0.0, most=1.0)
        require_number("gap_rate", self.gap_rate, least=0.0, most=0.9)
        require_number("new_rate", self.new_rate, least=0.0, most=0.9)


@dataclass(frozen=True)
class Tastes:
    """The users' tastes and price sensitivities, and what else moves demand.

    buying_rate: range of the shares of visits that buy from a category at its base prices.
    dissimilarity: range of the categories' gamma (see kernels/nesting.py): how far prices move buyers into and out of a
    category, beside between its products; 1 is the logit.
    sensitivity: median price sensitivity b. sensitivity_spread: standard deviation of log b between types.
    taste_spread: standard deviation of a type's taste for one attribute. season: amplitude of the seasonal wave.
    display, mailer: what each adds to the appeal. shock: standard deviation of demand shocks, which no log shows.
    shared_shock: share of the shock's variance that all products of a category have in common.
    """

    buying_rate: Sequence[float]
    dissimilarity: Sequence[float]
    sensitivity: float
    sensitivity_spread: float
    taste_spread: float
    season: float
    display: float
    mailer: float
    shock: float
    shared_shock: float

    def __post_init__(self) -> None:
        require_range("buying_rate", self.buying_rate, 0.001, 0.9)
        require_range("dissimilarity", self.dissimilarity, LEAST_DISSIMILARITY, 1.0)
        require_number("sensitivity", self.sensitivity, least=0.1, most=20.0)
        for name in ("sensitivity_spread", "taste_spread", "season", "display", "mailer", "shock"):
            require_number(name, getattr(self, name), least=0.0, most=5.0)
        require_number("shared_shock", self.shared_shock, least=0.0, most=1.0)


@dataclass(frozen=True)
class SyntheticMarket:
    """The true market of T types, U users, P products sorted by category, and G categories.

    user_type [U]: the type's index. visit_rate [U]: chance of a visit in a week. category [P]: the index of each
    product's category. category_start [G + 1]: the index of each category's first product, and P.
    traits [P, 3]: tier (-1, 0, 1), quality and size. cost, base_price [P]: in currency. appeal, sensitivity [T, P]: at
    the base price. sensitivity_rank [T]: the type's log sensitivity, standardised. season_peak [G]: the time of the
    seasonal peak as a share of the year. dissimilarity [G]: gamma, see kernels/nesting.py.
    """

    user_type: np.ndarray
    visit_rate: np.ndarray
    category: np.ndarray
    category_start: np.ndarray
    traits: np.ndarray
    cost: np.ndarray
    base_price: np.ndarray
    appeal: np.ndarray
    sensitivity: np.ndarray
    sensitivity_rank: np.ndarray
    season_peak: np.ndarray
    dissimilarity: np.ndarray


def draw_market(people: People, assortment: Assortment, tastes: Tastes, rng: np.random.Generator) -> SyntheticMarket:
    """Return a drawn market; its attributes determine demand in part, so that they help with products never sold."""
    category = _draw_categories(assortment, rng)
    start = np.searchsorted(category, np.arange(assortment.categories + 1))
    traits = _draw_traits(assortment.products, rng)
    cost, base_price = _draw_prices(assortment, category, traits, rng)
    dissimilarity = draw_between(tastes.dissimilarity, assortment.categories, rng.spawn(1)[0])
    rank = rng.permutation(_normal_scores(people.types))
    lowest, highest = people.visit_rate
    user_type = rng.permutation(np.arange(people.users) % people.types)
    type_rate = draw_between(people.visit_rate, people.types, rng)
    return SyntheticMarket(
        user_type=user_type,
        visit_rate=np.clip(type_rate[user_type] + rng.uniform(-0.1, 0.1, people.users), lowest, highest),
        category=category,
        category_start=start,
        traits=traits,
        cost=cost,
        base_price=base_price,
        appeal=_draw_appeal(tastes, rank, start, traits, dissimilarity, rng),
        sensitivity=_draw_sensitivity(tastes, rank, category, traits, rng),
        sensitivity_rank=rank,
        season_peak=rng.uniform(0.0, 1.0, assortment.categories),
        dissimilarity=dissimilarity,
    )


def draw_between(ends: Sequence[float], size: int | tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    """Return uniform draws of shape `size` between the two ends."""
    low, high = ends
    return rng.uniform(low, high, size)


def _draw_categories(assortment: Assortment, rng: np.random.Generator) -> np.ndarray:
    """Return the category of each product [P], ascending; sizes differ and are at least LEAST_PER_CATEGORY."""
    spare = assortment.products - LEAST_PER_CATEGORY * assortment.categories
    shares = rng.dirichlet(np.full(assortment.categories, 4.0))
    sizes = LEAST_PER_CATEGORY + rng.multinomial(spare, shares)
    return np.repeat(np.arange(assortment.categories), sizes)


def _draw_traits(products: int, rng: np.random.Generator) -> np.ndarray:
    tier = rng.choice([-1.0, 0.0, 1.0], size=products, p=[0.3, 0.45, 0.25])
    quality = 0.7 * tier + 0.7 * rng.standard_normal(products)
    return np.column_stack([tier, quality, rng.standard_normal(products)])


def _draw_prices(
    assortment: Assortment, category: np.ndarray, traits: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Return cost and base price [P]: costs are marked up by a margin of the category that ignores sensitivity."""
    level = rng.normal(np.log(2.2), 0.45, assortment.categories)[category]
    noise = rng.normal(0.0, 0.1, len(category))
    cost = np.exp(level + 0.22 * traits[:, 0] + 0.12 * traits[:, 1] + 0.2 * traits[:, 2] + noise)
    margin = draw_between(assortment.margin, assortment.categories, rng)[category]
    error = rng.normal(0.0, assortment.margin_spread, len(category))
    return np.round(cost, 2), np.round(np.maximum(cost / (1.0 - margin) * np.exp(error), 1.05 * cost), 2)


def _draw_appeal(
    tastes: Tastes,
    rank: np.ndarray,
    start: np.ndarray,
    traits: np.ndarray,
    dissimilarity: np.ndarray,
    rng: np.random.Generator,
) -> np.ndarray:
    """Return the appeal [T, P] at the base price, shifted so that each category is bought at its buying rate."""
    types, products, category = len(rank), len(traits), np.repeat(np.arange(len(start) - 1), np.diff(start))
    common = 0.4 * traits[:, 1] + rng.normal(0.0, 0.5, products)
    taste = tastes.taste_spread * rng.standard_normal((types, traits.shape[1]))
    taste[:, 0] -= 0.6 * tastes.taste_spread * rank
    habit = tastes.taste_spread * rng.standard_normal((types, len(start) - 1))
    appeal = common + taste @ traits.T + habit[:, category]
    rate = draw_between(tastes.buying_rate, len(start) - 1, rng)
    return appeal + _level_for(rate, appeal, start, dissimilarity)[category]


def _level_for(rate: np.ndarray, appeal: np.ndarray, start: np.ndarray, dissimilarity: np.ndarray) -> np.ndarray:
    """Return the shift [G] of all appeals at which types buy at the given rate [G] on average, by bisection."""
    inclusive = np.add.reduceat(np.exp(appeal), start[:-1], axis=1)
    low, high = -40.0 / dissimilarity, 40.0 / dissimilarity
    for _ in range(60):
        middle = (low + high) / 2
        attraction = (inclusive * np.exp(middle)) ** dissimilarity
        too_high = (attraction / (1.0 + attraction)).mean(axis=0) > rate
        low, high = np.where(too_high, low, middle), np.where(too_high, middle, high)
    return (low + high) / 2


def _draw_sensitivity(
    tastes: Tastes, rank: np.ndarray, category: np.ndarray, traits: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Return the sensitivity b [T, P], which differs by type and category and is lower for premium products."""
    of_type = tastes.sensitivity_spread * rank[:, None]
    of_category = rng.normal(0.0, 0.2, category[-1] + 1)[category]
    of_pair = rng.normal(0.0, 0.1, (len(rank), category[-1] + 1))[:, category]
    return tastes.sensitivity * np.exp(of_type + of_category + of_pair - 0.12 * traits[:, 0])


def _normal_scores(count: int) -> np.ndarray:
    """Return evenly spread standardised scores [count], so that every seed has the same spread between types."""
    scores = np.linspace(-1.0, 1.0, count) if count > 1 else np.zeros(1)
    return scores / max(float(scores.std()), 1e-12)
