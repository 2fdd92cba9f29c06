"""Some products and segments of a tile, as a tile of their own."""

from dataclasses import replace

import numpy as np

from kernels import Demand, DenseDemand, PricingInputs, Shelf, take_segments


def demand_of(demand: Demand, products: np.ndarray, segments: np.ndarray) -> Demand:
    """Return the demand of some segments for some products; both are given by positions, int [n]."""
    demand = take_segments(demand, segments)
    offsets = {name: getattr(demand, name)[products] for name in ("appeal_offset", "sensitivity_offset")}
    if isinstance(demand, DenseDemand):
        return replace(
            demand, appeal=demand.appeal[:, products], sensitivity=demand.sensitivity[:, products], **offsets
        )
    return replace(
        demand,
        product_appeal=demand.product_appeal[products],
        product_sensitivity=demand.product_sensitivity[products],
        **offsets,
    )


def products_of(category_start: np.ndarray, categories: np.ndarray) -> np.ndarray:
    """Return the positions, int64 [n], of the products of some categories, category by category.

    category_start int64 [G + 1]; categories int: their positions.
    """
    return np.concatenate([np.arange(category_start[g], category_start[g + 1]) for g in categories])


def shelf_of(shelf: Shelf, categories: np.ndarray) -> Shelf:
    """Return the shelf of some categories, which are given by positions, int."""
    start, products = shelf.category_start, products_of(shelf.category_start, categories)
    sizes = start[categories + 1] - start[categories]
    return replace(
        shelf,
        category_start=np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64),
        reference_price=shelf.reference_price[products],
        on_shelf=shelf.on_shelf[products],
        dissimilarity=None if shelf.dissimilarity is None else shelf.dissimilarity[categories],
    )


def inputs_of(inputs: PricingInputs, categories: np.ndarray) -> PricingInputs:
    """Return the pricing inputs of some categories, which are given by positions, int."""
    products = products_of(inputs.shelf.category_start, categories)
    columns = ("unit_cost", "weight", "low", "high", "ladder")
    family = None if inputs.family is None else inputs.family[products]
    gap = None if inputs.gap is None else inputs.gap[products]
    chosen = {name: getattr(inputs, name)[products] for name in columns}
    return replace(inputs, shelf=shelf_of(inputs.shelf, categories), family=family, gap=gap, **chosen)
