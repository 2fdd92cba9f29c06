"""Prices set by hand for single segments: the other products of a category are priced around its fixed prices."""

from dataclasses import replace

import numpy as np

from gpu_pricer.policy.overrides import Overrides
from gpu_pricer.pricing.tiles.selection import demand_of, inputs_of, products_of
from kernels import BindingSide, Demand, PricedCells, PricingInputs, price_cells


def fix_cells(
    cells: PricedCells, demand: Demand, inputs: PricingInputs, overrides: Overrides, backend: str
) -> PricedCells:
    """Return the cells, changed in place: overridden cells at their prices, and their categories priced around them.

    overrides: of single segments; product numbers count from the tile's first product. The kernels take the same bounds
    for all segments. So each segment with overrides is priced again, alone, in the categories concerned, with the
    overrides' prices as bounds.
    """
    start = inputs.shelf.category_start
    for segment in np.unique(overrides.segment):
        mine = overrides.segment == segment
        fixed, price = overrides.product[mine], overrides.price[mine]
        categories = np.unique(np.searchsorted(start, fixed, side="right") - 1)
        products = products_of(start, categories)
        again = inputs_of(inputs_at(inputs, fixed, price), categories)
        found = price_cells(demand_of(demand, products, np.array([segment])), again, backend)
        for whole, part in ((cells.price, found.price), (cells.probability, found.probability)):
            whole[products, segment] = part[:, 0]
        cells.binding_side[products, segment] = found.binding_side[:, 0]
        cells.binding_side[fixed, segment] = BindingSide.OVERRIDE
        cells.category_value[categories, segment] = found.category_value[:, 0]
    return cells


def inputs_at(inputs: PricingInputs, products: np.ndarray, price: np.ndarray) -> PricingInputs:
    """Return the inputs with products [n], given by positions, fixed at price [n] in cents, without families."""
    low, high = inputs.low.copy(), inputs.high.copy()
    low[products] = high[products] = price
    family = None
    if inputs.family is not None:
        family = inputs.family.copy()
        family[products] = -1
    return replace(inputs, low=low, high=high, family=family)
