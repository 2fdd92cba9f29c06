"""Rules that count days, over published versions whose prices are fed back."""

import polars as pl
import pytest

from gpu_pricer.tables.artefact import write_artefact
from gpu_pricer.tables.price_table import scan_prices
from tests.markets import catalog_of, small_artefact

ARTEFACT = small_artefact(61, segments=1, products=24, categories=6)
CATALOG = catalog_of(ARTEFACT)
RULES = ("policy.bounds.anchor={days: 28, max_increase: 0.15, max_decrease: 0.3}",)
REST = "policy.bounds.min_days_between_changes=3"
OPEN = ("publish.gates.max_share_moved=1", "publish.gates.max_mean_move=1", "publish.keep=1", "publish.keep_hours=0")


@pytest.fixture
def shop(tmp_path):
    """A folder with an artefact and a catalog of products whose costs have risen."""
    write_artefact(ARTEFACT, tmp_path / "work/demand")
    (tmp_path / "work/data").mkdir()
    dearer = CATALOG.with_columns(cost=pl.col("price") * 0.95)
    dearer.write_parquet(tmp_path / "work/data/products.parquet")
    return tmp_path


def night(gpu_pricer, shop, number, *rules):
    """Score and publish on the night of 2026-11-<number>, feed the prices back, and return the price table."""
    name = f"night{number}"
    day = f"day=2026-11-{number:02d}"
    ended = gpu_pricer("score", "policy=profit", *rules, day, f"paths.shards=prices/{name}", "backend=cpu")
    assert ended.status == 0, ended.said
    assert gpu_pricer("publish", f"paths.shards=prices/{name}", *OPEN).status == 0
    table = scan_prices(shop / "prices" / name).collect()
    catalog = shop / "work/data/products.parquet"
    prices = table.select("product_id", pl.col("price").cast(pl.Float64))
    pl.read_parquet(catalog).drop("price").join(prices, on="product_id").write_parquet(catalog)
    return table


def test_prices_rest_between_changes_and_stay_in_their_window(gpu_pricer, shop):
    first = dict(CATALOG.select("product_id", "price").iter_rows())

    tables = [night(gpu_pricer, shop, number, *RULES, REST) for number in range(1, 7)]

    moved = [(table["price"] != table["today_price"]).mean() for table in tables]
    assert moved[0] > 0.5
    assert [share > 0 for share in moved[1:4]] == [False, False, False]  # seen changed on the 2nd: rests until the 5th
    assert "min_days_between_changes" in set(tables[1]["binding"])
    last = dict(tables[-1].select("product_id", pl.col("price").cast(pl.Float64)).iter_rows())
    assert all(0.7 - 1e-9 <= last[product] / first[product] <= 1.15 + 1e-9 for product in first)


def test_markdown_of_the_shop_is_not_undone_and_moves_from_it_do_not_add_up(gpu_pricer, shop):
    night(gpu_pricer, shop, 1, *RULES)
    catalog = shop / "work/data/products.parquet"
    marked = pl.read_parquet(catalog).with_columns(price=(pl.col("price") * 0.7).round(2), cost=pl.col("price") * 0.66)
    marked.write_parquet(catalog)
    shown = dict(marked.select("product_id", "price").iter_rows())

    tables = [night(gpu_pricer, shop, number, *RULES) for number in range(2, 6)]

    for table in tables:
        ratio = [float(price) / shown[product] for product, price in table.select("product_id", "price").iter_rows()]
        assert max(ratio) <= 1.15 + 1e-9
        assert max(ratio) > 1.1


def test_price_under_a_rule_that_counts_days_is_explained(gpu_pricer, shop):
    for number in (1, 2, 3):
        kept = pl.read_parquet(shop / "work/data/products.parquet")
        table = night(gpu_pricer, shop, number, *RULES)
    kept.write_parquet(shop / "work/data/products.parquet")
    row = table.filter(pl.col("binding") == "anchor_max_increase").row(0, named=True)

    ended = gpu_pricer("explain", f"product={row['product_id']}", "segment=s0", *RULES)

    assert ended.status == 0, ended.said
    assert "limiting rule: largest rise over several weeks (anchor_max_increase)" in ended.out


def test_history_begins_with_the_version_that_is_published_when_the_rule_is_set(gpu_pricer, shop):
    night(gpu_pricer, shop, 1)
    start = dict(scan_prices(shop / "prices/night1").select("product_id", "today_price").collect().iter_rows())

    tables = [night(gpu_pricer, shop, number, *RULES) for number in range(2, 6)]

    for table in tables:
        for product, price in table.select("product_id", "price").iter_rows():
            assert float(price / start[product]) <= 1.15 + 1e-9


def test_night_after_a_published_one_of_a_mistyped_year_is_refused(gpu_pricer, refused, shop):
    rules = ("policy=profit", *RULES, "backend=cpu")
    for number, day in enumerate(("2026-11-25", "2027-11-26")):
        place = f"paths.shards=prices/night{number}"
        assert gpu_pricer("score", *rules, f"day={day}", place).status == 0
        assert gpu_pricer("publish", place, *OPEN).status == 0

    said = refused("score", *rules, "day=2026-11-26")

    assert said.startswith("day must not lie more than ")
    assert "before 2027-11-26, the day of the published prices, found 2026-11-26: set the right day, or roll" in said


def test_day_that_is_no_date_is_refused(refused, shop):
    expected = "day must be a date such as 2026-11-26, or null for today, found 'tomorrow'"

    assert refused("score", "day=tomorrow") == expected
