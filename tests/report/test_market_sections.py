"""The stock, the competitor, the season and the frontier are told as counting by hand finds them."""

import re
from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from gpu_pricer.policy.objective import Objective
from gpu_pricer.report import charts
from gpu_pricer.report.evidence import response_sources
from gpu_pricer.report.figures.competitor import competitor_figures
from gpu_pricer.report.figures.frontier import THESE, TODAY, frontier_figures
from gpu_pricer.report.figures.season import season_figures
from gpu_pricer.report.figures.shop import shop_columns, with_shop_figures
from gpu_pricer.report.figures.stock import lost_units, stock_figures
from gpu_pricer.report.page import page_templates
from gpu_pricer.tables.version.tally import Tally
from tests.markets import USUAL, a_policy

ROWS = pl.DataFrame(
    {
        "product_id": ["p", "q", "r", "s"],
        "category_id": ["milk", "milk", "tea", "tea"],
        "today": [2.0, 1.0, 4.0, 3.0],
        "price": [2.2, 1.0, 3.6, 3.0],
        "units": [10.0, 30.0, 0.0, 5.0],
        "units_today": [14.0, 28.0, 0.0, 5.0],
    }
)
SHOP = pl.DataFrame(
    {
        "product_id": ["p", "q", "r", "s"],
        "stock": [10.0, 20.0, 3.0, None],
        "cheap": [2.0, None, 4.0, None],
        "dear": [2.4, 1.0, None, None],
    }
)
LIMITED = {"stock": {"measure": "units", "at_most": "stock", "per": "product_id"}}


def shop_rows(of="cheapest", shop=SHOP, period_days=7):
    bounds = replace(USUAL, competitor_columns=["cheap", "dear"], competitor_of=of)
    return with_shop_figures(ROWS, shop, a_policy(bounds=bounds), period_days)


def test_the_competitor_is_the_one_that_the_policy_compares_with():
    assert shop_rows("cheapest")["competitor"].to_list() == [2.0, 1.0, 4.0, None]
    assert shop_rows("mean")["competitor"].to_list() == [2.2, 1.0, 4.0, None]
    assert shop_rows(shop=SHOP.select("product_id"))["competitor"].null_count() == ROWS.height


def test_a_limit_per_product_says_which_column_holds_the_stock():
    limits = {"shelf": {"measure": "units", "at_most": "on_hand", "per": "product_id"}}

    assert shop_columns(a_policy(constraints=limits))[0] == "on_hand"
    assert shop_columns(a_policy())[0] == "stock"


@pytest.mark.parametrize("period_days", [1, 7, 28])
def test_days_of_cover_are_the_stock_over_the_units_of_a_day(period_days):
    rows = shop_rows(period_days=period_days)

    assert rows["cover"].to_list() == [period_days, pytest.approx(period_days * 2 / 3), None, None]
    assert rows["cover_today"].to_list() == [pytest.approx(period_days * 5 / 7)] * 2 + [None, None]


@pytest.mark.parametrize("period_days", [1, 7, 28])
def test_classes_of_cover_end_with_whole_periods(period_days):
    rows = shop_rows(period_days=period_days)

    found = stock_figures(rows, {}, None, period_days, 5).cover

    assert found["words"].to_list() == [
        f"0 to {period_days} days",
        f"{period_days} to {2 * period_days} days",
        f"{2 * period_days} to {4 * period_days} days",
        f"{4 * period_days} to {13 * period_days} days",
        f"over {13 * period_days} days",
    ]
    assert found["products"].to_list() == [2, 0, 0, 0, 1]


def test_units_lost_to_chance_are_those_that_a_simulation_loses():
    expected, stock = np.array([3.0, 3.0, 50.0, 0.4, 0.0]), np.array([0.0, 4.0, 45.0, 2.7, 0.0])
    drawn = np.random.default_rng(0).poisson(expected, (400_000, 5))
    lost = np.maximum(drawn - np.floor(stock), 0).mean(axis=0)

    assert lost_units(expected, stock) == pytest.approx(lost, abs=0.02)
    assert lost_units(expected, stock)[0] == pytest.approx(3.0)


def test_scarce_products_are_those_that_limits_raise_or_that_run_out():
    prices = pl.DataFrame({"product_id": ["p", "r"], "shadow_price": [0.5, 0.0]})
    certificate = {"stock": {"names": ["stock"], "limited": 3, "binding": 1}}

    free = stock_figures(shop_rows(), {}, None, 7, 5)
    limited = stock_figures(shop_rows(), certificate, prices, 7, 5)

    assert (free.products, free.short, free.short_today) == (3, 1, 2)
    assert [row["product_id"] for row in free.rows] == ["q"]
    assert free.limits is None
    assert [(row["product_id"], row["stock_price"]) for row in limited.rows] == [("q", 0.0), ("p", 0.5)]
    assert limited.cover["products"].to_list() == [2, 0, 0, 0, 1]
    assert limited.cover["words"][0] == "0 to 7 days"
    assert charts.cover_bars(limited.cover)["mark"]
    assert stock_figures(shop_rows(shop=SHOP.select("product_id")), {}, None, 7, 5) is None


def test_prices_against_the_competitor_are_those_of_what_shoppers_buy():
    found = competitor_figures(shop_rows(), 5)

    (milk, tea) = found.categories
    assert milk["group"] == "milk"
    assert milk["index"] == pytest.approx((10 * 2.2 + 30 * 1.0) / (10 * 2.0 + 30 * 1.0))
    assert milk["today"] == pytest.approx((10 * 2.0 + 30 * 1.0) / 50)
    assert (milk["products"], milk["above"], milk["below"]) == (2, 0.5, 0.0)
    assert (tea["products"], tea["index"], tea["below"]) == (1, None, 1.0)
    assert found.together["products"] == 3
    assert competitor_figures(shop_rows(shop=SHOP.select("product_id")), 5) is None


CATEGORIES = pl.DataFrame(
    {
        "category_id": ["milk", "tea", "gone"],
        "season": [0.1, -0.2, 1.0],
        "season_low": [0.02, -0.3, 0.9],
        "season_high": [0.18, 0.1, 1.1],
        "sensitivity_from_log": [0.8, 0.2, 1.0],
        "prior_elasticity": [None, None, None],
        "dissimilarity": [0.4, 1.0, 0.2],
    },
    schema_overrides={"prior_elasticity": pl.Float64},
)


def test_season_is_told_of_categories_on_the_shelf_in_percent():
    found = season_figures(CATEGORIES, ROWS)

    assert (found.lifted, found.lowered, found.categories) == (1, 0, 2)
    assert [row["name"] for row in found.rows] == ["milk", "tea"]
    assert found.rows[0]["value"] == pytest.approx(100 * np.expm1(0.1))
    assert found.rows[1]["low"] == pytest.approx(100 * np.expm1(-0.3))
    assert season_figures(None, ROWS) is None


def test_categories_say_whose_sales_decide_their_price_response():
    more = pl.concat([ROWS, ROWS.head(1).with_columns(category_id=pl.lit("new"), units=pl.lit(5.0))])

    found = response_sources(CATEGORIES, more)

    assert (found.own, found.borrowed, found.untaught) == (1, 1, 1)
    assert (found.nested, found.prior_elasticity) == (1, None)
    assert found.units == pytest.approx(40 / 50)
    assert response_sources(None, ROWS) is None


def response_words(**changed):
    """What the page says of the price response in CATEGORIES, with other counts."""
    response = response_sources(CATEGORIES, ROWS)._replace(**changed)
    page = page_templates().get_template("evidence.html").render(models=[], response=response, drawn=())
    return " ".join(re.search("<p>.*?</p>\\s*<p>(.*?)</p>", page, re.DOTALL)[1].split())


@pytest.mark.parametrize(
    ("nested", "said"), [(0, ""), (1, "In 1 category prices move"), (2, "In 2 categories prices move")]
)
def test_page_says_in_how_many_categories_buyers_switch_more_than_they_leave(nested, said):
    words = response_words(nested=nested)

    assert said in words
    assert words.count(" prices move buyers between the products more") == (nested > 0)


def test_page_says_where_the_price_response_comes_from():
    some = response_words(nested=0, untaught=2)
    none = response_words(nested=0, own=0, units=0.0, prior_elasticity=2.62)

    assert some == (
        "In 1 category, with 89 % of the units, more than half of the estimated price response comes from the "
        "category's own sales history. In 1 other it comes mostly from the average over categories. "
        "In 2 categories too few periods show the prices of the products to learn from: they have the average response."
    )
    assert none == (
        "In no category does its own sales history decide the estimate of the price response: it comes mostly from "
        "the average over categories and from published elasticities (mean −2.62)."
    )


FRONTIER = pl.DataFrame(
    {
        "multiplier": [None, 0.0, 0.5],
        "objective": [100.0, 120.0, 118.0],
        "profit": [100.0, 120.0, 118.0],
        "units": [50.0, 50.0, 55.0],
        "revenue": [300.0, 320.0, 330.0],
        "margin_rate": [1 / 3, 0.375, 0.3576],
        "price_index": [1.0, 1.02, 0.98],
        "share_changed": [0.0, 0.5, 0.6],
        "gap": [None, 1e-5, 1e-5],
    }
)
TALLY = replace(
    Tally.sum([]),
    profit_new=119.0,
    units_new=51.0,
    revenue_new=390.0,
    net_revenue_new=325.0,
    base_revenue_new=390.0,
    units_today=50.0,
)


def test_frontier_is_told_as_changes_from_todays_prices_which_are_marked():
    found = frontier_figures("units", FRONTIER, TALLY, Objective(profit=1.0, revenue=0.0), "")

    assert [(point["x"], point["y"]) for point in found.points] == [(0.0, 20.0), (pytest.approx(10.0), 18.0)]
    assert found.marks == [
        {"what": TODAY, "x": 0.0, "y": 0.0}, {"what": THESE, "x": pytest.approx(2.0), "y": 19.0}
    ]  # fmt: skip
    assert (found.objective, found.rows) == ("Profit", found.points)
    assert charts.frontier(found.points, found.marks, ("x", "y"))["layer"]


def test_points_of_a_frontier_that_are_one_have_one_row_with_the_cost_up_to_which_they_stay():
    twice = [*range(2), *([1] * 3), 2]
    costs = pl.Series("multiplier", [None, 0.0, 0.1, 0.2, 0.3, 0.5])

    found = frontier_figures("units", FRONTIER[twice].with_columns(costs), TALLY, Objective(1.0, 0.0), "")

    assert len(found.points) == 5
    assert [(row["x"], row["cost"]) for row in found.rows] == [(0.0, 0.3), (pytest.approx(10.0), 0.5)]


def test_frontier_marks_the_versions_revenue_after_vat_as_its_table_states_it():
    found = frontier_figures("revenue", FRONTIER, TALLY, Objective(profit=0.0, revenue=1.0), " after VAT")

    assert found.marks[1] == {"what": THESE, "x": pytest.approx(100 * (325 / 300 - 1)), "y": 325.0 - 100.0}
    assert found.measure == "Revenue after VAT"


def test_frontier_of_a_ratio_is_told_in_points():
    found = frontier_figures("price_index", FRONTIER, TALLY, Objective(profit=1.0, revenue=0.0), "")

    assert [point["x"] for point in found.points] == [pytest.approx(2.0), pytest.approx(-2.0)]
    assert found.points[1]["cost"] == pytest.approx(0.005)
    assert found.unit == "points"
    assert found.marks[1]["x"] == pytest.approx(0.0)
