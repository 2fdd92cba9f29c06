"""The frontier of the scoring job: a table and a figure, no prices, and refusals."""

import xml.etree.ElementTree as ET

import polars as pl
import pytest

from gpu_pricer.tables.artefact import write_artefact
from tests.constraints.markets import department_market

KEEP = "+policy.constraints.keep_volume={measure: units, at_least: 1.0, relative_to: current_prices}"
TOO_MUCH = "+policy.constraints.rate={measure: margin_rate, at_least: 2.0, relative_to: current_prices}"


@pytest.fixture
def shop(tmp_path):
    """A demand and a catalog where `score` looks for them."""
    artefact, catalog = department_market(3, 400, 4)
    write_artefact(artefact, tmp_path / "work/demand")
    (tmp_path / "work/data").mkdir()
    catalog.write_parquet(tmp_path / "work/data/products.parquet")
    return tmp_path


def test_frontier_is_a_table_and_a_figure_and_no_price(gpu_pricer, shop):
    ended = gpu_pricer("score", "frontier=units", "frontier.points=4", KEEP)

    assert ended.status == 0, ended
    table = pl.read_parquet(shop / "work/frontier/units.parquet")
    assert table.height == 5
    assert table["multiplier"].null_count() == 1
    assert (table["units"][1:] >= table["units"][0]).all()
    drawn = [
        text.text for text in ET.parse(shop / "work/plots/frontier_units.svg").iter("{http://www.w3.org/2000/svg}text")
    ]
    assert {"policy", "today's prices", "units of a period", "profit of a period, USD"} <= set(drawn)
    assert sum("USD per unit" in text for text in drawn) == 3
    assert not (shop / "prices").exists()


def test_frontier_of_the_price_index_shows_what_lower_prices_cost(gpu_pricer, shop):
    ended = gpu_pricer("score", "frontier=price_index", "frontier.points=3", KEEP)

    assert ended.status == 0, ended
    table = pl.read_parquet(shop / "work/frontier/price_index.parquet")
    assert table["price_index"][0] == 1.0
    assert (table["price_index"].diff()[2:] < 0).all()
    assert (table["objective"].diff()[2:] < 0).all()
    assert (table["units"][1:] >= table["units"][0]).all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ("score", "frontier=joy"),
            "Could not find 'frontier/joy' Available options in 'frontier': margin_rate none price_index",
        ),
        (("score", "frontier=units", "frontier.points=1"), "frontier.points must be a whole number of at least 2"),
        (("score", "frontier=profit"), "frontier must be another measure than the policy's objective, found profit"),
        (("score", "frontier=units", "policy=safe"), "frontier=units cannot be traced beside bounds.max_segment_ratio"),
        (("score", "frontier=units", "policy.bounds.max_changes=5"), "beside bounds.max_changes: set it to null"),
        (("score", "frontier=units", "score.leave_one_out=true"), "is of the whole assortment and writes no prices"),
        (
            ("score", "frontier=units", "paths.warm_start=none"),
            "paths.warm_start must be the record of a version scored",
        ),
        (("run", "frontier=units"), "frontier=units writes no prices to publish: use gpu-pricer score frontier=units"),
    ],
)
def test_frontier_that_cannot_be_traced_is_refused(refused, shop, arguments, message):
    assert message in refused(*arguments)


def test_frontier_under_constraints_that_cannot_be_met_ends_with_status_three(gpu_pricer, shop):
    ended = gpu_pricer("score", "policy=profit", "frontier=units", TOO_MUCH)

    assert ended.status == 3
    assert (
        "a frontier needs policy.constraints that can be met together, found that they cannot be: rate asks"
        in ended.said[0]
    )
    assert not (shop / "work/frontier").exists()
