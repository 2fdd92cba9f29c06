"""A catalog, a demand and a policy as one pricing problem that can be solved tile by tile."""

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import polars as pl

from gpu_pricer.errors import InputError
from gpu_pricer.policy.bounds import Bounds
from gpu_pricer.policy.ladder import kernel_ladders
from gpu_pricer.policy.overrides import Overrides, read_overrides
from gpu_pricer.policy.policy import Policy
from gpu_pricer.policy.price_range import LARGEST
from gpu_pricer.policy.rule_columns import ANCHOR, with_rule_columns
from gpu_pricer.pricing.problem.families import shared
from gpu_pricer.pricing.problem.matching import Matched, match_products
from gpu_pricer.pricing.problem.posterior_draws import POINT, posterior_draws
from gpu_pricer.pricing.problem.price_limits import PriceLimits, bounded, ladder_rows
from gpu_pricer.pricing.problem.segment_demand import SegmentDemand, segment_demand
from gpu_pricer.pricing.problem.small_moves import without_small_moves
from gpu_pricer.tables.artefact import DemandArtefact
from gpu_pricer.tables.price_table import CENTS
from gpu_pricer.tables.vat import VAT_RATE, net_share
from kernels import Demand, Draws, PricingInputs, Shelf, Totals, choice_totals, expected_totals, in_double

EVERY = slice(None)
"""The positions of all products."""


class ProductSales(NamedTuple):
    """Expected sales of a period of n products, [n] each: units, and revenue with VAT and cost in currency."""

    units: np.ndarray
    revenue: np.ndarray
    cost: np.ndarray

    def served(self, share: np.ndarray) -> "ProductSales":
        """Return the sales of which stock serves a share [n]."""
        return ProductSales(share * self.units, share * self.revenue, share * self.cost)

    def profit(self, net_share: np.ndarray) -> np.ndarray:
        """Return the profit after VAT in currency [n]; net_share [n]: see ProblemProducts."""
        return self.revenue * net_share - self.cost


@dataclass(frozen=True)
class ProblemProducts:
    """The P products of G categories to price, sorted by category, then product.

    product_id [P]; category_start int64 [G + 1]: category g holds the products category_start[g] to
    category_start[g + 1] − 1; today, anchor int32 cents [P]: today's price, and the one that limits relative to
    anchor_prices compare with, today's where there is none; cost float64 currency [P]: of a unit, without VAT;
    net_share float64 [P]: the share of the price that is left after VAT, 1 where prices include none; effective_cost
    float64 cents [P]: the price that the objective's mark-up is counted from; reference_price float64 cents [P];
    units_per_choice float64 [P]; is_on_shelf bool [P].
    """

    product_id: pl.Series
    category_start: np.ndarray
    today: np.ndarray
    anchor: np.ndarray
    cost: np.ndarray
    net_share: np.ndarray
    effective_cost: np.ndarray
    reference_price: np.ndarray
    units_per_choice: np.ndarray
    is_on_shelf: np.ndarray

    def of_categories(self, is_chosen: np.ndarray) -> "ProblemProducts":
        """Return the products of the chosen categories alone, is_chosen bool [G]."""
        sizes = np.diff(self.category_start)
        rows = np.flatnonzero(np.repeat(is_chosen, sizes))
        return ProblemProducts(
            product_id=self.product_id.gather(rows),
            category_start=np.concatenate([[0], np.cumsum(sizes[is_chosen])]).astype(np.int64),
            today=self.today[rows],
            anchor=self.anchor[rows],
            cost=self.cost[rows],
            net_share=self.net_share[rows],
            effective_cost=self.effective_cost[rows],
            reference_price=self.reference_price[rows],
            units_per_choice=self.units_per_choice[rows],
            is_on_shelf=self.is_on_shelf[rows],
        )

    def weight(self, rows: slice = EVERY) -> np.ndarray:
        """Return what a choice of `rows` earns for each cent of its price above the effective cost, [n].

        With k the net share, a choice earns units · (k x − c) = units · k · (x − c / k), so that VAT is a weight on
        the price and a higher cost, and products of one category may have unlike rates.
        """
        return self.units_per_choice[rows] * self.net_share[rows]

    def sales(self, totals: Totals, rows: slice = EVERY) -> ProductSales:
        """Return the sales of `rows` that the totals [n, 1] of their choices are."""
        per_choice = self.units_per_choice[rows]
        units, revenue = totals.chosen[:, 0] * per_choice, totals.revenue[:, 0] * per_choice / CENTS
        return ProductSales(units, revenue, self.cost[rows] * units)

    def vat_share(self, rows: slice = EVERY) -> np.ndarray:
        """Return the share of the price of `rows` that is VAT, [n]."""
        return 1.0 - self.net_share[rows]

    def cost_with_vat(self, rows: slice = EVERY) -> np.ndarray:
        """Return the price in currency at which a unit of `rows` earns nothing after VAT, [n]."""
        return self.cost[rows] / self.net_share[rows]

    def margin(self, price: np.ndarray, rows: slice | np.ndarray = EVERY) -> np.ndarray:
        """Return what a unit of `rows` earns after VAT at prices [n] or [n, S], both in currency."""
        share, cost = self.net_share[rows], self.cost[rows]
        return price * share - cost if price.ndim == 1 else price * share[:, None] - cost[:, None]


@dataclass(frozen=True)
class ProblemSegments:
    """The S segments to price for, sorted by id: segment_id [S]; visits float64 [S], expected in a period."""

    segment_id: pl.Series
    visits: np.ndarray


@dataclass(frozen=True)
class PricingProblem:
    """The products and segments to price, their demand, and the limits of the prices.

    overrides: prices set by hand; bounds: the policy's bounds; moves int64: the places (category * S + segment),
    ascending, that a budget of changes lets move, None without a budget; draws: posterior draws of the sensitivities,
    over which the expectation of profit is taken, None to use the demand's own sensitivities; includes_vat: whether
    prices include VAT, so that profit and revenue are after it; dissimilarity float64 [G]: of every category, see
    kernels/nesting.py; unpriced: product_id and reason of the products that
    are not priced.
    """

    demand: SegmentDemand
    products: ProblemProducts
    segments: ProblemSegments
    limits: PriceLimits
    overrides: Overrides
    bounds: Bounds
    moves: np.ndarray | None
    draws: Draws | None
    has_outside_option: bool
    dissimilarity: np.ndarray
    includes_vat: bool
    unpriced: pl.DataFrame

    @property
    def category_count(self) -> int:
        """G, the number of categories."""
        return len(self.products.category_start) - 1

    def product_slice(self, first: int, last: int) -> slice:
        """Return the positions of the products of the categories first to last − 1."""
        start = self.products.category_start
        return slice(int(start[first]), int(start[last]))

    def of_categories(self, is_chosen: np.ndarray) -> "PricingProblem":
        """Return the problem of the chosen categories alone, is_chosen bool [G], of a problem without moves and draws.

        Its prices are those of the whole problem, bit for bit, since categories have no product in common.
        """
        assert self.moves is None
        assert self.draws is None
        is_product = np.repeat(is_chosen, np.diff(self.products.category_start))
        return replace(
            self,
            demand=self.demand.of_products(is_product),
            products=self.products.of_categories(is_chosen),
            limits=self.limits.of_products(is_product),
            overrides=self.overrides.of_problem(is_product),
            dissimilarity=self.dissimilarity[is_chosen],
        )

    def starts(self, first: int, last: int) -> np.ndarray:
        """Return category_start of the categories first to last − 1, counted from their first product."""
        start = self.products.category_start
        return start[first : last + 1] - start[first]

    def shelf(self, first: int, last: int) -> Shelf:
        """Return the shelf of the categories first to last − 1, in float64."""
        products = self.product_slice(first, last)
        return Shelf(
            self.starts(first, last),
            self.products.reference_price[products],
            self.products.is_on_shelf[products],
            self.has_outside_option,
            self.dissimilarity[first:last],
        )

    def pricing_inputs(self, first: int, last: int) -> PricingInputs:
        """Return the kernels' pricing inputs of the categories first to last − 1, in float64."""
        products = self.product_slice(first, last)
        return PricingInputs(
            shelf=self.shelf(first, last),
            unit_cost=self.products.effective_cost[products],
            weight=self.products.weight(products),
            low=self.limits.low[products].astype(np.float64),
            high=self.limits.high[products].astype(np.float64),
            ladder=self.limits.ladder[products],
            ladders=self.limits.ladders,
            family=self.limits.family[products],
            gap=None if self.limits.gap is None else self.limits.gap[products].astype(np.float64),
        )

    def demand_in_double(self) -> Demand:
        """Return the demand for all products in float64, for references."""
        return in_double(self.demand.tile(0, len(self.products.product_id)))

    def totals(self, demand: Demand, first: int, last: int, price: np.ndarray) -> Totals:
        """Return the totals of the choices of a period's visits at prices [n, S] or [n, 1] in cents.

        The n products are those of the categories first to last − 1.
        """
        shelf, visits = self.shelf(first, last), self.segments.visits
        if self.draws is None:
            return choice_totals(demand, shelf, price, visits)
        return expected_totals(demand, shelf, self.draws.of_categories(first, last), price, visits)


def pricing_problem(
    artefact: DemandArtefact, catalog: pl.DataFrame, policy: Policy, uncertainty: str = POINT
) -> PricingProblem:
    """Return the problem of pricing a catalog by the artefact's demand within the policy's limits.

    uncertainty: one of UNCERTAINTIES. InputError where catalog, artefact and policy do not fit each other and, with
    POSTERIOR, for policy rules that cannot be combined with draws.
    """
    matched = match_products(with_rule_columns(catalog, policy.bounds), artefact)
    return problem_of(artefact, matched, policy, uncertainty)


def problem_of(artefact: DemandArtefact, matched: Matched, policy: Policy, uncertainty: str = POINT) -> PricingProblem:
    """Return what pricing_problem returns, for a catalog that is matched already; the caller may drop the catalog."""
    products = matched.products.with_columns(pl.col("max_price").clip(upper_bound=LARGEST / CENTS))
    demand = segment_demand(artefact, products)  # first, because this step needs the most memory
    segments = artefact.segments.sort("segment_id")
    overrides = read_overrides(policy.overrides_file, products["product_id"], segments["segment_id"])
    ladder = ladder_rows(products["category_id"], policy)
    limits = bounded(products, policy, ladder, overrides.of_products())
    family, limits = shared(products, limits, policy.ladders, ladder)
    gap = None
    if policy.bounds.min_change is not None:
        limits, gap = without_small_moves(limits, policy.ladders, ladder, policy.bounds.min_change)
    category_id = products["category_id"].rle().struct.field("value")
    dissimilarity = artefact.dissimilarity_of(category_id)
    return PricingProblem(
        demand=demand,
        products=_problem_products(products, limits.today, policy),
        segments=ProblemSegments(segments["segment_id"], segments["visits"].to_numpy()),
        limits=PriceLimits(
            low=limits.low,
            high=limits.high,
            rules=limits.rules,
            may_stay=limits.may_stay,
            ladder=ladder,
            ladders=kernel_ladders(policy.ladders),
            family=family,
            gap=gap,
        ),
        overrides=overrides,
        bounds=policy.bounds,
        moves=None,
        draws=None if uncertainty == POINT else _draws(artefact, category_id, policy),
        has_outside_option=artefact.info.outside_option,
        dissimilarity=dissimilarity,
        includes_vat=VAT_RATE in products.columns,
        unpriced=matched.unpriced,
    )


def _problem_products(products: pl.DataFrame, today: np.ndarray, policy: Policy) -> ProblemProducts:
    """Return the matched products as arrays; today [P]: today's prices in cents."""
    cost, share = products["cost"].to_numpy(), net_share(products).to_numpy()
    return ProblemProducts(
        product_id=products["product_id"],
        category_start=_category_start(products["category_id"]),
        today=today,
        anchor=_anchor(products, today),
        cost=cost,
        net_share=share,
        effective_cost=CENTS * policy.objective.effective_cost(cost / share),
        reference_price=CENTS * products["reference_price"].to_numpy(),
        units_per_choice=products["units_per_choice"].to_numpy(),
        is_on_shelf=products["availability"].to_numpy() > 0,
    )


def _anchor(products: pl.DataFrame, today: np.ndarray) -> np.ndarray:
    """Return the anchor's prices int32 [P] in cents; today [P]: those of products without one."""
    if ANCHOR not in products.columns:
        return today
    cents = (products[ANCHOR].cast(pl.Float64) * CENTS).round().fill_null(0.0).to_numpy()
    return np.where(cents > 0, cents, today).astype(today.dtype)


def _draws(artefact: DemandArtefact, category_id: pl.Series, policy: Policy) -> Draws:
    """Return the posterior draws for categories [G]; InputError where solvers take a single demand only."""
    others = {
        "policy.constraints": bool(policy.active_constraints),
        "policy.bounds.max_segment_ratio": policy.bounds.max_segment_ratio is not None,
        "policy.bounds.family_column": policy.bounds.family_column is not None,
    }
    for name, is_asked in others.items():
        if is_asked:
            raise InputError(
                f"uncertainty=posterior cannot price beside {name}, found it set: "
                "set it to null (policy=profit has no constraints), or set uncertainty=point"
            )
    return posterior_draws(artefact, category_id)


def _category_start(category_id: pl.Series) -> np.ndarray:
    lengths = category_id.rle().struct.field("len").to_numpy()
    return np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
