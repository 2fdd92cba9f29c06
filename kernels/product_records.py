"""One record per product, which holds all that the loops read of the product."""

from typing import Any, NamedTuple

import numpy as np

from kernels.compiled import compiled
from kernels.demand import Demand
from kernels.inputs import PricingInputs, Shelf

# How the best price of a product is found; see product_records.
RUNGS, CONTINUOUS, ENDINGS, ENDS, FAMILY = range(5)


class ProductColumns(NamedTuple):
    """The columns from which the records of P products are filled; float64 and int64, so that a field is rounded once.

    reference_price, appeal_offset, sensitivity_offset float64 [P], on_shelf bool [P]: see inputs.Shelf and demand
    unit_cost, weight, low, high float64 [P], ladder int64 [P]: see inputs.PricingInputs
    family int64 [P]: see inputs.PricingInputs
    period, spacing int64 [L], endings int64 [E], ending_start int64 [L + 1]: see ladders.Ladders
    gap float64 [P, 3]: see inputs.PricingInputs; one row where there are no gaps, see has_gaps
    has_inputs: whether pricing inputs are known; if not, unit_cost and every array after it have one element
    has_families: whether some products share one price; otherwise family has one element
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
    gap: np.ndarray
    has_inputs: bool
    has_families: bool
    has_gaps: bool


def product_columns(demand: Demand, shelf: Shelf, inputs: PricingInputs | None = None) -> ProductColumns:
    """Return the columns of a tile's products; arrays that already have the column's type are not copied."""
    money, whole = np.zeros(1), np.zeros(1, np.int64)
    known = {} if inputs is None else _input_columns(inputs)
    unknown = dict.fromkeys(("unit_cost", "weight", "low", "high"), money) | dict.fromkeys(
        ("ladder", "family", "period", "spacing", "endings", "ending_start"), whole
    )
    has_gaps = inputs is not None and inputs.gap is not None
    return ProductColumns(
        reference_price=_double(shelf.reference_price),
        on_shelf=shelf.on_shelf,
        appeal_offset=_double(demand.appeal_offset),
        sensitivity_offset=_double(demand.sensitivity_offset),
        **unknown | known,
        has_inputs=inputs is not None,
        gap=_double(inputs.gap) if has_gaps else np.zeros((1, 3)),  # type: ignore[union-attr,arg-type]
        has_families=inputs is not None and inputs.has_families,
        has_gaps=has_gaps,
    )


def _input_columns(inputs: PricingInputs) -> dict[str, np.ndarray]:
    """Return the columns that only pricing inputs give; family is missing where no products share a price."""
    ladders = inputs.ladders
    families = {"family": _whole(inputs.family)} if inputs.family is not None and inputs.has_families else {}
    return families | {
        "unit_cost": _double(inputs.unit_cost),
        "weight": _double(inputs.weight),
        "low": _double(inputs.low),
        "high": _double(inputs.high),
        "ladder": _whole(inputs.ladder),
        "period": _whole(ladders.period),
        "spacing": _whole(ladders.spacing),
        "endings": _whole(ladders.endings),
        "ending_start": _whole(ladders.ending_start),
    }


def product_records(columns: ProductColumns, category_start: np.ndarray, real: np.dtype) -> np.ndarray:
    """Return one record per product, [P], with numbers of type `real`; money is in cents.

    reference_price, appeal_offset, sensitivity_offset, on_shelf, unit_cost, weight, low, high: as in ProductColumns
    per_reference: 1 / reference_price; weighted_cost: weight * unit_cost
    rule: how the best price is found.
        RUNGS: the rungs lie `spacing` apart, from `ending` on, and both bounds are rungs
        ENDINGS: the rungs are k * period + endings[e] for e from first_ending to last_ending - 1; a bound that is no
            rung is one more price, and the product may have a gap
        CONTINUOUS: there is no ladder, or the price is fixed
        ENDS: the weight is not positive, so that one of the bounds is best
        FAMILY: other products of the category have the same price
    gap_low, kept, gap_high: the columns of PricingInputs.gap; `low` without a gap
    per_unit: 1 / unit, and value_step: 1 / (weight * unit), where the unit is the spacing for RUNGS and a cent
        otherwise; for ENDS, value_step is 1 / unit
    leader, next_mate: the family's first product and its next one after this, as positions in the category; -1 where
        there is no such product
    Fields that only pricing inputs give are 0 without them.
    """
    records = np.zeros(len(columns.reference_price), record_type(real))
    fill_all(columns, category_start, records)
    return records


def record_type(real: np.dtype) -> np.dtype:
    """Return the type of a product's record, with numbers of type `real`; see product_records for the fields."""
    names = "reference_price per_reference appeal_offset sensitivity_offset unit_cost weight weighted_cost low high"
    names += " gap_low kept gap_high period spacing ending per_unit value_step"
    fields: list[Any] = [(name, real) for name in names.split()]
    fields += [("rule", np.int32), ("first_ending", np.int32), ("last_ending", np.int32), ("on_shelf", np.bool_)]
    fields += [("leader", np.int32), ("next_mate", np.int32)]
    return np.dtype(fields, align=True)


@compiled()
def fill_all(columns, category_start, records):
    """Fill records [P] of all categories from ProductColumns; category_start int64 [G + 1]."""
    for category in range(len(category_start) - 1):
        first, last = category_start[category], category_start[category + 1]
        fill_records(columns, first, last, records[first:last])


@compiled()
def fill_records(columns, first, last, records):
    """Fill records [n] of one category's products, which are the products `first` to `last` - 1 of the columns."""
    fill_demand(columns, first, last, records)
    if columns.has_inputs:
        fill_pricing_inputs(columns, first, last, records)
    else:
        clear_pricing_inputs(records)
    if columns.has_families:
        fill_families(records, columns.family[first:last])


@compiled()
def fill_demand(columns, first, last, records):
    """Fill the fields of records [last - first] that are known without pricing inputs."""
    for p in range(first, last):
        product = records[p - first]
        product.reference_price = columns.reference_price[p]
        product.per_reference = 1 / columns.reference_price[p]
        product.on_shelf = columns.on_shelf[p]
        product.appeal_offset = columns.appeal_offset[p]
        product.sensitivity_offset = columns.sensitivity_offset[p]


@compiled()
def clear_pricing_inputs(records):
    """Set to 0 those fields of records [n] that only pricing inputs give."""
    for p in range(len(records)):
        product = records[p]
        product.unit_cost = product.weight = product.weighted_cost = product.low = product.high = 0
        product.gap_low = product.kept = product.gap_high = 0
        product.period = product.spacing = product.ending = product.per_unit = product.value_step = 0
        product.rule = product.first_ending = product.last_ending = product.leader = product.next_mate = 0


@compiled()
def fill_pricing_inputs(columns, first, last, records):
    """Fill the fields of records [last - first] that only pricing inputs give, as if there were no families."""
    for p in range(first, last):
        product, row = records[p - first], columns.ladder[p]
        unit_cost, weight, low, high = columns.unit_cost[p], columns.weight[p], columns.low[p], columns.high[p]
        period, spacing = columns.period[row], columns.spacing[row]
        start, end = columns.ending_start[row], columns.ending_start[row + 1]
        product.unit_cost, product.weight, product.weighted_cost = unit_cost, weight, weight * unit_cost
        product.low, product.high, product.period = low, high, period
        product.gap_low = product.kept = product.gap_high = low
        if columns.has_gaps:
            product.gap_low, product.kept, product.gap_high = columns.gap[p, 0], columns.gap[p, 1], columns.gap[p, 2]
        product.first_ending, product.last_ending = start, end
        rule = ENDINGS
        if spacing > 0 and (low - columns.endings[start]) % spacing == 0 and (high - low) % spacing == 0:
            rule = RUNGS
        if product.gap_low < product.gap_high:
            rule = ENDINGS
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
            # If both bounds lie in one period, only the endings between them matter; a long list need not be scanned.
            mine = columns.endings[start:end]
            product.first_ending += np.searchsorted(mine, low % period)
            product.last_ending = start + np.searchsorted(mine, high % period, side="right")
        product.per_unit = 1 / unit
        product.value_step = 1 / (unit if rule == ENDS else weight * unit)


@compiled()
def fill_families(records, family):
    """Link the products of each family in one category's records [n]; family int64 [n], -1 for none.

    The unit (see product_records) of a product in a family is a cent, as for a product without a ladder.
    """
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
    """Return the array as contiguous float64."""
    return np.ascontiguousarray(array, np.float64)


def _whole(array: np.ndarray) -> np.ndarray:
    """Return the array as contiguous int64."""
    return np.ascontiguousarray(array, np.int64)
