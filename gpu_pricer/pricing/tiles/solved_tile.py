"""A solved tile: its cells, and the quantities derived from them that layouts and totals read."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from gpu_pricer.pricing.decomposition import ObjectiveTerms
from gpu_pricer.pricing.problem.price_limits import BindingRules
from gpu_pricer.pricing.problem.pricing_problem import PricingProblem
from gpu_pricer.pricing.tiles.lagrangian import LagrangianWeights, price_under_lagrangian
from gpu_pricer.pricing.tiles.objective_terms import objective_terms
from gpu_pricer.pricing.tiles.solving import mark_small_moves, narrow_to_ratio, solve_cells, tile_problem, with_narrowed
from kernels import Demand, Outcomes, PricedCells, expected_outcomes, switching_factors, utility_lines


@dataclass(frozen=True)
class SolvedTile:
    """The solved categories first to last − 1 of a problem.

    cells: the best cells of the n products for S segments, with totals for the problem's visits; rules: the rules that
    `binding` names for the n products; lagrangian: the Lagrangian that the prices maximise under constraints on the
    assortment, None without constraints.
    """

    problem: PricingProblem
    first: int
    last: int
    demand: Demand
    cells: PricedCells
    rules: BindingRules
    lagrangian: LagrangianWeights | None

    @property
    def products(self) -> slice:
        """The tile's products among all of the problem."""
        return self.problem.product_slice(self.first, self.last)

    @cached_property
    def order(self) -> np.ndarray:
        """The tile's rows [n] in the order of their product ids, in which files list them."""
        return self.problem.products.product_id[self.products].arg_sort().to_numpy()

    @cached_property
    def terms(self) -> ObjectiveTerms:
        """The costs and weights of the objective that the tile's prices maximise."""
        return objective_terms(self.problem, self.products, self.lagrangian)

    @cached_property
    def slope(self) -> np.ndarray:
        """The utility that one more cent takes off, [n, S]."""
        return utility_lines(self.demand, self.problem.shelf(self.first, self.last))[1]

    @cached_property
    def switching(self) -> np.ndarray:
        """The factor of each category's probabilities in the parts of its prices, [G, S], see kernels."""
        shelf, cells = self.problem.shelf(self.first, self.last), self.cells
        return switching_factors(cells.probability, shelf).astype(cells.probability.dtype)

    def outcomes(self, group: str) -> Outcomes:
        """Return one group (see kernels.Outcomes) of the outcomes of the tile's prices over the problem's draws."""
        draws, inputs = self.problem.draws, self.problem.pricing_inputs(self.first, self.last)
        assert draws is not None
        return expected_outcomes(
            self.demand, inputs, draws.of_categories(self.first, self.last), self.cells.price, group
        )

    @cached_property
    def share_interval(self) -> np.ndarray:
        """The ends of the 90 % interval of the probability that a visit chooses a product, [2, n, S]."""
        return self.outcomes("probability_interval").probability_interval

    @cached_property
    def parts(self) -> tuple[np.ndarray, np.ndarray]:
        """The sensitivity mark-up and the opportunity value over the draws, in cents, [n, S] each."""
        found = self.outcomes("price_parts")
        return found.markup, found.opportunity

    @cached_property
    def dearest(self) -> int:
        """The tile's highest price in cents."""
        return int(self.cells.price.max())


def solve_tile(
    problem: PricingProblem, first: int, last: int, backend: str, lagrangian: LagrangianWeights | None = None
) -> SolvedTile:
    """Return the categories first to last − 1 at their best prices; lagrangian: see SolvedTile."""
    tile = tile_problem(problem, first, last)
    if lagrangian is None:
        tile = narrow_to_ratio(tile, backend)
        cells = solve_cells(tile, backend)
    else:
        within = lagrangian.ranges_within_ratio(problem, (first, last), backend)
        tile = tile if within is None else with_narrowed(tile, within)
        cells = price_under_lagrangian(problem, lagrangian, (first, last), within, backend)
    mark_small_moves(tile, cells)
    return SolvedTile(problem, first, last, tile.demand, cells, tile.rules, lagrangian)
