"""outcome: promises of published versions beside a log that is drawn at their prices, or at others."""

import shutil
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from gpu_pricer.jobs.outcome import closing_line
from gpu_pricer.tables.delta_log import published_runs
from tests.markets import catalog_of, small_artefact, with_posterior
from tests.shops import copied, lay_out, run_job

CONF = Path(__file__).parents[2] / "conf"
ARTEFACT = with_posterior(small_artefact(31, segments=1, products=12, categories=4), 0.1)
CATALOG = catalog_of(ARTEFACT).sort("product_id")
FREE = ("policy=profit", "backend=cpu", "publish=unguarded")
FIRST = date(2026, 1, 5)
DAYS = [FIRST + timedelta(weeks=4), FIRST + timedelta(weeks=6)]
"""When the two versions come into force."""


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """A folder with two published versions, the second with higher costs."""
    folder = lay_out(tmp_path_factory.mktemp("promised"), ARTEFACT, CATALOG)
    for day, factor in zip(DAYS, (1.0, 1.3), strict=True):
        CATALOG.with_columns(pl.col("cost") * factor).write_parquet(folder / "work/data/products.parquet")
        assert [run_job(folder, job, *FREE, f"day={day}") for job in ("score", "publish")] == [0, 0]
    return folder


@pytest.fixture
def shop(published, tmp_path):
    """A copy of that folder, as working directory of the gpu_pricer fixture."""
    return copied(published, tmp_path)


def write_log(folder, price_of, weeks=8):
    """Write canonical sales of what the version in force expects, drawn at price_of(its price)."""
    rng = np.random.default_rng(0)
    visits = ARTEFACT.segments["visits"].sum()
    users = round(visits / 7)
    rows, runs = [], [*published_runs(folder / "prices")]
    for k in range(7 * weeks):
        day = FIRST + timedelta(days=k)
        run = runs[int(day >= DAYS[1])]
        promised = pl.read_parquet(folder / f"prices/_promises/{run}.parquet")
        units = rng.poisson(promised["units"].to_numpy() * users / visits)
        rows += [
            (day, row["product_id"], price_of(row["prices"][0] / 100), float(n), float(n))
            for row, n in zip(promised.iter_rows(named=True), units, strict=True)
            if n
        ]
    schema = ["day", "product_id", "price", "units", "squared_units"]
    pl.DataFrame(rows, schema=schema, orient="row").write_parquet(folder / "work/data/sales.parquet")
    days = [FIRST + timedelta(days=k) for k in range(7 * weeks)]
    pl.DataFrame({"day": days, "users": [users] * len(days)}).write_parquet(folder / "work/data/shoppers.parquet")
    periods = [day for day in days[::7] for _ in range(7 * users)]
    pl.DataFrame({"user_id": range(len(periods)), "period": periods}).write_parquet(folder / "work/data/visits.parquet")


def test_promises_of_a_right_model_at_its_prices_are_kept(gpu_pricer, shop):
    write_log(shop, lambda price: price)

    ended = gpu_pricer("outcome")

    assert ended.status == 0, ended.said
    rows = pl.read_parquet(shop / "work/ledger.parquet").filter(pl.col("category_id").is_null())
    assert rows.select("version", "days", "since").rows() == [(0, 14, DAYS[0]), (1, 14, DAYS[1])]
    assert rows["applied"].to_list() == [1.0, 1.0]
    assert (rows["actual_units"] / rows["expected_units"]).is_between(0.8, 1.25).all()
    assert (rows["units_low"] < rows["expected_units"]).all()
    assert closing_line(pl.read_parquet(shop / "work/ledger.parquet"))[0].startswith("  version 1 ")
    assert closing_line(pl.DataFrame()) == []
    assert "2 versions, by category too, are in work/ledger.parquet" in ended.out


def test_delisting_a_product_rewrites_no_verdict(gpu_pricer, shop):
    write_log(shop, lambda price: price)
    sales, catalog = shop / "work/data/sales.parquet", shop / "work/data/products.parquet"
    units = pl.read_parquet(sales).group_by("product_id").agg(pl.col("units").sum()).sort("units")
    for path in (sales, catalog):
        pl.read_parquet(path).filter(pl.col("product_id") != units["product_id"][-1]).write_parquet(path)

    ended = gpu_pricer("outcome")

    said = (
        "1 products that versions promised are not in work/data/products.parquet any more, and neither are their sales"
    )
    assert any(said in line for line in ended.log)
    rows = pl.read_parquet(shop / "work/ledger.parquet").filter(pl.col("category_id").is_null())
    assert (rows["actual_units"] / rows["expected_units"]).is_between(0.8, 1.25).all()


def test_one_version_is_told_by_category(gpu_pricer, shop):
    write_log(shop, lambda price: price)

    out = gpu_pricer("outcome", "1").out

    assert out.startswith(("Version 1 kept its promise", "Version 1 did better", "Version 1 did not keep"))
    assert "100% of its units sold at its prices" in out
    assert all(f"c{k} " in out for k in range(4))


def test_prices_that_were_not_applied_are_said_to_be_so(gpu_pricer, shop):
    write_log(shop, lambda price: price + 0.01)

    out = gpu_pricer("outcome", "outcome.version=0").out

    assert "The promise of version 0 cannot be judged, for its prices were not applied" in out


def test_promise_stays_when_the_files_of_its_version_go(gpu_pricer, shop):
    write_log(shop, lambda price: price)
    assert gpu_pricer("outcome").status == 0
    before = pl.read_parquet(shop / "work/ledger.parquet")
    for folder in (path for path in (shop / "prices").glob("2*") if path.is_dir()):
        shutil.rmtree(folder)

    assert gpu_pricer("outcome").status == 0
    assert pl.read_parquet(shop / "work/ledger.parquet").equals(before)


def test_promise_holds_what_the_version_expects(gpu_pricer, shop):
    run = next(iter(published_runs(shop / "prices")))
    table = pl.read_parquet(shop / "prices" / run / "*.parquet")
    visits = ARTEFACT.segments.with_columns(pl.col("visits") / 1000)

    found = pl.read_parquet(shop / f"prices/_promises/{run}.parquet")

    cells = table.join(visits, on="segment_id").with_columns(units=pl.col("expected_units") * pl.col("visits"))
    assert found["units"].sum() == pytest.approx(cells["units"].sum())
    assert found["revenue"].sum() == pytest.approx((cells["units"] * cells["price"].cast(pl.Float64)).sum())
    assert found["profit"].sum() == pytest.approx((cells["expected_profit"] * cells["visits"]).sum())
    prices = dict(zip(found["product_id"], found["prices"].to_list(), strict=True))
    one = cells.filter(pl.col("product_id") == found["product_id"][0])["price"]
    assert prices[found["product_id"][0]] == sorted({round(100 * price) for price in one})


def test_log_that_ends_before_is_said_to_end(gpu_pricer, shop):
    write_log(shop, lambda price: price, weeks=3)

    out = gpu_pricer("outcome").out

    assert out == f"no sales yet at the prices of version 1, in force from {DAYS[1]}: the log ends on 2026-01-25\n"
    assert not (shop / "work/ledger.parquet").exists()


def test_report_and_refusals(gpu_pricer, shop):
    write_log(shop, lambda price: price)
    assert gpu_pricer("outcome").status == 0

    assert gpu_pricer("report", "policy=profit", "backend=cpu").status == 0
    page = (shop / "work/report.html").read_text()
    section = page[page.index('id="ledger"') : page.index('id="rules"')]
    assert section.count("<tr>") == 3
    assert f"14 from {DAYS[1]}" in section

    assert "found '7': see gpu-pricer versions" in gpu_pricer("outcome", "7").said[0]
    assert "least_applied must be" in gpu_pricer("outcome", "outcome.least_applied=2").said[0]
    (shop / "work/data/sales.parquet").unlink()
    assert "must hold what `gpu-pricer prepare` writes" in gpu_pricer("outcome").said[0]
