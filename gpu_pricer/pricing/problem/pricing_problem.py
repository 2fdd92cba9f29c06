"""A catalog, a demand and a policy as one pricing problem that can be solved tile by tile."""

from dataclasses import dataclass

import numpy as np
import polars as pl

from gpu_pricer.errors import InputError
from gpu_pricer.policy.bounds import Bounds
from gpu_pricer.policy.ladder import kernel_ladders
from gpu_pricer.policy.overrides import Overrides, read_overrides
from gpu_pricer.policy.policy import Policy
from gpu_pricer.policy.price_range import LARGEST
from gpu_pricer.policy.rule_columns import with_rule_columns
from gpu_pricer.pricing.problem.families import shared
from gpu_pricer.pricing.problem.matching import Matched, match_products
from gpu_pricer.pricing.problem.posterior_draws import POINT, posterior_draws
from gpu_pricer.pricing.problem.price_limits import bounded, ladder_rows
from gpu_pricer.pricing.problem.segment_demand import SegmentDemand, segment_demand
from gpu_pricer.tables.artefact import DemandArtefact
from gpu_pricer.tables.price_table import CENTS
from kernels import Demand, Draws, Ladders, PricingInputs, Shelf, Totals, choice_totals, expected_totals


@dataclass(frozen=True)
class PricingProblem:
    """P products of G categories, sorted by category, then product, for S segments, sorted by id.

    category_start int64 [G + 1]; today int32 cents [P]; cost float64 currency [P]; reference_price,
    effective_cost float64 cents [P]; units_per_choice float64 [P], which is also each product's weight in its
    category; low, high int32 cents [P], rungs of the ladders' row ladder int32 [P]; family int32 [P]: equal numbers
    share one price, -1 none; binding int8 [P, 5]: index into BINDINGS where the price is held low, not at all, high,
    by an override of its segment, by the budget of changes; overrides: prices set by hand; may_stay bool [P]: whether
    today's price breaks no rule; moves int64: the places (category * S + segment), ascending, that a budget of changes
    lets move, None without one; draws: of the sensitivities, over which profit is expected, None to trust them; visits
    float64 [S].
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
    ladder: np.ndarray
    ladders: Ladders
    family: np.ndarray
    overrides: Overrides
    bounds: Bounds
    may_stay: np.ndarray
    moves: np.ndarray | None
    draws: Draws | None
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
            self.reference_price[products],
            self.is_on_shelf[products],
            self.has_outside_option,
        )

    def inputs(self, first: int, last: int) -> PricingInputs:
        """What the kernels price for the categories first to last − 1."""
        products = self.products(first, last)
        return PricingInputs(
            shelf=self.shelf(first, last),
            unit_cost=self.effective_cost[products],
            weight=self.units_per_choice[products],
            low=self.low[products].astype(np.float64),
            high=self.high[products].astype(np.float64),
            ladder=self.ladder[products],
            ladders=self.ladders,
            family=self.family[products],
        )

    def totals(self, demand: Demand, first: int, last: int, price: np.ndarray) -> Totals:
        """What the choices of a period's visits add up to at prices [n, S] or [n, 1] in cents of these categories."""
        shelf = self.shelf(first, last)
        if self.draws is None:
            return choice_totals(demand, shelf, price, self.visits)
        return expected_totals(demand, shelf, self.draws.of_categories(first, last), price, self.visits)

    def products(self, first: int, last: int) -> slice:
        """The products of the categories first to last − 1."""
        return slice(int(self.category_start[first]), int(self.category_start[last]))


def pricing_problem(
    artefact: DemandArtefact, catalog: pl.DataFrame, policy: Policy, uncertainty: str = POINT
) -> PricingProblem:
    """Match the catalog with the demand and bound every price; InputError where the data forbid it.

    uncertainty: one of UNCERTAINTIES; with POSTERIOR, also for what makes no sense beside it.
    """
    matched = match_products(with_rule_columns(catalog, policy.bounds), artefact)
    return problem_of(artefact, matched, policy, uncertainty)


def problem_of(artefact: DemandArtefact, matched: Matched, policy: Policy, uncertainty: str = POINT) -> PricingProblem:
    """The same for a catalog that is matched already, and need not be kept."""
    products = matched.products.with_columns(pl.col("max_price").clip(upper_bound=LARGEST / CENTS))
    demand = segment_demand(artefact, products)  # first: it needs the most memory, while little else is there
    segments = artefact.segments.sort("segment_id")
    overrides = read_overrides(policy.overrides_file, products["product_id"], segments["segment_id"])
    ladder = ladder_rows(products["category_id"], policy)
    limits = bounded(products, policy, ladder, overrides.of_products())
    family, limits = shared(products, limits)
    cost = products["cost"].to_numpy()
    return PricingProblem(
        demand=demand,
        product_id=products["product_id"],
        segment_id=segments["segment_id"],
        visits=segments["visits"].to_numpy(),
        category_start=_category_start(products["category_id"]),
        today=limits.today,
        cost=cost,
        reference_price=CENTS * products["reference_price"].to_numpy(),
        effective_cost=CENTS * policy.objective.effective_cost(cost),
        units_per_choice=products["units_per_choice"].to_numpy(),
        is_on_shelf=products["availability"].to_numpy() > 0,
        low=limits.low,
        high=limits.high,
        binding=limits.binding,
        ladder=ladder,
        ladders=kernel_ladders(policy.ladders),
        family=family,
        overrides=overrides,
        bounds=policy.bounds,
        may_stay=limits.may_stay,
        moves=None,
        draws=None if uncertainty == POINT else _draws(artefact, products["category_id"], policy),
        has_outside_option=artefact.info.outside_option,
        unpriced=matched.unpriced,
    )


def _draws(artefact: DemandArtefact, category_id: pl.Series, policy: Policy) -> Draws:
    """The posterior; InputError beside rules whose solvers only know one demand."""
    others = {
        "policy.constraints": bool(policy.active_constraints),
        "policy.bounds.max_segment_ratio": policy.bounds.max_segment_ratio is not None,
        "policy.bounds.family_column": policy.bounds.family_column is not None,
    }
    for name, is_asked in others.items():
        if is_asked:
            raise InputError(
                f"uncertainty=posterior cannot price beside {name}, found it set: "
                "set it to null (constraints one by one), or set uncertainty=point"
            )
    return posterior_draws(artefact, category_id.rle().struct.field("value"))


def _category_start(category_id: pl.Series) -> np.ndarray:
    lengths = category_id.rle().struct.field("len").to_numpy()
    return np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
