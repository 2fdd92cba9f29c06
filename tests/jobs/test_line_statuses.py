"""Cancelled and returned lines are no sales: `inspect` says or asks which they are, and `prepare` leaves them out."""

import json

import polars as pl
import pytest
import yaml

from gpu_pricer.data.sources.source import CELLS, LINE
from tests.jobs.conftest import ANSWER, LINES, PREPARE


def cells(*others, usual="versendet"):
    """Cells of 120 lines, the first of which are the others."""
    return [*others, *[usual] * (LINES.height - len(others))]


def written(folder):
    return yaml.safe_load((folder / "own/data/shop.yaml").read_text())["source"]["contents"]["transactions"]


@pytest.mark.parametrize("ending", ["csv", "parquet"])
@pytest.mark.parametrize("name", ["Status", "Bestellstatus", "zz"])
def test_cancelled_and_returned_lines_are_left_out_and_said(gpu_pricer, own_files, tmp_path, ending, name):
    own_files(ending, **{name: cells("storniert", "Retoure", "storniert")})

    inspected = gpu_pricer("inspect", "shop", ANSWER)
    prepared = gpu_pricer(*PREPARE)

    assert (inspected.status, prepared.status) == (0, 0), inspected.out
    assert "left out, no sales: 1 Retoure, 2 storniert" in inspected.out
    told = f"has 3 lines that do not count: 2 {name}='storniert', 1 {name}='Retoure'"
    assert told in inspected.out
    assert any("left out: " in line and told in line for line in prepared.log)
    [sales] = written(tmp_path)
    assert (sales["status"]["column"], sales["status"]["sales"]) == (name, ["versendet"])
    assert sales["status"]["left_out"] == ["Retoure", "storniert"]
    aside = pl.read_parquet(tmp_path / "work/data/quarantine/transactions_left_out.parquet")
    assert aside[CELLS].to_list() == [f"{name}='storniert'", f"{name}='Retoure'", f"{name}='storniert'"]
    assert aside[LINE].to_list() == ([2, 3, 4] if ending == "csv" else [1, 2, 3])
    assert pl.read_parquet(tmp_path / "work/data/sales.parquet")["units"].sum() == LINES.height - 3
    assert json.loads((tmp_path / "work/data/summary.json").read_text())["lines_left_out"] == {"transactions": 3}


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_a_status_that_inspect_did_not_see_is_not_guessed_at_night(gpu_pricer, own_files, tmp_path, ending):
    own_files(ending, Status=cells("storniert"))
    assert gpu_pricer("inspect", "shop", ANSWER).status == 0
    own_files(ending, Status=cells("storniert", "Teilstorno", None))

    prepared = gpu_pricer(*PREPARE)

    assert prepared.status == 0, prepared.said
    line = 3 if ending == "csv" else 2
    told = f"breaks cells_are_readable in 2 rows, such as line {line} Status='Teilstorno'; line {line + 1} Status=''"
    assert any("quarantined: " in logged and told in logged for logged in prepared.log)
    assert pl.read_parquet(tmp_path / "work/data/sales.parquet")["units"].sum() == LINES.height - 3
    assert gpu_pricer(*PREPARE, "data.on_invalid=refuse").status == 2


def test_cells_that_no_word_tells_are_asked_and_each_answer_shown_is_taken(gpu_pricer, own_files, tmp_path):
    own_files(Status=cells("storniert", "teilweise storniert", None))

    asked = gpu_pricer("inspect", "shop", ANSWER)

    assert asked.status == 2
    assert (
        "1. which lines of transactions are no sales, by their Status? Found versendet (117 lines), (empty) (1 line), "
        in asked.out
    )
    one, both = "inspect.status.left_out=[storniert]", "inspect.status.left_out=[storniert,teilweise storniert]"
    assert f"     '{one}'\n     '{both}'\n     inspect.status.column=none\n" in asked.out
    counts = {}
    for answer in (one, both, "inspect.status.column=none"):
        told = gpu_pricer("inspect", "shop", ANSWER, answer)
        assert told.status == 0, told.said
        counts[answer] = next(line for line in told.out.splitlines() if line.endswith("2025-03-27"))
    assert [line.split()[0] for line in counts.values()] == ["119", "118", "120"]
    assert "status" not in written(tmp_path)[0]


def test_a_column_called_as_a_status_of_unknown_codes_is_asked_and_one_of_regions_is_not(gpu_pricer, own_files):
    own_files(state=cells("A", "B", usual="C"))
    asked = gpu_pricer("inspect", "shop", ANSWER).out
    assert "by their state? Found C (118 lines), A (1 line), B (1 line); none is known" in asked
    for answer, lines in (("[]", "120"), ("[A]", "119"), ("[B]", "119"), ("[C]", "2")):
        word = f"inspect.status.left_out={answer}"
        assert f"     '{word}'\n" in asked
        assert f"\n{lines} lines of sales pass" in gpu_pricer("inspect", "shop", ANSWER, word).out

    own_files(region=cells("A", "B", usual="C"))
    assert gpu_pricer("inspect", "shop", ANSWER).status == 0


@pytest.mark.parametrize(("yes", "no"), [("ja", "nein"), ("1", "0"), ("true", None)])
def test_a_column_that_only_marks_cancelled_lines_is_known(gpu_pricer, own_files, tmp_path, yes, no):
    own_files(storniert=cells(yes, usual=no))

    ended = gpu_pricer("inspect", "shop", ANSWER)

    assert ended.status == 0, ended.out
    [sales] = written(tmp_path)
    assert (sales["status"]["left_out"], sales["status"]["sales"]) == ([yes], [no or ""])


def test_flags_that_are_floats_in_parquet_are_known(gpu_pricer, own_files, tmp_path):
    own_files("parquet", storniert=cells(1.0, None, float("nan"), usual=0.0))

    ended = gpu_pricer("inspect", "shop", ANSWER)

    assert ended.status == 0, ended.out
    [sales] = written(tmp_path)
    assert (sales["status"]["left_out"], sales["status"]["sales"]) == (["1"], ["", "0"])
    assert gpu_pricer(*PREPARE).status == 0
    assert pl.read_parquet(tmp_path / "work/data/sales.parquet")["units"].sum() == LINES.height - 1


def test_files_of_one_table_share_their_statuses(gpu_pricer, own_files, tmp_path):
    own_files(Status=cells("storniert"))
    own_files(file="sales_2024", Status=cells("Retoure"), sold_at=LINES["sold_at"].str.replace("2025", "2024"))

    ended = gpu_pricer("inspect", "shop", ANSWER)

    assert "left out, no sales: 1 storniert\n" in ended.out
    assert "left out, no sales: 1 Retoure\n" in ended.out
    assert [file["status"]["left_out"] for file in written(tmp_path)] == [["Retoure", "storniert"]] * 2


def test_each_file_has_a_column_of_statuses_of_its_own(gpu_pricer, own_files, tmp_path):
    own_files(Status=cells(*["storniert"] * 20))
    earlier = LINES["sold_at"].str.replace("2025", "2024")
    own_files(file="sales_2024", Zustand=cells(*["storniert"] * 20), sold_at=earlier)

    ended = gpu_pricer("inspect", "shop", ANSWER)
    named = gpu_pricer("inspect", "shop", ANSWER, "inspect.status.column=Status")

    for told in (ended, named):
        assert told.status == 0, told.out
        assert told.out.count("left out, no sales: 20 storniert\n") == 2
    assert sorted(file["status"]["column"] for file in written(tmp_path)) == ["Status", "Zustand"]
    assert gpu_pricer(*PREPARE).status == 0
    assert json.loads((tmp_path / "work/data/summary.json").read_text())["lines_left_out"] == {"transactions": 40}


def test_a_file_with_two_other_columns_of_statuses_than_the_one_named_is_refused(gpu_pricer, own_files):
    own_files(Status=cells("storniert"))
    own_files(file="sales_2024", Zustand=cells("storniert"), Zahlung=cells("erstattet"))

    ended = gpu_pricer("inspect", "shop", ANSWER, "inspect.status.column=Status")

    assert ended.status == 2
    assert "sales_2024.csv must have Status or one other column of statuses, found Zustand, Zahlung" in ended.said[0]


def test_two_columns_of_statuses_are_asked(gpu_pricer, own_files):
    own_files(Status=cells("storniert"), Zahlung=cells("erstattet", usual="bezahlt"))

    asked = gpu_pricer("inspect", "shop", ANSWER)

    assert "1. which column says whether a line of transactions is a sale? It could be Status (such as " in asked.out
    for column in ("Status", "Zahlung", "none"):
        assert f"     inspect.status.column={column}\n" in asked.out
        assert gpu_pricer("inspect", "shop", ANSWER, f"inspect.status.column={column}").status == 0


@pytest.mark.parametrize(
    ("answer", "said"),
    [("status.left_out=[weg]", "inspect.status.left_out must name cells of Status, found 'weg', but only storniert, "),
     ("status.left_out=storniert", "inspect.status.left_out must be a list, found 'storniert': write it as [A,B]"),
     ("status.column=qty", "inspect.status.column must name an unread column of transactions, found 'qty', but only ")],
)  # fmt: skip
def test_answers_that_no_file_fits_are_one_line(refused, own_files, answer, said):
    own_files(Status=cells("storniert"))

    assert said in refused("inspect", "shop", ANSWER, f"inspect.{answer}")


def test_an_id_that_many_buyers_share_must_be_named(gpu_pricer, refused, own_files):
    others = [f"x{place % 60}" for place in range(LINES.height * 3)]
    own_files(customer=["GAST"] * LINES.height, qty=[1] * LINES.height)
    for number in range(3):
        part = others[number * LINES.height : (number + 1) * LINES.height]
        own_files(file=f"sales_{number}", customer=part, qty=[number + 2] * LINES.height)
    own_files(file="sales_0", customer=["GAST"] * LINES.height, qty=[2] * LINES.height)

    told = "user_id GAST has 50% of all 480 lines, the median user has 4 lines: if many buyers share an id"
    asked = gpu_pricer("inspect", "shop", ANSWER)
    assert asked.status == 2
    assert told in asked.said[0]
    assert told not in gpu_pricer("inspect", "shop", ANSWER, "data.guests=[]").out
    assert told in refused(*PREPARE, "data.guests=null")

    ended = gpu_pricer("inspect", "shop", ANSWER, "data.guests=[GAST]")

    counted = "240 transactions are of guests: each counts as a visit of another user"
    assert ended.status == 0
    assert counted in ended.out
    assert any(counted in line for line in gpu_pricer(*PREPARE).log)
    users = pl.read_parquet("work/data/users.parquet")
    assert users["user_id"].str.starts_with("guest ").sum() == 240
