"""The cells of a tile: the kernels' best prices, under the rules that no bound of a product can express."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from gpu_pricer.pricing.problem.price_limits import BindingRules
from gpu_pricer.pricing.problem.pricing_problem import PricingProblem
from gpu_pricer.pricing.tiles.change_budget import Changes, most_valuable
from gpu_pricer.pricing.tiles.fixed_cells import fix_cells, inputs_at
from gpu_pricer.pricing.tiles.segment_ratio import within_ratio
from gpu_pricer.tables.price_table import BINDINGS
from kernels import BindingSide, Demand, PricedCells, PricingInputs, expected_cells, in_double, price_cells


@dataclass(frozen=True)
class TileProblem:
    """The categories first to last − 1 of a problem, with their demand and pricing inputs as the kernels take them.

    rules: the rules that `binding` names for the tile's products.
    """

    problem: PricingProblem
    first: int
    last: int
    demand: Demand
    inputs: PricingInputs
    rules: BindingRules

    @property
    def products(self) -> slice:
        """The tile's products among all of the problem."""
        return self.problem.product_slice(self.first, self.last)

    def priced(self, inputs: PricingInputs, backend: str) -> PricedCells:
        """Return the best cells for pricing inputs of this tile, with draws and overrides of single segments."""
        overrides = self.problem.overrides.of_cells(self.products.start, self.products.stop)
        is_expected = self.problem.draws is not None
        cells = price_cells(self.demand, inputs, backend, None if is_expected else self.problem.segments.visits)
        if len(overrides):
            counted = replace(overrides, product=overrides.product - self.products.start)
            cells = fix_cells(cells, self.demand, inputs, counted, backend)
        if self.problem.draws is not None:
            draws = self.problem.draws.of_categories(self.first, self.last)
            cells = expected_cells(self.demand, inputs, draws, cells, cells.binding_side == BindingSide.OVERRIDE)
        return self.with_totals(cells) if len(overrides) or is_expected else cells

    def with_totals(self, cells: PricedCells) -> PricedCells:
        """Return the cells with the totals of the choices at their prices, for the problem's visits."""
        return replace(cells, totals=self.problem.totals(self.demand, self.first, self.last, cells.price))


def tile_problem(problem: PricingProblem, first: int, last: int) -> TileProblem:
    """Return the categories first to last − 1, ready to be priced."""
    products = problem.product_slice(first, last)
    demand, inputs = problem.demand.tile(products.start, products.stop), problem.pricing_inputs(first, last)
    return TileProblem(problem, first, last, demand, inputs, problem.limits.rules.rows(products))


def reference_cells(problem: PricingProblem, is_priced: np.ndarray | None = None) -> PricedCells:
    """Return the best cells of the whole problem in float64, on the CPU, for references that prices are judged by.

    Ladders, bounds, families and overrides of the policy and draws of the problem count as in scoring; a limit on the
    segment ratio and a budget of changes do not. is_priced bool [P]: products that may leave today's price, None: all.
    The other products keep today's price even where another price is set by hand.
    """
    if is_priced is not None:
        problem = replace(problem, overrides=problem.overrides.among(is_priced))
    tile = tile_problem(problem, 0, problem.category_count)
    tile = replace(tile, demand=in_double(tile.demand))
    if is_priced is None:
        return tile.priced(tile.inputs, "cpu")
    kept = np.flatnonzero(~is_priced)
    return tile.priced(inputs_at(tile.inputs, kept, problem.products.today[kept]), "cpu")


def narrow_to_ratio(tile: TileProblem, backend: str) -> TileProblem:
    """Return the tile with bounds narrowed to bounds.max_segment_ratio; its rules name the limit at narrowed bounds."""
    inputs = within_ratio(tile.problem, tile.demand, tile.inputs, (tile.first, tile.last), backend)
    return tile if inputs is tile.inputs else with_narrowed(tile, inputs)


def with_narrowed(tile: TileProblem, inputs: PricingInputs) -> TileProblem:
    """Return the tile with inputs whose bounds the segment ratio narrowed; its rules name the limit there."""
    rule = np.int8(BINDINGS.index("max_segment_ratio"))
    rules = tile.rules._replace(
        at_low=np.where(inputs.low > tile.inputs.low, rule, tile.rules.at_low),
        at_high=np.where(inputs.high < tile.inputs.high, rule, tile.rules.at_high),
    )
    return replace(tile, inputs=inputs, rules=rules)


def solve_cells(tile: TileProblem, backend: str) -> PricedCells:
    """Return the best cells of the tile; cells that the budget of changes does not allow to move keep today's price."""
    cells = tile.priced(tile.inputs, backend)
    if tile.problem.moves is None:
        return cells
    stay = tile.priced(_staying(tile), backend)
    start, may_stay = tile.inputs.shelf.category_start, tile.problem.limits.may_stay[tile.products]
    differs = _changed(cells, tile) != _changed(stay, tile)
    if tile.problem.bounds.max_segment_ratio is not None:
        differs = np.repeat(differs.any(axis=1, keepdims=True), differs.shape[1], axis=1)
    is_category_moved = _is_chosen(tile) | ~differs
    is_moved = np.repeat(is_category_moved, np.diff(start), axis=0)
    is_kept_by_budget = may_stay[:, None] & (cells.price != stay.price)
    binding_side = np.where(
        is_moved, cells.binding_side, np.where(is_kept_by_budget, np.int8(BindingSide.CHANGE_BUDGET), stay.binding_side)
    )
    price, probability = (
        np.where(is_moved, getattr(cells, name), getattr(stay, name)) for name in ("price", "probability")
    )
    category_value = np.where(is_category_moved, cells.category_value, stay.category_value)
    return tile.with_totals(
        replace(cells, price=price, probability=probability, binding_side=binding_side, category_value=category_value)
    )


def mark_small_moves(tile: TileProblem, cells: PricedCells) -> None:
    """Set the binding side of cells that stay inside the gap around today's price, in place; see small_moves."""
    if tile.inputs.gap is None:
        return
    kept = np.where(tile.inputs.gap[:, 0] < tile.inputs.gap[:, 2], tile.inputs.gap[:, 1], -1)
    stays = (cells.price == kept[:, None]) & (cells.binding_side == BindingSide.NONE)
    cells.binding_side[stays] = BindingSide.SMALL_MOVE


def choose_changes(problem: PricingProblem, tiles: Iterator[tuple[int, int]], backend: str) -> PricingProblem:
    """Return the problem with `moves` filled, after one pass over all tiles; unchanged without a budget of changes.

    tiles: ranges of categories that cover the problem, see Tiling.all_tiles.
    """
    if problem.bounds.max_changes is None:
        return problem
    batches = (_changes(narrow_to_ratio(tile_problem(problem, first, last), backend), backend) for first, last in tiles)
    return replace(problem, moves=most_valuable(batches, problem.bounds.max_changes))


def _changes(tile: TileProblem, backend: str) -> tuple[Changes, int]:
    """Return the changes that a tile's categories and segments would make, and how many cells change in any case."""
    best, stay = tile.priced(tile.inputs, backend), tile.priced(_staying(tile), backend)
    in_any_case = _changed(stay, tile)
    cells = _changed(best, tile) - in_any_case
    gain = best.category_value.astype(np.float64) - stay.category_value.astype(np.float64)
    value = gain * tile.problem.segments.visits
    if tile.problem.bounds.max_segment_ratio is not None:  # one segment alone would break the ratio
        value, cells = value.sum(axis=1, keepdims=True), cells.sum(axis=1, keepdims=True)
    is_change = (cells > 0) & (value > 0)
    category, segment = np.nonzero(is_change)
    where = (category + tile.first) * len(tile.problem.segments.visits) + segment
    return Changes(where, cells[is_change], value[is_change]), int(in_any_case.sum())


def _staying(tile: TileProblem) -> PricingInputs:
    """Return the inputs in which every product that may keep today's price keeps it."""
    stays, today = (
        tile.problem.limits.may_stay[tile.products],
        tile.problem.products.today[tile.products].astype(np.float32),
    )
    low, high = (np.where(stays, today, bound) for bound in (tile.inputs.low, tile.inputs.high))
    family = None if tile.inputs.family is None else np.where(stays, np.int32(-1), tile.inputs.family)
    return replace(tile.inputs, low=low, high=high, family=family)


def _changed(cells: PricedCells, tile: TileProblem) -> np.ndarray:
    """Return how many cells of each category and segment are not at today's price, int64 [G, S]."""
    start = tile.inputs.shelf.category_start
    is_changed = cells.price != tile.problem.products.today[tile.products, None]
    until = np.concatenate([np.zeros((1, is_changed.shape[1]), np.int64), np.cumsum(is_changed, axis=0)])
    return until[start[1:]] - until[start[:-1]]


def _is_chosen(tile: TileProblem) -> np.ndarray:
    """Return whether a category may move for a segment, bool [G, S]."""
    segments, moves = len(tile.problem.segments.segment_id), tile.problem.moves
    assert moves is not None
    ends = np.searchsorted(moves, [tile.first * segments, tile.last * segments])
    chosen = np.zeros((tile.last - tile.first) * segments, np.bool_)
    chosen[moves[ends[0] : ends[1]] - tile.first * segments] = True
    by_category = chosen.reshape(-1, segments)
    return by_category if tile.problem.bounds.max_segment_ratio is None else np.repeat(by_category[:, :1], segments, 1)
