"""Promises beside sales that are drawn from them: the interval covers as often as it says, and verdicts are right."""

from datetime import date, timedelta

import numpy as np
import polars as pl
import polars.selectors as cs
import pytest

from gpu_pricer.evaluation.ledger import (
    BEATEN,
    KEPT,
    MISSED,
    NOT_APPLIED,
    SalesLog,
    ledger_of,
    products_left_out,
    sentence,
)
from gpu_pricer.evaluation.ledger.intervals import drift, predicted_interval
from gpu_pricer.tables.published.promises import InForce, Promise

FIRST = date(2026, 1, 5)
WEEKS, BEFORE = 10, 8
SINCE = FIRST + timedelta(weeks=BEFORE)
USERS = 50
IN_FORCE = InForce(3, "spring", SINCE, None, "USD")
PRICE = np.array([2.0, 3.5, 1.2, 4.0, 2.5, 5.0])
COST = 0.6 * PRICE
RATE = np.array([0.8, 0.3, 1.5, 0.2, 0.6, 0.1])
"""Units that a visit buys of each of six products at the version's prices."""


def promise(spread=0.0, net_share=1.0):
    """The promise of a version whose demand model is right; net_share: of its prices, after VAT."""
    units = RATE * 7 * USERS
    products = pl.DataFrame(
        {
            "product_id": [f"p{k}" for k in range(6)],
            "category_id": ["a", "a", "a", "b", "b", "b"],
            "cost": net_share * COST,
            "net_share": net_share,
            "prices": [[round(100 * price), round(110 * price)] for price in PRICE],
            "units": units,
            "revenue": net_share * units * PRICE,
            "profit": net_share * units * (PRICE - COST),
        }
    )
    known = {name: dict.fromkeys(("units", "revenue", "profit"), spread) for name in ("", "a", "b")}
    return Promise(products, 7, 7.0 * USERS, known if spread else {})


def drawn_log(rng, price=PRICE, demand=1.0, users=USERS, days=7 * WEEKS):
    """A log in which every user of a day comes once in its week; price, demand, users: once the version is in force."""
    rows, shoppers = [], []
    for k in range(days):
        day = FIRST + timedelta(days=k)
        is_new = day >= SINCE
        count = users if is_new else USERS
        units = rng.poisson(RATE * count * (demand if is_new else 1.0))
        shown = price if is_new else PRICE
        rows += [(day, f"p{p}", shown[p], float(units[p]), float(units[p])) for p in np.flatnonzero(units)]
        shoppers.append((day, count))
    sales = pl.DataFrame(rows, schema=["day", "product_id", "price", "units", "squared_units"], orient="row")
    weeks = [FIRST + timedelta(weeks=w) for w in range(days // 7)]
    visits = [sum(count for day, count in shoppers if week <= day < week + timedelta(weeks=1)) for week in weeks]
    return SalesLog(
        sales,
        pl.DataFrame(shoppers, schema={"day": pl.Date, "users": pl.Int64}, orient="row"),
        pl.DataFrame({"period": weeks, "visits": visits}),
        promise().products.select("product_id", "category_id"),
    )


def total(ledger):
    return ledger.filter(pl.col("category_id").is_null()).row(0, named=True)


def test_interval_covers_the_outcome_about_as_often_as_it_says_where_the_model_is_right():
    rng = np.random.default_rng(5)
    tables = [ledger_of([(IN_FORCE, promise())], drawn_log(rng), 0.8) for _ in range(80)]

    rows = pl.concat(tables)
    for measure in ("units", "revenue", "profit"):
        inside = rows.select(pl.col(f"actual_{measure}").is_between(f"{measure}_low", f"{measure}_high").mean()).item()
        assert 0.84 <= inside <= 0.97, measure
    assert rows["applied"].to_list() == [1.0] * rows.height


def test_delisted_product_counts_neither_as_promised_nor_as_sold():
    log, bestseller = drawn_log(np.random.default_rng(3)), "p0"
    is_kept = pl.col("product_id") != bestseller
    delisted = log._replace(sales=log.sales.filter(is_kept), products=log.products.filter(is_kept))
    smaller = promise()._replace(products=promise().products.filter(is_kept))

    found = ledger_of([(IN_FORCE, promise())], delisted, 0.8)

    assert found.equals(ledger_of([(IN_FORCE, smaller)], delisted, 0.8))
    is_sum = ~cs.matches("^(units|revenue|profit)_(low|high)$")  # drift is that of all products of the log
    assert found.select(is_sum).equals(ledger_of([(IN_FORCE, smaller)], log, 0.8).select(is_sum))
    assert total(found)["actual_units"] == pytest.approx(total(found)["expected_units"], rel=0.1)
    still_known = delisted._replace(products=log.products)
    assert total(ledger_of([(IN_FORCE, promise())], still_known, 0.8))["verdict"] == MISSED
    assert products_left_out([(IN_FORCE, promise())], delisted) == 1
    assert products_left_out([(IN_FORCE, promise())], log) == 0
    nothing = log._replace(sales=log.sales.clear(), products=log.products.clear())
    assert ledger_of([(IN_FORCE, promise())], nothing, 0.8).is_empty()


def test_one_log_has_one_ledger_in_whatever_order_threads_add_up():
    log = drawn_log(np.random.default_rng(3), price=1.0137 * PRICE)
    prices = [log.sales.with_columns(pl.col("price") + 0.01 * k) for k in range(8)]
    log = log._replace(sales=pl.concat(prices))

    first, *others = (ledger_of([(IN_FORCE, promise())], log, 0.8) for _ in range(40))

    assert all(other.equals(first) for other in others)


def test_money_of_the_ledger_is_after_vat():
    log = drawn_log(np.random.default_rng(7))

    plain, taxed = (ledger_of([(IN_FORCE, promise(0.1, share))], log, 0.8) for share in (1.0, 0.8))

    money = [name for name in plain.columns if "revenue" in name or "profit" in name]
    assert len(money) == 14
    for name in money:
        assert (taxed[name] / plain[name]).to_list() == pytest.approx([0.8] * plain.height, rel=1e-9), name
    units = [name for name in plain.columns if "units" in name or name in ("applied", "verdict")]
    assert taxed.select(units).equals(plain.select(units))


def test_interval_of_the_outcome_covers_the_mean_that_it_was_drawn_from():
    rng = np.random.default_rng(6)
    rows = pl.concat([ledger_of([(IN_FORCE, promise())], drawn_log(rng), 0.8) for _ in range(80)])

    inside = pl.col("expected_profit").is_between("actual_profit_low", "actual_profit_high").mean()
    assert 0.84 <= rows.select(inside).item() <= 0.96


def test_uncertain_response_widens_the_interval_of_the_promise_alone():
    log = drawn_log(np.random.default_rng(1))

    sure, unsure = (total(ledger_of([(IN_FORCE, promise(spread))], log, 0.8)) for spread in (0.0, 0.2))

    assert unsure["profit_high"] - unsure["profit_low"] > 3 * (sure["profit_high"] - sure["profit_low"])
    assert unsure["actual_profit_high"] == sure["actual_profit_high"]


def test_shoppers_of_a_period_without_visits_do_not_count_in_the_visits_of_a_shopper():
    """`prepare` counts no visits in a period without a shelf, but its shoppers."""
    log = drawn_log(np.random.default_rng(2))
    last = SINCE + timedelta(days=6)

    gap = log._replace(visits=log.visits.filter(pl.col("period") != FIRST + timedelta(weeks=3)))

    assert gap.visits_of(SINCE, last, 7) == pytest.approx(log.visits_of(SINCE, last, 7), rel=1e-12)


def test_prices_that_were_not_applied_leave_no_verdict():
    row = total(ledger_of([(IN_FORCE, promise())], drawn_log(np.random.default_rng(2), price=PRICE + 0.05), 0.8))

    assert (row["applied"], row["verdict"]) == (0.0, NOT_APPLIED)
    assert "cannot be judged, for its prices were not applied" in sentence(row)
    assert "0% of its units sold at its prices" in sentence(row)


def test_promotions_of_single_products_leave_a_verdict_on_the_others():
    on_promotion = np.array([True, False, False, True, False, False])
    price, demand = np.where(on_promotion, 0.8, 1.0) * PRICE, np.where(on_promotion, 2.0, 1.0)
    rng = np.random.default_rng(4)
    rows = [
        total(ledger_of([(IN_FORCE, promise())], drawn_log(rng, price=price, demand=demand), 0.8)) for _ in range(80)
    ]

    assert {row["applied"] for row in rows} == {1.0}
    assert [row["judged"] for row in rows] == pytest.approx([1 - RATE[on_promotion].sum() / RATE.sum()] * 80)
    assert 0.84 <= np.mean([row["verdict"] == KEPT for row in rows]) <= 0.97
    assert sentence(rows[0]).endswith(
        "100% of its units sold at its prices, without products of 29% of the promised units, such as promoted ones"
    )


def test_verdict_follows_the_profit_of_products_that_are_not_promoted():
    price, demand = np.array([0.8, 1, 1, 1, 1, 1]) * PRICE, np.array([4, 0.6, 0.6, 0.6, 0.6, 0.6])
    log = drawn_log(np.random.default_rng(3), price=price, demand=demand)

    assert total(ledger_of([(IN_FORCE, promise())], log, 0.8))["verdict"] == MISSED


def test_price_of_any_segment_counts_as_applied():
    row = total(ledger_of([(IN_FORCE, promise())], drawn_log(np.random.default_rng(2), price=1.1 * PRICE), 0.8))

    assert row["applied"] == 1.0


@pytest.mark.parametrize(("demand", "expected"), [(0.6, MISSED), (1.0, KEPT), (1.5, BEATEN)])
def test_verdict_follows_the_profit(demand, expected):
    row = total(ledger_of([(IN_FORCE, promise())], drawn_log(np.random.default_rng(3), demand=demand), 0.8))

    assert row["verdict"] == expected


def test_promise_is_for_the_visits_that_came():
    row = total(ledger_of([(IN_FORCE, promise())], drawn_log(np.random.default_rng(4), users=USERS // 2), 0.8))

    assert row["visits_share"] == pytest.approx(0.5)
    assert row["expected_units"] == pytest.approx(row["promised_units"] / 2)
    assert row["verdict"] == KEPT


def test_sums_are_those_of_the_days_in_force():
    log = drawn_log(np.random.default_rng(7), days=7 * BEFORE + 3)
    last = log.sales.filter(pl.col("day") >= SINCE)

    row = total(ledger_of([(IN_FORCE, promise())], log, 0.8))

    assert (row["days"], row["since"], row["version"]) == (3, SINCE, 3)
    assert row["actual_units"] == last["units"].sum()
    assert row["actual_revenue"] == pytest.approx((last["units"] * last["price"]).sum())
    assert row["promised_units"] == pytest.approx(3 / 7 * promise().products["units"].sum())


def test_days_before_the_log_begins_count_for_nothing():
    log = drawn_log(np.random.default_rng(7))
    begins = SINCE + timedelta(days=4)
    later = log._replace(
        sales=log.sales.filter(pl.col("day") >= begins), shoppers=log.shoppers.filter(pl.col("day") >= begins),
        visits=log.visits.filter(pl.col("period") >= SINCE + timedelta(weeks=1)),
    )  # fmt: skip

    row = total(ledger_of([(IN_FORCE, promise())], later, 0.8))

    assert row["days"] == (log.last_day - begins).days + 1
    assert row["promised_units"] == pytest.approx(row["days"] / 7 * promise().products["units"].sum())
    assert row["visits_share"] == pytest.approx(1)
    gone = InForce(0, "gone", SINCE, begins, "USD")
    assert ledger_of([(gone, promise())], later, 0.8).is_empty()


def test_only_publications_that_were_in_force_in_the_log_have_rows():
    log = drawn_log(np.random.default_rng(8))
    end = log.last_day + timedelta(days=1)
    later = SINCE + timedelta(days=3)
    known = [
        InForce(0, "replaced at once", SINCE, SINCE, "USD"),
        InForce(1, "three days", SINCE, later, "USD"),
        InForce(2, "rest", later, end, "USD"),
        InForce(3, "tomorrow", end, None, "USD"),
    ]

    found = ledger_of([(each, promise()) for each in known], log, 0.8)

    whole = found.filter(pl.col("category_id").is_null())
    assert whole.select("version", "days").rows() == [(1, 3), (2, 11)]
    assert ledger_of([], log, 0.8).is_empty()


def test_categories_add_up_to_all_together():
    found = ledger_of([(IN_FORCE, promise())], drawn_log(np.random.default_rng(9)), 0.8)

    parts = found.filter(pl.col("category_id").is_not_null())
    for column in ("promised_profit", "expected_units", "actual_revenue", "actual_profit"):
        assert parts[column].sum() == pytest.approx(total(found)[column])


def test_drift_of_the_whole_periods_before_widens_the_promise():
    """Sales of one product without chance: 26 whole weeks before go up and down, and none else counts."""
    weekly = [900.0, *(50.0 + 10.0 * (-1) ** week for week in range(26)), 700.0, 50.0]
    since = FIRST + timedelta(weeks=27, days=2)  # in a week that is not whole before
    weeks = [FIRST + timedelta(weeks=week) for week in range(len(weekly))]
    log = SalesLog(
        pl.DataFrame({"day": weeks, "product_id": "p0", "price": 2.0, "units": weekly, "squared_units": 0.0}),
        pl.DataFrame({"day": weeks, "users": USERS}),
        pl.DataFrame({"period": weeks, "visits": USERS}),
        pl.DataFrame({"product_id": ["p0"], "category_id": ["a"]}),
    )
    only = promise()._replace(products=promise().products.head(1))

    row = total(ledger_of([(IN_FORCE._replace(since=since), only)], log, 0.8))

    by_hand = (10.0 / 50.0) ** 2 * 26 / 25
    reach = (row["profit_high"] - row["profit_low"]) / 2 / row["expected_profit"]
    assert reach == pytest.approx(1.6448536 * by_hand**0.5, rel=1e-6)
    unit_reach = (row["units_high"] - row["units_low"]) / 2 / row["expected_units"]
    assert unit_reach == pytest.approx(reach, rel=0.05)


def test_drift_is_the_variance_beyond_chance():
    rng = np.random.default_rng(10)
    steady = rng.poisson(500, 400).astype(float)
    moving = rng.poisson(500 * rng.lognormal(0, 0.2, 400)).astype(float)
    units = np.array([steady, moving, np.zeros(400)])

    found = drift(units, units, np.ones(units.shape, bool))

    assert found[0] < 0.001
    assert found[1] == pytest.approx(0.04, rel=0.3)
    assert found[2] == 0


def test_interval_of_a_small_sum_is_not_negative_and_of_none_is_none():
    low, high = predicted_interval(np.array([0.5, 0.0]), np.array([0.5, 0.0]))

    assert (low >= 0).all()
    assert high[0] > 0.5
    assert (low[1], high[1]) == (0.0, 0.0)
