"""The best price of every cell of a tile, and the choices at given prices."""

from dataclasses import dataclass
from threading import Lock
from typing import NamedTuple

import numpy as np

from kernels import cpu
from kernels.backend import resolve_backend
from kernels.checks import require
from kernels.demand import Demand
from kernels.offer import Offer, Shelf
from kernels.tile import product_records, scores_of

# R is a ratio of two sums, each good to a few roundings: below this many of them an improvement is noise.
ROUNDINGS = 8


# One call uses every core, and numba's workqueue threads abort when two threads enter them.
ONE_AT_A_TIME = Lock()


class Cells(NamedTuple):
    """The arrays that a backend fills (see PricedCells)."""

    price: np.ndarray
    probability: np.ndarray
    held: np.ndarray
    category_worth: np.ndarray


@dataclass(frozen=True)
class PricedCells:
    """The prices of a tile; [P, S], because the price table is sorted by product, then segment.

    price: int32 cents, or the demand's float type where some ladder is continuous (period 0);
    probability: that the segment chooses the product at these prices, 0 for products not on the shelf;
    held int8: -1 where the unclipped optimum lies below `low`, +1 where it lies above `high`, else 0
    (with weight <= 0: which end was taken);
    category_worth [G, S]: R, the expected weighted profit of the category at these prices, in cents per
    visit; steps: the most that a category's iteration took.
    """

    price: np.ndarray
    probability: np.ndarray
    held: np.ndarray
    category_worth: np.ndarray
    steps: int


def price_cells(demand: Demand, offer: Offer, backend: str = "cpu") -> PricedCells:
    """Return the most profitable price of every product for every segment, exactly, with substitution.

    A product that is not on the shelf is priced with the R of those that are (0 where none is), which it does
    not enter. Computed in the demand's type. Same bits for any tiling along whole categories and segments and
    for any number of threads. Raises ValueError if demand and offer disagree on P, BackendUnavailable for
    "cuda" without it.
    """
    _require_same_products(demand, offer.shelf)
    real, shape = demand.dtype, (demand.product_count, demand.segment_count)
    cells = Cells(
        np.empty(shape, np.int32 if offer.is_whole_cents else real),
        np.empty(shape, real),
        np.empty(shape, np.int8),
        np.empty((offer.shelf.category_count, demand.segment_count), real),
    )
    tolerance = real.type(ROUNDINGS * np.finfo(real).eps)
    arguments = (
        scores_of(demand),
        product_records(demand, offer.shelf, offer),
        offer.shelf.category_start.astype(np.int64),
        offer.ladders.endings.astype(real),
        offer.shelf.has_outside_option,
        tolerance,
        cells,
    )
    if resolve_backend(backend) == "cuda":
        from kernels import cuda

        steps = cuda.price_tile(*arguments)
    else:
        with ONE_AT_A_TIME:
            steps = cpu.price_tile(*arguments)
    return PricedCells(*cells, steps=int(steps.max(initial=0)))


def choice_probabilities(demand: Demand, shelf: Shelf, price: np.ndarray) -> np.ndarray:
    """Return the probability [P, S] that a segment chooses a product, at prices [P, S] or [P, 1] in cents.

    In the demand's type (float64 for certificates and evaluation), always on the CPU; 0 for products not on
    the shelf. Raises ValueError if demand, shelf and price disagree on their shapes.
    """
    _require_same_products(demand, shelf)
    shape = (demand.product_count, demand.segment_count)
    require(
        np.ndim(price) == 2 and price.shape in (shape, (shape[0], 1)),
        f"price must have shape {shape} or {(shape[0], 1)}",
        np.shape(price),
    )
    probability = np.empty(shape, demand.dtype)
    arguments = (
        scores_of(demand),
        product_records(demand, shelf),
        shelf.category_start.astype(np.int64),
        shelf.has_outside_option,
        np.broadcast_to(price, shape).astype(demand.dtype, order="C"),
        probability,
    )
    with ONE_AT_A_TIME:
        cpu.choose_tile(*arguments)
    return probability


def _require_same_products(demand: Demand, shelf: Shelf) -> None:
    require(
        demand.product_count == shelf.product_count,
        f"demand must cover the shelf's {shelf.product_count} products",
        demand.product_count,
    )
