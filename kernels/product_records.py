"""What the loops read of a product, side by side in one record, worked out as they come to it."""

from typing import Any, NamedTuple

import numpy as np

from kernels.compiled import compiled
from kernels.demand import Demand
from kernels.inputs import PricingInputs, Shelf

# How the best price of a product is found (see rows.want_row).
RUNGS, CONTINUOUS, ENDINGS, ENDS, FAMILY = range(5)


class ProductColumns(NamedTuple):
    """What the records of P products are made of, float64 and int64 [P] so that each field is rounded once.

    unit_cost to ladder have no rows without an offer, family none without families. period, spacing [L], endings
    and ending_start describe the ladders.
    """

    reference_price: np.ndarray
    on_shelf: np.ndarray
    appeal_offset: np.ndarray
    sensitivity_offset: np.ndarray
    unit_cost: np.ndarray
    weight: np.ndarray
    low: np.ndarray
    high: np.ndarray
    ladder: np.ndarray
    family: np.ndarray
    period: np.ndarray
    spacing: np.ndarray
    endings: np.ndarray
    ending_start: np.ndarray


def product_columns(demand: Demand, shelf: Shelf, inputs: PricingInputs | None = None) -> ProductColumns:
    """Return the columns of a tile's products; arrays that have their type already are not copied."""
    of_shelf = map(_double, (shelf.reference_price, demand.appeal_offset, demand.sensitivity_offset))
    reference_price, appeal_offset, sensitivity_offset = of_shelf
    money, whole = [_double(np.empty(0))] * 4, [_whole(np.empty(0))] * 6
    if inputs is not None:
        money = [_double(array) for array in (inputs.unit_cost, inputs.weight, inputs.low, inputs.high)]
        ladders, family = inputs.ladders, inputs.family if inputs.has_families else None
        lists = (ladders.period, ladders.spacing, ladders.endings, ladders.ending_start)
        whole = [_whole(inputs.ladder), whole[0] if family is None else _whole(family), *map(_whole, lists)]
    return ProductColumns(reference_price, shelf.on_shelf, appeal_offset, sensitivity_offset, *money, *whole)


def product_records(columns: ProductColumns, category_start: np.ndarray, real: np.dtype) -> np.ndarray:
    """Return one record per product, [P], its numbers of type `real`.

    rule: RUNGS where rungs lie evenly, `spacing` apart from `ending` on, CONTINUOUS without a ladder or with a fixed
    price, ENDINGS where the rungs are k * period + endings[e] for e from first_ending to last_ending - 1, ENDS where
    the weight is not positive, FAMILY where others of the category have the same price: `leader` and `next_mate` are
    the first product of the family and the next one, counted from the category's first, else -1. The unit
    of `per_unit` and `worth_step` = 1 / (weight * unit) is the spacing on rungs, else a cent. What only an offer knows
    is 0 without one.
    """
    records = np.zeros(len(columns.reference_price), record_type(real))
    fill_all(columns, category_start, records)
    return records


def record_type(real: np.dtype) -> np.dtype:
    """Return the type of a product's record, its numbers of type `real`."""
    names = "reference_price per_reference appeal_offset sensitivity_offset unit_cost weight weighted_cost low high"
    names += " period spacing ending per_unit value_step"
    fields: list[Any] = [(name, real) for name in names.split()]
    fields += [("rule", np.int32), ("first_ending", np.int32), ("last_ending", np.int32), ("on_shelf", np.bool_)]
    fields += [("leader", np.int32), ("next_mate", np.int32)]
    return np.dtype(fields, align=True)


@compiled()
def fill_all(columns, category_start, records):
    """Fill the records of all categories."""
    for category in range(len(category_start) - 1):
        first, last = category_start[category], category_start[category + 1]
        fill_records(columns, first, last, records[first:last])


@compiled()
def fill_records(columns, first, last, records):
    """Fill the records of one category's products, those from `first` to `last` - 1."""
    fill_demand(columns, first, last, records)
    if len(columns.unit_cost) > 0:
        fill_pricing_inputs(columns, first, last, records)
    else:
        fill_nothing(records)
    if len(columns.family) > 0:
        fill_families(records, columns.family[first:last])


@compiled()
def fill_demand(columns, first, last, records):
    """Fill what is known without an offer."""
    for p in range(first, last):
        product = records[p - first]
        product.reference_price = columns.reference_price[p]
        product.per_reference = 1 / columns.reference_price[p]
        product.on_shelf = columns.on_shelf[p]
        product.appeal_offset = columns.appeal_offset[p]
        product.sensitivity_offset = columns.sensitivity_offset[p]


@compiled()
def fill_nothing(records):
    """Fill what only an offer knows."""
    for p in range(len(records)):
        product = records[p]
        product.unit_cost = product.weight = product.weighted_cost = product.low = product.high = 0
        product.period = product.spacing = product.ending = product.per_unit = product.value_step = 0
        product.rule = product.first_ending = product.last_ending = product.leader = product.next_mate = 0


@compiled()
def fill_pricing_inputs(columns, first, last, records):
    """Fill what only an offer knows, but for families."""
    for p in range(first, last):
        product, row = records[p - first], columns.ladder[p]
        unit_cost, weight, low, high = columns.unit_cost[p], columns.weight[p], columns.low[p], columns.high[p]
        period, spacing = columns.period[row], columns.spacing[row]
        start, end = columns.ending_start[row], columns.ending_start[row + 1]
        product.unit_cost, product.weight, product.weighted_cost = unit_cost, weight, weight * unit_cost
        product.low, product.high, product.period = low, high, period
        product.first_ending, product.last_ending = start, end
        rule = RUNGS if spacing > 0 else ENDINGS
        if period == 0 or low == high:
            rule = CONTINUOUS
        if weight <= 0:
            rule = ENDS
        product.rule, product.leader, product.next_mate = rule, -1, -1
        unit, product.spacing, product.ending = 1.0, 0, 0
        if rule == RUNGS:
            unit = np.float64(spacing)
            product.spacing, product.ending = unit, columns.endings[start]
        elif rule == ENDINGS and low // period == high // period:
            # What can be chosen of a long list; where the bounds lie in two periods, all of it.
            mine = columns.endings[start:end]
            product.first_ending += np.searchsorted(mine, low % period)
            product.last_ending = start + np.searchsorted(mine, high % period, side="right")
        product.per_unit = 1 / unit
        product.value_step = 1 / (unit if rule == ENDS else weight * unit)


@compiled()
def fill_families(records, family):
    """Link the category's families; their targets are in cents, as without a ladder."""
    for p in range(len(records) - 1, -1, -1):
        product = records[p]
        if family[p] < 0 or product.low == product.high:
            continue
        product.rule, product.spacing, product.ending, product.per_unit = FAMILY, 0, 0, 1
        product.value_step = 1 / product.weight
        product.leader, product.next_mate = p, -1
        for q in range(p + 1, len(records)):
            if family[q] == family[p]:
                product.next_mate = q
                break
        for q in range(p + 1, len(records)):
            if family[q] == family[p]:
                records[q].leader = p


def _double(array: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(array, np.float64)


def _whole(array: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(array, np.int64)
