"""Elasticities of the log: against scikit-learn's Poisson regression, other users' estimates and a known demand."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from sklearn.linear_model import PoissonRegressor

from gpu_pricer.evaluation.demand.catalog_demand import CatalogDemand
from gpu_pricer.evaluation.demand.observed_elasticity import observed_elasticities, rising_sales, weak_response
from gpu_pricer.evaluation.held_out.bootstrap import Bootstrap
from gpu_pricer.evaluation.held_out.offers import Log
from tests.canonical import write_canonical
from tests.evaluation.markets import policy
from tests.markets import catalog_of, small_artefact

BOOTSTRAP = Bootstrap(replicates=100, level=0.9)


def rows(**categories):
    """Return elasticity_by_category of categories with these purchases, and low ends of the regression's intervals."""
    names = ("purchases", "observed", "low", "high")
    ends = {name: (bought, low and low + 1, low, low and low + 2) for name, (bought, low) in categories.items()}
    return {name: dict(zip(names, values, strict=True)) for name, values in ends.items()}


def test_categories_whose_sales_rise_with_prices_are_a_warning_from_a_twentieth_of_the_purchases_on():
    of_few = rows(phones=(4.0, 0.5), cables=(96.0, -2.0))
    of_many = rows(phones=(6.0, 0.5), cables=(94.0, -2.0), cases=(900.0, None))

    assert rising_sales(of_few, 0.9) == []
    [line] = rising_sales(of_many, 0.9)
    assert line.startswith(
        "sales rise with prices in 1 of 2 categories, which have 6% of the purchases (90% intervals of the regression"
    )


def test_categories_whose_intervals_hold_zero_are_no_warning():
    assert rising_sales(rows(phones=(6.0, -0.1), cables=(90.0, 0.0)), 0.9) == []
    assert rising_sales({}, 0.9) == []


def test_a_response_much_weaker_than_the_logs_is_a_warning():
    in_log = {"observed": -3.0, "low": -3.4, "high": -2.6, "implied": -1.2}

    [line] = weak_response(in_log, 0.9)

    assert (
        "an elasticity of -1.20, but a regression on the same sales finds -3.00 (90% interval -3.40 to -2.60)" in line
    )
    assert weak_response(in_log | {"implied": -1.9}, 0.9) == []
    assert weak_response(in_log | {"implied": -9.0}, 0.9) == []
    assert weak_response(in_log | {"low": -5.0, "high": -1.0}, 0.9) == []
    assert weak_response(in_log | {"low": -7.0, "high": 0.1, "implied": 0.2}, 0.9) == []
    assert weak_response({}, 0.9) == weak_response(in_log | {"implied": None}, 0.9) == []


@pytest.fixture(scope="module")
def market(tmp_path_factory):
    directory = tmp_path_factory.mktemp("market") / "data"
    drawn = write_canonical(directory, users=600)
    return drawn, Log(*(pl.read_parquet(directory / f"{name}.parquet") for name in ("shelf", "choices", "visits")))


def test_estimates_are_those_of_a_poisson_regression_with_dummies_of_products_and_periods(market):
    """Product 0 is left out: its price is always carried from an earlier period."""
    _, log = market
    found = observed_elasticities(log, BOOTSTRAP, seed=0).categories

    fresh = log.shelf.filter((pl.col("price_age") == 0).all().over("product_id"))
    assert fresh["product_id"].n_unique() == log.shelf["product_id"].n_unique() - 1
    for row in found.iter_rows(named=True):
        shelf = fresh.filter(pl.col("category_id") == row["category_id"])
        buyers = log.purchases.group_by("period", "product_id").len("buyers")
        cells = shelf.join(buyers, on=["period", "product_id"], how="left").with_columns(pl.col("buyers").fill_null(0))
        products, periods = (cells.select(pl.col(of).cast(pl.String)).to_dummies() for of in ("product_id", "period"))
        effects = np.c_[products, periods.to_numpy()[:, 1:]]
        design = np.c_[effects, cells["price"].log(), cells.select("display", "mailer")]
        oracle = PoissonRegressor(alpha=0.0, fit_intercept=False, tol=1e-10, max_iter=3000).fit(design, cells["buyers"])
        assert row["observed"] == pytest.approx(oracle.coef_[effects.shape[1]], abs=1e-3)


def drawn_log(shock):
    """Forty categories of three products in 20 weeks, elasticity -2; shock: standard deviation of log demand."""
    rng, categories, weeks, users = np.random.default_rng(5), 40, 20, 240
    week, product = (index.ravel() for index in np.indices((weeks, 3 * categories)))
    price = np.exp(rng.normal(0, 0.2, len(week)))
    rate = np.minimum(0.1 * price**-2.0 * np.exp(rng.normal(0, shock, len(week))), 1)
    cell, user = np.nonzero(rng.random((len(week), users)) < rate[:, None])
    shelf = pl.DataFrame({
        "period": np.datetime64("2024-01-01") + 7 * week, "category_id": product // 3, "product_id": product,
        "price": price, "price_age": 0, "display": 0.0, "mailer": 0.0,
    })  # fmt: skip
    choices = shelf[cell].select("period", "category_id", "product_id", user_id=pl.Series(user), quantity=1.0)
    visits = shelf.select("period").unique().join(pl.DataFrame({"user_id": range(users)}), how="cross")
    return Log(shelf, choices, visits)


def test_intervals_contain_the_estimate_and_without_shocks_are_as_wide_as_other_users_estimates_spread():
    log = drawn_log(shock=0.0)
    found = observed_elasticities(log, BOOTSTRAP, seed=0).categories
    parts = [
        observed_elasticities(
            Log(log.shelf, *(table.filter(pl.col("user_id") % 6 == k) for table in (log.choices, log.visits))),
            BOOTSTRAP, seed=0,
        ).categories["observed"]
        for k in range(6)
    ]  # fmt: skip

    assert ((found["low"] < found["observed"]) & (found["observed"] < found["high"])).all()
    spread = np.std([part.to_numpy() for part in parts], axis=0, ddof=1) / np.sqrt(6)
    width = (found["high"] - found["low"]).to_numpy() / (2 * 1.645)
    assert width.mean() == pytest.approx(spread.mean(), rel=0.25)


def test_a_price_that_never_moved_identifies_nothing(market):
    _, log = market
    still = log.shelf.with_columns(
        price=pl.when(pl.col("category_id") == "c1").then(pl.col("price").first().over("product_id")).otherwise("price")
    )

    found = observed_elasticities(Log(still, log.choices, log.visits), BOOTSTRAP, seed=0).categories

    assert found.filter(pl.col("observed").is_null())["category_id"].to_list() == ["c1"]
    assert found["low"].null_count() == found["high"].null_count() == 1


def test_a_lone_purchase_at_the_lowest_price_identifies_nothing(market):
    """Any slope steep enough fits the purchase, in every replicate of the users."""
    _, log = market
    of_c1 = log.shelf.filter(pl.col("category_id") == "c1")
    lowest = of_c1.filter(pl.col("price") == pl.col("price").min()).row(0, named=True)
    is_it = (pl.col("product_id") == lowest["product_id"]) & (pl.col("period") == lowest["period"])
    lone = log.choices.filter(is_it).head(1)
    choices = pl.concat([log.choices.filter(pl.col("category_id") != "c1"), lone])

    found = observed_elasticities(Log(log.shelf, choices, log.visits), BOOTSTRAP, seed=0).categories

    assert lone.height == 1
    assert found.filter(pl.col("observed").is_null())["category_id"].to_list() == ["c1"]


def test_a_slope_that_runs_away_beside_products_that_sell_well_identifies_nothing(market):
    """One product sells at its lowest price alone; the others' prices never move, but their displays do."""
    _, log = market
    of_c1 = log.shelf.filter(pl.col("category_id") == "c1")
    lowest = of_c1.filter(pl.col("price") == pl.col("price").min()).row(0, named=True)
    is_other = (pl.col("category_id") == "c1") & (pl.col("product_id") != lowest["product_id"])
    still = pl.when(is_other).then(pl.col("price").first().over("product_id")).otherwise("price")
    is_dear = (pl.col("product_id") == lowest["product_id"]) & (pl.col("period") != lowest["period"])

    given = Log(log.shelf.with_columns(price=still), log.choices.filter(~is_dear.fill_null(False)), log.visits)
    found = observed_elasticities(given, BOOTSTRAP, seed=0).categories

    assert found.filter(pl.col("observed").is_null())["category_id"].to_list() == ["c1"]


def test_intervals_cover_the_truth_where_shocks_exceed_the_chance_of_who_buys():
    found = observed_elasticities(drawn_log(shock=0.6), BOOTSTRAP, seed=0).categories

    assert found.select(pl.lit(-2.0).is_between("low", "high").mean()).item() >= 0.8


def test_elasticity_is_that_of_units():
    """Buyers answer by -2, and what each takes by -1: about 3 units, at least one."""
    log, rng = drawn_log(shock=0.0), np.random.default_rng(6)
    bought = log.choices.join(log.shelf.select("period", "product_id", "price"), on=["period", "product_id"])
    taken = 1.0 + rng.poisson(3 / bought["price"].to_numpy() - 1)
    units = Log(log.shelf, bought.with_columns(quantity=pl.Series(taken)), log.visits)

    found = observed_elasticities(units, BOOTSTRAP, seed=0).categories

    assert found["observed"].mean() == pytest.approx(-3.0, abs=0.1)
    assert found.select(pl.lit(-3.0).is_between("low", "high").mean()).item() >= 0.8
    alone = observed_elasticities(log, BOOTSTRAP, seed=0).categories
    width = [(table["high"] - table["low"]).mean() for table in (found, alone)]
    assert width[0] < 1.5 * width[1]


def test_categories_together_count_by_their_information():
    log = drawn_log(shock=0.3)
    found = observed_elasticities(log, BOOTSTRAP, seed=0)

    assert found.total["low"] < found.total["observed"] < found.total["high"]
    assert found.total["observed"] == pytest.approx(-2.0, abs=0.1)
    width = (found.categories["high"] - found.categories["low"]).mean()
    assert found.total["high"] - found.total["low"] == pytest.approx(width / np.sqrt(40), rel=0.2)
    assert found.total["implied"] is None
    assert found.categories["implied"].null_count() == 40


def test_prices_that_are_mostly_carried_say_nothing():
    log = drawn_log(shock=0.0)
    age = pl.when((pl.col("category_id") == 3) & (pl.col("product_id") != 9) & (pl.col("price") > 1)).then(2)
    given = replace(log, shelf=log.shelf.with_columns(price_age=age.otherwise(0)))

    found, known = (observed_elasticities(of, BOOTSTRAP, seed=0).categories for of in (given, log))
    alone = observed_elasticities(
        replace(log, shelf=log.shelf.filter((pl.col("category_id") != 3) | (pl.col("product_id") == 9))),
        BOOTSTRAP, seed=0,
    ).categories  # fmt: skip

    others = pl.col("category_id") != 3
    assert found.filter(others)["observed"].to_list() == pytest.approx(known.filter(others)["observed"].to_list())
    assert found.filter(~others)["observed"].to_list() == pytest.approx(alone.filter(~others)["observed"].to_list())


def test_a_category_of_one_product_is_known_by_its_periods():
    log = drawn_log(shock=0.0)
    lone = replace(log, shelf=log.shelf.filter(pl.col("product_id") % 3 == 0))

    found = observed_elasticities(lone, BOOTSTRAP, seed=0).categories

    assert found["observed"].mean() == pytest.approx(-2.0, abs=0.15)
    assert found.select(pl.lit(-2.0).is_between("low", "high").mean()).item() >= 0.8


def test_a_log_without_a_sale_identifies_nothing():
    log = drawn_log(shock=0.0)

    found = observed_elasticities(replace(log, choices=log.choices.clear()), BOOTSTRAP, seed=0)

    assert found.total == {}
    assert found.categories.height == 40
    assert found.categories.drop("category_id").null_count().row(0) == (40, 40, 40, 40)


@pytest.fixture(scope="module")
def sold():
    """A demand of nests with a bend and units per choice that answer prices, and a log that was drawn from it."""
    artefact = small_artefact(5, segments=6, products=24, categories=4, form="dense")
    nests = pl.DataFrame({"category_id": ["c0", "c1"], "dissimilarity": [0.4, 0.7]})
    artefact = replace(
        artefact,
        info=replace(artefact.info, bend=0.7),
        products=artefact.products.with_columns(quantity_sensitivity=0.8),
        categories=nests,
    )
    demand = CatalogDemand.of(artefact, catalog_of(artefact), policy([0.09, 0.49, 0.99]))
    return demand, log_of(demand, weeks=60, users=20000)


def log_of(demand: CatalogDemand, weeks: int, users: int) -> Log:
    """Draw the units of every product and week; the products are not all on the shelf in every week."""
    rng, products = np.random.default_rng(8), demand.products
    shelf = pl.concat(
        products.select("product_id", "category_id", price=pl.col("price") * pl.Series(moves), period=pl.lit(week))
        for week, moves in enumerate(np.exp(rng.normal(0, 0.25, (weeks, products.height))))
    )
    shelf = shelf.filter(pl.Series(rng.random(shelf.height) < 0.9))
    visits = demand.problem.segments.visits.sum()
    units = pl.Series(rng.poisson(users / visits * np.exp(demand.log_units(shelf))))
    choices = shelf.with_columns(user_id=pl.int_range(pl.len()) % users, quantity=units).filter(units > 0)
    seen = pl.DataFrame({"user_id": range(users)}).join(shelf.select("period").unique(), how="cross")
    return Log(shelf.with_columns(price_age=0, display=0.0, mailer=0.0), choices, seen)


def test_the_demand_that_sold_implies_what_the_log_shows(sold):
    demand, log = sold
    found = observed_elasticities(log, BOOTSTRAP, 0, demand)

    assert found.total["implied"] == pytest.approx(found.total["observed"], rel=0.03)
    of_categories = found.categories
    assert of_categories["implied"].to_list() == pytest.approx(of_categories["observed"].to_list(), rel=0.1)


def test_a_demand_half_as_sensitive_implies_half_the_elasticity(sold):
    demand, log = sold
    artefact = demand.artefact
    factors = artefact.factors | {"sensitivity": artefact.factors["sensitivity"] / 2}
    half = replace(artefact, factors=factors, products=artefact.products.with_columns(quantity_sensitivity=0.4))
    other = CatalogDemand.of(half, demand.catalog, demand.policy)

    found = observed_elasticities(log, BOOTSTRAP, 0, other)

    assert found.total["implied"] / found.total["observed"] == pytest.approx(0.5, abs=0.1)


def test_a_demand_that_lacks_most_products_of_a_category_implies_nothing_of_it(sold):
    demand, log = sold
    kept = demand.catalog.filter((pl.col("category_id") != "c2") | (pl.col("product_id") == "p002"))
    other = CatalogDemand.of(demand.artefact, kept, demand.policy)

    found = observed_elasticities(log, BOOTSTRAP, 0, other).categories

    assert found.filter(pl.col("implied").is_null())["category_id"].to_list() == ["c2"]
    assert found["observed"].null_count() == 0


def test_sales_that_a_price_separates_leave_other_categories_as_they_are():
    """Category 0 sells a thousand units in its cheapest cell and nothing else."""
    log = drawn_log(shock=0.0)
    cheapest = log.shelf.filter(pl.col("category_id") == 0).sort("price").head(1).select("period", "product_id")
    one = (
        log.choices.filter(pl.col("category_id") == 0).head(1).drop("period", "product_id").join(cheapest, how="cross")
    )
    others = log.choices.filter(pl.col("category_id") != 0)
    choices = pl.concat([others, one.with_columns(quantity=1000.0)], how="diagonal")

    found = observed_elasticities(replace(log, choices=choices), BOOTSTRAP, seed=0).categories
    alone = observed_elasticities(log, BOOTSTRAP, seed=0).categories

    assert found["observed"][0] is None
    assert found["observed"][1:].to_list() == pytest.approx(alone["observed"][1:].to_list())
