"""The panels are those that were published, in an order in which nothing later is known earlier."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from tests.bench.panels.loading import JUDGED, PANELS, load_panel
from tests.bench.panels.panel import TEST, TRAINING, VALIDATION

SIZES = {"yogurt": (2412, 100, 4), "cracker": (3292, 136, 4), "ketchup": (4956, 1956, 4), "tuna": (13705, 3093, 5)}
BY_MARKET = ("ketchup", "tuna")
BY_CHOICE = ("yogurt", "cracker", "ketchup_shuffled", "tuna_shuffled")


@pytest.fixture(scope="module")
def panels():
    return {name: load_panel(name) for name in PANELS}


@pytest.mark.parametrize("name", PANELS)
def test_panels_have_the_published_numbers_of_choices_households_and_products(panels, name):
    panel = panels[name]

    found = len(panel.chosen), len(np.unique(panel.user)), len(panel.products)

    assert found == SIZES[name.removesuffix("_shuffled")]
    assert (panel.price > 0).all()


@pytest.mark.parametrize("name", PANELS)
def test_every_stage_ends_before_the_next_begins(panels, name):
    panel = panels[name]

    first, last = (
        [end(panel.period[panel.stage == stage]) for stage in (TRAINING, VALIDATION, TEST)] for end in (np.min, np.max)
    )

    assert last[0] < first[1]
    assert last[1] < first[2]


@pytest.mark.parametrize("name", PANELS)
def test_a_household_chooses_once_in_a_period_and_rows_are_in_its_order(panels, name):
    panel = panels[name]

    is_same_user = np.diff(panel.user) == 0

    assert (np.diff(panel.period)[is_same_user] > 0).all()
    assert (np.diff(panel.user) >= 0).all()


@pytest.mark.parametrize("name", BY_CHOICE)
def test_the_last_quarter_of_every_households_choices_is_the_test(panels, name):
    panel = panels[name]

    choices, tests = (np.bincount(panel.user[rows]) for rows in (panel.stage >= 0, panel.stage == TEST))

    assert len(np.unique(panel.period)) == len(panel.period)
    np.testing.assert_array_equal(choices[: len(tests)] // 4, tests)
    assert (choices[len(tests) :] < 4).all()


@pytest.mark.parametrize("name", BY_MARKET)
def test_a_market_is_in_one_stage_and_its_periods_have_one_price_per_product(panels, name):
    panel = panels[name]

    rows = pl.DataFrame({"period": panel.period, "stage": panel.stage, "price": pl.Series(panel.price)})

    assert (rows.group_by("period").agg(pl.col("price").n_unique())["price"] == 1).all()
    assert (rows.group_by("price").agg(pl.col("stage").n_unique())["stage"] == 1).all()


@pytest.mark.parametrize("name", ["ketchup", "tuna", "ketchup_shuffled", "tuna_shuffled"])
def test_households_whose_rows_were_sorted_by_brand_switch_back_to_earlier_brands(panels, name):
    panel = panels[name]
    is_same_user = np.diff(panel.user) == 0

    switches = (np.diff(panel.chosen)[is_same_user] != 0).sum()

    pairs = len(np.unique(panel.user * len(panel.products) + panel.chosen))
    assert switches > 1.2 * (pairs - len(np.unique(panel.user)))  # the least switches that show every brand


def test_loading_again_gives_the_same_panel(panels):
    again = load_panel("tuna")

    np.testing.assert_array_equal(again.period, panels["tuna"].period)
    np.testing.assert_array_equal(again.chosen, panels["tuna"].chosen)


def thinned(panel):
    """The choices of every eighth period, and of those with the lowest and the highest price of a product."""
    extremes = [end(panel.price, axis=0) for end in (np.argmin, np.argmax)]
    kept = np.union1d(np.unique(panel.period)[::8], panel.period[np.concatenate(extremes)])
    rows = np.isin(panel.period, kept)
    promotions = {name: is_on[rows] for name, is_on in panel.promotions.items()}
    return replace(
        panel,
        user=panel.user[rows],
        period=np.searchsorted(kept, panel.period[rows]),
        stage=panel.stage[rows],
        chosen=panel.chosen[rows],
        price=panel.price[rows],
        promotions=promotions,
    )


@pytest.mark.parametrize("name", JUDGED)
def test_prepare_keeps_every_choice_at_its_own_prices(panels, gpu_pricer, tmp_path, name):
    panel = thinned(panels[name])
    panel.write(tmp_path / "tables")

    ended = gpu_pricer("prepare", *panel.overrides(tmp_path / "tables"))

    assert (ended.status, ended.said) == (0, []), ended
    assert pl.read_parquet(tmp_path / "work" / "data" / "choices.parquet").height == len(panel.chosen)
    shelf = pl.read_parquet(tmp_path / "work" / "data" / "shelf.parquet").sort("period", "product_id")
    by_period = np.unique(panel.period, return_index=True)[1]
    expected = panel.price[by_period][:, np.argsort(panel.products)]
    np.testing.assert_array_equal(shelf["price"].to_numpy().reshape(expected.shape), expected)
