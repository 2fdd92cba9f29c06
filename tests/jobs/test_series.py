"""Sales that come as a file for each day: `inspect` names the series, and `prepare` reads what came since."""

import json

import polars as pl
import pytest
import yaml

from tests.jobs.conftest import ANSWER, LINES, PREPARE

ENDINGS = pytest.mark.parametrize("ending", ["csv", "parquet"])


@pytest.fixture
def deliver(own_files, tmp_path):
    """deliver(ending) writes a file for each day but the last one; it returns a function that writes this."""
    days = LINES["sold_at"].unique(maintain_order=True).to_list()
    parts = {day: LINES.filter(sold_at=day) for day in days}

    def write(ending, day, store=3):
        part = parts[day]
        if ending == "parquet":
            part = part.with_columns(pl.col("sold_at").str.to_date())
        getattr(part, f"write_{ending}")(tmp_path / f"shop/sales_S{store}_{day}.{ending}")

    def start(ending):
        for day in days[:-1]:
            write(ending, day)
        return lambda: write(ending, days[-1])

    return start


def lines_read(folder):
    return json.loads((folder / "work/data/summary.json").read_text())["purchases"]


def of_last_day():
    return LINES.filter(pl.col("sold_at") == pl.col("sold_at").last()).height


@ENDINGS
def test_a_later_file_of_a_series_is_read(gpu_pricer, deliver, tmp_path, ending):
    deliver_last = deliver(ending)

    inspected = gpu_pricer("inspect", "shop", ANSWER)

    assert inspected.status == 0, inspected.out
    rows, files = LINES.height - of_last_day(), LINES["sold_at"].n_unique() - 1
    assert (
        f"shop/sales_S*_*-*-*.{ending} is transactions, by its name: {rows} rows in {files} files, and" in inspected.out
    )
    [file] = yaml.safe_load((tmp_path / "own/data/shop.yaml").read_text())["source"]["contents"]["transactions"]
    assert file["path"] == str(tmp_path / f"shop/sales_S*_*-*-*.{ending}")
    assert gpu_pricer(*PREPARE).status == 0
    before = lines_read(tmp_path)
    deliver_last()
    assert gpu_pricer(*PREPARE).status == 0
    assert lines_read(tmp_path) == before + of_last_day()


@ENDINGS
def test_a_file_that_came_twice_is_refused(gpu_pricer, refused, deliver, tmp_path, ending):
    deliver(ending)
    gpu_pricer("inspect", "shop", ANSWER)
    first = min((tmp_path / "shop").glob("sales*"))
    copy = tmp_path / f"shop/sales_S4_2031-01-01.{ending}"
    copy.write_bytes(first.read_bytes())

    assert (
        refused(*PREPARE) == f"files of a table must differ, found the same in {first} and {copy}: remove one of them"
    )


def test_equal_files_of_days_without_sales_are_read(gpu_pricer, deliver, tmp_path):
    deliver("csv")
    gpu_pricer("inspect", "shop", ANSWER)
    for day in ("2031-01-01", "2031-01-02"):
        (tmp_path / f"shop/sales_S3_{day}.csv").write_text("customer,sku,sold_at,qty,price\n")

    assert gpu_pricer(*PREPARE).status == 0


@ENDINGS
def test_a_file_of_the_same_columns_that_is_not_read_is_a_doubt(gpu_pricer, deliver, tmp_path, ending):
    deliver(ending)
    gpu_pricer("inspect", "shop", ANSWER)
    first = min((tmp_path / "shop").glob("sales*"))
    first.rename(tmp_path / f"shop/berlin.{ending}")
    (tmp_path / "shop/.berlin.csv").write_text("customer,sku,sold_at,qty,price\n")
    (tmp_path / "shop/notes.csv").write_text("customer,note\n1,2\n")

    assert gpu_pricer(*PREPARE).status == 0

    doubts = json.loads((tmp_path / "work/data/summary.json").read_text())["doubts"]
    told = f"1 file with the columns of transactions is not read, such as {tmp_path}/shop/berlin.{ending}: run"
    assert any(doubt.startswith(told) for doubt in doubts)


def test_files_of_other_columns_are_no_series(gpu_pricer, deliver, tmp_path):
    deliver("csv")
    first = min((tmp_path / "shop").glob("sales*"))
    first.write_text(first.read_text().replace("qty", "menge"))

    inspected = gpu_pricer("inspect", "shop", ANSWER)

    assert inspected.status == 0, inspected.out
    files = yaml.safe_load((tmp_path / "own/data/shop.yaml").read_text())["source"]["contents"]["transactions"]
    assert [file["path"] for file in files] == sorted(str(path) for path in (tmp_path / "shop").glob("sales*"))


def test_a_line_of_a_series_is_told_with_its_file(gpu_pricer, deliver, tmp_path):
    deliver("csv")
    gpu_pricer("inspect", "shop", ANSWER)
    last = max((tmp_path / "shop").glob("sales*"))
    last.write_text(last.read_text().replace("1.5", "ask", 1))

    prepared = gpu_pricer(*PREPARE)

    assert prepared.status == 0
    assert any(f"such as line 2 of {last} price='ask'" in line for line in prepared.log)


def test_a_series_without_files_is_one_line(gpu_pricer, refused, deliver, tmp_path):
    deliver("csv")
    gpu_pricer("inspect", "shop", ANSWER)
    for file in (tmp_path / "shop").glob("sales*"):
        file.unlink()

    assert refused(*PREPARE) == f"{tmp_path}/shop/sales_S*_*-*-*.csv must be a CSV file, found nothing: mend the path"
