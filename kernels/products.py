"""What the loops read of a product, side by side in one record, worked out once per tile."""

from typing import Any

import numpy as np

from kernels.compiled import compiled
from kernels.demand import Demand
from kernels.offer import Offer, Shelf

# How the best price of a product is found (see rows.want_row).
RUNGS, CONTINUOUS, ENDINGS, ENDS, FAMILY = range(5)


def product_records(demand: Demand, shelf: Shelf, offer: Offer | None = None) -> np.ndarray:
    """Return one record per product, [P], in the demand's type; what only an offer knows is 0 without one.

    rule: RUNGS where rungs lie evenly, `spacing` apart from `ending` on, CONTINUOUS without a ladder or with a fixed
    price, ENDINGS where the rungs are k * period + endings[e] for e from first_ending to last_ending - 1, ENDS where
    the weight is not positive, FAMILY where others of the category have the same price: `leader` and `next_mate` are
    the first product of the family and the next one, counted from the category's first, else -1. The unit
    of `per_unit` and `worth_step` = 1 / (weight * unit) is the spacing on rungs, else a cent.
    """
    records = np.zeros(shelf.product_count, record_type(demand.dtype))
    fill_demand(
        records, _double(shelf.reference_price), shelf.on_shelf,
        _double(demand.appeal_offset), _double(demand.sensitivity_offset),
    )  # fmt: skip
    if offer is not None:
        ladders = offer.ladders
        fill_offer(
            records, *map(_double, (offer.unit_cost, offer.weight, offer.low, offer.high)), _whole(offer.ladder),
            *map(_whole, (ladders.period, ladders.spacing, ladders.endings, ladders.ending_start)),
        )  # fmt: skip
        if offer.family is not None and offer.has_families:
            fill_families(records, _whole(offer.family), _whole(shelf.category_start))
    return records


def record_type(real: np.dtype) -> np.dtype:
    """Return the type of a product's record, its numbers of type `real`."""
    names = "reference_price per_reference appeal_offset sensitivity_offset unit_cost weight weighted_cost low high"
    names += " period spacing ending per_unit worth_step"
    fields: list[Any] = [(name, real) for name in names.split()]
    fields += [("rule", np.int32), ("first_ending", np.int32), ("last_ending", np.int32), ("on_shelf", np.bool_)]
    fields += [("leader", np.int32), ("next_mate", np.int32)]
    return np.dtype(fields, align=True)


@compiled()
def fill_demand(records, reference_price, on_shelf, appeal_offset, sensitivity_offset):
    """Fill what is known without an offer."""
    for p in range(len(records)):
        product = records[p]
        product.reference_price = reference_price[p]
        product.per_reference = 1 / reference_price[p]
        product.on_shelf = on_shelf[p]
        product.appeal_offset = appeal_offset[p]
        product.sensitivity_offset = sensitivity_offset[p]


@compiled()
def fill_offer(records, unit_cost, weight, low, high, ladder, period, spacing, endings, ending_start):
    """Fill what only an offer knows; all given in float64 and int64, so that each field is rounded once."""
    for p in range(len(records)):
        product, row = records[p], ladder[p]
        product.unit_cost, product.weight, product.weighted_cost = unit_cost[p], weight[p], weight[p] * unit_cost[p]
        product.low, product.high, product.period = low[p], high[p], period[row]
        product.first_ending, product.last_ending = ending_start[row], ending_start[row + 1]
        rule = RUNGS if spacing[row] > 0 else ENDINGS
        if period[row] == 0 or low[p] == high[p]:
            rule = CONTINUOUS
        if weight[p] <= 0:
            rule = ENDS
        product.rule, product.leader, product.next_mate = rule, -1, -1
        unit = 1.0
        if rule == RUNGS:
            unit = np.float64(spacing[row])
            product.spacing, product.ending = unit, endings[ending_start[row]]
        elif rule == ENDINGS and low[p] // period[row] == high[p] // period[row]:
            # What can be chosen of a long list; where the bounds lie in two periods, all of it.
            mine = endings[ending_start[row] : ending_start[row + 1]]
            product.first_ending += np.searchsorted(mine, low[p] % period[row])
            product.last_ending = ending_start[row] + np.searchsorted(mine, high[p] % period[row], side="right")
        product.per_unit = 1 / unit
        product.worth_step = 1 / (unit if rule == ENDS else weight[p] * unit)


@compiled()
def fill_families(records, family, category_start):
    """Link the products of each family; their targets are in cents, as without a ladder."""
    for category in range(len(category_start) - 1):
        first, last = category_start[category], category_start[category + 1]
        for p in range(last - 1, first - 1, -1):
            product = records[p]
            if family[p] < 0 or product.low == product.high:
                continue
            product.rule, product.spacing, product.ending, product.per_unit = FAMILY, 0, 0, 1
            product.worth_step = 1 / product.weight
            product.leader, product.next_mate = p - first, -1
            for q in range(p + 1, last):
                if family[q] == family[p]:
                    product.next_mate = q - first
                    break
            for q in range(p + 1, last):
                if family[q] == family[p]:
                    records[q].leader = p - first


def _double(array: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(array, np.float64)


def _whole(array: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(array, np.int64)
