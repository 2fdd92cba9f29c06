"""The inputs: quarantine or refusal, structural faults, and ids that must agree."""

import math
from dataclasses import dataclass, field
from datetime import date, timedelta

import polars as pl
import pytest

from gpu_pricer.data.raw.inputs import read_inputs
from gpu_pricer.data.raw.outliers import QuantityAtMost
from gpu_pricer.data.sources.source import RawTable
from gpu_pricer.errors import InputError
from gpu_pricer.tables.checking import check
from gpu_pricer.tables.periods import Period
from gpu_pricer.tables.reading import conform
from gpu_pricer.tables.schemas import Products
from tests.shops import validation

PRODUCTS = pl.DataFrame({"product_id": [10, 11], "category_id": ["A", "A"]})
MONDAY = date(2024, 1, 1)
USERS = pl.DataFrame({"user_id": [1, 2]})


@dataclass
class Shop:
    """A source that holds frames."""

    frames: dict[str, pl.DataFrame] = field(default_factory=dict)

    def tables(self):
        return {name: RawTable(frame.lazy(), f"{name}.parquet") for name, frame in self.frames.items()}


def read(on_invalid="quarantine", outliers=None, **frames):
    return read_only({"products": PRODUCTS} | frames, on_invalid, outliers)


def read_only(frames, on_invalid="refuse", outliers=None, last_period=None):
    return read_inputs(Shop(frames), validation(on_invalid, outliers), Period("1w"), last_period)


def test_rows_that_break_a_rule_are_set_aside_with_the_rule(lines):
    inputs = read(transactions=lines({}, {"price": 0.0}, {"quantity": -1.0}))

    assert inputs.tables["transactions"].height == 1
    assert inputs.broken["transactions"] == {"quantity_is_positive": 1, "price_is_positive": 1}
    assert inputs.quarantine["transactions"].select("price", "price_is_positive").rows() == [
        (0.0, "invalid"), (2.0, "valid")
    ]  # fmt: skip


def test_quarantine_is_reported_by_rule_count_and_example(lines):
    [report] = read(transactions=lines({}, {"price": 0.0})).reports

    assert "transactions.parquet breaks price_is_positive in 1 rows, such as (user_id=1, product_id=10" in report


@pytest.mark.parametrize("single", [1, 0])
def test_lines_that_are_equal_by_chance_are_kept_and_days_that_are_there_twice_refused(lines, single):
    twice = [{"user_id": user} for user in range(6)] * 2
    sales = lines(*twice, *[{"user_id": 99}] * single)

    if single:
        assert read(transactions=sales).tables["transactions"].height == 13
    else:
        with pytest.raises(InputError, match="found all lines of 1 days more than once, the first day 2024-01-01"):
            read(transactions=sales)


UNUSABLE = [
    *(("price", "price_is_positive", value, None) for value in (0.0, -1.0, math.nan, math.inf)),
    *(("competitor_price", "competitor_price_is_positive", value, None) for value in (0.0, -1.0, math.nan)),
    ("stock", "stock_is_not_negative", -2.0, 0.0),
    *(("stock", "stock_is_not_negative", value, None) for value in (math.nan, math.inf)),
    *(("availability", "availability_is_a_share", value, None) for value in (-0.1, 95.0, math.nan)),
    ("has_unit_price", "has_unit_price_is_true_or_false", 2.0, None),
]


@pytest.mark.parametrize(("column", "rule", "value", "expected"), UNUSABLE)
def test_a_product_with_an_unusable_optional_value_stays_without_it(lines, column, rule, value, expected):
    products = PRODUCTS.with_columns(pl.Series(column, [value, 1.0]))
    sold = lines({}, {"product_id": 11})

    inputs = read(products=products, transactions=sold)

    assert inputs.tables["products"][column].to_list() == [expected, 1.0]
    assert inputs.tables["transactions"].height == 2
    assert inputs.broken["products"] == {rule: 1}
    [(report, _)] = inputs.kept_reports
    assert report == f"products.parquet breaks {rule} in 1 rows, such as (product_id=10, {column}={value})"
    assert inputs.reports == inputs.doubts == []
    with pytest.raises(InputError, match=rf"breaks {rule} in 1 rows, such as \(product_id=10, .*: mend these"):
        read("refuse", products=products, transactions=sold)


@pytest.mark.parametrize(
    ("column", "rule"), [("competitor_price", "competitor_price_is_positive"), ("cost", "cost_is_positive")]
)
def test_a_row_of_context_with_an_unusable_optional_value_stays_without_it(lines, column, rule):
    rows = {"product_id": [10, 11], "time": [MONDAY] * 2, "display": [1.0, 0.0], column: [0.0, 2.0]}

    inputs = read(transactions=lines({}), context=pl.DataFrame(rows))

    assert inputs.tables["context"][column].to_list() == [None, 2.0]
    assert inputs.tables["context"]["display"].to_list() == [1.0, 0.0]
    assert inputs.broken["context"] == {rule: 1}


def test_every_rule_on_an_optional_value_leaves_the_product_unless_it_is_the_cost(lines):
    others = {"product_id", "category_id", "vat_rate", "launched", "cost"}
    optional = [name for name in Products.column_names() if name not in others]
    products = PRODUCTS.with_columns(pl.Series([-1.0, 1.0]).alias(name) for name in optional)
    frame = conform(products.lazy(), Products, "products", keep_others=False).collect()

    inputs = read(products=products, transactions=lines({}, {"list_price": 3.0}))

    assert inputs.tables["products"].height == 2
    assert len(inputs.broken["products"]) == len(check(frame, Products).broken) == len(optional)


@pytest.mark.parametrize("table", ["transactions", "products"])
def test_a_row_whose_list_price_is_none_stays_without_it(lines, table):
    tables = {"transactions": lines({"list_price": 3.0}, {"list_price": 3.0}), "products": PRODUCTS}
    rows = tables[table].with_columns(list_price=pl.Series([0.0, 3.0]))

    inputs = read_only(tables | {table: rows}, "quarantine")

    assert inputs.tables[table]["list_price"].to_list() == [None, 3.0]
    assert inputs.broken[table] == {"list_price_is_plausible": 1}
    assert inputs.quarantine == {}
    [(report, how)] = inputs.kept_reports
    assert report.startswith(f"{table}.parquet breaks list_price_is_plausible in 1 rows, such as (product_id=10")
    assert how == "without a list price"
    with pytest.raises(InputError, match=r"breaks list_price_is_plausible in 1 rows, .*: mend these"):
        read_only(tables | {table: rows}, "refuse")


@pytest.mark.parametrize("ids", [pl.Int64, pl.String])
def test_lines_that_go_with_products_that_break_a_rule_are_counted(lines, ids):
    products = PRODUCTS.with_columns(cost=pl.Series([-1.0, 2.0]), product_id=pl.col("product_id").cast(ids))
    sold = lines({}, {"week": 1}, {"product_id": 11}).with_columns(pl.col("product_id").cast(ids))

    inputs = read(products=products, transactions=sold)

    [report], [doubt] = inputs.reports, inputs.doubts
    assert "2 of 3 lines (67%) are of the 1 products of products.parquet that break a rule" in doubt
    assert "products.parquet breaks cost_is_not_negative in 1 rows" in report
    assert report.endswith("; 2 lines of transactions go with these products")


def test_refusal_names_rule_count_example_and_remedy(lines):
    with pytest.raises(
        InputError, match=r"transactions.parquet breaks price_is_positive in 1 rows.*price=-2.0.*: mend"
    ):
        read("refuse", transactions=lines({}, {"price": -2.0}))


def test_sound_tables_leave_nothing_in_quarantine(lines):
    inputs = read("refuse", transactions=lines({}), users=USERS)

    assert inputs.quarantine == {}


def test_outliers_are_treated_as_invalid(lines):
    inputs = read(transactions=lines({}, {"quantity": 9000.0}), outliers={"quantity_is_plausible": QuantityAtMost(100)})

    assert inputs.broken["transactions"] == {"quantity_is_plausible": 1}
    assert inputs.reports[0].endswith(" (data.outliers.quantity_is_plausible can be changed)")


def test_a_wholesaler_whose_lines_all_break_a_rule_on_outliers_learns_which_setting_holds_it(lines):
    of_pallets = lines({"quantity": 900.0}, {"quantity": 1200.0})

    with pytest.raises(
        InputError, match=r"found none left; .*: mend it, or change data\.outliers\.quantity_is_plausible$"
    ):
        read(transactions=of_pallets, outliers={"quantity_is_plausible": QuantityAtMost(100)})


def test_sale_of_an_unknown_product_is_set_aside(lines):
    inputs = read(transactions=lines({}, {"product_id": 99}))

    assert inputs.broken["transactions"] == {"product_is_known": 1}


GROUP_PRICES = pl.DataFrame(
    {"price_group": ["a"] * 2, "product_id": [10, 99], "time": [MONDAY] * 2, "price": [2.0] * 2}
)


def test_prices_that_groups_saw_of_delisted_products_break_no_rule(lines):
    inputs = read("refuse", transactions=lines({}), group_prices=GROUP_PRICES)

    assert inputs.tables["group_prices"]["product_id"].to_list() == [10]
    assert inputs.broken["group_prices"] == {}


def test_prices_that_groups_saw_of_no_product_of_the_shop_are_refused(lines):
    match = r"group_prices.parquet must have prices of products in the products table, found only 99: mend it"

    with pytest.raises(InputError, match=match):
        read("quarantine", transactions=lines({}), group_prices=GROUP_PRICES.tail(1))


def test_only_lines_up_to_the_last_period_are_read_and_those_without_a_time_are_set_aside(lines):
    frame = lines({}, {"week": 1, "day": 6}, {"week": 2, "price": -1.0}, {"price": 3.0})
    frame = frame.with_columns(time=pl.when(pl.col("price") != 3.0).then("time"))

    inputs = read_only({"products": PRODUCTS, "transactions": frame}, "quarantine", last_period=MONDAY + timedelta(7))

    assert inputs.sales["time"].dt.date().to_list() == [MONDAY, MONDAY + timedelta(13)]
    assert inputs.broken["transactions"] == {"time_is_given": 1}


@pytest.mark.parametrize("on_invalid", ["quarantine", "refuse"])
@pytest.mark.parametrize(
    ("table", "frame", "rule"),
    [
        ("products", pl.concat([PRODUCTS, PRODUCTS.head(1)]), "product_is_unique in 2 rows"),
        ("users", pl.concat([USERS, USERS.head(1)]), "user_is_unique in 2 rows"),
    ],
)
def test_repeated_products_and_users_are_always_refused(lines, on_invalid, table, frame, rule):
    with pytest.raises(InputError, match=f"{table}.parquet breaks {rule}.*: keep one row each"):
        read(on_invalid, **{"transactions": lines({}), table: frame})


def test_nothing_left_is_always_refused(lines):
    with pytest.raises(InputError, match=r"transactions.parquet must have rows that keep every rule, found none left"):
        read(transactions=lines({"price": 0.0}))


def test_empty_table_is_always_refused(lines):
    with pytest.raises(InputError, match=r"transactions.parquet must hold at least one row"):
        read(transactions=lines({}).clear())


def test_products_are_needed(lines):
    with pytest.raises(InputError, match="the tables must include products, found transactions: add products"):
        read_only({"transactions": lines({})})


def test_sales_are_needed():
    with pytest.raises(InputError, match="must include transactions or offers, found products, users: add one"):
        read(users=USERS)


def test_integer_ids_take_the_type_of_the_table_that_owns_them(lines):
    small = PRODUCTS.with_columns(pl.col("product_id").cast(pl.Int32))

    inputs = read_only({"products": small, "transactions": lines({})})

    assert inputs.tables["transactions"].schema["product_id"] == pl.Int32


def test_text_and_number_ids_do_not_meet(lines):
    text = PRODUCTS.with_columns(pl.col("product_id").cast(pl.String))

    with pytest.raises(
        InputError, match=r"transactions.parquet: product_id must be String as in products, found Int64"
    ):
        read_only({"products": text, "transactions": lines({})})


def test_unknown_setting_of_on_invalid_is_refused():
    with pytest.raises(InputError, match="on_invalid must be quarantine or refuse, found 'ignore'"):
        validation("ignore")


def test_outlier_without_a_rule_is_refused():
    with pytest.raises(InputError, match=r"data.outliers.quantity must be a rule with a _target_, found 5"):
        validation("refuse", {"quantity": 5})


def test_a_line_with_a_weight_has_a_price_per_weight(lines):
    weighed = lines({"quantity": 2.0, "price": 3.0, "list_price": 4.0}, {"product_id": 11, "price": 5.0})
    weighed = weighed.with_columns(net_weight=pl.Series([1.5, None]))

    found = read("refuse", transactions=weighed).tables["transactions"]

    assert found.select("quantity", "price", "list_price").rows() == [(1.5, 4.0, 16 / 3), (1.0, 5.0, None)]


def test_a_weight_of_0_is_none(lines):
    weighed = lines({"price": 3.0}, {"product_id": 11}).with_columns(net_weight=pl.Series([0.0, 2.0]))

    inputs = read("refuse", transactions=weighed)

    assert inputs.tables["transactions"]["price"].to_list() == [3.0, 1.0]


@pytest.mark.parametrize("weight", [-1.0, float("nan")])
def test_a_line_whose_weight_is_none_is_set_aside_as_it_was(lines, weight):
    weighed = lines({"price": 3.0}, {"price": 3.0}).with_columns(net_weight=pl.Series([1.5, weight]))

    inputs = read(transactions=weighed)

    assert inputs.broken["transactions"] == {"net_weight_is_positive": 1}
    assert inputs.quarantine["transactions"]["price"].to_list() == [3.0]


@pytest.mark.parametrize(("weights", "kept"), [([1.5, None, None], [2, 3]), ([1.5, 1.2, None], [1, 2])])
def test_of_a_product_with_weights_on_some_of_its_lines_the_smaller_part_is_set_aside(lines, weights, kept):
    weighed = lines(*({"user_id": user} for user in (1, 2, 3)), {"user_id": 4, "product_id": 11})
    weighed = weighed.with_columns(net_weight=pl.Series([*weights, None]))

    inputs = read(transactions=weighed)

    assert inputs.broken["transactions"] == {"net_weight_is_given_on_all_lines_of_a_product_or_none": 1}
    assert inputs.tables["transactions"]["user_id"].to_list() == [*kept, 4]


def test_a_blank_category_is_none(lines):
    products = PRODUCTS.with_columns(category_id=pl.Series([" ", " A "]))

    assert read(transactions=lines({}), products=products).tables["products"]["category_id"].to_list() == [None, "A"]


def test_has_unit_price_is_true_or_false(lines):
    read_only({"products": PRODUCTS.with_columns(has_unit_price=pl.Series([True, None])), "transactions": lines({})})

    with pytest.raises(InputError, match="has_unit_price_is_true_or_false"):
        read_only({"products": PRODUCTS.with_columns(has_unit_price=0.5), "transactions": lines({})})
