"""The drift of demand in shops whose products come and go, beside what these shops sell in the weeks after."""

from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest

from gpu_pricer.evaluation.ledger import BEATEN, KEPT, MISSED, SalesLog, ledger_of
from gpu_pricer.evaluation.ledger.market_drift import market_drift, sales_of_categories
from gpu_pricer.tables.published.promises import InForce, Promise

FIRST = date(2026, 1, 5)
BEFORE, AFTER = 30, 4
SINCE = FIRST + timedelta(weeks=BEFORE)
VISITS = 1000
PRICE, COST = 2.0, 1.2
LIVE = 5
"""Products of a category that are on the shelf in any week; each is there for LIVE × 2 weeks."""


def products_of(category, week):
    """The products on the shelf of a category: every second week one comes and the oldest one goes."""
    return [f"{category}{week // 2 + k}" for k in range(LIVE)]


def shop(rng, rate, weeks=BEFORE + AFTER, begins=None, swing=0.0):
    """A log whose categories sell at steady rates, over all products on the shelf.

    rate: units of a visit by category. begins: by category, the week in which it comes. swing: the standard deviation
    of the logarithm of each category's demand of a week.
    """
    rows = []
    for week in range(weeks):
        for category in rate:
            if week < (begins or {}).get(category, 0):
                continue
            demand = np.exp(rng.normal(-(swing**2) / 2, swing))
            for product in products_of(category, min(week, BEFORE)):  # the shelf stays once the version is in force
                units = float(rng.poisson(VISITS * rate[category] * demand / LIVE))
                rows.append((FIRST + timedelta(weeks=week), product, PRICE, units, units))
    sales = pl.DataFrame(rows, schema=["day", "product_id", "price", "units", "squared_units"], orient="row")
    starts = [FIRST + timedelta(weeks=week) for week in range(weeks)]
    days = [FIRST + timedelta(days=k) for k in range(7 * weeks)]
    known = sales.select("product_id", category_id=pl.col("product_id").str.head(1)).unique(maintain_order=True)
    return SalesLog(
        sales,
        pl.DataFrame({"day": days, "users": VISITS // 7}),
        pl.DataFrame({"period": starts, "visits": 7 * (VISITS // 7)}),
        known,
    )


def promise(rate, false=1.0):
    """The promise of the products on the shelf; false: how many times the truth it is."""
    rows = [(product, category) for category in rate for product in products_of(category, BEFORE)]
    products = pl.DataFrame(rows, schema=["product_id", "category_id"], orient="row").with_columns(
        cost=COST, net_share=1.0, prices=pl.lit([round(100 * PRICE)]),
        units=pl.col("category_id").replace_strict(rate) * VISITS / LIVE * false,
    )  # fmt: skip
    products = products.with_columns(revenue=PRICE * pl.col("units"), profit=(PRICE - COST) * pl.col("units"))
    return Promise(products, 7, 7.0 * (VISITS // 7), {})


def rows_of(log, promised, since=SINCE):
    return ledger_of([(InForce(1, "run", since, None, "USD"), promised)], log, 0.8)


def drift_of(log, promised, since, periods):
    return market_drift(log, sales_of_categories(log), promised, since, periods)


RATE = {"a": 0.5, "b": 0.2, "c": 0.1}


@pytest.mark.parametrize(("false", "verdict"), [(0.5, BEATEN), (1.0, KEPT), (1.4, MISSED), (2.0, MISSED)])
def test_false_promise_is_contradicted_though_products_come_and_go(false, verdict):
    rng = np.random.default_rng(1)

    verdicts = pl.concat([rows_of(shop(rng, RATE), promise(RATE, false))["verdict"] for _ in range(10)])

    assert (verdicts == verdict).mean() >= 0.8


def test_products_that_come_and_go_are_no_drift():
    drift = drift_of(shop(np.random.default_rng(2), RATE), promise(RATE), SINCE, 4)

    assert set(drift) == {"", *RATE}
    assert max(drift.values()) < 0.004
    assert drift[""] < 0.001


def test_category_that_comes_is_no_drift():
    begins = {"b": BEFORE - 10, "c": BEFORE - 1}

    drift = drift_of(shop(np.random.default_rng(3), RATE, begins=begins), promise(RATE), SINCE, 1)

    assert max(drift.values()) < 0.004


def test_category_that_was_not_sold_for_two_periods_has_the_drift_of_the_others():
    promised, log = promise(RATE), shop(np.random.default_rng(4), RATE, begins={"c": BEFORE - 1}, swing=0.3)

    drift = drift_of(log, promised, SINCE, 1)

    assert drift["c"] == pytest.approx(np.average([drift["a"], drift["b"]], weights=[RATE["a"], RATE["b"]]), rel=1e-9)
    assert drift["c"] > 0.03


@pytest.mark.parametrize("weeks", [1, AFTER])
@pytest.mark.parametrize("rate", [RATE, {"a": 0.5}], ids=["three categories", "one category"])
def test_interval_covers_where_the_demand_of_categories_drifts(rate, weeks):
    rng = np.random.default_rng(5)

    rows = pl.concat([rows_of(shop(rng, rate, BEFORE + weeks, swing=0.25), promise(rate)) for _ in range(120)])

    for is_total in (pl.col("category_id").is_null(), pl.col("category_id").is_not_null()):
        of_profit = pl.col("actual_profit").is_between("profit_low", "profit_high").mean()
        assert 0.82 <= rows.filter(is_total).select(of_profit).item() <= 0.97


def test_product_counts_in_the_category_that_it_has_in_the_promise():
    log = shop(np.random.default_rng(9), RATE, swing=0.2)
    moved = log._replace(products=log.products.with_columns(category_id=pl.lit("elsewhere")))
    whole = promise(RATE)._replace(products=pl.concat([promise(RATE).products, _of_all_products(log)], how="diagonal"))

    assert drift_of(moved, whole, SINCE, 1) == drift_of(log, whole, SINCE, 1)


def _of_all_products(log):
    """The log's other products, with no units promised."""
    listed = promise(RATE).products
    return log.products.join(listed, on="product_id", how="anti").with_columns(units=pl.lit(0.0))


def test_drift_of_a_single_category_is_that_of_all_together():
    drift = drift_of(shop(np.random.default_rng(6), {"a": 0.5}, swing=0.2), promise({"a": 0.5}), SINCE, 2)

    assert drift[""] == pytest.approx(drift["a"], rel=1e-9)
    assert drift["a"] > 0


@pytest.mark.parametrize(("before", "stretch"), [(BEFORE, 3), (17, 2), (12, 1)])
def test_drift_of_many_periods_is_that_of_their_means_while_eight_stretches_remain(before, stretch):
    rate = {"a": 50.0}  # no chance to speak of
    log = shop(np.random.default_rng(7), rate, before + AFTER, swing=0.3)
    since = FIRST + timedelta(weeks=before)
    known = (
        log.sales.group_by("day")
        .agg(pl.col("units").sum())
        .sort("day")["units"]
        .to_numpy()[max(before - 26, 0) : before]
    )

    found = drift_of(log, promise(rate), since, 4)["a"]

    means = known[len(known) % stretch :].reshape(-1, stretch).mean(axis=1)
    assert found == pytest.approx(means.var(ddof=1) / means.mean() ** 2, rel=0.03)


def test_nothing_is_known_of_drift_before_two_periods():
    log = shop(np.random.default_rng(8), RATE, 3)

    assert drift_of(log, promise(RATE), FIRST + timedelta(weeks=1), 1) == dict.fromkeys(["", *RATE], 0.0)
