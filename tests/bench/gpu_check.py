"""What a first run on a GPU must settle, as one line of JSON; status 0 if all is well, 1 if not, 2 without a GPU.

    python -m tests.bench.gpu_check [--products N] [--segments N] [--repeats N]

parity: the CPU's prices and the GPU's on small markets of every kind. same_bits: whether a tile gives the same bits
again, and in other chunks. chunk: milliseconds of a chunk's parts alone, and the rates that follow; overlap is 1 where
the slowest part hides all others and 0 where they take turns. settings: Mcells/s of price_tile cut up in other ways.
end_to_end: Mcells/s of the public functions, and seconds of the first call, which compiles. tf32: the profit that
multiplying in TF32 loses. sanitizer: what compute-sanitizer's tools say to the small markets (--small 1 alone).
"""

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, replace
from itertools import product
from shutil import which
from time import perf_counter
from typing import Any

import numpy as np

from kernels import FactorDemand, PricingInputs, best_prices, choice_probabilities, price_cells, price_totals
from kernels.backend import is_simulated, missing_for_cuda
from kernels.outputs import new_block_sums, new_cells
from kernels.pricing import ROUNDINGS
from kernels.product_records import product_columns
from kernels.tile import padded, tile_of
from tests.bench.grocery_markets import Market, MarketSize, grocery_market
from tests.bench.timing import arguments, report, rounded
from tests.kernels.markets import LADDERS, factor_demand, random_inputs

SMALL = ([3, 1, 0, 70, 5, 20], 77)
"""Sizes of the categories, one of them too long for shared memory, and segments of the small markets."""

MOST_REGRET = 2e-6
"""Share of a category's profit that two orders of rounding may cost."""

SAMPLE = 2_000
"""Products on which TF32's regret is measured."""

CUTS = {
    "threads_32": {"threads": 32},
    "threads_128": {"threads": 128},
    "in_scratch": {"shared_bytes": 0},
    "chunk_1M": {"chunk_cells": 1_000_000},
    "chunk_4M": {"chunk_cells": 4_000_000},
    "chunk_8M": {"chunk_cells": 8_000_000},
    "tf32": {"precision": "tf32"},
}
"""Settings to try beside the usual ones."""


def main() -> None:
    """Check, and print the line."""
    given = arguments(products=50_000, segments=2_048, repeats=20, small=0)
    lacking = lacks()
    if lacking:
        print(f"gpu_check has nothing to measure: {lacking}", file=sys.stderr)
        raise SystemExit(2)
    if given.small:
        watched_apart()
        found = parity(*SMALL)
        print(json.dumps(found))
        raise SystemExit(0 if found["passed"] else 1)
    found = check(MarketSize(given.products, given.segments), given.repeats, SMALL)
    found["sanitizer"] = sanitize()
    is_clean = all(said in ("clean", None) for said in found["sanitizer"].values())
    passed = found["parity"]["passed"] and found["same_bits"]["again"] and is_clean
    report(gpu=gpu(), passed=passed, **found)
    raise SystemExit(0 if passed else 1)


def lacks() -> str:
    """Return why there is no GPU to check, or an empty string."""
    if is_simulated():
        return "NUMBA_ENABLE_CUDASIM=1 puts numba's simulator in the GPU's place"
    missing = missing_for_cuda()
    return missing and f"CUDA needs {missing}"


def check(size: MarketSize, repeats: int, small: tuple[list[int], int]) -> dict[str, Any]:
    """Return everything but what compute-sanitizer says."""
    market = grocery_market(size)
    sample = market.categories(0, max(SAMPLE // market.category_size, 1))
    return {
        "market": asdict(size),
        "parity": parity(*small),
        "same_bits": same_bits(sample),
        "end_to_end": end_to_end(market),
        "chunk": {precision: parts(market, repeats, precision) for precision in ("float32", "tf32")},
        "settings": rounded({name: rate(market, **cut) for name, cut in ({"usual": {}} | CUTS).items()}),
        "tf32": regret(sample, priced(sample), priced(sample, precision="tf32")),
    }


def parity(sizes: list[int], segments: int) -> dict[str, Any]:
    """Return the largest differences between the backends over ladders, outside option and types."""
    found = {"regret": 0.0, "other_prices": 0.0, "category_value": 0.0, "totals": 0.0}
    for kind, has_outside_option, real in product(LADDERS, (True, False), (np.float32, np.float64)):
        market = Market(
            factor_demand(11, segments, sum(sizes), real=real), random_inputs(11, sizes, kind, has_outside_option)
        )
        visits = np.random.default_rng(0).uniform(1, 9, (2, segments))
        cpu, gpu = (price_cells(market.demand, market.inputs, name, visits) for name in ("cpu", "cuda"))
        differ = regret(market, cpu.price, gpu.price) | {
            "category_value": np.abs(cpu.category_value - gpu.category_value).max(),
            "totals": np.abs(cpu.totals.revenue - gpu.totals.revenue).max() / cpu.totals.revenue.max(),
        }
        if has_outside_option:
            bounds = [price_totals(market.demand, market.inputs, visits, name).bound for name in ("cpu", "cuda")]
            differ["totals"] = max(differ["totals"], np.abs(bounds[0] - bounds[1]).max() / np.abs(bounds[0]).max())
        found = {name: max(value, abs(float(differ[name]))) for name, value in found.items()}
    passed = found["regret"] <= MOST_REGRET and found["category_value"] < 1e-3 and found["totals"] < 1e-5
    return {"passed": passed} | found


def regret(market: Market, best: np.ndarray, other: np.ndarray) -> dict[str, float]:
    """Return what other prices lose, as a share of what the best ones earn, and the share of prices that differ."""
    earned, reached = (profit(market.demand, market.inputs, price) for price in (best, other))
    lost = float((earned - reached).sum() / np.abs(earned).sum())
    return {"regret": lost, "other_prices": float((best != other).mean())}


def profit(demand: FactorDemand, inputs: PricingInputs, price: np.ndarray) -> np.ndarray:
    """Return the weighted profit [P, S] of prices, in float64."""
    double = {name: np.asarray(array, np.float64) for name, array in vars(demand).items()}
    probability = choice_probabilities(replace(demand, **double), inputs.shelf, price.astype(np.float64))
    weight, cost = (array.astype(np.float64)[:, None] for array in (inputs.weight, inputs.unit_cost))
    return weight * (price - cost) * probability


def asked(market: Market) -> tuple[Any, ...]:
    """Return what price_tile takes to fill nothing but prices."""
    demand, inputs = market.demand, market.inputs
    products, segments, real = demand.product_count, demand.segment_count, demand.dtype
    categories = inputs.shelf.category_count
    category_value = np.zeros((categories, padded(segments)), real)
    return (
        tile_of(demand, inputs.shelf, inputs),
        product_columns(demand, inputs.shelf, inputs),
        real.type(ROUNDINGS * np.finfo(real).eps),
        new_cells(category_value, price=np.empty((products, segments), np.int32)),
        new_block_sums(None, products, categories, segments, has_bound=False),
    )


def priced(market: Market, **cut: Any) -> np.ndarray:
    """Return the prices under settings."""
    from kernels.cuda import tile_loop as cuda

    tile, columns, tolerance, cells, sums = asked(market)
    cuda.price_tile(tile, columns, tolerance, cells, sums, cuda.LaunchSettings(**cut))
    return cells.price


def same_bits(market: Market) -> dict[str, bool]:
    """Return whether prices are the same again and in other chunks; cuBLAS may choose by shape how it adds up."""
    once = priced(market)
    half = market.demand.product_count * market.demand.segment_count // 2
    return {
        "again": bool(np.array_equal(once, priced(market))),
        "in_other_chunks": bool(np.array_equal(once, priced(market, chunk_cells=half))),
    }


def rate(market: Market, **cut: Any) -> float:
    """Return Mcells/s of price_tile under settings, the better of two calls after one that warms up."""
    from kernels.cuda import tile_loop as cuda

    call, settings = asked(market), cuda.LaunchSettings(**cut)
    return market.cells / min(seconds(lambda: cuda.price_tile(*call, settings)) for _ in range(3)) / 1e6


def end_to_end(market: Market) -> dict[str, float]:
    """Return Mcells/s of the public functions on both backends."""
    out = np.empty((market.demand.product_count, market.demand.segment_count), np.int32)
    calls: dict[str, Callable[[], object]] = {
        "prices": lambda: best_prices(market.demand, market.inputs, "cuda", out),
        "cells": lambda: price_cells(market.demand, market.inputs, "cuda"),
        "prices_cpu": lambda: best_prices(market.demand, market.inputs, "cpu", out),
    }
    first = {"first_call_s": seconds(calls["prices"])}
    return rounded(first | {name: market.cells / min(map(seconds, [call] * 3)) / 1e6 for name, call in calls.items()})


def parts(market: Market, repeats: int, precision: str) -> dict[str, float]:
    """Return milliseconds of the first chunk's parts alone, and the rates they amount to."""
    from kernels.cuda import tile_loop as cuda

    call = asked(market)
    launch = cuda.new_tile_launch(*call, cuda.LaunchSettings(precision=precision))
    chunks, buffer_sets = cuda.reserve(launch)
    chunk, buffers = chunks[0], buffer_sets[0]
    launch.device.settle()
    rows, (factors, columns) = slice(0, chunk.products), launch.factors[0]
    appeal = buffers.scratch.on_device(chunk.products, chunk.segments, layer=0)
    alone = {
        "appeal": lambda: launch.device.multiply(factors[rows], columns[:, : chunk.segments], appeal),
        "score": lambda: buffers.score(launch, chunk),
        "kernel": lambda: buffers.launch(launch, chunk),
        "copy": lambda: buffers.bring_back(launch, chunk),
    }
    took = {}
    with launch.device.on(buffers.streams[0]):
        for name, part in alone.items():
            took[name] = mean_seconds(part, lambda: launch.device.wait(buffers.streams[0]), repeats)
    buffers.due[1:] = []  # the same copies, over and over
    took["host_copy"] = seconds(lambda: buffers.collect(launch))
    together = seconds(lambda: cuda.price_tile(*call, launch.settings)) / market.cells * chunk.cells
    turns = [took[name] for name in ("score", "kernel", "copy", "host_copy")]
    overlap = (sum(turns) - together) / (sum(turns) - max(turns))
    flops, copied = 2 * columns.shape[0] * chunk.cells, 4 * chunk.cells
    return rounded(
        {f"{name}_ms": 1e3 * value for name, value in took.items()}
        | {"together_ms": 1e3 * together, "overlap": overlap, "cells": chunk.cells}
        | {"appeal_tflops": flops / took["appeal"] / 1e12, "kernel_gcells_per_s": chunk.cells / took["kernel"] / 1e9}
        | {"copy_gb_per_s": copied / took["copy"] / 1e9, "host_copy_gb_per_s": copied / took["host_copy"] / 1e9}
    )


def mean_seconds(part: Callable[[], object], wait: Callable[[], object], repeats: int) -> float:
    """Return the seconds that a part takes on its stream, on average after a first time."""
    part()
    wait()
    start = perf_counter()
    for _ in range(repeats):
        part()
    wait()
    return (perf_counter() - start) / repeats


def seconds(call: Callable[[], object]) -> float:
    """Return the seconds that a call takes."""
    start = perf_counter()
    call()
    return perf_counter() - start


def sanitize() -> dict[str, str | None]:
    """Return for each of compute-sanitizer's tools "clean" or the end of what it says; None where there is no tool."""
    found = which("compute-sanitizer")
    if found is None:
        return {"compute-sanitizer": None}
    said: dict[str, str | None] = {}
    for tool in ("memcheck", "racecheck", "initcheck", "synccheck"):
        ours = [sys.executable, "-m", "tests.bench.gpu_check", "--small", "1"]
        command = [found, "--tool", tool, "--error-exitcode", "9", *ours]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        said[tool] = "clean" if done.returncode == 0 else (done.stdout + done.stderr)[-500:]
    return said


def watched_apart() -> None:
    """Give every array memory of its own, so that a step out of one is not a step into another."""
    import cupy

    cupy.cuda.set_allocator(None)


def gpu() -> dict[str, Any]:
    """Return what the figures hold for."""
    import cupy
    import numba_cuda

    about = cupy.cuda.runtime.getDeviceProperties(0)
    return {
        "name": about["name"].decode(),
        "capability": f"{about['major']}.{about['minor']}",
        "multiprocessors": about["multiProcessorCount"],
        "l2_mb": about["l2CacheSize"] / 2**20,
        "memory_gb": about["totalGlobalMem"] / 2**30,
        "driver": cupy.cuda.runtime.driverGetVersion(),
        "cupy": cupy.__version__,
        "numba_cuda": numba_cuda.__version__,
    }


if __name__ == "__main__":
    main()
