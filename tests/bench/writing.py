"""Mcells/s of pricing and writing a table beside pyarrow and Polars writing it, as one line of JSON.

    python -m tests.bench.writing [--products N] [--segments N] [--repeats N]

* long, wide: our job's work from the pricing problem on, in each layout.
* pages_long, pages_wide, pyarrow_long, pyarrow_wide: writing the solved tiles, which lie in memory, by our own pages
  and by pyarrow from the same codes, as many files at once as the job has writers.
* polars_*: the finished long table, which lies in memory, written with the same files, row groups and, unless it says
  so, the same compression; its texts as strings or as categories, file after file or as many at once as there are
  cores. polars_wide: the finished wide table, as many files at once as there are cores.

ratio_write: our job's time over that of the fastest way of Polars to write the same table; ratio_wide: the rate of wide
over that of long; ratio_pyarrow_long, ratio_pyarrow_wide: pyarrow's rate over that of our pages, and
ratio_pyarrow_bytes: its bytes over ours. Everything is written to the folder for temporary files, which TMPDIR names.
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
from gpu_pricer.pricing.scoring import LAYOUT, score_tiles, table_columns, tiles_of_files
from gpu_pricer.pricing.tiles.solved_tile import SolvedTile, solve_tile
from gpu_pricer.pricing.tiling import Tiling
from gpu_pricer.tables.price_table import LAYOUTS, write_prices
from tests.bench.by_pyarrow import write_tile
from tests.bench.catalogs import grocery_inputs, grocery_policy, job_tiling
from tests.bench.grocery_markets import MarketSize
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
        alone = tile_writers(problem, job_tiling(), folder)
        bytes_per_cell = {name: write() / size.cells for name, write in reversed((ours | alone).items())}
        passes: dict[str, Callable[[], object]] = ours | alone | with_polars(folder)
        found = rates(dict.fromkeys(passes, size.cells), lambda name, n: repeat(passes[name], n), given.repeats)
    report(
        market=asdict(size),
        mcells_per_s=rounded(found),
        bytes_per_cell=rounded(bytes_per_cell),
        ratio_write=round(max(found[name] for name in SAME) / found["long"], 3),
        ratio_wide=round(found["wide"] / found["long"], 3),
        ratio_pyarrow_bytes={
            layout: round(bytes_per_cell[f"pyarrow_{layout}"] / bytes_per_cell[f"pages_{layout}"], 3)
            for layout in LAYOUTS
        },
        **{
            f"ratio_pyarrow_{layout}": round(found[f"pyarrow_{layout}"] / found[f"pages_{layout}"], 3)
            for layout in LAYOUTS
        },
    )


def repeat(one_pass: Callable[[], object], passes: int) -> None:
    """Do the passes."""
    for _ in range(passes):
        one_pass()


def write_ours(problem: PricingProblem, tiling: Tiling, layout: str, folder: Path) -> int:
    """Price the whole market into files of the folder, which is otherwise empty, and return their bytes."""
    into = folder / layout
    shutil.rmtree(into, ignore_errors=True)
    into.mkdir()
    tiling = replace(tiling, layout=layout)
    tiles = tiles_of_files(problem, tiling, 0, into.name)
    solve = partial(solve_tile, problem, backend="cpu")
    names = score_tiles(problem, tiling, tiles, into, {}, lambda name, tally: None, solve)
    return sum((into / name).stat().st_size for name in names)


def tile_writers(problem: PricingProblem, tiling: Tiling, folder: Path) -> dict[str, Callable[[], int]]:
    """Return the ways to write the problem's tiles, solved here, each of which returns the bytes that it wrote."""
    ranges = tiling.tiles(0, problem.products.category_start, len(problem.segments.segment_id))
    tiles = [solve_tile(problem, first, last, "cpu") for first, last in ranges]

    def by_pages(tile: SolvedTile, path: Path, layout: str) -> None:
        write_prices(path, table_columns(problem, layout), LAYOUT[layout].groups(tile, ()), {})

    return {
        f"{name}_{layout}": partial(write_tiles, tiles, write, layout, folder / f"{name}_{layout}", tiling.writers)
        for name, write in (("pages", by_pages), ("pyarrow", write_tile))
        for layout in LAYOUTS
    }


def write_tiles(
    tiles: list[SolvedTile], write: Callable[[SolvedTile, Path, str], None], layout: str, into: Path, threads: int
) -> int:
    """Write a file per tile, so many at once, into the folder, which is otherwise empty, and return their bytes."""
    shutil.rmtree(into, ignore_errors=True)
    into.mkdir()
    paths = [into / f"{number}.parquet" for number in range(len(tiles))]
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(write, tiles, paths, [layout] * len(tiles)))
    return sum(path.stat().st_size for path in paths)


def with_polars(folder: Path) -> dict[str, Callable[[], None]]:
    """Return Polars' ways to write what lies in the folder's long table, and one for the wide table."""
    paths = sorted((folder / "long").glob("*.parquet"))
    rows = pq.read_metadata(paths[0]).row_group(0).num_rows
    texts = [pl.read_parquet(path) for path in paths]
    wide = [pl.read_parquet(path) for path in sorted((folder / "wide").glob("*.parquet"))]
    categories = [table.with_columns(cs.string().cast(pl.Categorical)) for table in texts]
    into, threads = folder / "polars", cores()
    return {
        "polars_wide": partial(write_theirs, wide, into, rows, "zstd", threads),
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
