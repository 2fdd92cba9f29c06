"""CSV files of many hands: separators, decimals, days, encodings, ids, and cells that cannot be read."""

from datetime import datetime

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpu_pricer.data.sources.cells import values
from gpu_pricer.data.sources.csv import CsvFile
from gpu_pricer.data.sources.files import TableFiles
from gpu_pricer.data.sources.source import CELLS, FILE, LINE
from gpu_pricer.errors import InputError

COLUMNS = {"product_id": "Artikel", "time": "Datum", "price": "Preis"}
KINDS = {"product_id": "text", "time": "%d.%m.%Y", "price": "decimal_comma"}


def a_file(folder, text, encoding="utf-8", **settings):
    path = folder / "verkaeufe.csv"
    path.write_bytes(text.encode(encoding))
    usual = {"separator": ";", "columns": COLUMNS, "kinds": KINDS, "null_words": ["NA"]}
    return CsvFile(str(path), **(usual | settings))


def test_ids_keep_their_zeros_and_amounts_and_days_are_read_as_told(tmp_path):
    file = a_file(tmp_path, "Artikel;Datum;Preis;Notiz\n007; 05.02.2025 ;1.234,50;x\n7;06.02.2025;2,5 €;\n")

    rows = file.rows().collect()

    assert rows.rows() == [("007", datetime(2025, 2, 5), 1234.5), ("7", datetime(2025, 2, 6), 2.5)]
    assert file.unreadable().collect().is_empty()


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_marks_of_utf_8_and_ends_of_lines_of_any_system_are_no_part_of_a_cell(tmp_path, encoding, end):
    file = a_file(tmp_path, end.join(["Artikel;Datum;Preis", "ü;05.02.2025;1", "", ""]), encoding)

    assert file.rows().collect().rows() == [("ü", datetime(2025, 2, 5), 1.0)]


def test_a_row_with_a_cell_that_cannot_be_read_is_told_by_line_and_as_it_is_written(tmp_path):
    file = a_file(tmp_path, "Artikel;Datum;Preis\n1;31.02.2025;auf Anfrage\n2;05.02.2025;NA\n3;05.02.25;1.5\n")

    assert file.rows().collect().rows() == [("2", datetime(2025, 2, 5), None)]
    assert file.unreadable().select(LINE, CELLS, "Artikel").collect().rows() == [
        (2, "Datum='31.02.2025', Preis='auf Anfrage'", "1"),
        (4, "Datum='05.02.25', Preis='1.5'", "3"),
    ]


@pytest.mark.parametrize(
    ("encoding", "said"),
    [("cp1252", r"UTF-8, found byte 0xDF in line 2: .*iconv -f WINDOWS-1252"), ("utf-16", r"found UTF-16LE, as")],
)
def test_another_encoding_is_named_with_the_way_out(tmp_path, encoding, said):
    with pytest.raises(InputError, match=said):
        a_file(tmp_path, "Artikel;Datum;Preis\nß;05.02.2025;1\n", encoding).rows()


def test_a_lost_column_is_named(tmp_path):
    with pytest.raises(
        InputError, match="must have the columns Artikel, Datum, Preis, found only Artikel, Datum, Prix"
    ):
        a_file(tmp_path, "Artikel;Datum;Prix\n1;05.02.2025;1\n").rows()


def test_two_columns_of_one_name_are_refused(tmp_path):
    with pytest.raises(InputError, match=r"verkaeufe.csv must have different names, found 'Preis' twice: rename one"):
        a_file(tmp_path, "Artikel;Datum;Preis;Preis\n1;05.02.2025;1;2\n").rows()


def test_a_column_that_the_file_has_not_is_empty(tmp_path):
    file = a_file(
        tmp_path, "Artikel\n1\n", columns={"product_id": "Artikel", "category_id": None}, kinds={"product_id": "text"}
    )

    assert file.rows().collect().rows() == [("1", None)]


def test_a_column_of_the_file_may_be_two_of_the_contract(tmp_path):
    columns, kinds = (
        {"price": "Preis", "list_price": "Preis"},
        {"price": "decimal_comma", "list_price": "decimal_comma"},
    )

    assert a_file(tmp_path, "Preis\n1\n", columns=columns, kinds=kinds).rows().collect().rows() == [(1.0, 1.0)]


def test_files_of_a_table_lie_below_each_other(tmp_path):
    (tmp_path / "b").mkdir()
    files = [
        a_file(tmp_path, "Artikel;Datum;Preis\n1;05.02.2025;1\n"),
        a_file(tmp_path / "b", "Artikel;Datum;Preis\n2;x;1\n"),
    ]

    table = TableFiles({"transactions": files}, None).tables()["transactions"]

    assert table.rows.collect()["product_id"].to_list() == ["1"]
    assert table.unreadable.collect().select(FILE, LINE).rows() == [(files[1].path, 2)]


@pytest.mark.parametrize(
    ("change", "said"),
    [({"separator": ";;"}, "must be one sign"), ({"kinds": {"price": "number"}}, "must have a kind"),
     ({"kinds": KINDS | {"price": "number"}}, "must be one of text, flag")],
)  # fmt: skip
def test_settings_that_do_not_exist_are_refused(tmp_path, change, said):
    with pytest.raises(InputError, match=said):
        a_file(tmp_path, "Artikel\n", **change)


def read(cells, kind, zone=None):
    return pl.DataFrame({"cell": cells}).select(value=values(pl.col("cell"), kind, zone))["value"].to_list()


ZONED = {
    "%Y-%m-%dT%H:%M:%S%z": "2026-08-17T02:11:59-04:00",
    "%Y-%m-%d %H:%M:%S%.f %z": "2026-08-17 02:11:59.000 -0400",
    "%Y-%m-%d %H:%M:%S%#z": "2026-08-17 02:11:59-04",
}
IN_UTC = {
    "%Y-%m-%dT%H:%M:%SZ": "2026-08-17T06:11:59Z",
    "%Y-%m-%d %H:%M:%S UTC": "2026-08-17 06:11:59 UTC",
    "%Y-%m-%d %H:%M:%S%z": "2026-08-17 06:11:59+00:00",
    "%s": "1786947119",
}


@pytest.mark.parametrize(("kind", "cell"), [*ZONED.items(), *IN_UTC.items()])
def test_a_time_with_a_zone_is_put_on_the_clock_of_the_stores(kind, cell):
    assert read([cell, "x"], kind, "America/Los_Angeles") == [datetime(2026, 8, 16, 23, 11, 59), None]


@pytest.mark.parametrize(
    ("kind", "cell", "hour"), [(k, c, 2) for k, c in ZONED.items()] + [(k, c, 6) for k, c in IN_UTC.items()]
)
def test_a_time_with_a_zone_stays_as_it_is_written_without_a_clock(kind, cell, hour):
    assert read([cell, "x"], kind) == [datetime(2026, 8, 17, hour, 11, 59), None]


def test_seconds_since_1970_are_not_read_from_other_numbers():
    assert read(["20260817", "4", "0049123456", "1786947119"], "%s")[:3] == [None] * 3


def test_an_offset_is_the_last_code_of_a_format(tmp_path):
    with pytest.raises(InputError, match=r"the date format of time in .* must end with its %z, found '%z %Y-%m-%d'"):
        a_file(tmp_path, "Artikel\n", kinds=KINDS | {"time": "%z %Y-%m-%d"})


@pytest.mark.parametrize(
    ("cells", "zone", "found"),
    [
        (["2026-08-17 02:11+00:00", "2026-08-18 02:11+00:00"], None, ("time",)),
        (["2026-08-17 02:11+01:00", "2026-12-18 02:11+00:00"], None, ()),
        (["2026-08-17 02:11+00:00", "2026-08-18 02:11+00:00"], "Europe/London", ()),
    ],
)
def test_a_column_of_times_in_utc_is_told_where_no_clock_is(tmp_path, cells, zone, found):
    kinds = KINDS | {"time": "%Y-%m-%d %H:%M%z"}
    file = a_file(tmp_path, "\n".join(["Artikel;Datum;Preis", *(f"1;{cell};1" for cell in cells)]), kinds=kinds)

    assert TableFiles({"transactions": [file]}, zone).tables()["transactions"].in_utc == found


@settings(deadline=None)
@given(st.decimals(-1_000_000, 1_000_000, places=2), st.booleans())
def test_an_amount_is_read_as_it_was_written_under_either_sign(amount, is_grouped):
    point = f"{amount:,.2f}" if is_grouped else f"{amount:.2f}"
    comma = point.translate(str.maketrans(",.", ".,"))

    assert read([point], "decimal_point") == read([comma], "decimal_comma") == [float(amount)]


def test_a_sign_out_of_place_is_no_number():
    assert read(["1.5", "1,234.5", "12.34.567", "1e3"], "decimal_comma") == [None, None, None, 1000.0]
    assert read(["1,5", "1.234,5", ".5", "", "-"], "decimal_point") == [None, None, 0.5, None, None]
    assert read(["ja", "No", "2"], "flag") == [1.0, 0.0, None]
