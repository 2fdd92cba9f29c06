"""The day of a product's launch, from a CSV file to the catalog."""

from datetime import date, datetime, timedelta

import polars as pl

MONDAY = date(2025, 1, 6)
WEEKS = [MONDAY + timedelta(weeks=week) for week in range(14)]
LAST = WEEKS[-1] + timedelta(days=6)
LAUNCHED = {
    "01": "03.02.2024",  # before the log
    "02": "demnächst",
    "03": f"{LAST:%d.%m.%Y}",  # on the last day, never sold
    "04": f"{LAST + timedelta(days=30):%d.%m.%Y}",  # to come, and on stock
    "05": "",
    "06": "31.12.9999",  # for none, and on stock
}


def test_new_products_are_priced_those_to_come_are_not_and_unreadable_days_lose_no_product(gpu_pricer, tmp_path):
    days = [day + timedelta(days=offset) for day in WEEKS for offset in range(7)]
    sold = [f"k{k % 5};0{k % 2 + 1};{day};1;{k % 2 + 1},50" for day in days for k in range(4)]
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop/sales.csv").write_text("\n".join(["customer;sku;sold_at;qty;price", *sold, ""]))
    rows = [
        f"{product};tee;0,50;2,50;{day};{7 if product in ('04', '06') else ''}" for product, day in LAUNCHED.items()
    ]
    catalog = tmp_path / "shop/catalog.csv"
    catalog.write_text("\n".join(["sku;category;cost;preis;Markteinführung;Bestand", *rows, ""]))

    asked = gpu_pricer("inspect", "shop", "inspect.currency=EUR", "inspect.price_includes_vat=false")

    assert asked.status == 0, asked.said
    assert "launches_are_readable in 1 rows, such as line 3 Markteinführung='demnächst'" in asked.out
    assert "launch_is_plausible in 1 rows, such as (product_id=06, launched=9999-12-31" in asked.out
    assert asked.out.count("These rows stay, as if launched when the sales show it") == 2
    prepared = gpu_pricer("prepare", "--config-dir", "own", "data=shop")
    assert prepared.status == 0, prepared.said
    found = pl.read_parquet(tmp_path / "work/data/products.parquet").sort("product_id")
    assert found["product_id"].to_list() == list(LAUNCHED)
    assert found["availability"].to_list() == [1, 1, 1, 0, 0, 1]
    assert found["launched"].to_list()[:3] == [datetime(2024, 2, 3), None, datetime(LAST.year, LAST.month, LAST.day)]
    assert found["launched"].to_list()[-1] is None
