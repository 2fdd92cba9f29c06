"""The job `prepare`, from Parquet files to canonical tables, with the real configuration."""

import json
import re
from datetime import date, timedelta
from pathlib import Path

import polars as pl
import pytest
from hydra import compose, initialize_config_dir

from gpu_pricer.command_line.checked_config import checked_config
from gpu_pricer.errors import InputError
from gpu_pricer.jobs.prepare import main
from gpu_pricer.tables.canonical import SCHEMAS, read_summary
from gpu_pricer.tables.reading import read_table

CONF = str(Path(__file__).parents[2] / "conf")
TABLES = sorted(SCHEMAS)
SHORT = ("split.validation_periods=1", "split.test_periods=1")


def shop(ids=lambda number: number) -> dict[str, pl.DataFrame]:
    """Six weeks and two days in which 20 users buy from two categories, at a price that moves."""
    days = [date(2024, 1, 1) + timedelta(days=day) for day in range(44)]
    rows = [
        (ids(user), ids(100 + user % 4), day, 1 + user % 2, 2.0 + (day.isocalendar().week % 2) / 2, 3.0)
        for day in days
        for user in range(20)
        if (day.day + user) % 3 == 0
    ]
    columns = ["user_id", "product_id", "time", "quantity", "price", "list_price"]
    products = {"product_id": [ids(100 + n) for n in range(4)], "category_id": ["A", "A", "B", None]}
    return {
        "transactions": pl.DataFrame(rows, schema=columns, orient="row"),
        "products": pl.DataFrame(products | {"cost": [1.0] * 4, "brand": ["x", "y", "x", None]}),
        "users": pl.DataFrame({"user_id": [ids(n) for n in range(25)], "age": list(range(25))}),
    }


def shop_of_groups() -> dict[str, pl.DataFrame]:
    """The shop, where every other user saw prices of a group."""
    tables = shop()
    group = pl.when(pl.col("user_id") % 2 == 0).then(pl.lit("a")).alias("price_group")
    told = pl.DataFrame({"product_id": [100, 101]}).with_columns(
        price_group=pl.lit("a"), time=pl.lit(date(2024, 1, 15)), price=pl.lit(2.25)
    )
    return tables | {"transactions": tables["transactions"].with_columns(group), "group_prices": told}


def contents(directory):
    """Every file below a folder, with what it holds."""
    return {path.relative_to(directory): path.read_bytes() for path in directory.rglob("*.*")}


def tables_of(directory):
    """Every Parquet file below a folder, with what it holds."""
    return {path: held for path, held in contents(directory).items() if path.suffix == ".parquet"}


@pytest.fixture
def prepare(tmp_path):
    """Write tables, run the job with overrides, and return paths.data."""

    def run(tables: dict[str, pl.DataFrame], *overrides: str) -> Path:
        raw = tmp_path / "raw"
        raw.mkdir(exist_ok=True)
        for name, table in tables.items():
            table.write_parquet(raw / f"{name}.parquet")
        own = ["data=parquet", f"data.path={raw}", f"paths.work={tmp_path / 'work'}", *SHORT, *overrides]
        with initialize_config_dir(CONF, version_base="1.3"):
            config = compose("config", own)
        main(checked_config(config))
        return tmp_path / "work" / "data"

    return run


def test_every_canonical_table_keeps_its_schema(prepare):
    directory = prepare(shop_of_groups())

    for name in TABLES:
        assert not read_table(directory / f"{name}.parquet", SCHEMAS[name]).is_empty()


def test_tables_agree_with_each_other(prepare):
    directory = prepare(shop_of_groups())

    tables = {name: pl.read_parquet(directory / f"{name}.parquet") for name in TABLES}
    bought = tables["choices"].drop_nulls("product_id")
    key = ["period", "category_id", "product_id"]
    assert bought.join(tables["shelf"], on=key, how="anti").is_empty()
    shelves = pl.concat([tables["shelf"], tables["begun_shelf"]])
    assert tables["group_shelf"].join(shelves, on=["period", "product_id"], how="anti").is_empty()
    assert tables["shelf"].join(tables["products"], on="product_id", how="anti").is_empty()
    assert tables["shelf"].join(tables["categories"], on="category_id", how="anti").is_empty()
    assert tables["choices"].join(tables["visits"], on=["user_id", "period"], how="anti").is_empty()
    assert tables["choices"].join(tables["users"], on="user_id", how="anti").is_empty()


def test_every_occasion_is_there_once(prepare):
    """Trap 4: user x visited period x category on the shelf, bought or not."""
    directory = prepare(shop())

    choices, visits, shelf = (pl.read_parquet(directory / f"{name}.parquet") for name in ("choices", "visits", "shelf"))
    occasions = choices.group_by("user_id", "period", "category_id").agg(pl.col("weight").sum())
    expected = visits.join(shelf.select("period", "category_id").unique(), on="period")
    assert occasions.height == expected.height
    assert occasions["weight"].unique().to_list() == [1.0]
    assert choices["outside_rate"].unique().to_list() == [1.0]


def test_summary_counts_what_happened(prepare):
    directory = prepare(shop())

    summary = json.loads((directory / "summary.json").read_text())
    assert summary["first_period"] == "2024-01-01"
    assert summary["last_period"] == "2024-02-05"
    assert (summary["period_days"], summary["periods"], summary["currency"]) == (7, 6, "USD")
    assert (summary["protected"], summary["label"]) == ([], [])
    assert summary["products_priced_by_sales"] == summary["rows"]["products"]
    assert summary["purchases"] + summary["lines_outside_whole_periods"] == shop()["transactions"].height
    assert summary["lines_outside_whole_periods"] > 0
    assert summary["rows"]["users"] == 25


def test_products_with_a_stated_price_are_not_priced_by_their_sales(prepare):
    tables = shop()
    is_stated = pl.int_range(pl.len()) < 2
    tables["products"] = tables["products"].with_columns(price=pl.when(is_stated).then(2.0))

    summary = json.loads((prepare(tables) / "summary.json").read_text())

    assert summary["products_priced_by_sales"] == summary["rows"]["products"] - 2


def test_only_whole_periods_are_visited(prepare):
    """The sales end on a Tuesday, whose week counts nowhere."""
    directory = prepare(shop())

    for name in ("visits", "choices", "shelf"):
        assert pl.read_parquet(directory / f"{name}.parquet")["period"].max() == date(2024, 2, 5)


def test_a_category_that_every_visit_buys_from_is_told(prepare, caplog):
    tables = shop()
    tables["products"] = tables["products"].with_columns(category_id=pl.lit("A"))

    prepare(shop())
    assert not [text for text in caplog.messages if "every visit of the log" in text]
    prepare(tables)

    [told] = [text for text in caplog.messages if "every visit of the log" in text]
    assert told.startswith(
        "every visit of the log bought from 1 of 1 categories, such as A: the log cannot tell how many"
    )


def test_prices_that_change_within_the_periods_are_told(prepare, caplog):
    tables = shop()
    prepare(tables)
    assert not [text for text in caplog.messages if "prices change within the periods" in text]

    daily = 2.0 + pl.col("time").dt.ordinal_day() % 2
    often = pl.concat([tables["transactions"].with_columns(user_id=pl.col("user_id") + 100 * n) for n in range(3)])
    prepare(tables | {"transactions": often.with_columns(price=daily)})

    [told] = [text for text in caplog.messages if "prices change within the periods" in text]
    assert "set data.occasion_period to one in which prices stay, such as 1d" in told


def test_a_log_that_is_mostly_of_products_off_the_shelf_is_told(prepare, caplog):
    """A long tail: every product but four sells once in a week, so that nobody knows its price."""
    tables = shop()
    prepare(tables)
    assert not [text for text in caplog.messages if "are of products on the shelf" in text]

    first = tables["transactions"].group_by("time").head(4)
    tail = first.with_columns(product_id=pl.int_range(pl.len(), dtype=pl.Int64) + 1000)
    more = tables["products"].head(1).join(tail.select("product_id"), how="cross", suffix="_tail")
    products = more.drop("product_id").rename({"product_id_tail": "product_id"})
    prepare(
        {
            "transactions": pl.concat([tables["transactions"].group_by("time").head(3), tail.select(first.columns)]),
            "products": pl.concat([tables["products"], products.select(tables["products"].columns)]),
        }
    )

    [told] = [text for text in caplog.messages if "are of products on the shelf" in text]
    assert re.match(r"only \d+ of \d+ purchases are of products on the shelf in their period", told)
    assert "lower data.shelf.min_lines" in told


def test_times_in_utc_count_on_the_clock_of_the_stores_or_are_told(prepare, caplog):
    tables = shop()
    local = tables["transactions"].with_columns(pl.col("time").cast(pl.Datetime("us")) + pl.duration(hours=20))
    in_utc = pl.col("time").dt.replace_time_zone("America/Los_Angeles").dt.convert_time_zone("UTC")
    expected = tables_of(prepare(tables | {"transactions": local}))
    zoned = tables | {"transactions": local.with_columns(in_utc)}

    found = prepare(zoned, "data.time_zone=America/Los_Angeles")
    assert tables_of(found) == expected
    assert read_summary(found)["time_zone"] == "America/Los_Angeles"
    assert not [text for text in caplog.messages if "UTC" in text]

    assert tables_of(prepare(zoned)) != expected
    [told] = [text for text in caplog.messages if "UTC" in text]
    assert "times are in UTC: time of" in told
    assert told.endswith("transactions.parquet; set data.time_zone to that of the stores, such as America/New_York")


LATER = {
    "prices": {"price": [20.0] * 500},
    "user": {"user_id": [77]},
    "unknown product": {"product_id": [999]},
    "broken line": {"quantity": [0]},
}


@pytest.mark.parametrize("kind", LATER)
def test_lines_after_the_last_period_change_nothing(prepare, kind):
    tables = shop()
    before = contents(prepare(tables, "data.last_period=2024-01-29"))
    line = {"user_id": 1, "product_id": 100, "time": date(2024, 2, 5), "quantity": 1, "price": 2.0, "list_price": 3.0}
    later = pl.DataFrame(line | LATER[kind])

    tables["transactions"] = pl.concat([tables["transactions"], later], how="vertical_relaxed")

    assert contents(prepare(tables, "data.last_period=2024-01-29")) == before


def test_no_line_and_no_context_after_the_last_period_counts(prepare):
    tables = shop()
    context = pl.DataFrame({"product_id": [100], "time": [date(2024, 1, 29)], "display": [0.5]})
    later = pl.DataFrame({"product_id": [100], "time": [date(2024, 2, 5)], "display": [7.0], "heat": [30.0]})
    tables["context"] = pl.concat([context, later], how="diagonal")
    before = contents(prepare(tables, "data.last_period=2024-01-29"))

    tables["transactions"] = tables["transactions"].filter(pl.col("time") < date(2024, 2, 5))
    tables["context"] = context

    assert contents(prepare(tables, "data.last_period=2024-01-29")) == before


def test_the_last_period_is_whole_whatever_day_of_it_is_named(prepare):
    first = contents(prepare(shop(), "data.last_period=2024-01-22"))

    assert contents(prepare(shop(), "data.last_period=2024-01-28")) == first
    assert json.loads(first[Path("summary.json")])["last_period"] == "2024-01-22"


def test_a_log_that_begins_after_the_last_period_is_refused_with_the_key(prepare):
    message = (
        "transactions.parquet up to data.last_period=2023-12-04 must hold at least one row, found none: set a later"
    )

    with pytest.raises(InputError, match=message):
        prepare(shop(), "data.last_period=2023-12-04")


@pytest.mark.parametrize(("first", "changes"), [(4, False), (3, True)])
def test_rates_of_categories_are_those_of_the_training_periods_alone(prepare, first, changes):
    """Four of the six whole weeks are trained on; the number counts the weeks before which nothing changes."""
    since = date(2024, 1, 1) + timedelta(weeks=first)
    more = pl.when(pl.col("time") >= since).then(3 * pl.col("quantity")).otherwise("quantity")
    usual = pl.read_parquet(prepare(shop()) / "categories.parquet")

    sold_more = shop()["transactions"].with_columns(quantity=more)
    found = pl.read_parquet(prepare(shop() | {"transactions": sold_more}) / "categories.parquet")

    assert found.equals(usual) != changes


def test_lines_of_other_categories_are_not_counted_as_outside_whole_periods(prepare):
    of_a = shop()["transactions"].filter(pl.col("product_id").is_in([100, 101]))

    summary = json.loads((prepare(shop(), "data.assortment.categories=[A]") / "summary.json").read_text())

    assert summary["purchases"] + summary["lines_outside_whole_periods"] == of_a.height


@pytest.mark.parametrize("ids", [lambda number: number, lambda number: f"id-{number}"])
def test_ids_come_out_as_they_went_in(prepare, ids):
    tables = shop(ids)

    directory = prepare(tables)

    assert pl.read_parquet(directory / "users.parquet")["user_id"].sort().equals(tables["users"]["user_id"].sort())
    assert pl.read_parquet(directory / "products.parquet")["product_id"].equals(tables["products"]["product_id"])
    assert set(pl.read_parquet(directory / "choices.parquet")["product_id"].drop_nulls()) <= {
        ids(100 + n) for n in range(4)
    }


def test_user_without_attributes_and_user_without_sales_are_both_there(prepare):
    tables = shop()
    tables["users"] = tables["users"].filter(pl.col("user_id") > 0)

    users = pl.read_parquet(prepare(tables) / "users.parquet")

    assert users.filter(user_id=0)["age"].to_list() == [None]
    assert users.filter(user_id=24)["age"].to_list() == [24]


def test_equal_inputs_give_equal_files_in_any_row_order(prepare):
    tables = shop()
    overrides = (
        "data.choices.keep_all_below=0",
        "data.choices.min_zeros=10",
        "data.choices.zeros_per_purchase=0.1",
    )
    first = {path.name: path.read_bytes() for path in prepare(tables, *overrides).glob("*.*")}

    tables["transactions"] = tables["transactions"].sample(fraction=1, shuffle=True, seed=3)
    again = {path.name: path.read_bytes() for path in prepare(tables, *overrides).glob("*.*")}

    assert first == again


def test_sampled_occasions_estimate_their_total(prepare):
    tables = shop()
    whole = pl.read_parquet(prepare(tables) / "choices.parquet")
    sample = pl.read_parquet(
        prepare(
            tables,
            "data.choices.keep_all_below=0",
            "data.choices.min_zeros=7",
            "data.choices.zeros_per_purchase=0.1",
        )
        / "choices.parquet"
    )

    zeros = pl.col("product_id").is_null()
    estimate = sample.filter(zeros).group_by("category_id").agg((1 / pl.col("outside_rate")).sum().alias("len"))
    expected = whole.filter(zeros).group_by("category_id").agg(pl.len().cast(pl.Float64))
    assert sample.height < whole.height
    assert dict(estimate.rows()) == pytest.approx(dict(expected.rows()), rel=0.1)


def test_choice_among_products_only(prepare):
    directory = prepare(shop(), "data.choices.outside_option=false")

    assert pl.read_parquet(directory / "choices.parquet")["product_id"].null_count() == 0
    assert json.loads((directory / "summary.json").read_text())["outside_option"] is False


def test_broken_rows_lie_in_quarantine_with_their_rule(prepare):
    tables = shop()
    tables["transactions"] = tables["transactions"].with_columns(
        pl.when(pl.int_range(pl.len()) == 0).then(-1).otherwise("price").alias("price")
    )

    directory = prepare(tables)

    quarantined = pl.read_parquet(directory / "quarantine" / "transactions.parquet")
    assert quarantined.select("price", "price_is_positive").rows() == [(-1.0, "invalid")]
    assert not (directory / "quarantine" / "products.parquet").exists()
    broken = json.loads((directory / "summary.json").read_text())["broken_rules"]
    assert broken["transactions"] == {"price_is_positive": 1}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"products": shop()["products"].drop("cost")}, "every product must have a cost"),
        ({"products": pl.concat([shop()["products"]] * 2)}, "product_is_unique"),
        ({"transactions": shop()["transactions"].drop("price")}, "must have the column price"),
        ({"transactions": shop()["transactions"].clear()}, "must hold at least one row"),
        ({"transactions": shop()["transactions"].head(3)}, "at least one whole period"),
    ],
)
def test_refused_inputs_leave_the_old_tables_whole(prepare, change, message):
    directory = prepare(shop())
    before = {path: path.read_bytes() for path in directory.rglob("*.*")}

    with pytest.raises(InputError, match=message):
        prepare(shop() | change)

    assert {path: path.read_bytes() for path in directory.rglob("*.*")} == before
    assert [path.name for path in directory.parent.iterdir()] == ["data"]


def test_refusing_broken_rows_writes_nothing(prepare, tmp_path):
    tables = shop()
    tables["transactions"] = tables["transactions"].with_columns(quantity=pl.lit(0))

    with pytest.raises(InputError, match="quantity_is_positive"):
        prepare(tables, "data.on_invalid=refuse")

    assert not (tmp_path / "work").exists()


def test_second_run_drops_the_quarantine_of_the_first(prepare):
    tables = shop()
    tables["context"] = pl.DataFrame({"product_id": [100, 999], "time": [date(2024, 1, 1)] * 2, "display": [0.5, 0.5]})
    directory = prepare(tables)
    assert (directory / "quarantine" / "context.parquet").exists()

    prepare(tables | {"context": tables["context"].head(1)})

    assert not (directory / "quarantine").exists()


def test_directory_with_anything_else_is_never_replaced(prepare, tmp_path):
    precious = tmp_path / "work" / "data" / "thesis.txt"
    precious.parent.mkdir(parents=True)
    precious.write_text("only copy")

    with pytest.raises(InputError, match=r"must hold nothing else, found thesis\.txt"):
        prepare(shop())

    assert precious.read_text() == "only copy"


def test_offers_take_the_place_of_transactions(prepare):
    tables = shop()
    seen = tables["transactions"].with_row_index("occasion_id").with_columns(temperature=pl.lit(20.0))
    tables["offers"] = pl.concat(
        [seen, seen.with_columns(product_id=pl.lit(100), quantity=pl.lit(0))], how="vertical_relaxed"
    )
    del tables["transactions"]

    directory = prepare(tables)

    choices, shelf = (pl.read_parquet(directory / f"{name}.parquet") for name in ("choices", "shelf"))
    assert choices["product_id"].null_count() > 0
    assert shelf["temperature"].unique().to_list() == [20.0]
    assert json.loads((directory / "summary.json").read_text())["offers_off_modal_price"] < 1


def test_one_offer_reveals_a_price_and_shoppers_may_see_different_ones(prepare):
    """Product 103 is seen once a week, and in the third one not; everybody sees product 102 at a price of his own."""
    tables = shop()
    seen = tables.pop("transactions").with_row_index("occasion_id")
    once = seen.filter(pl.col("product_id") == 103, pl.col("time").dt.week() != 3)
    once = once.unique(pl.col("time").dt.week(), keep="first", maintain_order=True)
    own = pl.when(pl.col("product_id") == 102).then(2.0 + pl.col("occasion_id") % 5).otherwise("price")
    offers = pl.concat([seen.filter(pl.col("product_id") != 103), once]).with_columns(price=own, list_price=6.0)

    directory = prepare(tables | {"offers": offers})

    products, shelf = (pl.read_parquet(directory / f"{name}.parquet") for name in ("products", "shelf"))
    assert products["product_id"].to_list() == [100, 101, 102, 103]
    assert "has_unit_price" not in products.columns
    seen_once = shelf.filter(pl.col("product_id") == 103)
    assert seen_once["price"].to_list() == once.sort("time")["price"].to_list()[:5]
    assert seen_once["price_age"].to_list() == [0] * 5


def test_a_missing_list_price_is_the_price_where_only_discounted_lines_have_one(prepare):
    """Product 100 is discounted in every other week, product 101 never; others have no list price."""
    tables = shop()
    is_cut = (pl.col("price") < 2.5) & (pl.col("product_id") == 100)
    of_cuts = tables["transactions"].with_columns(list_price=pl.when(is_cut).then(2.5))

    directory = prepare(tables | {"transactions": of_cuts})

    shelf, products = (pl.read_parquet(directory / f"{name}.parquet") for name in ("shelf", "products"))
    assert shelf.filter(product_id=100)["list_price"].to_list() == [2.5] * 6
    assert shelf.filter(product_id=101)["list_price"].null_count() == 6
    assert products["list_price"].to_list() == [2.5, None, None, None]


def test_list_prices_of_the_shelf_and_the_catalog_are_never_below_the_price(prepare):
    """A list price may be rounded down, and in a period that shows none, it is that of another one."""
    tables = shop()
    listed = pl.when(pl.col("time").dt.week() % 2 == 0).then(pl.col("price") * 0.995)
    directory = prepare(tables | {"transactions": tables["transactions"].with_columns(list_price=listed)})

    for name in ("shelf", "products"):
        table = pl.read_parquet(directory / f"{name}.parquet")
        assert table["list_price"].count() > 0
        assert table.filter(pl.col("list_price") < pl.col("price")).is_empty()


@pytest.mark.parametrize("seed", ["abc", "-1", "1.5"])
def test_impossible_seed_is_refused(prepare, seed):
    with pytest.raises(InputError, match="seed must be a whole number from 0, found"):
        prepare(shop(), f"seed={seed}")


@pytest.mark.parametrize(
    ("year", "rules"),
    [(2999, {"time_has_come": 1, "time_is_near_the_median": 1}), (1925, {"time_is_near_the_median": 1})],
)
def test_a_receipt_of_the_future_or_of_a_wrong_year_is_set_aside_and_changes_no_table(prepare, year, rules):
    tables = shop()
    before = contents(prepare(tables))
    line = {"user_id": 1, "product_id": 100, "time": date(year, 1, 1), "quantity": 1, "price": 2.0, "list_price": 3.0}
    tables["transactions"] = pl.concat([tables["transactions"], pl.DataFrame(line)], how="vertical_relaxed")

    after = contents(prepare(tables))

    summary = json.loads(after.pop(Path("summary.json")))
    assert summary["broken_rules"]["transactions"] == rules
    assert after.pop(Path("quarantine/transactions.parquet"))
    assert after == {path: content for path, content in before.items() if path != Path("summary.json")}


def test_a_receipt_long_after_all_others_is_refused_because_the_shelf_is_empty(prepare):
    tables = shop()
    line = {"user_id": 1, "product_id": 100, "time": date(2024, 9, 15), "quantity": 1, "price": 2.0, "list_price": 3.0}
    tables["transactions"] = pl.concat([tables["transactions"], pl.DataFrame(line)], how="vertical_relaxed")

    message = (
        "some product must be on the shelf in the last period, 2024-09-09, found none: 1 sales are of that time "
        r"and 292 end on 2024-02-13; mend their times, or set data.last_period"
    )
    with pytest.raises(InputError, match=message):
        prepare(tables)


def test_sales_of_a_begun_period_give_the_prices_and_the_shelf_of_today(prepare):
    tables = shop()
    to_sunday = tables["transactions"].filter(pl.col("time") < date(2024, 2, 12))
    before = prepare(tables | {"transactions": to_sunday})
    products, learned = pl.read_parquet(before / "products.parquet"), contents(before)

    after = prepare(tables | {"transactions": to_sunday.vstack(monday(to_sunday))})

    now = pl.read_parquet(after / "products.parquet")
    assert products["price"].to_list() == [2.0, 2.0, 2.0, 2.0]
    assert now["price"].to_list() == [2.25, 2.25, 2.0, 2.0]
    assert now["availability"].to_list() == [1.0, 1.0, 1.0, 1.0]
    for name in ("shelf", "choices", "visits", "categories", "users"):
        assert contents(after)[Path(f"{name}.parquet")] == learned[Path(f"{name}.parquet")]
    summary = json.loads((after / "summary.json").read_text())
    assert (summary["last_period"], summary["begun_period"]) == ("2024-02-05", "2024-02-12")
    assert summary["begun_share"] == pytest.approx(1 / 7)
    assert summary["begun_teaches"]


def test_sales_of_a_begun_period_are_tables_of_their_own(prepare):
    tables = shop()
    to_sunday = tables["transactions"].filter(pl.col("time") < date(2024, 2, 12))
    before = {path.name for path in prepare(tables | {"transactions": to_sunday}).iterdir()}
    sold = monday(to_sunday)

    after = prepare(tables | {"transactions": to_sunday.vstack(sold)})

    begun = {name: pl.read_parquet(after / f"{name}.parquet") for name in TABLES if name.startswith("begun")}
    assert {path.name for path in after.iterdir()} - before == {f"{name}.parquet" for name in begun}
    bought = begun["begun_choices"].drop_nulls("product_id")
    assert bought["quantity"].sum() == sold["quantity"].sum()
    assert begun["begun_visits"]["user_id"].to_list() == sold["user_id"].unique().sort().to_list()
    assert begun["begun_shelf"]["price"].to_list() == [2.25, 2.25, 2.0, 2.0]
    # a user of this shop buys one product whenever he comes, on one day as in a week
    assert begun["begun_categories"]["odds"].to_list() == pytest.approx([1.0] * 3, abs=0.1)


def test_a_begun_period_whose_days_never_had_a_sale_before_does_not_teach(prepare):
    tables = shop()
    usual = tables["transactions"].filter(pl.col("time").dt.weekday() != 1, pl.col("time") < date(2024, 2, 12))

    directory = prepare(tables | {"transactions": usual.vstack(monday(usual))})

    assert not [*directory.glob("begun_*")]
    summary = json.loads((directory / "summary.json").read_text())
    assert (summary["begun_period"], summary["begun_teaches"]) == ("2024-02-12", False)


def monday(lines):
    """Sales of the day after the lines, of two products at a new price."""
    sold = lines.filter(pl.col("time") == date(2024, 2, 8), pl.col("product_id") < 102)
    return sold.with_columns(time=pl.lit(date(2024, 2, 12)), price=pl.lit(2.25))


def test_goods_sold_by_weight_are_marked_in_the_catalog_and_their_price_never_moves(prepare):
    tables = shop()
    lines = tables["transactions"].with_row_index("line")
    spend = 0.5 + (pl.col("line").cast(pl.Int64) * 37 % 101) / 20
    is_scanned = pl.col("product_id") == 101
    scanned = lines.with_columns(
        price=pl.when(is_scanned).then(spend).otherwise("price"), list_price=pl.when(~is_scanned).then("list_price")
    ).drop("line")

    directory = prepare(tables | {"transactions": scanned})

    products, shelf = (pl.read_parquet(directory / f"{name}.parquet") for name in ("products", "shelf"))
    assert dict(products.select("product_id", "has_unit_price").iter_rows()) == {100: 1, 101: 0, 102: 1, 103: 1}
    assert dict(shelf.group_by("product_id").agg(pl.col("price").n_unique()).iter_rows())[101] == 1
    assert json.loads((directory / "summary.json").read_text())["products_without_unit_price"] == 1


def test_weights_give_goods_sold_by_weight_their_price(prepare):
    tables = shop()
    weight = 0.5 + (pl.int_range(pl.len()) * 37 % 101) / 20
    lines = tables["transactions"].with_columns(net_weight=pl.when(pl.col("product_id") == 101).then(weight))
    scanned = pl.when(pl.col("product_id") == 101).then((pl.col("price") * weight).round(2)).otherwise("price")
    lines = lines.with_columns(price=scanned, quantity=1, list_price=None)

    with_weights = prepare(tables | {"transactions": lines})

    assert "has_unit_price" not in pl.read_parquet(with_weights / "products.parquet").columns
    shelf = pl.read_parquet(with_weights / "shelf.parquet").filter(product_id=101)
    assert shelf["price"].to_list() == pytest.approx([2.0 + week % 2 / 2 for week in (1, 2, 3, 4, 5, 6)], rel=0.01)


def test_a_log_that_lacks_most_of_its_last_week_is_refused_where_levels_are_learned(prepare):
    short = shop()
    in_last = pl.col("time").is_between(date(2024, 2, 5), date(2024, 2, 11))
    crowd = pl.concat([short["transactions"].with_columns(pl.col("user_id") + 100 * k) for k in range(3)])
    short["transactions"] = crowd.filter(~in_last | (pl.col("user_id") % 100 < 6))

    with pytest.raises(InputError, match=r"the last whole period, 2024-02-05, must have 50% of the usual number"):
        prepare(short)
    for accepted in ("data.completeness.least_share=0.2", "data.choices.outside_option=false"):
        assert (prepare(short, accepted) / "summary.json").is_file()


def test_list_prices_of_products_are_todays_where_shoppers_pay_them(prepare):
    """Of 14 products one was cut in the last week, and one was last sold weeks ago at another price."""
    days = [date(2024, 1, 1) + timedelta(days=day) for day in range(42)]
    rows = [
        (
            (user + 3 * product + day.toordinal()) % 30,
            product,
            day,
            1,
            1.5 if product == 0 and day >= days[35] else 1.8 if product == 11 else 2.0,
        )
        for day in days
        for product in range(14)
        for user in range(3)
        if product != 11 or day < days[14]
    ]
    lines = pl.DataFrame(rows, schema=["user_id", "product_id", "time", "quantity", "price"], orient="row")
    products = pl.DataFrame({"product_id": range(14), "category_id": "A", "list_price": 2.0, "cost": 1.0})

    catalog = read_table(
        prepare({"transactions": lines, "products": products}) / "products.parquet", SCHEMAS["products"]
    )

    assert catalog["price"].to_list() == [2.0] * 14
