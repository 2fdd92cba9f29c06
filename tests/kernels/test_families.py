"""Price families, whose products share one price, against a search over every combination."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from kernels import price_cells, price_totals
from tests.kernels import oracle
from tests.kernels.markets import (
    LADDERS,
    category_of,
    factor_demand,
    positive,
    random_inputs,
    with_an_end_off_the_ladder,
)

SINGLE_PRECISION = 1e-5


def with_families(inputs, *families):
    """Return the inputs with each of these lists of products as a family, with its first product's bounds."""
    family, low, high = np.full(len(inputs.low), -1, np.int32), inputs.low.copy(), inputs.high.copy()
    for number, mates in enumerate(families):
        family[mates] = number
        low[mates], high[mates] = low[mates[0]], high[mates[0]]
    return replace(inputs, family=family, low=low, high=high)


def best_together(rungs, family, category):
    """Return the highest profit over every combination in which the products of a family have the same price."""
    keys = [("alone", p) if number < 0 else ("family", number) for p, number in enumerate(family)]
    options = {key: rungs[keys.index(key)] for key in keys}
    best = -np.inf
    for prices in product(*options.values()):
        chosen = dict(zip(options, prices, strict=True))
        best = max(best, oracle.profit(np.array([chosen[key] for key in keys], float), category))
    return best


@pytest.mark.parametrize("kind", LADDERS)
@pytest.mark.parametrize("seed", range(8))
def test_families_are_priced_as_well_as_the_best_of_every_combination(kind, seed):
    demand = factor_demand(seed, segments=5, products=5)
    inputs = with_families(with_an_end_off_the_ladder(random_inputs(seed + 50, [5], kind), seed), [0, 2], [1, 3])
    period, endings = LADDERS[kind]

    cells = price_cells(demand, inputs)

    assert (cells.price[0] == cells.price[2]).all()
    assert (cells.price[1] == cells.price[3]).all()
    rungs = [
        oracle.rungs_between(low, high, period, endings) for low, high in zip(inputs.low, inputs.high, strict=True)
    ]
    for s in range(5):
        category, _ = category_of(demand, inputs, 0, s)
        found, best = (
            oracle.profit(cells.price[:, s].astype(float), category),
            best_together(rungs, inputs.family, category),
        )
        assert found >= best - SINGLE_PRECISION * abs(best) - 1e-6


def test_two_peaks_of_one_family_are_told_apart():
    demand = factor_demand(3, segments=1, products=2)
    steep = replace(
        demand,
        appeal_offset=np.array([3.0, -1.0], np.float32),
        sensitivity_offset=np.array([30.0, 0.4], np.float32),
    )
    inputs = positive(random_inputs(3, [2], "endings"))
    wide = replace(inputs, low=np.full(2, 129, np.float32), high=np.full(2, 9999, np.float32))

    together = price_cells(steep, with_families(wide, [0, 1])).price[:, 0]
    alone = price_cells(steep, wide).price[:, 0]

    category, _ = category_of(steep, wide, 0, 0)
    every = [c for c in range(129, 10000) if c % 100 in (29, 49, 79, 99)]
    best = max(every, key=lambda c: oracle.profit(np.full(2, float(c)), category))
    assert together.tolist() == [best, best]
    assert alone[0] != alone[1]


def test_family_off_the_shelf_has_one_price_too():
    inputs = positive(random_inputs(7, [4]))
    shelf = replace(inputs.shelf, on_shelf=np.array([True, False, False, True]))

    price = price_cells(factor_demand(7, 3, 4), with_families(replace(inputs, shelf=shelf), [1, 2])).price

    assert (price[1] == price[2]).all()


def test_bound_that_binds_a_family_is_stated():
    inputs = with_families(positive(random_inputs(9, [3], "cents")), [0, 1, 2])
    low, high = np.full(3, 100, np.float32), np.full(3, 2000, np.float32)
    demand = factor_demand(9, 4, 3)

    unbound = price_cells(demand, replace(inputs, low=low, high=high))
    capped = price_cells(demand, replace(inputs, low=low, high=low + 1))
    raised = price_cells(demand, replace(inputs, low=high - 1, high=high))

    assert (unbound.binding_side == 0).all()
    assert (capped.binding_side == 1).all()
    assert (raised.binding_side == -1).all()


def test_totals_of_families_are_those_of_their_cells():
    demand, inputs = factor_demand(4, 70, 12), with_families(random_inputs(4, [7, 5]), [0, 3, 4], [8, 9])
    visits = np.linspace(1, 2, 70)

    cells, totals = price_cells(demand, inputs, visits=visits), price_totals(demand, inputs, visits)

    assert totals.totals.chosen == pytest.approx(cells.totals.chosen)
    assert totals.bound.sum() >= (cells.category_value @ visits).sum() * (1 - 1e-6)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"low": np.array([129, 149, 129], np.float32)},
            r"the products of a PricingInputs.family must have the same bounds",
        ),
        ({"family": np.array([0.0, 0.0, -1.0])}, r"PricingInputs.family must have a dtype of kind i"),
    ],
)
def test_family_of_different_bounds_is_refused(change, message):
    inputs = positive(random_inputs(1, [3]))
    inputs = replace(inputs, low=np.full(3, 129, np.float32), high=np.full(3, 199, np.float32))

    with pytest.raises(ValueError, match=message):
        replace(inputs, **{"family": np.array([0, 0, -1], np.int32)} | change)


def test_cuda_refuses_families(monkeypatch):
    monkeypatch.setattr("kernels.pricing.resolve_backend", lambda name: name)

    with pytest.raises(ValueError, match="price families need backend 'cpu'; found cuda"):
        price_cells(factor_demand(1, 2, 3), with_families(positive(random_inputs(1, [3])), [0, 1]), "cuda")
