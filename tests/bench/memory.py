"""Peak memory of `gpu-pricer score` for two sizes of catalog, as one line of JSON.

    python -m tests.bench.memory [--products N] [--segments N] [--repeats N]

The small catalog has a quarter of the products. peak_gib: the most that the job's process used at once; inputs_gib:
what the artefact and the catalog take in memory, which the job cannot do without; ratio_memory: the peak of the large
catalog over that of the small one, the inputs apart; seconds: of the whole command, its start included. Medians.
"""

import os
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter

import polars as pl

from gpu_pricer.tables.artefact import write_artefact
from tests.bench.catalogs import grocery_inputs
from tests.bench.grocery_markets import MarketSize
from tests.bench.timing import ROUNDS, arguments, report, rounded, say

PRODUCTS, SEGMENTS = 1_000_000, 100

GIB, KIB = 2**30, 2**10

ROOT = Path(__file__).parents[2]


def main() -> None:
    """Measure, and print the line."""
    given = arguments(products=PRODUCTS, segments=SEGMENTS, repeats=ROUNDS)
    peak, inputs, seconds = {}, {}, {}
    sizes = {str(n): MarketSize(n, given.segments) for n in (given.products // 4, given.products)}
    for name, size in sizes.items():
        with TemporaryDirectory() as text:
            folder = Path(text)
            with ProcessPoolExecutor(1, get_context("spawn")) as other:  # whose memory is not the job's
                inputs[name] = other.submit(write_inputs, size, folder).result() / GIB
            runs = [score(folder) for _ in range(given.repeats)]
        peaks, times = zip(*runs, strict=True)
        peak[name], seconds[name] = median(peaks) / GIB, median(times)
        say(f"{name}: {min(peaks) / GIB:.3g} to {max(peaks) / GIB:.3g} GiB, {inputs[name]:.3g} of them inputs")
    small, large = (peak[name] - inputs[name] for name in sizes)
    report(
        market=asdict(sizes[str(given.products)]),
        peak_gib=rounded(peak),
        inputs_gib=rounded(inputs),
        seconds=rounded(seconds),
        ratio_memory=round(large / small, 3),
    )


def write_inputs(size: MarketSize, folder: Path) -> int:
    """Write an artefact and a catalog, and return the bytes that they take in memory."""
    artefact, catalog = grocery_inputs(size)
    write_artefact(artefact, folder / "demand")
    catalog.write_parquet(folder / "products.parquet")
    tables = (catalog, artefact.products, artefact.segments, artefact.offsets)
    factors = sum(factor.nbytes for factor in artefact.factors.values())
    return factors + sum(
        table.to_arrow(compat_level=pl.CompatLevel.newest()).nbytes for table in tables if table is not None
    )


def score(folder: Path) -> tuple[int, float]:
    """Run the job on the folder's inputs; the most bytes that its process used, and the seconds that it took."""
    paths = {"demand": "demand", "catalog": "products.parquet", "shards": "table", "prices": "prices", "work": "work"}
    overrides = [f"paths.{name}={folder / path}" for name, path in paths.items()]
    command = [sys.executable, "-m", "gpu_pricer", "score", "policy=profit", "backend=cpu", *overrides]
    start = perf_counter()
    job = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(job.pid, 0)
    job.returncode = os.waitstatus_to_exitcode(status)
    if job.returncode:
        raise RuntimeError(f"{' '.join(command)} must end with status 0, found {job.returncode}")
    return usage.ru_maxrss * KIB, perf_counter() - start


if __name__ == "__main__":
    main()
