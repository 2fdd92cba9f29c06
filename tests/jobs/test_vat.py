"""Prices that include VAT from the shop's tables to the table, its explanation, its promise and its events."""

import json
import re

import numpy as np
import polars as pl
import pytest

from gpu_pricer.tables.artefact import write_artefact
from gpu_pricer.tables.delta_log import current_run
from gpu_pricer.tables.price_table import PARTS, scan_prices
from gpu_pricer.tables.vat import VAT_MARK
from tests.jobs.test_explain import numbers, part_line
from tests.markets import catalog_of, small_artefact

ARTEFACT = small_artefact(62, segments=3, products=18, categories=6)
BARE = catalog_of(ARTEFACT).sort("product_id").with_columns(pl.lit(1.0).alias("availability"))
CATALOG = BARE.with_columns(vat_rate=pl.Series(np.resize([0.19, 0.07, 0.0, 0.19, 0.07], BARE.height)))
FREE = "publish=unguarded"
WEEKS = [f"2025-{month:02d}-{day:02d}" for month in (1, 2, 3) for day in (6, 13, 20, 27)]
INCLUDED = "data.catalog.price_includes_vat=true"
PROFIT = ("policy=profit", "score.details=[parts]", "backend=cpu", INCLUDED)


@pytest.fixture
def shop(gpu_pricer, tmp_path):
    """A published version, with the parts of its prices, of a catalog whose prices include VAT of unlike rates."""
    write_artefact(ARTEFACT, tmp_path / "work/demand")
    (tmp_path / "work/data").mkdir()
    CATALOG.write_parquet(tmp_path / "work/data/products.parquet")
    assert gpu_pricer("score", *PROFIT, "paths.shards=prices/one").status == 0
    assert gpu_pricer("publish", FREE).status == 0
    return tmp_path


def cells_of(folder):
    """The cells of a version with what a period's visits bring, in float64."""
    visits = ARTEFACT.segments.select("segment_id", of_period=pl.col("visits") / 1000)
    table = scan_prices(folder).collect().join(visits, on="segment_id").join(CATALOG, on="product_id", suffix="_old")
    units = pl.col("expected_units").cast(pl.Float64) * pl.col("of_period")
    return table.with_columns(pl.col("price", *PARTS, "vat").cast(pl.Float64), units=units)


def test_a_version_states_profit_after_vat_and_explains_its_prices_with_it(gpu_pricer, shop):
    record = json.loads((shop / "prices/one/_record/run.json").read_text())
    cells = cells_of(shop / "prices/one")
    kept = cells["price"] / (1 + cells["vat_rate"])

    assert record["includes_vat"]
    assert record["tally"]["profit_new"] == pytest.approx((cells["units"] * (kept - cells["cost"])).sum(), rel=1e-5)
    assert cells.select(pl.sum_horizontal(*PARTS, "vat")).to_series().to_list() == pytest.approx(
        cells["price"].to_list()
    )
    promise = pl.read_parquet(shop / "prices/_promises/one.parquet")
    assert promise["revenue"].sum() == pytest.approx((cells["units"] * kept).sum(), rel=1e-5)
    assert promise["profit"].sum() == pytest.approx(record["tally"]["profit_new"], rel=1e-5)

    ended = gpu_pricer("explain", "product=p001", "segment=s2")

    assert ended.status == 0, ended.said
    row = cells.row(by_predicate=(pl.col("product_id") == "p001") & (pl.col("segment_id") == "s2"), named=True)
    shown = [part_line(part, ended.out) for part in (*PARTS, "vat")]
    assert [numbers(line)[0] for line in shown] == pytest.approx([row[part] for part in (*PARTS, "vat")], abs=0.011)
    assert shown[-1].endswith("vat: the VAT that the price includes")
    assert sum(numbers(line)[0] for line in shown) == pytest.approx(row["price"], abs=1e-9)
    assert "= the best price without bounds and ladder, at these purchase shares, before VAT" in ended.out
    assert "  profit is after VAT" in ended.out


PLAIN_PROFIT = ("prices and profit depend on it", "finds the most profit at every volume")
"""What the page says of profit in general."""


def test_page_names_every_profit_of_prices_that_include_vat_as_after_vat(gpu_pricer, shop):
    assert gpu_pricer("score", *PROFIT, "policy.bounds.max_increase=0.02", "paths.shards=prices/two").status == 0
    assert gpu_pricer("publish", FREE).status == 0

    assert gpu_pricer("report", "policy=profit", "report.label=[]", INCLUDED).status == 0

    page = re.sub(r"<(style|script)\b.*?</\1>", "", (shop / "work/report.html").read_text(), flags=re.DOTALL)
    for words in PLAIN_PROFIT:
        page = page.replace(words, "")
    named = re.findall(r"(?i)\bprofit\b(?: after VAT)?", page)
    assert len(named) > 8
    assert {*named} == {"Profit after VAT", "profit after VAT"}
    assert 'data-after-vat=" after VAT"' in page


def test_rates_in_a_csv_file_of_the_shop_come_into_the_catalog(gpu_pricer, tmp_path):
    (tmp_path / "shop").mkdir()
    sold = [f"k{k % 5};0{k % 2 + 1};{day};1;{k % 2 + 1},50" for day in WEEKS for k in range(10)]
    (tmp_path / "shop/sales.csv").write_text("\n".join(["customer;sku;sold_at;qty;price", *sold, ""]))
    (tmp_path / "shop/catalog.csv").write_text("sku;category;cost;MwSt-Satz\n01;tea;0,50;0,07\n02;tea;1,00;0,19\n")

    told = gpu_pricer("inspect", "shop", "inspect.currency=EUR", "inspect.price_includes_vat=true")
    prepared = gpu_pricer("prepare", "--config-dir", "own", "data=shop")

    assert (told.status, prepared.status) == (0, 0), prepared.said
    catalog = pl.read_parquet(tmp_path / "work/data/products.parquet")
    assert catalog.select("product_id", "price", "cost", "vat_rate").rows() == [
        ("01", 1.5, 0.5, 0.07), ("02", 2.5, 1.0, 0.19)
    ]  # fmt: skip
    assert pl.read_parquet_metadata(tmp_path / "work/data/products.parquet").items() >= VAT_MARK.items()


def test_one_rate_that_cannot_be_read_loses_neither_the_product_nor_its_sales(gpu_pricer, tmp_path):
    (tmp_path / "shop").mkdir()
    sold = [f"k{k % 5};0{k % 2 + 1};{day};1;{k % 2 + 1},50" for day in WEEKS for k in range(10)]
    (tmp_path / "shop/sales.csv").write_text("\n".join(["customer;sku;sold_at;qty;price", *sold, ""]))
    catalog = tmp_path / "shop/catalog.csv"
    catalog.write_text("sku;category;cost;MwSt\n01;tea;0,50;0,07\n02;tea;1,00;0,07\n")
    assert gpu_pricer("inspect", "shop", "inspect.currency=EUR", "inspect.price_includes_vat=true").status == 0
    catalog.write_text("sku;category;cost;MwSt\n01;tea;0,50;0,07\n02;tea;1,00;voll\n")
    prepare = ("prepare", "--config-dir", "own", "data=shop")

    refused = gpu_pricer(*prepare)

    assert (refused.status, len(refused.said)) == (2, 1)
    assert "vat_rates_are_readable in 1 rows, such as line 3 MwSt='voll': mend these cells, or set" in refused.said[0]

    prepared = gpu_pricer(*prepare, "data.catalog.vat_rate=0.19")

    assert prepared.status == 0, prepared.said
    assert any("kept, with data.catalog.vat_rate" in line and "MwSt='voll'" in line for line in prepared.log)
    assert pl.read_parquet(tmp_path / "work/data/products.parquet")["vat_rate"].to_list() == [0.07, 0.19]
    summary = json.loads((tmp_path / "work/data/summary.json").read_text())
    assert summary["broken_rules"]["products"] == {"vat_rates_are_readable": 1}
    assert summary["broken_rules"]["transactions"] == {}
    assert "data.on_invalid" in gpu_pricer(*prepare, "data.catalog.vat_rate=0.19", "data.on_invalid=refuse").said[0]


def test_an_event_that_changes_a_rate_gives_the_prices_of_a_full_run(gpu_pricer, shop):
    after = CATALOG.with_columns(vat_rate=pl.when(pl.col("product_id") == "p001").then(0.25).otherwise("vat_rate"))
    after.write_parquet(shop / "after.parquet")
    assert gpu_pricer("score", *PROFIT, "paths.catalog=after.parquet", "paths.shards=full/again").status == 0
    pl.DataFrame({"product_id": ["p001"], "vat_rate": [0.25]}).write_parquet(shop / "event.parquet")

    ended = gpu_pricer("reprice", "events=event.parquet", "score.details=[parts]", FREE)

    assert ended.status == 0, ended.said
    assert current_run(shop / "prices") != "one"
    order = ["product_id", "segment_id"]
    fresh, full = (scan_prices(shop / place).collect().sort(order) for place in ("prices/_current", "full/again"))
    assert fresh.equals(full)
    before = scan_prices(shop / "prices/one").collect().sort(order)
    assert not before.equals(full)

    compared = gpu_pricer("compare", "one", current_run(shop / "prices"))
    assert re.search(r"revenue [\d,]+ -> .*, profit after VAT [\d,]+ -> ", compared.out)


@pytest.mark.parametrize(
    ("rates", "message"),
    [
        (pl.lit(19.0), r"vat_rate must be at least 0 and below 1, found 18 products .*: did you mean 0.19\?"),
        (pl.when(pl.col("product_id") > "p003").then(0.19), "found none for 4 products such as .*: fill the column"),
    ],
)
def test_rates_that_cannot_be_are_refused_before_anything_is_written(refused, tmp_path, rates, message):
    write_artefact(ARTEFACT, tmp_path / "work/demand")
    (tmp_path / "work/data").mkdir()
    BARE.with_columns(vat_rate=rates).write_parquet(tmp_path / "work/data/products.parquet")

    assert re.search(message, refused("score", *PROFIT, "paths.shards=prices/one"))


@pytest.mark.parametrize("said", ["null", "false"])
def test_a_column_called_vat_rate_is_no_statement_that_prices_include_vat(refused, tmp_path, said):
    write_artefact(ARTEFACT, tmp_path / "work/demand")
    CATALOG.write_parquet(tmp_path / "catalog.parquet")
    words = ("policy=profit", "paths.catalog=catalog.parquet", f"data.catalog.price_includes_vat={said}")

    assert refused("score", *words) == (
        "whether prices include VAT must be told where the catalog has the column vat_rate, found "
        f"data.catalog.price_includes_vat={said} beside catalog.parquet: set it to true, or leave the column out or "
        "call it something else"
    )


def test_a_catalog_that_prepare_wrote_says_itself_that_prices_include_vat(gpu_pricer, tmp_path):
    write_artefact(ARTEFACT, tmp_path / "work/demand")
    CATALOG.write_parquet(tmp_path / "catalog.parquet", metadata=VAT_MARK)

    ended = gpu_pricer("score", "policy=profit", "paths.catalog=catalog.parquet", "paths.shards=prices/one")

    assert ended.status == 0, ended.said
    assert json.loads((tmp_path / "prices/one/_record/run.json").read_text())["includes_vat"]
