"""Mcells/s of pricing and writing a table beside Polars writing the finished one, as one line of JSON.

    python -m tests.bench.writing [--products N] [--segments N] [--repeats N]

long, wide: our job's work from the pricing problem on, in each layout. polars_*: the finished long table, which lies in
memory, written with the same files, row groups and, unless it says so, the same compression; its texts as strings or
as categories, file after file or as many at once as there are cores. ratio_write: our time over that of the fastest
way of Polars to write the same table; ratio_wide: the rate of wide over that of long. Everything is written to
the folder for temporary files, which TMPDIR names.
"""

import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl
import polars.selectors as cs
import pyarrow.parquet as pq

from gpu_pricer.pricing.problem.pricing_problem import PricingProblem, pricing_problem
from gpu_pricer.pricing.scoring import score_shard
from gpu_pricer.pricing.tiling import Tiling
from gpu_pricer.tables.price_table import LAYOUTS
from tests.bench.catalogs import grocery_inputs, grocery_policy, job_tiling
from tests.bench.markets import MarketSize
from tests.bench.timing import ROUNDS, arguments, cores, rates, report, rounded

SAME = ("polars", "polars_threads", "polars_categories", "polars_categories_threads")
"""Polars' ways to the same files."""


def main() -> None:
    """Measure, and print the line."""
    given = arguments(products=MarketSize.products, segments=MarketSize.segments, repeats=ROUNDS)
    size = MarketSize(given.products, given.segments)
    artefact, catalog = grocery_inputs(size)
    problem = pricing_problem(artefact, catalog, grocery_policy())
    with TemporaryDirectory() as name:
        folder = Path(name)
        ours = {layout: partial(write_ours, problem, job_tiling(), layout, folder) for layout in LAYOUTS}
        bytes_per_cell = {layout: ours[layout]() / size.cells for layout in reversed(LAYOUTS)}
        passes = ours | with_polars(folder)
        found = rates(dict.fromkeys(passes, size.cells), lambda name, n: repeat(passes[name], n), given.repeats)
    report(
        market=asdict(size),
        mcells_per_s=rounded(found),
        bytes_per_cell=rounded(bytes_per_cell),
        ratio_write=round(max(found[name] for name in SAME) / found["long"], 3),
        ratio_wide=round(found["wide"] / found["long"], 3),
    )


def repeat(one_pass: Callable[[], object], passes: int) -> None:
    """Do the passes."""
    for _ in range(passes):
        one_pass()


def write_ours(problem: PricingProblem, tiling: Tiling, layout: str, folder: Path) -> int:
    """Price the whole market into files of the folder, which held nothing else, and return their bytes."""
    into = folder / layout
    shutil.rmtree(into, ignore_errors=True)
    into.mkdir()
    names, _ = score_shard(problem, replace(tiling, layout=layout), 0, into, {}, "cpu", lambda cells: None)
    return sum((into / name).stat().st_size for name in names)


def with_polars(folder: Path) -> dict[str, Callable[[], None]]:
    """Return Polars' ways to write what lies in the folder's long table."""
    paths = sorted((folder / "long").glob("*.parquet"))
    rows = pq.read_metadata(paths[0]).row_group(0).num_rows
    texts = [pl.read_parquet(path) for path in paths]
    categories = [table.with_columns(cs.string().cast(pl.Categorical)) for table in texts]
    into, threads = folder / "polars", cores()
    return {
        "polars": partial(write_theirs, texts, into, rows, "zstd", 1),
        "polars_threads": partial(write_theirs, texts, into, rows, "zstd", threads),
        "polars_categories": partial(write_theirs, categories, into, rows, "zstd", 1),
        "polars_categories_threads": partial(write_theirs, categories, into, rows, "zstd", threads),
        "polars_uncompressed": partial(write_theirs, categories, into, rows, "uncompressed", 1),
        "polars_uncompressed_threads": partial(write_theirs, categories, into, rows, "uncompressed", threads),
    }


def write_theirs(tables: list[pl.DataFrame], into: Path, rows: int, compression: str, threads: int) -> None:
    """Write a file per table, so many at once; Polars' own threads share out the columns of each."""
    shutil.rmtree(into, ignore_errors=True)
    into.mkdir()
    level = 1 if compression == "zstd" else None

    def write(number: int) -> None:
        path = into / f"{number}.parquet"
        tables[number].write_parquet(path, compression=compression, compression_level=level, row_group_size=rows)

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(write, range(len(tables))))


if __name__ == "__main__":
    main()
