"""A catalog, a demand and a policy as one pricing problem that can be solved tile by tile."""

from dataclasses import dataclass

import numpy as np
import polars as pl

from gpu_pricer.errors import InputError
from gpu_pricer.policy.bounds import LARGEST, LEAST, MICROS_PER_CENT, PriceRange, price_range
from gpu_pricer.policy.ladder import CENTS, Ladder
from gpu_pricer.policy.matching import Matched, match_products
from gpu_pricer.policy.policy import Policy
from gpu_pricer.policy.segment_demand import SegmentDemand, segment_demand
from gpu_pricer.tables.artefact import DemandArtefact
from gpu_pricer.tables.price_table import BINDINGS
from kernels import PRICE_LIMIT, Ladders, Offer, Shelf

PRODUCTS_AT_ONCE = 2**16


@dataclass(frozen=True)
class PricingProblem:
    """P products of G categories, sorted by category, then product, for S segments, sorted by id.

    category_start int64 [G + 1]; today int32 cents [P]; cost float64 currency [P]; reference_price,
    effective_cost float64 cents [P]; units_per_choice float64 [P], which is also each product's weight in its
    category; low, high int32 cents [P], rungs; binding int8 [P, 3]: index into BINDINGS where the price is
    held low, not at all, high; visits float64 [S].
    """

    demand: SegmentDemand
    product_id: pl.Series
    segment_id: pl.Series
    visits: np.ndarray
    category_start: np.ndarray
    today: np.ndarray
    cost: np.ndarray
    reference_price: np.ndarray
    effective_cost: np.ndarray
    units_per_choice: np.ndarray
    is_on_shelf: np.ndarray
    low: np.ndarray
    high: np.ndarray
    binding: np.ndarray
    ladders: Ladders
    has_outside_option: bool
    unpriced: pl.DataFrame

    def starts(self, first: int, last: int) -> np.ndarray:
        """category_start of the categories first to last − 1, counted from their first product."""
        return self.category_start[first : last + 1] - self.category_start[first]

    def shelf(self, first: int, last: int) -> Shelf:
        """The shelf of the categories first to last − 1."""
        products = self.products(first, last)
        return Shelf(
            self.starts(first, last),
            self.reference_price[products].astype(np.float32),
            self.is_on_shelf[products],
            self.has_outside_option,
        )

    def offer(self, first: int, last: int) -> Offer:
        """What the kernels price for the categories first to last − 1."""
        products = self.products(first, last)
        return Offer(
            shelf=self.shelf(first, last),
            unit_cost=self.effective_cost[products].astype(np.float32),
            weight=self.units_per_choice[products].astype(np.float32),
            low=self.low[products].astype(np.float32),
            high=self.high[products].astype(np.float32),
            ladder=np.zeros(len(self.low[products]), np.int32),
            ladders=self.ladders,
        )

    def products(self, first: int, last: int) -> slice:
        """The products of the categories first to last − 1."""
        return slice(int(self.category_start[first]), int(self.category_start[last]))


def pricing_problem(artefact: DemandArtefact, catalog: pl.DataFrame, policy: Policy) -> PricingProblem:
    """Match the catalog with the demand and bound every price; InputError where the data forbid it."""
    return problem_of(artefact, match_products(catalog, artefact), policy)


def problem_of(artefact: DemandArtefact, matched: Matched, policy: Policy) -> PricingProblem:
    """The same for a catalog that is matched already, and need not be kept."""
    products = matched.products.with_columns(pl.col("max_price").clip(upper_bound=LARGEST / CENTS))
    demand = segment_demand(artefact, products)  # first: it needs the most memory, while little else is there
    today, low, high, binding = _bounded(products, policy)
    cost = products["cost"].to_numpy()
    segments = artefact.segments.sort("segment_id")
    return PricingProblem(
        demand=demand,
        product_id=products["product_id"],
        segment_id=segments["segment_id"],
        visits=segments["visits"].to_numpy(),
        category_start=_category_start(products["category_id"]),
        today=today,
        cost=cost,
        reference_price=CENTS * products["reference_price"].to_numpy(),
        effective_cost=CENTS * policy.objective.effective_cost(cost),
        units_per_choice=products["units_per_choice"].to_numpy(),
        is_on_shelf=products["availability"].to_numpy() > 0,
        low=low,
        high=high,
        binding=binding,
        ladders=policy.rungs.for_kernels(),
        has_outside_option=artefact.info.outside_option,
        unpriced=matched.unpriced,
    )


def _bounded(products: pl.DataFrame, policy: Policy) -> tuple[np.ndarray, ...]:
    """today, low, high and binding (see PricingProblem), some products at a time: on the way each takes 200 bytes."""
    today = _parts(products, "price", 1)
    limits = [_parts(products, name, MICROS_PER_CENT) for name in ("cost", "min_price", "max_price")]
    parts = []
    for first in range(0, len(today), PRODUCTS_AT_ONCE):
        rows = slice(first, first + PRODUCTS_AT_ONCE)
        bounds = price_range(policy.bounds, today[rows], *(limit[rows] for limit in limits))
        _require_below_limit(products[rows], bounds.low)
        low, high, binding = on_ladder(bounds, policy.rungs, today[rows])
        parts.append((low.astype(np.int32), high.astype(np.int32), binding))
    return today.astype(np.int32), *(np.concatenate(arrays) for arrays in zip(*parts, strict=True))


def on_ladder(bounds: PriceRange, ladder: Ladder, today: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """low, high [P] as rungs inside the bounds, and binding [P, 3] (see PricingProblem).

    Where a rule was overruled only the rung nearest to it is left, and it is named; where no rung is left,
    today's price stays.
    """
    low, high = ladder.at_or_above(bounds.low), ladder.at_or_below(bounds.high)
    has_no_rung = low > high
    low, high = np.where(bounds.pull > 0, high, low), np.where(bounds.pull < 0, low, high)
    low, high = np.where(has_no_rung, today, low), np.where(has_no_rung, today, high)
    binding = np.stack([bounds.low_rule, np.zeros_like(bounds.low_rule), bounds.high_rule], axis=1)
    for rule in ("within_support", "max_increase"):
        binding[bounds.broken == BINDINGS.index(rule)] = BINDINGS.index(f"{rule}_broken")
    binding[has_no_rung] = BINDINGS.index("no_rung")
    return low, high, binding


def _parts(products: pl.DataFrame, name: str, parts_per_cent: int) -> np.ndarray:
    """A column of money as a whole number of parts of a cent, int64; InputError beyond the largest price."""
    whole = np.round(products[name].to_numpy() * (CENTS * parts_per_cent))
    is_valid = np.isfinite(whole) & (whole < PRICE_LIMIT * parts_per_cent)
    if name == "price":
        is_valid &= whole >= LEAST
    if not is_valid.all():
        example = products.filter(~is_valid).select("product_id", name).row(0)
        limits = f"{'at least one cent and ' if name == 'price' else ''}below {PRICE_LIMIT / CENTS:,.2f}"
        raise InputError(
            f"{name} must be {limits}, found {np.count_nonzero(~is_valid)} products where it is not, "
            f"the first {example}: mend the catalog or leave them out"
        )
    return whole.astype(np.int64)


def _require_below_limit(products: pl.DataFrame, low: np.ndarray) -> None:
    if (low > LARGEST).any():
        example = products.filter(low > LARGEST).select("product_id", "cost", "min_price").row(0)
        raise InputError(
            f"the lowest allowed price must be below {PRICE_LIMIT / CENTS:,.2f}, "
            f"found product (id, cost, min_price) {example}: "
            "mend its cost or support, or lower bounds.min_margin_rate"
        )


def _category_start(category_id: pl.Series) -> np.ndarray:
    lengths = category_id.rle().struct.field("len").to_numpy()
    return np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
