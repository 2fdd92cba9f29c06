"""A shop of a synthetic market, small enough to run every command of the pages in it."""

import io
import shutil
from contextlib import redirect_stdout
from pathlib import Path

import polars as pl
import pytest
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate

from tests.docs.pages import ROOT
from tests.shops import run_job

SMALL_MARKET = (
    "data.source.weeks=20",
    "data.source.people.users=200",
    "data.source.people.types=3",
    "data.source.assortment.categories=4",
    "data.source.assortment.products=16",
)
SMALL_MODEL = ("model.optimiser.steps=20", "train.segments.count=3", "train.response.draws=5")
STOCK = 1000.0


@pytest.fixture(scope="session")
def first_run(tmp_path_factory):
    """The folder of a first run, which no test may change, and what the run printed."""
    folder = tmp_path_factory.mktemp("shop")
    command = ["run", "data=synthetic", *SMALL_MARKET, "model=tiny", *SMALL_MODEL]
    with redirect_stdout(io.StringIO()) as printed:
        assert run_job(folder, *command, "run.steps=[prepare,train,score,publish]", "backend=cpu") == 0
    write_tables(folder)
    return folder, printed.getvalue()


@pytest.fixture
def shop(first_run, tmp_path):
    """A copy of the first run's folder, as working directory of the gpu_pricer fixture."""
    shutil.copytree(first_run[0], tmp_path, symlinks=True, dirs_exist_ok=True)
    return tmp_path


def write_tables(folder: Path) -> None:
    """Write the files that the pages' examples name, and the catalog's columns that they use."""
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        config = compose("config", ["data=synthetic", *SMALL_MARKET, f"paths.work={folder / 'other'}"])
    raw = {name: table.rows.collect() for name, table in instantiate(config.data.source).tables().items()}
    (folder / "tables").mkdir()
    for name, table in raw.items():
        table.write_parquet(folder / "tables" / f"{name}.parquet")
    catalog = folder / "work/data/products.parquet"
    first = pl.int_range(pl.len()).over("category_id") < 2
    families = pl.when(first).then("category_id")
    products = pl.read_parquet(catalog).with_columns(stock=pl.lit(STOCK), family_id=families, line_id=families)
    products = products.with_columns(content=1.0 + pl.int_range(pl.len()).over("category_id"))
    products.write_parquet(catalog)
    product, price = products.select("product_id", "price").row(0)
    pl.DataFrame({"product_id": [product], "price": [price], "note": ["by hand"]}).write_csv(folder / "overrides.csv")
    raw["transactions"].select("user_id", "product_id", "time").head(100).write_parquet(folder / "lines.parquet")
    priced = (
        pl.scan_parquet(folder / "prices/_current/*.parquet").select(pl.col("product_id").unique().sort()).collect()
    )
    priced.with_columns(decision=pl.lit("accept")).write_csv(folder / "decisions.csv")
    (folder / "incoming").mkdir()
    for number, place in enumerate(("events", "incoming/events")):
        event = products.slice(number, 1).select("product_id", cost=pl.col("cost") * 1.05)
        event.write_parquet(folder / f"{place}.parquet")
    offers = raw["transactions"].select("user_id", "product_id", "time", "price").head(20).with_row_index("occasion_id")
    offers.write_parquet(folder / "offers.parquet")
