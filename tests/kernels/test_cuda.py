"""The CUDA loop against the CPU's: in the simulator (NUMBA_ENABLE_CUDASIM=1) or on a GPU."""

import importlib.util
import os
import re
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from kernels import DenseDemand, Ladders, price_cells
from kernels.backend import is_simulated, missing_for_cuda
from tests.kernels import oracle
from tests.kernels.markets import LADDERS, category_of, factor_demand, random_offer

FLOAT32_REGRET = 2e-6
"""As in test_price_cells: both loops are some 16 roundings from the optimum, never bit-equal."""

pytestmark = pytest.mark.filterwarnings("ignore:Grid size")  # tiny grids, on purpose


@pytest.fixture
def cuda():
    """The CUDA loop; skips, or fails under GPU_PRICER_REQUIRE_CUDA=1, where it cannot run."""
    missing = missing_for_cuda()
    if missing and os.environ.get("GPU_PRICER_REQUIRE_CUDA") == "1":
        pytest.fail(f"GPU_PRICER_REQUIRE_CUDA=1, but CUDA needs {missing}")
    if missing:
        pytest.skip(f"CUDA needs {missing}, or NUMBA_ENABLE_CUDASIM=1")
    from kernels import cuda

    return cuda


def on_both(demand, offer, cuda, monkeypatch, threads):
    """Return the tile priced by the CPU and by CUDA with this many threads in a block."""
    priced = cuda.price_tile
    monkeypatch.setattr(cuda, "price_tile", lambda *arguments: priced(*arguments, threads=threads))
    return price_cells(demand, offer), price_cells(demand, offer, backend="cuda")


def assert_equally_good(demand, offer, cpu, gpu):
    """Profit in float64 first, then prices: a rung may differ only where both rungs earn the same."""
    for category in range(offer.shelf.category_count):
        for segment in range(demand.segment_count):
            market, rows = category_of(demand, offer, category, segment)
            profits = [oracle.profit(cells.price[rows, segment].astype(float), market) for cells in (cpu, gpu)]
            scale = abs(profits[0]) + np.abs(market["weight"] * (market["unit_cost"] - offer.high[rows])).max(initial=0)
            assert abs(profits[0] - profits[1]) <= FLOAT32_REGRET * scale
    assert (cpu.price == gpu.price).mean() > 0.99
    assert np.abs(cpu.category_worth - gpu.category_worth).max() < 1e-3
    same = cpu.price == gpu.price
    assert np.abs((cpu.probability - gpu.probability)[same]).max() < 1e-5
    assert np.array_equal(cpu.held[same], gpu.held[same])


@pytest.mark.gpu
@pytest.mark.simulator
@pytest.mark.parametrize("has_outside_option", [True, False])
@pytest.mark.parametrize("kind", LADDERS)
@pytest.mark.parametrize(("sizes", "segments", "threads"), [([3, 1, 0, 4], 5, 3), ([2, 5], 1, 32), ([1], 7, 1)])
def test_both_backends_price_alike(cuda, monkeypatch, kind, has_outside_option, sizes, segments, threads):
    offer = random_offer(11, sizes, kind, has_outside_option)
    demand = factor_demand(11, segments, sum(sizes))

    cpu, gpu = on_both(demand, offer, cuda, monkeypatch, threads)

    assert_equally_good(demand, offer, cpu, gpu)


@pytest.mark.gpu
@pytest.mark.simulator
def test_both_backends_read_dense_demand(cuda, monkeypatch):
    rng = np.random.default_rng(2)
    offer = random_offer(2, [3, 2])
    real = np.float32
    demand = DenseDemand(
        rng.normal(size=(4, 5)).astype(real),
        rng.uniform(1, 5, (4, 5)).astype(real),
        rng.normal(size=5).astype(real),
        rng.uniform(0, 1, 5).astype(real),
    )

    cpu, gpu = on_both(demand, offer, cuda, monkeypatch, 4)

    assert_equally_good(demand, offer, cpu, gpu)


@pytest.mark.gpu
@pytest.mark.simulator
def test_both_backends_find_the_continuous_optimum(cuda, monkeypatch):
    offer = replace(random_offer(2, [3, 2]), ladders=Ladders.of((0, [])))
    demand = factor_demand(2, 4, 5, real=np.float64)

    cpu, gpu = on_both(demand, offer, cuda, monkeypatch, 4)

    assert gpu.price.dtype == np.float64
    assert np.abs(cpu.price - gpu.price).max() < 1e-6


@pytest.mark.gpu
@pytest.mark.simulator
@pytest.mark.parametrize("has_outside_option", [True, False])
def test_an_empty_shelf_is_worth_nothing_on_cuda(cuda, monkeypatch, has_outside_option):
    offer = random_offer(2, [3], has_outside_option=has_outside_option)
    hidden = replace(offer, shelf=replace(offer.shelf, on_shelf=np.zeros(3, bool)))

    _, gpu = on_both(factor_demand(2, 4, 3), hidden, cuda, monkeypatch, 4)

    assert (gpu.category_worth == 0).all()
    assert (gpu.probability == 0).all()


@pytest.mark.gpu
@pytest.mark.simulator
def test_an_empty_tile_launches_nothing(cuda, monkeypatch):
    _, gpu = on_both(factor_demand(2, 4, 0), random_offer(2, []), cuda, monkeypatch, 4)

    assert gpu.price.shape == (0, 4)


def double_instructions(ptx):
    """Return the PTX lines that touch a float64; fails when there is nothing to look at."""
    instructions = [line.strip() for line in ptx.splitlines() if line.strip().endswith(";")]
    assert sum(".f32" in line for line in instructions) > 100, "no float32 instructions parsed"
    return [line for line in instructions if re.search(r"\.f64\b", line)]


@pytest.mark.parametrize("capability", [(8, 0), (9, 0)])
def test_the_kernel_compiles_without_float64(capability, monkeypatch):
    if is_simulated():
        pytest.skip("the simulator compiles nothing")
    for module in ("numba_cuda", "cuda.bindings"):
        if importlib.util.find_spec(module) is None:
            pytest.skip(f"compiling needs the package numba-cuda[cu12]: no module {module}")
    import numba
    from numba import cuda, types
    from numba.cuda import dispatcher

    from kernels.cuda import price_kernel
    from kernels.tile import product_records

    device = SimpleNamespace(compute_capability=capability)
    monkeypatch.setattr(dispatcher, "get_current_device", lambda: device)
    offer = random_offer(0, [2])
    records = product_records(factor_demand(0, 2, 2), offer.shelf, offer)
    real, cells = types.float32, types.float32[:, ::1]
    signature = (
        types.float32[:, :, ::1], numba.from_dtype(records.dtype)[::1], types.int64[::1], real[::1],
        types.boolean, types.boolean, real,
        types.int32[:, ::1], cells, types.int8[:, ::1], cells, types.int32[:, ::1],
    )  # fmt: skip

    ptx, _ = cuda.compile(price_kernel.py_func, signature, device=False, abi="numba", cc=capability, output="ptx")

    assert double_instructions(ptx) == []
