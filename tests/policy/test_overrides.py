"""Prices set by hand: read from either kind of file, refused where they are none."""

from datetime import date

import polars as pl
import pytest

from gpu_pricer.errors import InputError
from gpu_pricer.policy.overrides import NO_SEGMENT, overrides_on, read_overrides
from tests.markets import a_policy

PRODUCTS, SEGMENTS = pl.Series(["tea", "milk", "rice"]), pl.Series(["s0", "s1"])
GOOD = {"product_id": ["milk", "tea", "milk"], "segment_id": ["s1", None, None], "price": [1.25, 3.0, 2.0]}


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_rows_come_out_by_position(tmp_path, kind):
    path = tmp_path / f"hand.{kind}"
    table = pl.DataFrame(GOOD | {"note": ["trial", None, "ad"]})
    table.write_csv(path) if kind == "csv" else table.write_parquet(path)

    found = read_overrides(path, PRODUCTS, SEGMENTS)

    assert found.product.tolist() == [0, 1, 1]
    assert found.segment.tolist() == [NO_SEGMENT, NO_SEGMENT, 1]
    assert found.price.tolist() == [300, 200, 125]
    assert found.note.to_list() == ["", "ad", "trial"]
    assert found.of_products().price.tolist() == [300, 200]
    assert found.of_cells().price.tolist() == [125]
    assert len(found.of_cells(0, 1)) == 0


def test_ids_of_digits_keep_their_leading_zeros(tmp_path):
    (tmp_path / "hand.csv").write_text("product_id,segment_id,price,note\n007,01,1.25,0042\n7,,2.00,\n")

    found = read_overrides(tmp_path / "hand.csv", pl.Series(["007", "7"]), pl.Series(["01", "1"]))

    assert found.product.tolist() == [0, 1]
    assert found.segment.tolist() == [0, NO_SEGMENT]
    assert found.note.to_list() == ["0042", ""]


@pytest.mark.parametrize(
    "text",
    [
        "product_id;price;note\n00019620;42,49;trial\n",
        "\ufeffproduct_id;price;note\r\n00019620; 42,49 ;trial\r\n",
        'product_id,price,note\n00019620,"42,49",trial\n',
    ],
)
def test_spreadsheets_of_any_country_are_read(tmp_path, text):
    (tmp_path / "hand.csv").write_bytes(text.encode())

    found = read_overrides(tmp_path / "hand.csv", pl.Series(["00019620"]), SEGMENTS)

    assert (found.price.tolist(), found.note.to_list()) == ([4249], ["trial"])


@pytest.mark.parametrize("price", ["1.234,50", "1,234.50"])
def test_grouped_thousands_are_no_price(tmp_path, price):
    (tmp_path / "hand.csv").write_text(f"product_id;price\ntea;{price}\n")

    with pytest.raises(InputError, match=r"hand\.csv must hold ids like the catalog's and prices, found"):
        read_overrides(tmp_path / "hand.csv", PRODUCTS, SEGMENTS)


def test_id_that_lost_its_leading_zeros_is_refused_with_what_it_means(tmp_path):
    (tmp_path / "hand.csv").write_text("product_id;price\nsalt;1,00\n19620;42,49\n")

    with pytest.raises(InputError, match=r"found 19620, likely 00019620 without leading zeros: keep the column of ids"):
        read_overrides(tmp_path / "hand.csv", pl.Series(["00019620", "tea"]), SEGMENTS)


def test_no_file_is_no_override():
    assert len(read_overrides(None, PRODUCTS, SEGMENTS)) == 0


def test_segment_and_note_may_be_absent(tmp_path):
    pl.DataFrame({"product_id": ["rice"], "price": [7]}).write_parquet(tmp_path / "x.parquet")

    found = read_overrides(tmp_path / "x.parquet", PRODUCTS, SEGMENTS)

    assert (found.price.tolist(), found.note.to_list()) == ([700], [""])


def test_every_price_of_whole_cents_stays_what_it_is(tmp_path):
    """0.29 × 100 is 28.999999999999996 in binary fractions."""
    cents = [1, 29, 57, 113, 6_999, 2**24 - 1]
    products = pl.Series("product_id", [f"p{k}" for k in range(6)])
    pl.DataFrame({"product_id": products, "price": [each / 100 for each in cents]}).write_csv(tmp_path / "x.csv")

    assert read_overrides(tmp_path / "x.csv", products, SEGMENTS).price.tolist() == cents


def test_unknown_ids_are_counted_and_shown_in_the_log(tmp_path, caplog):
    rows = {"product_id": ["rice", "salt", "tea"], "segment_id": ["s9", None, "s0"], "price": [1.0, 1.0, 1.0]}
    pl.DataFrame(rows).write_parquet(tmp_path / "x.parquet")

    with caplog.at_level("WARNING"):
        found = read_overrides(tmp_path / "x.parquet", PRODUCTS, SEGMENTS)

    assert len(found) == 1
    assert "2 overrides of" in caplog.text
    assert "that are not priced, the first ('rice', 's9', 1.0)" in caplog.text


BAD = {
    "no price": (
        lambda t: t.drop("price"),
        r"must have the columns product_id and price, .* found product_id, segment",
    ),
    "negative": (lambda t: t.with_columns(price=-pl.col("price")), r"must have prices in whole cents, .* found 3 rows"),
    "nothing": (lambda t: t.with_columns(price=pl.lit(0.0)), r"must have prices in whole cents, at least one, found 3"),
    "too dear": (lambda t: t.with_columns(price=pl.lit(167_772.16)), r"must have prices in whole cents, at least one"),
    "parts of a cent": (lambda t: t.with_columns(price=pl.lit(1.005)), r"must have prices in whole cents"),
    "null price": (lambda t: t.with_columns(price=pl.lit(None)), r"must have prices in whole cents"),
    "no id": (lambda t: t.with_columns(product_id=pl.lit(None)), r"must have a product_id in every row"),
    "twice": (lambda t: pl.concat([t, t.head(1)]), r"must have one row per product and segment, found 2 rows"),
    "true and false": (lambda t: t.with_columns(price=pl.lit(True)), r"must hold prices in numbers, found true and"),
    "text": (lambda t: t.with_columns(price=pl.lit("dear")), r"must hold ids like the catalog's and prices, found"),
}


@pytest.mark.parametrize("fault", BAD)
def test_bad_table_is_refused_in_one_line(tmp_path, fault):
    change, message = BAD[fault]
    change(pl.DataFrame(GOOD)).write_parquet(tmp_path / "x.parquet")

    with pytest.raises(InputError, match=message) as error:
        read_overrides(tmp_path / "x.parquet", PRODUCTS, SEGMENTS)

    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("name", "message"),
    [("hand.xlsx", r"must be a \.parquet or \.csv file, found"), ("none.csv", r"must be readable, found .*none\.csv")],
)
def test_file_that_cannot_be_read_is_refused(tmp_path, name, message):
    with pytest.raises(InputError, match=message):
        read_overrides(tmp_path / name, PRODUCTS, SEGMENTS)


@pytest.fixture
def weeks(tmp_path):
    """A folder of files by first day, with a hidden one of a file browser."""
    for name in ("2026-12-07.csv", "2026-12-14.parquet", ".DS_Store"):
        (tmp_path / name).write_text("")
    return tmp_path


@pytest.mark.parametrize(("day", "name"), [
    ("2026-12-06", None), ("2026-12-07", "2026-12-07.csv"), ("2026-12-13", "2026-12-07.csv"),
    ("2026-12-14", "2026-12-14.parquet"), ("2030-01-01", "2026-12-14.parquet"),
])  # fmt: skip
def test_each_file_of_a_folder_holds_until_the_next_one(weeks, day, name):
    assert overrides_on(weeks, date.fromisoformat(day)) == (None if name is None else weeks / name)


def test_a_file_holds_on_every_day(weeks):
    assert overrides_on(weeks / "2026-12-07.csv", date(1999, 1, 1)) == weeks / "2026-12-07.csv"


def test_a_folder_of_other_names_or_of_two_files_for_a_day_is_refused(weeks):
    (weeks / "2026-12-07.parquet").write_text("")
    with pytest.raises(InputError, match=r"one file for each first day, found 2026-12-07.csv and 2026-12-07.parquet"):
        overrides_on(weeks, date(2026, 12, 7))

    (weeks / "2026-12-07.parquet").rename(weeks / "christmas.csv")
    with pytest.raises(InputError, match=r"named by their first day, such as 2026-12-07.csv, found christmas.csv"):
        overrides_on(weeks, date(2026, 12, 7))


def test_policy_takes_the_file_of_its_day(weeks):
    policy = a_policy(overrides=str(weeks))

    assert policy.on(date(2026, 12, 8)).overrides == str(weeks / "2026-12-07.csv")
    assert policy.on(date(2026, 12, 1)).overrides is None
    assert a_policy().on(date(2026, 12, 8)).overrides is None
