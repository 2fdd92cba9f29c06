"""pricetest: a plan that `score` follows night by night, and that teaches what the log did not know."""

from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest

from tests.jobs.test_begun_period import market_of, prepared
from tests.markets import catalog_of, small_artefact, with_posterior
from tests.shops import lay_out, run_job

ARTEFACT = with_posterior(small_artefact(11, segments=2, products=12, categories=3), 2.0, draws=40)
CATALOG = catalog_of(ARTEFACT).with_columns(brand=pl.lit("own"), availability=1.0)
ALL = "pricetest.where='price > 0'"
DAY = "day=2026-01-03"


@pytest.fixture
def shop(tmp_path):
    """A shop, as working directory of the gpu_pricer fixture, whose next period begins on 2026-01-05."""
    return lay_out(tmp_path, ARTEFACT, CATALOG)


def plan_of(shop):
    return {path.stem: pl.read_csv(path) for path in sorted((shop / "work/price_test").iterdir())}


def scored(shop, day):
    settings = ("backend=cpu", "policy=profit", "policy.overrides=work/price_test", "score.details=[note]")
    assert run_job(shop, "score", *settings, f"day={day}", f"paths.shards=out/{day}") == 0
    return pl.read_parquet(shop / f"out/{day}/*.parquet").with_columns(pl.col("price").cast(pl.Float64))


def test_score_follows_the_plan_from_its_first_day_to_its_last(shop, gpu_pricer):
    ended = gpu_pricer("pricetest", ALL, DAY, "backend=cpu", "policy=profit", "pricetest.periods=6")

    assert ended.status == 0, ended.said
    plan = plan_of(shop)
    first = date(2026, 1, 5)
    assert [*plan] == [str(first + timedelta(weeks=week)) for week in range(7)]
    assert plan["2026-02-16"].is_empty()
    for day, of_day in (("2026-01-05", "2026-01-05"), ("2026-01-18", "2026-01-12"), ("2026-02-15", "2026-02-09")):
        tested = scored(shop, day).join(plan[of_day], on="product_id", suffix="_planned")
        assert tested.height == 2 * plan[of_day].height > 0
        assert tested["price"].to_list() == tested["price_planned"].to_list()
        assert set(tested["note"]) == {"price test"}
    before, after = (scored(shop, day) for day in ("2026-01-04", "2026-02-16"))
    assert set(before["binding"]) | set(after["binding"]) & {"override"} == set(before["binding"])
    assert before["price"].to_list() == after["price"].to_list()


def test_last_screen_says_what_is_tested_and_how_to_go_on(shop, gpu_pricer):
    ended = gpu_pricer("pricetest", DAY, "backend=cpu", "policy=profit", "pricetest.periods=6")

    lines = ended.out.splitlines()
    categories = CATALOG.filter(pl.col("product_id").is_in(plan_of(shop)["2026-01-05"]["product_id"]))["category_id"]
    assert lines[0] == f"a price test of {len(categories)} products in {categories.n_unique()} categories"
    assert lines[1] == "  6 periods of 7 days, from 2026-01-05 to 2026-02-15: work/price_test"
    assert lines[2].startswith("  expected profit of these categories per period ")
    assert lines[4] == "every night: gpu-pricer score backend=cpu policy=profit policy.overrides=work/price_test"


@pytest.mark.parametrize(("words", "said"), [
    ([r"pricetest.where='brand = \'other\''"], "must choose products on the shelf whose prices may move, found 0 "),
    ([r"pricetest.where='colour = \'red\''"], "pricetest.where must be a condition over columns of the catalog"),
    (["pricetest.periods=5"], "pricetest.periods must be a whole number of at least 6"),
    ([ALL, "policy.bounds.max_increase=0", "policy.bounds.max_decrease=0"], "found 12 that may not"),
])  # fmt: skip
def test_a_test_of_nothing_is_refused(shop, refused, words, said):
    assert said in refused("pricetest", DAY, "backend=cpu", "policy=profit", *words)


def test_without_a_category_to_test_products_are_asked_for(refused, tmp_path):
    lay_out(tmp_path, with_posterior(ARTEFACT, 0.05, draws=40), CATALOG)

    said = refused("pricetest", DAY, "backend=cpu", "policy=profit")

    assert "found none on the shelf: choose products, such as pricetest.where='price < 5'" in said


def test_a_plan_that_is_there_stays(shop, gpu_pricer, refused):
    gpu_pricer("pricetest", ALL, DAY, "policy=profit")

    assert refused("pricetest", ALL, DAY, "policy=profit") == (
        "work/price_test must not be there before a price test is planned, found one: remove it or use it"
    )


def sales_at(price, base, sensitivity, rng):
    """Transactions of weeks with prices [T, P]: 1,500 users, of whom three in five come, choose in each category."""
    appeal, found = rng.normal(-2.0, 0.4, len(base)), []
    for week, today in enumerate(price):
        utility = appeal - sensitivity * (today / base - 1)
        for own in np.split(np.arange(len(base)), 3):
            came = np.flatnonzero(rng.random(1500) < 0.6)
            noisy = np.concatenate([[0.0], utility[own]]) + rng.gumbel(size=(len(came), len(own) + 1))
            chosen = noisy.argmax(axis=1) - 1
            user, product = came[chosen >= 0], own[chosen[chosen >= 0]]
            when = pl.repeat(date(2025, 10, 6) + timedelta(weeks=week), len(user), eager=True)
            found.append(pl.DataFrame({"user_id": user, "product_id": product, "time": when,
                                       "quantity": 1, "price": today[product]}))  # fmt: skip
    return pl.concat(found)


def test_a_log_of_constant_prices_teaches_a_response_once_it_has_the_test(tmp_path):
    """Three categories of very different responses: thirteen weeks of constant prices, then nine of the test."""
    row = np.arange(12)
    numbered = {"product_id": pl.Series(row), "category_id": pl.Series([f"c{number // 4}" for number in row])}
    artefact = replace(ARTEFACT, products=ARTEFACT.products.with_columns(**numbered, availability=1.0))
    shop = lay_out(tmp_path / "shop", artefact, catalog_of(artefact))
    assert run_job(shop, "pricetest", ALL, DAY, "policy=profit") == 0
    base = catalog_of(artefact).sort("product_id")["price"].to_numpy()
    price = np.tile(base, (22, 1))
    for week, table in enumerate([*plan_of(shop).values()][:-1], start=13):
        price[week, table["product_id"]] = table["price"]
    truth = np.array([0.5, 2.0, 4.0])
    sales = sales_at(price, base, np.repeat(truth, 4), np.random.default_rng(7))
    constant = sales.filter(pl.col("time") < date(2025, 10, 6) + timedelta(weeks=13))

    before, after = (
        market_of(prepared(tmp_path / name, log)).household.fit.category_sensitivity()[0].numpy()
        for name, log in (("before", constant), ("after", sales))
    )

    assert np.ptp(before) < 0.05
    assert (np.diff(after) > 0.7).all()
    assert np.abs(np.log(after / truth)).max() < 0.6
