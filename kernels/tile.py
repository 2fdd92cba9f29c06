"""A demand and an offer laid out for the kernels, the same for every backend."""

from typing import Any, NamedTuple

import numpy as np

from kernels.demand import Demand, DenseDemand
from kernels.offer import Offer, Shelf

# Segments are padded to a multiple of this, so that the vector width never splits a tile's edge (design,
# section 4).
SEGMENT_MULTIPLE = 16


class Scores(NamedTuple):
    """What a and b are computed from; segment axes are padded to S'.

    Factors: segment_* [D, S'] and product_* [P, D]. Dense: segment_* [0, S'] and product_* [P, S'], a and b
    themselves.
    """

    segment_appeal: np.ndarray
    product_appeal: np.ndarray
    segment_sensitivity: np.ndarray
    product_sensitivity: np.ndarray
    is_dense: bool


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
    """Return one record per product, [P], in the demand's type; what only an offer knows is 0 without one.

    A product's rungs are k * period + endings[e] for e from first_ending to last_ending - 1 (see
    ladders.Ladders).
    """
    real = [
        "reference_price",
        "appeal_offset",
        "sensitivity_offset",
        "unit_cost",
        "weight",
        "low",
        "high",
        "period",
    ]
    fields: list[Any] = [(name, demand.dtype) for name in real]
    fields += [("first_ending", np.int32), ("last_ending", np.int32), ("on_shelf", np.bool_)]
    records = np.zeros(shelf.product_count, np.dtype(fields, align=True))
    records["reference_price"] = shelf.reference_price
    records["on_shelf"] = shelf.on_shelf
    records["appeal_offset"] = demand.appeal_offset
    records["sensitivity_offset"] = demand.sensitivity_offset
    if offer is not None:
        for name in ("unit_cost", "weight", "low", "high"):
            records[name] = getattr(offer, name)
        records["period"] = offer.ladders.period[offer.ladder]
        records["first_ending"] = offer.ladders.ending_start[offer.ladder]
        records["last_ending"] = offer.ladders.ending_start[offer.ladder + 1]
    return records
