"""Controls for hidden demand: surprises of prices, the category's move, the regular price, and prices nobody saw."""

from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from gpu_pricer.errors import InputError
from gpu_pricer.network.response.fitting.fit import FitConfig, fit_response
from gpu_pricer.network.response.grid.controls import (
    AGES,
    EndogeneityConfig,
    _within,
    category_move,
    first_stage,
    regular_price_control,
    with_ages,
    with_known_prices,
)
from gpu_pricer.network.response.grid.grid import Grid
from gpu_pricer.network.response.grid.grid_columns import GridColumns
from tests.network.response.drawn import autoregression, choose

BY_COST = EndogeneityConfig(["cost"], planned_promotions=False, folds=4)
PLANNED = EndogeneityConfig(None, planned_promotions=True, folds=4)
ANY_PRICE_ANSWERS = EndogeneityConfig(None, planned_promotions=False, folds=4)


def shelf(rng, noise, weeks=24, products=12):
    """Log prices of product, category x week and cost effects, and noise [weeks, products]."""
    category = np.arange(products) // 4
    log_cost = rng.normal(0, 0.2, (weeks, products))
    week, product = np.indices((weeks, products))
    effects = rng.normal(0, 0.3, products) + rng.normal(0, 0.3, (weeks, 3))[:, category]
    price = np.exp(effects + 0.7 * log_cost + noise)
    return pl.DataFrame(
        {
            "product_id": product.ravel(),
            "category_id": category[product.ravel()].astype(str),
            "period": pl.Series([date(2024, 1, 1) + timedelta(weeks=int(w)) for w in week.ravel()]),
            "price": price.ravel(),
            "list_price": 2 * price.ravel(),
            "price_age": np.zeros(price.size, np.int64),
            "is_listed": True,
            "bought": np.full(price.size, 5.0),
            "cost": np.exp(log_cost).ravel(),
        }
    )


def test_nothing_is_left_of_prices_that_effects_and_instruments_explain():
    rows = shelf(np.random.default_rng(0), 0.0)

    np.testing.assert_allclose(first_stage(rows, [], BY_COST), 0, atol=1e-6)


def test_what_is_left_is_the_least_squares_residual_with_dummies():
    rng = np.random.default_rng(1)
    rows = shelf(rng, rng.normal(0, 0.1, (24, 12)))
    dummies = rows.select("product_id", pl.concat_str("category_id", "period").alias("set")).to_dummies(
        ["product_id", "set"]
    )
    design = np.column_stack([rows["cost"].log(), dummies.to_numpy()])
    price = rows["price"].log().to_numpy()
    expected = price - design @ np.linalg.lstsq(design, price, rcond=None)[0]

    found = first_stage(rows, [], BY_COST)

    # Slopes come from the other folds, so they differ a little.
    np.testing.assert_allclose(found, expected, atol=0.03)
    assert np.corrcoef(found, expected)[0, 1] > 0.99


def test_planned_promotions_leave_only_the_list_price_to_be_explained():
    rng = np.random.default_rng(2)
    rows = shelf(rng, rng.normal(0, 0.1, (24, 12)))
    cut = rows.with_columns(price=pl.col("price") * pl.Series(rng.uniform(0.6, 1, rows.height)))
    planned = EndogeneityConfig(["cost"], planned_promotions=True, folds=4)

    np.testing.assert_allclose(first_stage(cut, [], planned), first_stage(rows, [], BY_COST), atol=1e-9)


def test_without_instruments_nothing_is_a_surprise():
    rows = shelf(np.random.default_rng(3), 0.1)

    assert not first_stage(rows, [], EndogeneityConfig(None, True, 4)).any()


def test_a_price_nobody_saw_follows_its_cost_between_those_seen():
    rows = shelf(np.random.default_rng(4), 0.0)
    rows = rows.with_columns(
        price_age=pl.when((pl.col("product_id") == 5) & (pl.col("period") == date(2024, 1, 22))).then(1).otherwise(0)
    )
    product = rows.filter(pl.col("product_id") == 5).with_columns(
        left=pl.col("price").log() - 0.7 * pl.col("cost").log()
    )
    expected = np.exp((product["left"][2] + product["left"][4]) / 2) * product["cost"][3] ** 0.7

    known = with_known_prices(rows, [], BY_COST).filter(pl.col("product_id") == 5)

    assert known["price"][3] == pytest.approx(expected, rel=1e-6)
    assert known["price"][2] == pytest.approx(product["price"][2])


def cut_prices(product, is_listed):
    """A product with one rise and two cuts of its price, whose periods beside the cuts nobody saw; the prices too.

    It sells 30 units at the regular price and 60 at a cut, so that a period without a sale had no cut.
    """
    regular = np.repeat([10.0, 12.0], 10)
    price = regular.copy()
    price[[4, 13]] *= 0.7
    weeks = pl.date_range(date(2024, 1, 1), interval="1w", end=date(2024, 5, 13), eager=True)
    rows = pl.DataFrame({"product_id": product, "category_id": "C", "period": weeks, "price": price})
    rows = rows.with_columns(
        is_listed=is_listed,
        list_price=pl.Series(regular if is_listed else price),
        price_age=pl.Series(np.isin(np.arange(20), [3, 5, 14]).astype(np.int64)),
        bought=pl.Series(np.where(np.isin(np.arange(20), [3, 5, 14]), 0.0, np.where(price < regular, 60.0, 30.0))),
    )
    hidden = pl.col("price_age") > 0
    return rows.with_columns(pl.when(~hidden).then("price"), pl.when(~hidden).then("list_price")), price


@pytest.mark.parametrize("listed", [{"P": True}, {"P": False}, {"P": False, "Q": True}])
def test_a_price_nobody_saw_after_a_cut_is_the_regular_one(listed):
    rows, (price, *_) = zip(*(cut_prices(product, is_listed) for product, is_listed in listed.items()), strict=True)

    known = with_known_prices(pl.concat(rows), [], PLANNED)

    for product in listed:
        np.testing.assert_allclose(known.filter(product_id=product)["price"], price)


def rarely_bought(rng, cost_of_cut, products=60, periods=50, display_effect=0.0):
    """Rows of listed products with unlike costs, of which some are cut at a lower cost, and the true prices.

    A display mostly goes with a cut.
    """
    base = np.exp(rng.normal(1, 1, products))[:, None] * np.ones(periods)
    cut = np.where(rng.random(base.shape) < 0.2, -0.3, 0.0)
    display = rng.random(base.shape) < np.where(cut < 0, 0.6, 0.05)
    bought = rng.poisson(0.9 * np.exp(-3 * cut + display_effect * display)).astype(float)
    product, week = np.indices(base.shape)
    is_seen, price, listed = (pl.Series(values.ravel()) for values in (bought >= 2, base * np.exp(cut), base))
    rows = pl.DataFrame(
        {
            "product_id": product.ravel(),
            "category_id": (product // 10).ravel().astype(str),
            "period": pl.Series([date(2024, 1, 1) + timedelta(weeks=int(w)) for w in week.ravel()]),
            "price_age": (~is_seen).cast(pl.Int64),
            "is_listed": True,
            "cost": (base * np.exp(cost_of_cut * cut)).ravel() / 2,
            "bought": bought.ravel(),
            "display": display.ravel().astype(float),
        }
    )
    seen = rows.select(price=pl.when(is_seen).then(price), list_price=pl.when(is_seen).then(listed))
    return rows.hstack(seen), price, listed


@pytest.mark.parametrize("config", [PLANNED, BY_COST])
def test_drawn_prices_lie_between_the_deepest_cut_and_the_list_price(config):
    rows, price, listed = rarely_bought(np.random.default_rng(10), cost_of_cut=0.5)

    known = with_known_prices(rows, [], config)

    cut, true = (np.log(values / listed) for values in (known["price"], price))
    np.testing.assert_allclose(known["list_price"], listed)
    assert cut.max() < 1e-9
    assert cut.min() > -0.7
    assert cut.mean() == pytest.approx(true.mean(), abs=0.01)


def test_drawn_cuts_are_as_frequent_as_the_display_says():
    """Where the display sells too: what it sells is no response to the cut. Sums over four logs."""
    drawn, expected = np.zeros(2), np.zeros(2)
    for seed in range(4):
        rng = np.random.default_rng(20 + seed)
        rows, price, listed = rarely_bought(rng, cost_of_cut=0.0, products=1000, display_effect=1.0)

        known = with_known_prices(rows, ["display"], PLANNED)

        hidden = rows["price_age"].to_numpy() > 0
        cut, true = (np.log(values / listed).to_numpy()[hidden] for values in (known["price"], price))
        shows = rows["display"].to_numpy()[hidden].astype(np.int64)
        drawn += np.bincount(shows, cut)
        expected += np.bincount(shows, true)

    assert drawn / expected == pytest.approx([1.0, 1.0], abs=0.1)


def test_list_prices_stay_where_others_have_none():
    rows, _, listed = rarely_bought(np.random.default_rng(11), cost_of_cut=0.0)
    is_listed = rows["product_id"] % 2 == 0
    rows = rows.with_columns(list_price=pl.when(is_listed).then("list_price").otherwise("price"), is_listed=is_listed)

    known = with_known_prices(rows, [], PLANNED)

    np.testing.assert_allclose(known["list_price"].filter(is_listed), listed.filter(is_listed))
    np.testing.assert_allclose(known["list_price"].filter(~is_listed), known["price"].filter(~is_listed))


def test_an_unlisted_price_nobody_saw_follows_its_cost_where_cuts_pass():
    rng = np.random.default_rng(6)
    rows = shelf(rng, 0.0).with_columns(cost=np.repeat(np.exp(rng.normal(0, 0.2, (3, 12))), 8, axis=0).ravel())
    true = 2 * rows["cost"] ** 0.7
    is_seen = pl.Series(rng.random(rows.height) < 0.6)
    seen = pl.when(is_seen).then(true)
    rows = rows.with_columns(price=seen, list_price=seen, price_age=(~is_seen).cast(pl.Int64), is_listed=False)

    known = with_known_prices(rows, [], BY_COST)

    found = known.join(rows.select("product_id", "period", true=true), on=("product_id", "period"))
    np.testing.assert_allclose(found["price"], found["true"], rtol=1e-6)


@pytest.mark.parametrize(
    ("column", "message"),
    [("diesel", "none called diesel: add them to it"), ("loss", "the instrument loss must be above 0.* found -1")],
)
def test_an_instrument_that_cannot_be_one_is_refused(column, message):
    rows = shelf(np.random.default_rng(5), 0.0).with_columns(pl.lit(-1.0).alias("further:loss"))

    with pytest.raises(InputError, match=message):
        with_known_prices(rows, [], EndogeneityConfig([column], True, 4))


def test_no_instruments_are_written_null():
    with pytest.raises(InputError, match="must name columns, found none"):
        EndogeneityConfig([], True, 4)


@pytest.mark.parametrize(("name", "value"), [("folds", 1), ("planned_promotions", "yes")])
def test_settings_out_of_range_are_refused(name, value):
    with pytest.raises(ValueError, match=rf"endogeneity\.{name} must be"):
        EndogeneityConfig(**{"instruments": None, "planned_promotions": True, "folds": 4, name: value})


def test_strong_and_weak_instruments_are_told_apart(caplog):
    rng = np.random.default_rng(6)
    strong = shelf(rng, rng.normal(0, 0.02, (24, 12)))
    weak = strong.with_columns(cost=pl.Series(np.exp(rng.normal(0, 0.2, strong.height))))

    with caplog.at_level("INFO"):
        first_stage(strong, [], BY_COST)
    assert [record.levelname for record in caplog.records] == ["INFO"]
    first_stage(weak, [], BY_COST)

    assert caplog.records[-1].levelname == "WARNING"
    assert "weak instruments" in caplog.records[-1].getMessage()


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.lists(st.integers(1, 4), min_size=1, max_size=3), st.integers(1, 5))
def test_move_of_a_category_is_the_mean_move_weighted_by_sales(seed, sizes, periods):
    rng = np.random.default_rng(seed)
    category = np.repeat(np.arange(len(sizes)), sizes)
    on_shelf = (rng.random((len(category), periods)) < 0.7).astype(float)
    move, sold = rng.normal(0, 0.2, on_shelf.shape) * on_shelf, rng.uniform(1, 9, len(category))

    found = category_move(*(torch.from_numpy(values) for values in (move, on_shelf, sold, category))).numpy()

    for (j, w), value in np.ndenumerate(found):
        offered = [k for k in range(len(category)) if category[k] == category[j] and on_shelf[k, w]]
        if on_shelf[j, w] == 0 or sizes[category[j]] == 1:
            assert value == 0
        else:
            expected = sum(sold[k] * move[k, w] for k in offered) / sum(sold[k] for k in offered)
            assert value == pytest.approx(expected, abs=1e-12)


def test_unsold_category_has_the_plain_mean_move():
    move = torch.tensor([[0.1], [0.3]], dtype=torch.float64)

    found = category_move(move, torch.ones_like(move), torch.zeros(2, dtype=torch.float64), torch.tensor([0, 0]))

    np.testing.assert_allclose(found, [[0.2], [0.2]])


def prices(rng, weeks=30, products=4, cut=0.3, listed_spread=0.05):
    """Shelf rows of listed products whose list prices wander, with a cut in every fifth week of a product."""
    week, product = np.indices((weeks, products))
    listed = np.exp(1.0 + listed_spread * np.cumsum(rng.normal(size=(weeks, products)), axis=0))
    price = listed * np.where((week + product) % 5 == 0, 1 - cut, 1.0)
    return pl.DataFrame(
        {
            "product_id": product.ravel(),
            "period": pl.Series([date(2024, 1, 1) + timedelta(weeks=int(w)) for w in week.ravel()]),
            "price": price.ravel(),
            "list_price": listed.ravel(),
            "is_listed": True,
        }
    ).sort("product_id", "period")


def around_product(rows, values):
    """Values less their mean over the product's rows."""
    return (values - values.mean().over("product_id")).pipe(lambda expr: rows.select(expr)).to_series().to_numpy()


def test_regular_price_control_is_the_log_list_price_around_its_products_mean():
    rows = prices(np.random.default_rng(7))

    found = regular_price_control(rows, PLANNED).to_numpy()

    np.testing.assert_allclose(found, around_product(rows, pl.col("list_price").log()), atol=1e-12)


def test_median_of_nine_periods_stands_for_the_list_price_of_products_that_have_none():
    rows = prices(np.random.default_rng(8)).with_columns(is_listed=pl.col("product_id") == 0)

    found = regular_price_control(rows, PLANNED).to_numpy().reshape(4, 30)

    price, listed = (rows[name].to_numpy().reshape(4, 30) for name in ("price", "list_price"))
    np.testing.assert_allclose(found[0], np.log(listed[0]) - np.log(listed[0]).mean(), atol=1e-12)
    for j in range(1, 4):
        middle = np.log([np.median(price[j, max(w - 4, 0) : w + 5]) for w in range(30)])
        np.testing.assert_allclose(found[j], middle - middle.mean(), atol=1e-12)


@pytest.mark.parametrize("weeks", [[4], [3, 4, 5], [13]])
def test_a_list_price_between_two_known_ones_is_on_their_line(weeks):
    """Also in a week of a cut, or next to one."""
    rows, price = cut_prices("P", is_listed=True)
    told = rows.with_row_index("week").with_columns(list_price=pl.when(~pl.col("week").is_in(weeks)).then("list_price"))

    known = with_known_prices(told.drop("week"), [], PLANNED)

    np.testing.assert_allclose(known["price"], price)
    np.testing.assert_allclose(known["list_price"], np.repeat([10.0, 12.0], 10))


def test_median_price_stands_for_a_list_price_that_is_not_known():
    """Of a listed product whose list price the log tells from the tenth week on only."""
    rows, price = cut_prices("P", is_listed=True)
    told = rows.with_columns(list_price=pl.when(pl.col("period") > rows["period"][9]).then("list_price"))

    known = with_known_prices(told, [], PLANNED)

    np.testing.assert_allclose(known["price"], price)
    np.testing.assert_allclose(known["list_price"], np.repeat([10.0, 12.0], 10))


@pytest.mark.parametrize("config", [BY_COST, ANY_PRICE_ANSWERS, EndogeneityConfig(["cost"], True, 4)])
def test_regular_price_is_no_control_with_instruments_or_where_cuts_answer_demand(config):
    assert regular_price_control(prices(np.random.default_rng(9)), config) is None


def test_regular_price_is_no_control_where_cuts_are_too_few_to_teach(caplog):
    rows = prices(np.random.default_rng(10), cut=0.02)

    with caplog.at_level("INFO"):
        found = regular_price_control(rows, PLANNED)

    assert found is None
    assert "too few: the price response is learned from all moves" in caplog.text


def answering_market(seed, cut=0.0, cost_spread=0.0, products=9, weeks=40):
    """Shelf rows whose prices answer each product's hidden demand, and what people bought.

    Three categories, one segment, sensitivity 2.5; log list price 0.25 per unit of hidden demand, plus the log cost. A
    quarter of the prices are cut by `cut`, whatever demand is.
    """
    rng = np.random.default_rng(seed)
    hidden = autoregression(rng, products, weeks, 0.5, persistence=0.7)
    cost = np.exp(rng.normal(0, cost_spread, hidden.shape))
    listed = np.exp(0.25 * hidden + rng.normal(0, 0.05, hidden.shape)) * cost
    price = listed * np.where(rng.random(hidden.shape) < 0.25, 1 - cut, 1.0)
    product, week = np.indices(price.shape)
    category = np.repeat(np.arange(3), products // 3)
    rows = pl.DataFrame(
        {
            "product_id": product.ravel(),
            "category_id": category[product.ravel()].astype(str),
            "period": pl.Series([date(2024, 1, 1) + timedelta(weeks=int(w)) for w in week.ravel()]),
            "price": price.ravel(),
            "list_price": listed.ravel(),
            "is_listed": True,
            "cost": cost.ravel(),
        }
    )
    utility = rng.normal(-2, 0.3, (products, 1)) + hidden - 2.5 * (price - 1)
    counts = choose(rng, utility[:, None], np.ones_like(price), category, 20_000, has_outside_option=True)
    return rows, torch.from_numpy(price - 1), torch.from_numpy(category), counts


def error_of_mean_log_sensitivity(move, category, counts, control):
    control = np.zeros(tuple(move.shape)) if control is None else np.reshape(control, tuple(move.shape))
    grid = Grid(
        columns=GridColumns.of_periods(move.shape[1]),
        row=torch.arange(len(move)),
        category=category,
        on_shelf=torch.ones_like(move),
        move=move,
        context=torch.tensor(control)[:, :, None],
        controls=1,
        offset=torch.zeros_like(move),
        unit_offset=torch.zeros_like(move),
        next_offset=torch.zeros(len(move), dtype=move.dtype),
        next_ages=torch.zeros(len(move), 0),
        price_information=torch.ones(len(move), dtype=move.dtype),
        has_outside_option=True,
        periods_ahead=1,
    )
    found = fit_response(grid, counts, FitConfig(passes=60, tolerance=0.005, prior_elasticity=None)).sensitivity
    return float(found.log().mean()) - np.log(2.5)


@pytest.mark.parametrize("seed", range(3))
def test_regular_price_undoes_what_list_prices_that_answer_hidden_demand_do(seed):
    rows, *bought = answering_market(seed, cut=0.25)

    assert error_of_mean_log_sensitivity(*bought, None) < -0.2
    assert abs(error_of_mean_log_sensitivity(*bought, regular_price_control(rows, PLANNED).to_numpy())) < 0.1


@pytest.mark.parametrize("seed", range(3))
def test_surprise_beyond_costs_undoes_what_prices_that_answer_hidden_demand_do(seed):
    rows, *bought = answering_market(seed, cost_spread=0.15)

    assert error_of_mean_log_sensitivity(*bought, None) < -0.2
    assert abs(error_of_mean_log_sensitivity(*bought, first_stage(rows, [], BY_COST))) < 0.15


@settings(deadline=None, max_examples=30)
@given(rows=st.integers(1, 60), products=st.integers(1, 8), weeks=st.integers(1, 6), seed=st.integers(0, 2**16))
def test_what_two_kinds_of_groups_leave_is_the_residual_of_a_regression_on_both(rows, products, weeks, seed):
    rng = np.random.default_rng(seed)
    groups = tuple(np.unique(rng.integers(0, count, rows), return_inverse=True)[1] for count in (products, weeks))
    values = rng.normal(size=rows)

    left = _within(values, groups)

    dummies = np.hstack([np.eye(group.max() + 1)[group] for group in groups])
    expected = values - dummies @ np.linalg.lstsq(dummies, values, rcond=None)[0]
    np.testing.assert_allclose(left, expected, atol=1e-8)


def test_a_cause_that_is_the_same_for_all_products_says_nothing_of_hidden_prices():
    """A flag of holidays has no slope beside the periods' effects, and noise in its place must get none."""
    rng = np.random.default_rng(0)
    rows = shelf(rng, 0.02 * rng.normal(size=(40, 12)), weeks=40).sort("product_id", "period")
    week = rows["period"].rank("dense").to_numpy() - 1
    is_hidden = rng.random(rows.height) < 0.3
    rows = rows.with_columns(holiday=pl.Series(rng.normal(size=40)[week]), price_age=pl.Series(is_hidden.astype(int)))

    known = with_known_prices(rows.drop("cost"), ["holiday"], PLANNED)

    ratio = (known["price"] / rows["price"]).to_numpy()
    assert 0.1 < ratio.min() <= ratio.max() < 10


def test_values_that_products_explain_leave_nothing():
    groups = np.array([0, 0, 1, 1, 2, 2]), np.array([0, 1, 1, 2, 2, 0])

    left = _within(np.array([0.1, 0.1, 0.7, 0.7, 1 / 3, 1 / 3]), groups)

    np.testing.assert_allclose(left, 0, atol=1e-12)


NEXT = [f"next_{name}" for name in AGES]


def logs_of(age):
    """The log of ages [n] over 1 and over 8 periods, and 0 below."""
    return np.maximum(np.log(age[:, None] / (1, 8)), 0)


def test_ages_count_from_the_launch_in_the_log_and_in_the_priced_period():
    weeks = [date(2024, 1, 1) + timedelta(weeks=week) for week in range(40)]
    there = {1: range(40), 2: range(3, 40), 3: range(4, 40), 4: range(36, 40), 5: [10, 12]}
    rows = pl.DataFrame(
        [(product, weeks[week]) for product, when in there.items() for week in when],
        schema={"product_id": pl.Int64, "period": pl.Date},
        orient="row",
    ).with_columns(launched=pl.lit(None, pl.Datetime("us")))

    ages = with_ages(rows, weeks, ahead=1)

    assert ages.drop(*AGES, *NEXT).equals(rows)
    found = {product: ages.filter(product_id=product).select(AGES).to_numpy() for product in there}
    following = {product: ages.filter(product_id=product).select(NEXT).unique().to_numpy() for product in there}
    of_age = logs_of(np.arange(1, 42))
    for product in (1, 2):  # there when the log begins
        assert not found[product].any()
        assert not following[product].any()
    for product, born in ((3, 4), (4, 36), (5, 10)):
        weeks_there = np.array(there[product]) - born
        np.testing.assert_allclose(found[product], of_age[weeks_there], atol=1e-12)
        np.testing.assert_allclose(following[product], of_age[[40 - born]], atol=1e-12)
    begun = with_ages(rows, weeks, ahead=0).filter(product_id=4)
    np.testing.assert_allclose(begun.select(NEXT).to_numpy()[0], of_age[3], atol=1e-12)


@pytest.mark.parametrize(("there", "age"), [(5, 1), (4, None)])
def test_the_age_of_a_product_sold_before_its_launch_is_that_of_its_first_sale_unless_the_log_just_began(there, age):
    weeks = [date(2024, 1, 1) + timedelta(weeks=week) for week in range(12)]
    rows = pl.DataFrame({"product_id": 1, "period": weeks[there - 1 :]})

    ages = with_ages(rows.with_columns(launched=pl.lit(weeks[7]).cast(pl.Datetime("us"))), weeks, ahead=1)

    expected = np.zeros((rows.height, 2)) if age is None else logs_of(np.arange(1, rows.height + 1))
    np.testing.assert_allclose(ages.select(AGES).to_numpy(), expected, atol=1e-12)


def test_ages_are_none_where_no_launch_is_known():
    weeks = [date(2024, 1, 1) + timedelta(weeks=week) for week in range(9)]
    rows = pl.DataFrame({"product_id": [1, 1, 2], "period": [weeks[0], weeks[8], weeks[3]]})

    ages = with_ages(rows.with_columns(launched=pl.lit(None, pl.Datetime("us"))), weeks, ahead=1)

    assert not ages.select(*AGES, *NEXT).to_numpy().any()


@pytest.mark.parametrize(
    ("launched", "age"),
    [
        (date(2024, 1, 8), 1),
        (date(2024, 1, 14), 1),
        (date(2024, 1, 7), 2),
        (date(2023, 12, 31), 3),  # before the log
        (date(2023, 12, 25), 3),
        (date(2023, 12, 24), 4),
    ],
)
def test_a_stated_launch_tells_the_age_also_of_products_there_when_the_log_begins(launched, age):
    weeks = [date(2024, 1, 1) + timedelta(weeks=week) for week in range(6)]
    rows = pl.DataFrame({"product_id": 1, "period": weeks[1:]}).with_columns(
        launched=pl.lit(launched).cast(pl.Datetime("us"))
    )

    ages = with_ages(rows, weeks, ahead=1)

    of_age = logs_of(np.arange(age, age + 6))
    np.testing.assert_allclose(ages.select(AGES).to_numpy(), of_age[:-1], atol=1e-12)
    np.testing.assert_allclose(ages.select(NEXT).unique().to_numpy(), of_age[-1:], atol=1e-12)
