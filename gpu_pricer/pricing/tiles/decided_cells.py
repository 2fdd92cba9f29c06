"""A solved tile in which people decided some prices: those change, and every other price stays as it was solved."""

from dataclasses import replace

import numpy as np

from gpu_pricer.pricing.problem.price_limits import BindingRules
from gpu_pricer.pricing.problem.pricing_problem import PricingProblem
from gpu_pricer.pricing.tiles.objective_terms import objective_terms
from gpu_pricer.pricing.tiles.solved_tile import SolvedTile
from kernels import BindingSide, PricedCells, Totals, choice_probabilities, expected_choices


def at_decided_prices(tile: SolvedTile, problem: PricingProblem, decided: np.ndarray) -> SolvedTile:
    """Return the tile with some products at the one price that `problem` allows them.

    decided: their positions, ascending. problem: that of the tile, but with limits that fix the decided products. In
    their categories the choices of all products follow; all other cells stay as they are, bit for bit.
    """
    start, stop = tile.products.start, tile.products.stop
    mine = decided[(decided >= start) & (decided < stop)] - start
    if not len(mine):
        return replace(tile, problem=problem)
    cells, fixed = tile.cells, problem.limits.low[tile.products][mine]
    price, side = cells.price.copy(), cells.binding_side.copy()
    price[mine], side[mine] = fixed[:, None], BindingSide.NONE
    starts = problem.starts(tile.first, tile.last)
    categories = np.unique(np.searchsorted(starts, mine, side="right") - 1)
    is_touched = np.zeros(len(starts) - 1, np.bool_)
    is_touched[categories] = True
    moved = replace(cells, price=price, binding_side=side)
    cells = _with_choices(replace(tile, problem=problem, cells=moved), is_touched)
    rules = BindingRules(*(rule.copy() for rule in tile.rules))
    for rule, name in zip(rules, problem.limits.rules.rows(tile.products), strict=True):
        rule[mine] = name[mine]
    return replace(tile, problem=problem, cells=cells, rules=rules)


def _with_choices(tile: SolvedTile, is_touched: np.ndarray) -> PricedCells:
    """Return the tile's cells with what its prices lead to in the touched categories, bool [G]."""
    problem, cells, shelf = tile.problem, tile.cells, tile.problem.shelf(tile.first, tile.last)
    if problem.draws is None:
        share = choice_probabilities(tile.demand, shelf, cells.price)
    else:
        share = expected_choices(tile.demand, shelf, problem.draws.of_categories(tile.first, tile.last), cells.price)
    starts = problem.starts(tile.first, tile.last)
    rows = np.repeat(is_touched, np.diff(starts))[:, None]
    terms = objective_terms(problem, tile.products, tile.lagrangian)
    weight, cost = (of_class[:, terms.class_of] for of_class in (terms.weight, terms.effective_cost))
    value = np.add.reduceat(weight * (cells.price - cost) * share, starts[:-1]).astype(cells.category_value.dtype)
    totals, before = problem.totals(tile.demand, tile.first, tile.last, cells.price), cells.totals
    assert before is not None
    return replace(
        cells,
        probability=np.where(rows, share, cells.probability).astype(cells.probability.dtype),
        category_value=np.where(is_touched[:, None], value, cells.category_value),
        totals=Totals(np.where(rows, totals.chosen, before.chosen), np.where(rows, totals.revenue, before.revenue)),
    )
