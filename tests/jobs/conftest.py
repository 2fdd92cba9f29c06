"""Refusals, which every command owes its user when the input is wrong, and a trained network to ask."""

import hashlib
from pathlib import Path

import polars as pl
import pytest
from hydra import compose, initialize_config_dir

from gpu_pricer.jobs import train
from tests.canonical import write_canonical

CONF = Path(__file__).parents[2] / "conf"

DAYS = [f"2025-{month:02d}-{day:02d}" for month in (1, 2, 3) for day in (6, 13, 20, 27)]
LINES = pl.DataFrame(
    {"customer": f"k{k % 5}", "sku": f"0{k % 2 + 1}", "sold_at": day, "qty": 1, "price": k % 2 + 1.5}
    for day in DAYS
    for k in range(10)
)
CATALOG = "sku,category,cost\n01,tea,0.5\n02,tea,1.0\n"
ANSWER = "inspect.currency=EUR"
PREPARE = ("prepare", "--config-dir", "own", "data=shop")


@pytest.fixture
def own_files(tmp_path):
    """own_files(name=cells) writes the files of a shop whose sales have further columns."""
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop/catalog.csv").write_text(CATALOG)

    def write(ending="csv", file="sales", **columns):
        sales = LINES.with_columns(pl.Series(name, cells) for name, cells in columns.items())
        if ending == "parquet":
            sales = sales.with_columns(pl.col("sold_at").str.to_date())
        getattr(sales, f"write_{ending}")(tmp_path / f"shop/{file}.{ending}")

    return write


@pytest.fixture
def refused(gpu_pricer, tmp_path):
    """refused(*arguments) is the one line that a command ends with; it has status 2 and changes no file."""

    def command(*arguments: str) -> str:
        before = snapshot(tmp_path)
        ended = gpu_pricer(*arguments)

        assert ended.status == 2, ended
        assert ended.out == ""
        assert len(ended.said) == 1, ended.said
        assert snapshot(tmp_path) == before
        prefix = f"gpu-pricer {arguments[0]}: "
        assert ended.said[0].startswith(prefix)
        return ended.said[0].removeprefix(prefix)

    return command


def snapshot(folder):
    """Every path below a folder, with what the files hold."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else None
        for path in folder.rglob("*")
    }


@pytest.fixture(scope="session")
def trained_work(tmp_path_factory):
    """A work folder with canonical tables and what a short training made of them, which no test may change.

    100 users of two towns, whose visits are those that bought something. Levels and price response are those that the
    held-out predictions were made with.
    """
    work = tmp_path_factory.mktemp("trained") / "work"
    write_canonical(work / "data", users=100)
    users, choices = (pl.read_parquet(work / "data" / f"{name}.parquet") for name in ("users", "choices"))
    users.with_columns(town=pl.col("age").replace("old", "Ulm")).write_parquet(work / "data" / "users.parquet")
    visits = choices.filter(pl.col("product_id").is_not_null()).select("user_id", "period").unique()
    visits.write_parquet(work / "data" / "visits.parquet")
    choices.join(visits, on=("user_id", "period"), how="semi").write_parquet(work / "data" / "choices.parquet")
    train.main(configuration(work, "model=tiny", "train.segments.count=3", "train.refit=false"))
    return work


def configuration(work, *overrides):
    """The configuration of a job on a work folder."""
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return compose("config", overrides=[f"paths.work={work}", f"paths.prices={work.parent / 'prices'}", *overrides])
