"""The benchmark of writing compares equal tables."""

from functools import partial

import polars as pl
import pytest

from gpu_pricer.pricing.problem.pricing_problem import pricing_problem
from tests.bench.catalogs import grocery_inputs, grocery_policy, job_tiling
from tests.bench.grocery_markets import MarketSize
from tests.bench.writing import tile_writers, write_ours


@pytest.mark.parametrize("layout", ["long", "wide"])
def test_pyarrow_writes_the_rows_of_our_pages(tmp_path, layout):
    size = MarketSize(products=40, segments=24, category_size=5, factors=(9, 4))
    problem = pricing_problem(*grocery_inputs(size), grocery_policy())
    writers = tile_writers(problem, job_tiling(), tmp_path)
    writers[layout] = partial(write_ours, problem, job_tiling(), layout, tmp_path)

    written = {name: writers[name]() for name in (layout, f"pages_{layout}", f"pyarrow_{layout}")}

    rows = [pl.read_parquet(tmp_path / name / "*.parquet") for name in written]
    assert rows[0].equals(rows[1])
    assert rows[0].equals(rows[2])
    assert rows[0].schema == rows[2].schema
    assert all(written.values())
