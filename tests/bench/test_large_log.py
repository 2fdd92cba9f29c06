"""The log of the benchmark of scale is one that the jobs accept, of the size that was asked for."""

import polars as pl

from gpu_pricer.data.raw.inputs import read_inputs
from gpu_pricer.data.sources.parquet import ParquetDirectory
from gpu_pricer.tables.periods import Period
from tests.bench.large_log import CUT, LogSize, write_log
from tests.shops import validation


def test_log_has_its_lines_in_weeks_and_users_of_its_size(tmp_path, monkeypatch):
    monkeypatch.setattr("tests.bench.large_log.LINES_PER_FILE", 100)
    write_log(LogSize(lines=5_000, products=60, weeks=7), tmp_path)

    lines = pl.read_parquet(tmp_path / "transactions.parquet/*.parquet")

    inputs = read_inputs(ParquetDirectory(str(tmp_path), None), validation("refuse"), Period("1w"), last_period=None)
    assert inputs.sales.height == lines.height == 5_000
    assert lines["user_id"].n_unique() == 50
    assert lines["time"].dt.week().n_unique() == 7
    assert max(pl.read_parquet(file).height for file in (tmp_path / "transactions.parquet").iterdir()) == 100
    products = pl.read_parquet(tmp_path / "products.parquet")
    assert set(lines["product_id"]) <= set(products["product_id"])


def test_products_on_promotion_sell_more(tmp_path):
    write_log(LogSize(lines=20_000, products=10, weeks=10), tmp_path)
    lines = pl.read_parquet(tmp_path / "transactions.parquet/*.parquet")

    is_cut = pl.col("price") < pl.col("list_price") * (CUT + 0.1)
    share = lines.select(is_cut.mean()).item()

    assert 0.1 < share < 0.35
