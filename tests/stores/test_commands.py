"""The commands that docs/cluster.md shows for object stores, on two machines, and what readers see then."""

import json
from pathlib import Path

import duckdb
import polars as pl
import pytest
from obstore.fsspec import FsspecStore

from gpu_pricer.tables.artefact import write_artefact
from gpu_pricer.tables.stores.bucket import Bucket
from gpu_pricer.terminal.summary import reading_snippets
from tests.docs.pages import commands
from tests.jobs.test_bad_input import PREPARE, shop  # noqa: F401
from tests.markets import catalog_of
from tests.stores.conftest import ARTEFACT

SHOWN = {
    command.arguments[0]: command.arguments
    for command in commands("docs/cluster.md")
    if any("=s3://" in word for word in command.arguments)
}


@pytest.fixture
def job(gpu_pricer, bucket):
    """job(name, *more) runs the command that the page shows for the job, in this test's bucket."""

    def run(name, *more):
        return gpu_pricer(*(word.replace("s3://shop/", f"s3://{bucket}/") for word in SHOWN[name]), *more)

    return run


def write_sources(cost):
    write_artefact(ARTEFACT, Path("work/demand"))
    Path("work/data").mkdir(exist_ok=True)
    catalog = catalog_of(ARTEFACT).sort("product_id").with_columns(cost=pl.col("cost") * cost)
    catalog.write_parquet("work/data/products.parquet")


def test_prices_are_scored_published_read_rolled_back_and_removed(job, bucket, gpu_pricer):
    address, settings = f"s3://{bucket}/prices", ("policy=profit", "backend=cpu")
    for cost in (1.0, 1.5):
        write_sources(cost)
        assert job("score", *settings).status == 0
        assert job("publish", "publish=unguarded").status == 0

    second = job("versions", "paths.work=elsewhere").out.splitlines()

    assert [line.split()[3:6] for line in second if " 36 " in line] == [
        ["superseded", "kept", "36"],
        ["current", "kept", "36"],
    ]
    compared = gpu_pricer("compare", "0", "1", f"paths.prices={address}", "paths.work=elsewhere")
    assert "prices: 36 in both" in compared.out
    ended = job("rollback", "publish=unguarded", "paths.work=elsewhere")
    assert ended.status == 0
    assert ended.log[-1].endswith(f" as version 2 of {address}")
    first = json.loads(Bucket(address).read("_current.json"))
    removed = job("vacuum", "paths.work=elsewhere").out.splitlines()
    assert len(removed) == 1
    assert removed[0].startswith(f"removed {address}/")
    assert first["run"] not in removed[0]
    [copy] = Path("work/stores").glob("*[0-9a-f]")
    told = {}
    exec(reading_snippets(copy)[0], told)  # what a run says at its end
    rows = told["prices"].sort("product_id", "segment_id")
    assert rows.equals(read_by_duckdb(first))
    assert rows.equals(pl.read_parquet(copy / first["run"] / "*.parquet").sort("product_id", "segment_id"))
    assert "removed" in job("versions").out


def test_history_fetches_the_versions_that_it_tells(job, bucket, gpu_pricer):
    for cost in (1.0, 1.5):
        write_sources(cost)
        assert job("score", "policy=profit", "backend=cpu").status == 0
        assert job("publish", "publish=unguarded").status == 0

    ended = gpu_pricer("history", f"paths.prices=s3://{bucket}/prices", "paths.work=elsewhere")

    assert ended.status == 0, ended.said
    first, second = sorted(Path("elsewhere/group_prices.parquet").iterdir())
    runs = {path.name: path for path in Path("elsewhere/stores").glob("*[0-9a-f]/2*")}
    assert {first.stem.partition("-")[2], second.stem.partition("-")[2]} == {*runs}
    expected = pl.read_parquet(runs[first.stem.partition("-")[2]] / "*.parquet").sort("product_id", "segment_id")
    told = pl.read_parquet(first).sort("product_id", "price_group")
    assert told["price"].to_list() == expected["price"].cast(pl.Float64).to_list()


def read_by_duckdb(current):
    """What DuckDB reads of the files that _current.json names; its own extension for S3 is not in its package."""
    files = [f"{current['folder']}/{name}" for name in current["files"]]
    with duckdb.connect() as connection:
        connection.register_filesystem(FsspecStore("s3", client_options={"allow_http": True}))
        return connection.sql(f"select * from read_parquet({files}) order by product_id, segment_id").pl()


def test_tables_in_the_store_are_prepared_like_those_in_a_folder(job, bucket, gpu_pricer, shop):  # noqa: F811
    store = Bucket(f"s3://{bucket}/tables")
    store.send({path.name: path for path in shop.iterdir()})

    inside = job("prepare", *PREPARE[3:])
    outside = gpu_pricer(*PREPARE, "paths.work=other")

    assert (inside.status, outside.status) == (0, 0)
    for path in Path("other/data").glob("*.parquet"):
        assert pl.read_parquet(path).equals(pl.read_parquet(Path("work/data") / path.name))
    assert json.loads(Path("work/prepare/run.json").read_text())["config"]["data"]["path"] == store.address
