"""Nights in which the tables of a shop lack what they had the night before: `prepare` says so."""

import json
import shutil
from datetime import timedelta

import polars as pl
import pytest

from tests.data.test_prepare import shop as tables

PREPARE = ("prepare", "data=parquet", "split.validation_periods=1", "split.test_periods=1")
LOST = "less than half of the values of earlier days are left in "
LATER = "2024-02-15"


@pytest.fixture
def night(gpu_pricer, tmp_path):
    """night(tables, day, folder, words) prepares tables; it returns the doubts about what is gone."""

    def prepare(shop, day="2024-02-14", folder="tables", words=()):
        shutil.rmtree(tmp_path / folder, ignore_errors=True)
        (tmp_path / folder).mkdir()
        for name, table in shop.items():
            table.write_parquet(tmp_path / folder / f"{name}.parquet")
        ended = gpu_pricer(*PREPARE, f"data.path={folder}", f"day={day}", *words)
        assert (ended.status, ended.said) == (0, [])
        doubts = json.loads((tmp_path / "work/data/summary.json").read_text())["doubts"]
        assert all(any(line.endswith(doubt) for line in ended.log) for doubt in doubts)
        return [doubt for doubt in doubts if doubt.startswith((LOST, "the last whole period begins"))]

    return prepare


def test_a_table_and_a_column_that_are_gone_are_told(night):
    shop = tables()
    assert night(shop) == []
    lacking = {"transactions": shop["transactions"].drop("list_price"), "products": shop["products"]}

    (doubt,) = night(lacking, LATER)

    assert doubt.startswith(f"{LOST}users (0 instead of 25 on 2024-02-14), transactions.list_price (0 instead of ")
    assert night(lacking, LATER) == [doubt]  # and again, where the night is run again
    assert night(lacking, "2024-02-16") == [doubt]
    assert night(shop, "2024-02-17") == []


def test_a_log_that_has_lost_its_last_week_is_told(night):
    shop, time = tables(), pl.col("time")
    night(shop)
    lines = shop["transactions"]
    assert night(shop | {"transactions": lines.filter(time < time.max())}, LATER) == []
    shop["transactions"] = lines.filter(time < time.max().dt.truncate("1w") - timedelta(weeks=1))

    told = night(shop, LATER)

    assert told == [
        "the last whole period begins on 2024-01-29, that of the preparation before began on 2024-02-05: look "
        "whether the newest sales are missing"
    ]
    assert night(shop, LATER) == told  # and again, where the night is run again
    assert night(shop, "2024-02-16") == []


def test_another_shop_is_not_compared(night):
    night(tables())
    lacking = tables() | {"products": tables()["products"].drop("brand")}
    lacking.pop("users")

    assert night(lacking, LATER, folder="others") == []
    assert night(lacking, LATER) == []  # nor with the shop before that


def test_rules_on_lines_do_not_end_the_comparison(night):
    night(tables())
    lacking = {name: tables()[name] for name in ("transactions", "products")}

    (doubt,) = night(lacking, LATER, words=["data.completeness.least_share=0", "data.most_invalid=0.4"])

    assert doubt.startswith(f"{LOST}users")


def test_what_ends_the_comparison_is_told(gpu_pricer, night):
    night(tables())

    ended = gpu_pricer(*PREPARE, "data.path=tables", "data.time_zone=Europe/Berlin", f"day={LATER}")

    assert any(
        "was made with data=parquet data.path=tables and not with data=parquet data.path=tables data.time_zone=Europe/"
        in line
        for line in ended.log
    )


def test_a_preparation_of_other_periods_is_not_compared(night, tmp_path):
    night(tables())
    path = tmp_path / "work/data/summary.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"period_days": 1}))

    assert night({name: tables()[name] for name in ("transactions", "products")}, LATER) == []


def test_a_damaged_summary_is_not_compared(night, gpu_pricer, tmp_path):
    night(tables())
    (tmp_path / "work/data/summary.json").write_text("{")

    ended = gpu_pricer(*PREPARE, "data.path=tables", f"day={LATER}")

    assert ended.status == 0
    assert any("nothing is compared with the preparation before" in line for line in ended.log)
