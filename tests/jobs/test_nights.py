"""Night after night: where nothing changes, the default policy changes no price, and earns no less than it did."""

import json
from datetime import date, timedelta

import polars as pl

from tests.markets import catalog_of, small_artefact
from tests.shops import lay_out, run_job

NIGHTS = 4
ARTEFACT = small_artefact(3, segments=1, products=120, categories=10)
CATALOG = catalog_of(ARTEFACT).sort("product_id")
DEPARTMENTS = CATALOG.with_columns(
    department=pl.when(pl.col("category_id") < "c5").then(pl.lit("FRESH")).otherwise(pl.lit("DRY"))
)


def nights(folder, *settings):
    """Score and publish night after night in a shop that takes over what was published; return the totals of each."""
    lay_out(folder, ARTEFACT, DEPARTMENTS)
    catalog, found = folder / "work/data/products.parquet", []
    opened = ("publish.gates.max_share_moved=1", "publish.gates.max_mean_move=1")
    for night in range(NIGHTS):
        day = f"day={date(2026, 1, 5) + timedelta(night)}"
        for job in ("score", "publish"):
            assert run_job(folder, job, "backend=cpu", "data.label=[]", day, *opened, *settings) == 0
        version = folder / "prices/_current"
        found.append(json.loads((version / "_record/run.json").read_text())["totals"])
        prices = pl.read_parquet(version / "*.parquet").select("product_id", pl.col("price").cast(pl.Float64))
        DEPARTMENTS.drop("price").join(prices, on="product_id", maintain_order="left").write_parquet(catalog)
    return found


def test_nothing_new_moves_no_price_the_night_after(tmp_path):
    first, *later = nights(tmp_path)

    assert first["share_moved"] > 0.5
    assert max(night["share_moved"] for night in later) < 0.02
    for night in later:
        profit = night["profit_per_period"]
        assert profit["new"] >= 0.9995 * profit["today"]
    assert later[-1]["profit_per_period"]["new"] >= 0.9995 * first["profit_per_period"]["new"]


def test_index_over_last_nights_prices_lets_prices_go_to_and_fro(tmp_path):
    """What the default policy's limits would do if they were relative to last night's prices."""
    chained = [f"policy.constraints.{name}.relative_to=current_prices" for name in ("keep_units", "no_dearer")]

    totals = nights(tmp_path, *chained)

    assert min(night["share_moved"] for night in totals[1:]) > 0.1
