"""The report's figures are those that the Parquet files and the demand give by hand."""

from dataclasses import replace

import duckdb
import numpy as np
import polars as pl
import pytest

from gpu_pricer.pricing import Tiling
from gpu_pricer.pricing.drawn_outcomes import drawn_intervals
from gpu_pricer.pricing.problem.posterior_draws import posterior_draws
from gpu_pricer.report.comparison import changes_against
from gpu_pricer.report.figures.demand import POINTS, demand_figures
from gpu_pricer.report.figures.product import DOWN, KEPT, MIXED, UP, product_figures, product_names
from gpu_pricer.report.figures.segment import segment_figures
from gpu_pricer.report.headline import Intervals, head_figures
from gpu_pricer.report.rules import rules_that_bind
from gpu_pricer.report.scored import scored_version
from gpu_pricer.report.words import money
from gpu_pricer.tables.version.version_comparison import Compared
from gpu_pricer.versions.priced_catalog import PricedCatalog
from gpu_pricer.versions.scored_version import score
from tests.markets import a_policy, catalog_of, small_artefact, with_dissimilarity, with_posterior

DISSIMILARITY = {"c1": 0.3, "c3": 0.7}
ARTEFACT = with_posterior(small_artefact(61, segments=4, products=30, categories=5, form="dense"), 0.0)
ARTEFACT = with_dissimilarity(ARTEFACT, DISSIMILARITY)
CATALOG = catalog_of(ARTEFACT)
TILING = Tiling("long", 10**6, 1, None, 1, details=["parts"])


@pytest.fixture(scope="module")
def scored(tmp_path_factory):
    folder = tmp_path_factory.mktemp("scored") / "now"
    version = score(ARTEFACT, PricedCatalog(CATALOG), a_policy(), TILING, folder, "cpu")
    return scored_version(folder, version, ARTEFACT, CATALOG, a_policy())


@pytest.fixture(scope="module")
def demand(scored):
    return demand_figures(scored.problem, scored.price, scored.support)


@pytest.fixture(scope="module")
def rows(scored, demand):
    return product_figures(scored, demand, product_names(CATALOG, []))


def units_by_hand(price):
    """Return the units [S, P] of a period at prices [S, P], products as in the artefact, by the nested logit."""
    products = ARTEFACT.products
    reference, category = products["reference_price"].to_numpy(), products["category_id"].to_numpy()
    utility = ARTEFACT.factors["appeal"] + np.log(np.maximum(products["availability"].to_numpy(), 1e-300))
    weight = np.exp(utility - ARTEFACT.factors["sensitivity"] * (price / reference - 1))
    total = np.stack([weight[:, category == name].sum(axis=1) for name in category], axis=1)
    total += total ** (1 - np.array([DISSIMILARITY.get(name, 1.0) for name in category]))
    visits = ARTEFACT.segments["visits"].to_numpy()[:, None]
    return visits * products["units_per_choice"].to_numpy() * weight / total


def new_prices(scored):
    """The version's prices [S, P] in the artefact's order, from its files."""
    table = pl.read_parquet(scored.folder / "*.parquet")
    wide = table.pivot("product_id", index="segment_id", values="price")
    order = ARTEFACT.segments.select("segment_id").join(wide, on="segment_id", how="left", maintain_order="left")
    return order.select(ARTEFACT.products["product_id"].to_list()).cast(pl.Float64).to_numpy()


def test_money_units_and_counts_are_those_of_the_files(scored, rows):
    visits = ARTEFACT.segments.select("segment_id", "visits").to_arrow()
    query = f"""
        select product_id, sum(units) units, sum(units * greatest(move, 0)) money_up,
               sum(units * greatest(-move, 0)) money_down, count(*) filter (move > 0) raised,
               count(*) filter (move < 0) lowered, sum(profit) profit, min(price) low, max(price) high
        from (select *, price::double - today_price::double as move, expected_units * visits / 1000 as units,
                     expected_profit * visits / 1000 as profit
              from read_parquet('{scored.folder}/*.parquet') join visits using (segment_id))
        group by product_id
    """
    by_hand = duckdb.query(query).pl().sort("product_id")
    assert visits.num_rows == 4
    shown = rows.sort("product_id")
    by_hand = by_hand.filter(pl.col("product_id").is_in(shown["product_id"].implode()))

    assert shown.height > 20
    for name in ("units", "money_up", "money_down", "raised", "lowered", "profit", "low", "high"):
        assert shown[name].cast(pl.Float64).to_numpy() == pytest.approx(
            by_hand[name].cast(pl.Float64).to_numpy(), rel=1e-6, abs=1e-9
        )
    assert rows["money"].is_sorted(descending=True)
    assert (rows["money"] - rows["money_up"] - rows["money_down"]).abs().max() < 1e-9


def test_only_products_on_the_shelf_have_a_row(scored, rows):
    on_shelf = ARTEFACT.products.filter(pl.col("availability") > 0)["product_id"]

    assert sorted(rows["product_id"]) == sorted(on_shelf)
    assert rows.height == scored.version.tally.on_shelf < scored.version.tally.products


def test_sums_over_products_are_the_versions_own_totals(scored, rows):
    tally = scored.version.tally

    assert rows["units_today"].sum() == pytest.approx(tally.units_today, rel=1e-6)
    assert rows["profit_today"].sum() == pytest.approx(tally.profit_today, rel=1e-6)
    assert rows["units"].sum() == pytest.approx(tally.units_new, rel=1e-6)
    assert rows["money_up"].sum() - rows["money_down"].sum() == pytest.approx(
        tally.revenue_new - tally.base_revenue_new, rel=1e-5
    )


def test_demand_curve_is_the_logit_with_one_price_changed(scored, demand):
    price, ids = new_prices(scored), scored.problem.products.product_id.to_list()

    for product in ("p003", "p011", "p020"):
        at, row = ARTEFACT.products["product_id"].to_list().index(product), ids.index(product)
        for point in range(POINTS):
            moved = price.copy()
            moved[:, at] = demand.curve_price[row, point]
            units = units_by_hand(moved)[:, at].sum()
            assert demand.curve_units[row, point] == pytest.approx(units, rel=1e-5)


@pytest.mark.parametrize("product", ["p007", "p011", "p018"])  # of a plain category and of nested ones
def test_elasticity_is_the_quotient_of_small_changes(scored, demand, product):
    price, ids = new_prices(scored), scored.problem.products.product_id.to_list()
    at, row = int(product[1:]), ids.index(product)
    sides = []
    for factor in (1 - 1e-4, 1 + 1e-4):
        moved = price.copy()
        moved[:, at] *= factor
        sides.append(units_by_hand(moved)[:, at].sum())

    slope = (np.log(sides[1]) - np.log(sides[0])) / 2e-4

    assert demand.elasticity[row] == pytest.approx(slope, rel=1e-4)


def test_curve_spans_support_today_and_new_prices(scored, demand):
    low, high = demand.curve_price[:, 0], demand.curve_price[:, -1]
    inside = (scored.problem.products.today / 100, scored.price.min(axis=1) / 100, *scored.support.T)

    for price in inside:
        assert (low <= price + 1e-9).all()
        assert (price <= high + 1e-9).all()


def test_intervals_close_in_on_the_totals_where_the_log_leaves_nothing_open(scored):
    draws = posterior_draws(ARTEFACT, scored.products["category_id"].rle().struct.field("value"))
    tally = scored.version.tally

    found = drawn_intervals(scored.problem, draws, scored.price)

    assert found["units"] == pytest.approx((tally.units_new / tally.units_today - 1,) * 2, rel=1e-5)
    assert found["price_index"] == pytest.approx((tally.price_index,) * 2, rel=1e-5)


def test_wider_posterior_widens_the_intervals(scored):
    category_id = scored.products["category_id"].rle().struct.field("value")
    widths = []
    for spread in (0.1, 0.4):
        draws = posterior_draws(with_posterior(ARTEFACT, spread), category_id)
        low, high = drawn_intervals(scored.problem, draws, scored.price)["units"]
        widths.append(high - low)

    assert 0 < 2 * widths[0] < widths[1]


def test_head_says_intervals_of_money_as_shares_of_todays(scored, rows):
    today = scored.version.tally.profit_today
    intervals = Intervals(units=(-0.021, 0.034), price_index=(0.98, 1.03), profit=(0.052 * today, 0.081 * today))
    served = rows.with_columns(served=pl.lit(0.5))

    found = {figure.title: figure for figure in head_figures(scored.version, served, intervals)}

    assert found["Units"].detail.endswith("; 90 % interval −2.1 % to +3.4 %")
    assert found["Price index"].detail.endswith("; 90 % interval −2.0 % to +3.0 %")
    assert found["Profit"].detail.endswith("; 90 % interval +5.2 % to +8.1 %")
    assert found["Paid more"].value == money(0.5 * rows["money_up"].sum(), "USD")
    assert found["Paid less"].value == money(0.5 * rows["money_down"].sum(), "USD")


def test_direction_says_how_segments_move(rows):
    for row in rows.to_dicts():
        expected = {(True, True): MIXED, (True, False): UP, (False, True): DOWN, (False, False): KEPT}
        assert row["direction"] == expected[row["raised"] > 0, row["lowered"] > 0]


def test_rules_that_bind_count_every_price_once(scored):
    rules = rules_that_bind(scored)

    assert rules["prices"].sum() == scored.version.tally.rows
    assert rules["share"].sum() == pytest.approx(1)
    assert rules.filter(pl.col("binding") != "none")["prices"].sum() == scored.version.tally.held


def test_segments_add_up_and_keep_their_users(scored, demand):
    segments = segment_figures(replace_users(scored), demand)

    assert segments["profit"].sum() == pytest.approx(scored.version.tally.profit_new, rel=1e-6)
    assert dict(segments.select("segment_id", "users").iter_rows())["s1"] == 7
    moves = scored.version.moves
    assert segments["raised"].mean() == pytest.approx(moves.share(moves.raised))
    assert segments["lowered"].mean() == pytest.approx(moves.share(moves.lowered))
    assert moves.shown < scored.version.tally.rows
    revenue = (segments["price_index"] > 0).all()
    assert revenue
    assert (segments["elasticity"] < 0).all()


def replace_users(scored):
    members = pl.DataFrame({"user_id": range(7), "segment_id": ["s1"] * 7})
    return scored._replace(artefact=replace(ARTEFACT, user_segments=members))


def test_comparison_names_what_moved_and_what_differs(scored, rows, tmp_path):
    dearer = CATALOG.with_columns(cost=pl.col("cost") * 1.3)
    score(ARTEFACT, PricedCatalog(dearer), a_policy(), TILING, tmp_path / "older", "cpu")
    cells = [pl.read_parquet(folder / "*.parquet") for folder in (scored.folder, tmp_path / "older")]
    both = cells[0].join(cells[1], on=["product_id", "segment_id"])

    found = changes_against(Compared(scored.folder, None), Compared(tmp_path / "older", None), rows, 5)

    assert found["compared"] == both.height == found["raised"] + found["lowered"] + found["same"]
    assert found["lowered"] == (both["price"] < both["price_right"]).sum() > 0
    assert found["sources"] == ["costs, today's prices or other catalog data changed"]
    assert (found["added"], found["removed"]) == (0, 0)
    assert 0 < len(found["products"]) <= 5


def test_a_version_compared_with_itself_has_not_changed(scored, rows):
    found = changes_against(Compared(scored.folder, None), Compared(scored.folder, None), rows, 5)

    assert (found["raised"], found["lowered"], found["mean"]) == (0, 0, 0.0)
    assert found["products"] == []
    assert found["sources"] == []
