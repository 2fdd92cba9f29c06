"""What tests on a GPU, or in numba's simulator, need before they begin, and how they compare the backends."""

import os
from functools import partial
from itertools import product

import numpy as np
import pytest

from kernels import price_cells
from kernels.backend import is_simulated, missing_for_cuda
from tests.kernels import oracle
from tests.kernels.markets import category_of

FLOAT32_REGRET = 2e-6
"""As in test_price_cells: both loops are some 16 roundings from the optimum, never bit-equal."""

CATEGORY_VALUE = 1e-3
"""Cents by which R may differ: some roundings of the prices that it is a mean of."""

SUMS = 1e-5
"""Relative: float64 sums of probabilities that differ by a few roundings of float32."""

TINY = {"chunk_cells": 24, "threads": 4, "shared_bytes": 192, "sum_threads": 4}
"""Settings under which small tiles have several chunks and blocks, with rows in shared memory up to 4 products."""

FORMULAS = ("kernels.formulas", "kernels.nesting", "kernels.rungs")
"""The modules whose functions CUDA shares with the CPU."""

QUIET = [
    pytest.mark.filterwarnings("ignore:Grid size"),  # tiny grids, on purpose
    # In the simulator NumPy warns where a GPU only returns infinity, which `is_exact` then sees.
    pytest.mark.filterwarnings("ignore:overflow"),
    pytest.mark.filterwarnings("ignore:invalid value"),
]


def require_cuda():
    """Skip, or fail under GPU_PRICER_REQUIRE_CUDA=1, where neither a GPU nor the simulator is there."""
    missing = missing_for_cuda()
    if missing and os.environ.get("GPU_PRICER_REQUIRE_CUDA") == "1":
        pytest.fail(f"GPU_PRICER_REQUIRE_CUDA=1, but CUDA needs {missing}")
    if missing:
        pytest.skip(f"CUDA needs {missing}, or NUMBA_ENABLE_CUDASIM=1")


def keep_types(monkeypatch):
    """Let formulas return the type they are given, in the simulator; on a GPU change nothing.

    Formulas compiled for the CPU return Python's floats to the simulator, which would turn all that follows into
    float64.
    """
    if not is_simulated():
        return
    from kernels.cuda import category_solver, nested_kernel, nested_solver, outputs, price_kernel

    for module in (category_solver, nested_kernel, nested_solver, outputs, price_kernel):
        for name, value in vars(module).copy().items():
            if hasattr(value, "py_func") and value.py_func.__module__ in FORMULAS:
                monkeypatch.setattr(module, name, with_its_type(value))


def with_its_type(formula):
    """Return the formula with every float it returns in the type of its first float."""

    def call(*arguments):
        real = next(type(value) for value in arguments if isinstance(value, np.floating))
        result = formula(*arguments)
        if isinstance(result, tuple):
            return tuple(map(real, result))
        return real(result) if isinstance(result, float) else result

    return call


def cut(cuda, monkeypatch, **settings):
    """Let the CUDA loop run with TINY settings, but for those given."""
    priced = getattr(cuda.price_tile, "func", cuda.price_tile)
    monkeypatch.setattr(cuda, "price_tile", partial(priced, settings=cuda.LaunchSettings(**TINY | settings)))


def on_both(demand, inputs, **options):
    """Return the tile priced by the CPU and by CUDA."""
    return price_cells(demand, inputs, **options), price_cells(demand, inputs, backend="cuda", **options)


def assert_equally_good(demand, inputs, cpu, gpu, passes=1):
    """Profit in float64 first, then prices: a rung may differ only where both rungs earn the same.

    passes: by how many the backends may differ.
    """
    for category, segment in product(range(inputs.shelf.category_count), range(demand.segment_count)):
        market, rows = category_of(demand, inputs, category, segment)
        profits = [oracle.profit(cells.price[rows, segment].astype(float), market) for cells in (cpu, gpu)]
        scale = abs(profits[0]) + np.abs(market["weight"] * (market["unit_cost"] - inputs.high[rows])).max(initial=0)
        assert abs(profits[0] - profits[1]) <= FLOAT32_REGRET * scale
    same = cpu.price == gpu.price
    assert same.mean() > 0.99
    assert np.abs(cpu.category_value - gpu.category_value).max() < CATEGORY_VALUE
    assert np.abs((cpu.probability - gpu.probability)[same]).max() < 1e-5
    assert np.array_equal(cpu.binding_side[same], gpu.binding_side[same])
    assert abs(cpu.steps - gpu.steps) <= passes


def visits_of(segments):
    """Return visits of two classes, [2, S]."""
    return np.random.default_rng(segments).uniform(1, 9, (2, segments))


def assert_same_totals(cpu, gpu):
    """The sums are alike to some roundings of float32."""
    assert gpu.chosen == pytest.approx(cpu.chosen, rel=SUMS, abs=1e-9)
    assert gpu.revenue == pytest.approx(cpu.revenue, rel=SUMS, abs=1e-9)
