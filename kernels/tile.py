"""A demand and an offer laid out for the kernels, the same for every backend."""

from typing import NamedTuple

import numpy as np

from kernels.demand import Demand, DenseDemand
from kernels.ladders import Ladders
from kernels.offer import Offer, Shelf

# Segments are padded to a multiple of this, so that the vector width never splits a tile's edge (design, section 4).
SEGMENT_MULTIPLE = 16


class Scores(NamedTuple):
    """What a and b are computed from; segment axes are padded to S'.

    Factors: segment_* [D, S'] and product_* [P, D]. Dense: segment_* [0, S'] and product_* [P, S'], a and b themselves.
    """

    segment_appeal: np.ndarray
    product_appeal: np.ndarray
    segment_sensitivity: np.ndarray
    product_sensitivity: np.ndarray
    is_dense: bool


class Rungs(NamedTuple):
    """Ladders in the demand's type: period [L], endings [E], ending_start [L + 1] (see ladders.Ladders)."""

    period: np.ndarray
    endings: np.ndarray
    ending_start: np.ndarray


def rungs_of(ladders: Ladders, real: np.dtype) -> Rungs:
    """Return the ladders with their money in the type `real`."""
    return Rungs(ladders.period.astype(real), ladders.endings.astype(real), ladders.ending_start.astype(np.int32))


def scores_of(demand: Demand) -> Scores:
    """Return the demand's scores, contiguous over segments."""
    if isinstance(demand, DenseDemand):
        nothing = np.empty((0, padded(demand.segment_count)), demand.dtype)
        return Scores(nothing, _pad(demand.appeal.T), nothing, _pad(demand.sensitivity.T), True)
    return Scores(
        _pad(demand.segment_appeal.T),
        np.ascontiguousarray(demand.product_appeal),
        _pad(demand.segment_sensitivity.T),
        np.ascontiguousarray(demand.product_sensitivity),
        False,
    )


def padded(segment_count: int) -> int:
    """Return S', the number of segments rounded up to SEGMENT_MULTIPLE."""
    return -(-segment_count // SEGMENT_MULTIPLE) * SEGMENT_MULTIPLE


def _pad(rows: np.ndarray) -> np.ndarray:
    filled = np.zeros((rows.shape[0], padded(rows.shape[1])), rows.dtype)
    filled[:, : rows.shape[1]] = rows
    return filled


def product_records(demand: Demand, shelf: Shelf, offer: Offer | None = None) -> np.ndarray:
    """Return one record per product, [P], in the demand's type; what only an offer knows is 0 without one."""
    real = demand.dtype
    money = ["unit_cost", "weight", "low", "high"]
    shared = ["reference_price", "appeal_offset", "sensitivity_offset"]
    fields = [(name, real) for name in shared + money] + [("ladder", np.int32), ("on_shelf", np.bool_)]
    records = np.zeros(shelf.product_count, np.dtype(fields, align=True))
    records["reference_price"] = shelf.reference_price
    records["on_shelf"] = shelf.on_shelf
    records["appeal_offset"] = demand.appeal_offset
    records["sensitivity_offset"] = demand.sensitivity_offset
    if offer is not None:
        for name in [*money, "ladder"]:
            records[name] = getattr(offer, name)
    return records
