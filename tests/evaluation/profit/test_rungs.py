"""The legal prices of products, against every cent between their bounds."""

import tracemalloc
from types import SimpleNamespace

import numpy as np
import pytest

from gpu_pricer.evaluation.profit import legal_rungs
from gpu_pricer.evaluation.profit.rungs import MOST_RUNGS
from kernels import Ladders

LADDERS = Ladders.of((100, [9, 19, 99]), (1, [0]), (2**24, [5, 50, 500, 1999, 2500]), (100, [0]))
PRODUCTS = 60


def inputs_of(low, high, ladder, gap=None):
    """What legal_rungs reads of PricingInputs: bounds in cents, each product's ladder, gaps, no families."""
    return SimpleNamespace(
        low=np.asarray(low, np.float32),
        high=np.asarray(high, np.float32),
        ladder=np.asarray(ladder),
        ladders=LADDERS,
        gap=gap,
        family=None,
    )


def by_hand(low, high, ladder, gap):
    """The legal prices of one product: every cent between its bounds that is an end, a rung, or what the gap keeps."""
    endings = {0: [9, 19, 99], 1: range(100), 3: [0]}
    prices = []
    for price in range(low, high + 1):
        is_rung = price in (5, 50, 500, 1999, 2500) if ladder == 2 else price % 100 in endings[ladder]
        is_legal = is_rung or price in (low, high)
        if gap is not None and gap[0] < gap[2]:
            is_legal = price == gap[1] or (is_legal and not gap[0] < price < gap[2])
        if is_legal:
            prices.append(price)
    return prices


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("has_gaps", [True, False])
def test_rungs_are_those_of_every_cent_between_the_bounds(seed, has_gaps):
    rng = np.random.default_rng(seed)
    low = rng.integers(1, 3000, PRODUCTS)
    high = low + rng.integers(0, 1500, PRODUCTS) * (rng.random(PRODUCTS) < 0.9)
    ladder, gap = rng.integers(0, 4, PRODUCTS), None
    if has_gaps:
        gap = np.sort(np.stack([rng.integers(low, high + 1) for _ in range(3)], axis=1), axis=1).astype(np.float32)
        gap[::3] = low[::3, None]

    rungs = legal_rungs(inputs_of(low, high, ladder, gap))

    found = np.split(rungs.price, rungs.start[1:-1])
    for p in range(PRODUCTS):
        assert found[p].tolist() == by_hand(low[p], high[p], ladder[p], None if gap is None else gap[p].tolist())


def test_dear_products_have_some_thousand_evenly_spaced_rungs_and_take_little_memory():
    """100 products of about 60,000.00, on ten rungs a unit or on every cent, within 10 %."""
    low, high = np.full(100, 5_400_001), np.full(100, 6_600_000)
    tracemalloc.start()

    rungs = legal_rungs(inputs_of(low, high, np.arange(100) % 2))

    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 100e6
    for price in np.split(rungs.price, rungs.start[1:-1]):
        assert (price[0], price[-1]) == (5_400_001, 6_600_000)
        assert MOST_RUNGS / 2 < len(price) <= MOST_RUNGS + 2
        assert np.ptp(np.diff(price[1:-1])) <= 100
    assert (rungs.price[1 : rungs.start[1] - 1] % 100 != 0).all()
