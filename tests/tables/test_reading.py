"""Reading tables: kinds of types, attributes, and errors that name file, rule, value and remedy."""

from datetime import date, datetime

import polars as pl
import pytest

from gpu_pricer.errors import InputError
from gpu_pricer.tables.reading import collect, conform, read_table, scan_table
from gpu_pricer.tables.schemas import Context, Products, Transactions, Users

LINES = pl.DataFrame(
    {
        "user_id": [1, 2],
        "product_id": ["a", "b"],
        "time": [date(2024, 1, 1)] * 2,
        "quantity": [1, 2],
        "price": [2, 3],
    }
)


def conformed(frame, schema, keep_others=False):
    return conform(frame.lazy(), schema, "table", keep_others).collect()


def test_any_number_becomes_float_and_a_date_a_time():
    lines = conformed(LINES.with_columns(pl.col("price").cast(pl.Decimal(10, 2))), Transactions)

    assert lines.row(0) == (1, "a", datetime(2024, 1, 1), 1.0, 2.0, None, None, None, None)


def test_an_optional_time_without_any_value_is_of_no_type_and_others_are_not():
    products = pl.DataFrame({"product_id": [1], "category_id": ["A"], "launched": [None]})

    assert conformed(products, Products).schema["launched"] == pl.Datetime("us")
    with pytest.raises(InputError, match="time must be Date or Datetime, found Null"):
        conformed(LINES.with_columns(time=None), Transactions)


def test_time_keeps_the_clock_of_its_zone():
    zoned = LINES.with_columns(pl.lit(datetime(2024, 1, 1, 23)).dt.replace_time_zone("America/New_York").alias("time"))

    assert conformed(zoned, Transactions)["time"][0] == datetime(2024, 1, 1, 23)


@pytest.mark.parametrize("ids", [[1, 2], ["a", "b"]])
def test_ids_keep_their_type(ids):
    assert conformed(pl.DataFrame({"user_id": ids}), Users)["user_id"].to_list() == ids


def test_categorical_ids_become_strings():
    users = conformed(pl.DataFrame({"user_id": ["a"]}, schema={"user_id": pl.Categorical}), Users)

    assert users.schema["user_id"] == pl.String


def test_integer_categories_become_strings():
    products = conformed(pl.DataFrame({"product_id": [1], "category_id": [7]}), Products)

    assert products["category_id"].to_list() == ["7"]


def test_attributes_are_kept_if_requested():
    users = pl.DataFrame({"user_id": [1], "__odd name": ["x"]})

    assert conformed(users, Users, keep_others=True).equals(users)
    assert conformed(users, Users).columns == ["user_id"]


def test_flags_count_as_shares():
    context = pl.DataFrame({"product_id": [1], "time": [date(2024, 1, 1)], "display": [True]})

    assert conformed(context, Context)["display"].to_list() == [1.0]


def test_missing_column_is_named():
    with pytest.raises(InputError, match=r"table must have the column price, found only user_id.*: add price"):
        conformed(LINES.drop("price"), Transactions)


@pytest.mark.parametrize(
    ("column", "value", "expected"),
    [
        ("price", "cheap", "a number, found String"),
        ("user_id", 1.5, "integer or string, found Float64"),
        ("time", 20240101, "Date or Datetime, found Int32"),
    ],
)
def test_wrong_type_is_named(column, value, expected):
    with pytest.raises(InputError, match=f"table: the column {column} must be {expected}: convert the column"):
        conformed(LINES.with_columns(pl.lit(value).alias(column)), Transactions)


def test_file_and_folder_of_files_read_alike(tmp_path):
    LINES.write_parquet(tmp_path / "one.parquet")
    (tmp_path / "many.parquet").mkdir()
    for row in (0, 1):
        LINES[row : row + 1].write_parquet(tmp_path / "many.parquet" / f"{row}.parquet")

    one, many = (collect(scan_table(tmp_path / f"{name}.parquet"), name) for name in ("one", "many"))

    assert one.equals(many)


def test_absent_table_is_named(tmp_path):
    with pytest.raises(InputError, match=r"users.parquet must be a Parquet file or a folder of them, found nothing"):
        scan_table(tmp_path / "users.parquet")


def test_folder_without_files_is_named(tmp_path):
    with pytest.raises(InputError, match="must hold Parquet files, found none: put "):
        scan_table(tmp_path)


@pytest.mark.parametrize("share", [0.0, 0.5])
def test_truncated_file_is_named(tmp_path, share):
    path = tmp_path / "users.parquet"
    pl.DataFrame({"user_id": range(1000)}).write_parquet(path)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])

    with pytest.raises(InputError, match=r"users.parquet must be a whole Parquet file, found: .*; write it again"):
        scan_table(path)


def test_damage_behind_a_sound_footer_is_named(tmp_path):
    path = tmp_path / "users.parquet"
    pl.DataFrame({"user_id": range(100_000)}).write_parquet(path)
    whole = bytearray(path.read_bytes())
    whole[4:2000] = bytes(1996)
    path.write_bytes(whole)

    with pytest.raises(InputError, match=r"users must be readable, found: .*; write it again"):
        collect(scan_table(path), "users")


def test_folder_of_unlike_files_is_named(tmp_path):
    pl.DataFrame({"user_id": [1]}).write_parquet(tmp_path / "a.parquet")
    pl.DataFrame({"user_id": ["b"]}).write_parquet(tmp_path / "b.parquet")

    with pytest.raises(InputError, match="users must be readable, found: "):
        collect(conform(scan_table(tmp_path), Users, "users", keep_others=True), "users")


def test_empty_table_is_named():
    with pytest.raises(InputError, match="users must hold at least one row, found none"):
        collect(pl.LazyFrame({"user_id": []}), "users")


def test_read_table_refuses_broken_rows_by_rule_and_example(tmp_path):
    path = tmp_path / "products.parquet"
    pl.DataFrame({"product_id": [1, 2], "category_id": ["A", "A"], "cost": [1.0, -3.0]}).write_parquet(path)

    with pytest.raises(
        InputError, match=r"products.parquet breaks cost_is_not_negative in 1 rows, such as \(product_id=2"
    ):
        read_table(path, Products)


def test_read_table_returns_sound_rows_with_attributes(tmp_path):
    path = tmp_path / "users.parquet"
    users = pl.DataFrame({"user_id": ["a", "b"], "age": [30, 40]})
    users.write_parquet(path)

    assert read_table(path, Users).equals(users)


def test_a_delta_table_is_read_in_its_current_version(tmp_path):
    path = tmp_path / "transactions.parquet"
    LINES.write_delta(path)
    LINES.head(1).with_columns(price=pl.lit(9)).cast({"price": pl.Int64}).write_delta(path, mode="overwrite")

    assert scan_table(path).collect()["price"].to_list() == [9]


def test_a_delta_table_of_partitions_is_read_whatever_their_names_are(tmp_path):
    lines = LINES.with_columns(product_id=pl.Series(["New York", "a/b%ü"]))
    lines.write_delta(tmp_path / "lines", delta_write_options={"partition_by": ["product_id"]})

    assert sorted(scan_table(tmp_path / "lines").collect()["product_id"]) == ["New York", "a/b%ü"]


def test_a_damaged_delta_table_is_refused(tmp_path):
    LINES.write_delta(tmp_path / "lines")
    for log in (tmp_path / "lines/_delta_log").glob("*.json"):
        log.write_text("{")

    with pytest.raises(InputError, match=r"lines must be a whole Delta table, found: .*; write it again"):
        scan_table(tmp_path / "lines").collect()


@pytest.mark.parametrize(
    ("stale", "named"),
    [
        ("_temporary/0/part-1.parquet", "_temporary"),
        (".part-1.parquet", r"\.part-1\.parquet"),
        (".hoodie/hoodie.properties", r"\.hoodie"),
        ("metadata/v1.metadata.json", r"v1\.metadata\.json"),
    ],
)
def test_a_folder_with_files_that_do_not_count_is_refused(tmp_path, stale, named):
    folder = tmp_path / "lines"
    (folder / stale).parent.mkdir(parents=True)
    LINES.write_parquet(folder / "part-0.parquet")
    LINES.write_parquet(folder / stale)

    with pytest.raises(
        InputError, match=f"lines must hold finished Parquet files only, or a Delta table, found {named}"
    ):
        scan_table(folder)


@pytest.mark.parametrize("damage", [lambda file: file.unlink(), lambda file: file.write_bytes(file.read_bytes()[:-20])])
def test_a_delta_table_without_one_of_its_files_is_refused(tmp_path, damage):
    LINES.write_delta(tmp_path / "lines")
    damage(next((tmp_path / "lines").glob("*.parquet")))

    with pytest.raises(InputError, match=r"must be (a whole Parquet file|readable), found: .*; write it again"):
        collect(scan_table(tmp_path / "lines"), "lines")


def panic(*arguments, **named):
    """What Polars does with some damaged files."""
    raise pl.exceptions.PanicException("range end index 4 out of range")


@pytest.mark.parametrize("step", ["read_parquet_schema", "scan_parquet"])
def test_file_over_which_polars_panics_is_refused(tmp_path, monkeypatch, step):
    LINES.write_parquet(tmp_path / "lines.parquet")
    if step == "scan_parquet":
        frame = scan_table(tmp_path / "lines.parquet")
        monkeypatch.setattr(pl.LazyFrame, "collect", panic)
        with pytest.raises(InputError, match=r"^lines must be readable, found: range end index 4 out of range; write"):
            collect(frame, "lines")
        monkeypatch.setattr(pl.LazyFrame, "collect_schema", panic)
        with pytest.raises(InputError, match=r"^lines must be readable, found: range end index 4 out of range; write"):
            conform(frame, Transactions, "lines", keep_others=False)
    else:
        monkeypatch.setattr(pl, step, panic)
        with pytest.raises(InputError, match="must be a whole Parquet file, found: range end index 4 out of range"):
            scan_table(tmp_path / "lines.parquet")


@pytest.mark.parametrize("name", ["*", "^.*$", "^user"])
def test_column_with_the_name_of_a_pattern_is_one_column(name):
    users = pl.DataFrame({"user_id": [1], name: ["x"]})

    assert conformed(users, Users, keep_others=True).equals(users)
