"""The regression against one with dummies, and the ratio on units that answer prices as an artefact says."""

from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest
from sklearn.linear_model import PoissonRegressor

from tests.bench.elasticity.__main__ import judged
from tests.bench.elasticity.cells import EVERYDAY, KEY, LEAST_LINES, Cells, cells_of, halves
from tests.bench.elasticity.implied import Response
from tests.bench.elasticity.poisson import poisson_regression
from tests.markets import probabilities, small_artefact, with_dissimilarity

WEEKS, PRODUCTS, RESPONSE = 52, 12, 1.8


@pytest.fixture(scope="module")
def cells():
    """Units that answer the price by exp(−RESPONSE · (price / 2 − 1)), displays and the season, with no noise."""
    rng = np.random.default_rng(0)
    shape = WEEKS, PRODUCTS
    everyday = 2 * np.exp(rng.normal(0.05, 0.1, shape)) * np.exp(rng.normal(0, 0.05, PRODUCTS))
    price = everyday * np.exp(-np.abs(rng.normal(0, 0.15, shape)))
    display = rng.random(shape) < 0.2
    season = rng.normal(0, 0.4, (WEEKS, 2))[:, np.arange(PRODUCTS) % 2]
    units = 100 * np.exp(rng.normal(0, 0.5, PRODUCTS) + season + 0.5 * display - RESPONSE * (price / 2 - 1))
    week, product = (index.ravel() for index in np.indices(shape))
    return Cells(
        pl.DataFrame({
            "product_id": [f"p{number:03d}" for number in product],
            "period": [date(2024, 1, 1) + timedelta(weeks=int(number)) for number in week],
            "category_id": [f"c{number % 2}" for number in product],
            "units": units.ravel(), "price": price.ravel(), **dict.fromkeys(EVERYDAY, everyday.ravel()),
            "display": display.ravel().astype(float), "mailer": rng.random(shape).ravel(),
        }).sort("product_id", "period")
    )  # fmt: skip


def linear_response(cells, slope, appeal=-15.0):
    """Choices that answer a price over the reference price of 2 evenly; units per choice do not."""
    products = cells.table.select("product_id", "category_id").unique(maintain_order=True)
    products = products.with_columns(reference_price=2.0, ratio=1.0, quantity_share=0.0, dissimilarity=1.0)
    appeals, slopes = (np.full((1, products.height), value) for value in (appeal, slope))
    return Response(products, appeals, slopes, np.ones(1), 0.0, cells.table.select(*KEY, "price"))


def test_regression_is_the_one_with_a_dummy_for_every_effect(cells):
    rng = np.random.default_rng(1)
    outcome = rng.poisson(cells.table["units"].to_numpy() / 20).astype(float)
    dummies = [np.eye(effect.max() + 1)[effect] for effect in cells.effects]
    oracle = PoissonRegressor(alpha=0, solver="newton-cholesky", max_iter=1000, tol=1e-8, fit_intercept=False)
    everything = np.column_stack([cells.log("price"), dummies[0], np.delete(dummies[1], [0, WEEKS], axis=1)])

    found = poisson_regression(outcome, cells.log("price"), cells.effects)

    np.testing.assert_allclose(found.coefficient, oracle.fit(everything, outcome).coef_[:3], atol=1e-4)


def test_effects_without_any_outcome_are_left_out(cells):
    outcome = np.where(cells.effects[0] == 3, 0.0, cells.table["units"].to_numpy())

    found = poisson_regression(outcome, cells.log("price"), cells.effects)

    assert (found.mean[cells.effects[0] == 3] == 0).all()
    assert np.isfinite(found.coefficient).all()


@pytest.mark.parametrize("share", [1.0, 0.5])
def test_ratio_is_how_much_of_the_response_the_artefact_has(cells, share):
    found = linear_response(cells, share * RESPONSE)
    half = replace(cells, table=cells.table.with_columns(seen=pl.col("price")))

    block = judged(cells, [half, half], found)

    assert block["ratio_units"] == pytest.approx(share, rel=0.01)
    assert block["ratio_units_instrumented"] == pytest.approx(share, rel=0.01)
    for name in ("base", "deal", "base_paid", "deal_paid"):
        assert block[f"ratio_{name}"] == pytest.approx(share, rel=0.02)
    for fifth, own in zip(block["fifths"]["regression"], block["fifths"]["ours"], strict=True):
        assert own / fifth == pytest.approx(share, rel=0.03)
    assert block["fifths"]["displays"] == pytest.approx([0.5] * 5, abs=0.05)


def test_everyday_price_and_cut_are_compared_each_with_its_own_response(cells):
    """Units that answer the everyday price half as much as a cut, of which the artefact knows nothing."""
    logs, units = cells.split("everyday"), cells.table["units"].to_numpy()
    half = Cells(cells.table.with_columns(units=units * np.exp(0.5 * RESPONSE * logs[:, 0]), seen=pl.col("price")))
    found = linear_response(cells, RESPONSE)

    block = judged(half, [half, half], found)

    assert block["ratio_base"] == pytest.approx(2, rel=0.1)
    assert block["ratio_deal"] == pytest.approx(1, rel=0.05)


def test_fifths_of_the_products_are_ordered_by_units_sold(cells):
    table = cells.table.with_columns(fifth=cells.fifth)

    sold = table.group_by("product_id").agg(pl.col("units").sum(), pl.col("fifth").first()).sort("units")

    assert sold["fifth"].is_sorted()
    assert sold["fifth"].unique().sort().to_list() == [0, 1, 2, 3, 4]


def test_instrument_undoes_what_errors_of_the_price_take_away(cells):
    rng = np.random.default_rng(2)
    own, other = (cells.table["price"] * np.exp(rng.normal(0, 0.08, cells.table.height)) for _ in range(2))
    half = Cells(cells.table.with_columns(price=own, seen=other))
    found = linear_response(half, RESPONSE)

    regression = judged(half, [half, half], found)["regression"]

    assert regression["units"][0] > -1.6
    assert regression["units_instrumented"][0] == pytest.approx(-RESPONSE, rel=0.1)


def test_products_of_a_category_share_its_visits(cells):
    """A logit in which each product has a tenth of the visits: its own elasticity is smaller by as much."""
    utility = -0.7 - RESPONSE * (pl.col("price") / 2 - 1)
    total = 1 + utility.exp().sum().over("category_id", "period")
    half = Cells(cells.table.with_columns(units=1000 * utility.exp() / total, seen=pl.col("price")))

    block = judged(half, [half, half], linear_response(half, RESPONSE, appeal=-0.7))

    assert block["ratio_units"] == pytest.approx(1, rel=0.01)


def artefact_of_units(segments):
    """An artefact in nests whose products answer prices by choices and by units per choice, and today's prices."""
    artefact = small_artefact(0, segments=segments, products=4, categories=2, form="dense")
    artefact = with_dissimilarity(artefact, {"c0": 0.4, "c1": 1.0})
    products = artefact.products.with_columns(quantity_sensitivity=pl.lit(0.3), availability=pl.lit(1.0))
    ratio = pl.Series(np.linspace(0.8, 1.3, products.height))
    return replace(artefact, products=products), products.select("product_id", price=ratio * pl.col("reference_price"))


def offered(today, factors=(1.0,)):
    """A shelf with all products at today's prices times each factor, in one period after the other."""
    days = [date(2024, 1, 1) + timedelta(weeks=week) for week in range(len(factors))]
    weeks = pl.DataFrame({"period": days, "factor": pl.Series(factors, dtype=pl.Float64)})
    return today.join(weeks, how="cross").select("product_id", "period", price=pl.col("price") * pl.col("factor"))


@pytest.mark.parametrize("bend", [0.0, 0.4, 1.0])
def test_units_are_those_of_nested_logits_at_the_prices_of_the_whole_category(bend):
    """Each segment by its own response, so that those who answer most are left least where prices are high."""
    artefact, today = artefact_of_units(segments=3)
    now = today["price"].to_numpy() / artefact.products["reference_price"].to_numpy()
    at, visits = now * np.linspace(0.6, 1.5, len(now)), artefact.segments["visits"].to_numpy()
    asked = offered(today.with_columns(price=at * artefact.products["reference_price"]))

    found = Response.of(artefact, today, offered(today), bend).log_units(asked)

    chosen = visits[:, None] * probabilities(artefact, now - 1)
    share = 0.3 / ((chosen * artefact.factors["sensitivity"]).sum(0) / chosen.sum(0))
    curve = ((1 - bend) * (at - now) + bend * np.log(at / now)) / (1 - bend + bend / now)
    move = now - 1 + (1 - share) * curve + share * now * np.log(at / now)
    np.testing.assert_allclose(found, np.log(visits @ probabilities(artefact, move)), rtol=1e-5)


def test_a_period_has_its_own_shelf_and_rows_their_own_prices():
    artefact, today = artefact_of_units(segments=2)
    shelf = offered(today, [1.0, 1.4])
    alone = shelf.filter(pl.col("product_id") == today["product_id"][0])
    dearer = alone.with_columns(pl.col("price") * 1.2)

    response = Response.of(artefact, today, shelf, 0.4)
    both, own = response.log_units(shelf), response.log_units(alone)
    risen = response.log_units(dearer)
    missing = Response.of(artefact, today, alone, 0.4).log_units(alone)

    np.testing.assert_allclose(own, both[:2])
    assert (risen < own).all()
    assert (missing > own).all()


def test_what_the_artefact_does_not_know_is_left_out():
    artefact, today = artefact_of_units(segments=1)
    unknown = pl.DataFrame({"product_id": ["nothing"], "price": [1.0]}, schema=today.schema)

    found = Response.of(artefact, today, offered(today), 0.0).log_units(offered(unknown))

    assert np.isnan(found).all()


def test_cells_are_those_of_products_seen_often_and_halves_know_the_others_price():
    days = [date(2024, 1, 1) + timedelta(weeks=week) for week in range(50)]
    shelf = pl.DataFrame({"product_id": ["a", "b"], "price_age": [0, 1]}).join(
        pl.DataFrame({"period": days}), how="cross"
    )
    shelf = shelf.with_columns(
        category_id=pl.lit("c"), price=pl.lit(2.0), list_price=pl.lit(2.5), display=0.0, mailer=0.0
    )
    choices = pl.DataFrame({"product_id": ["a", "b"] * LEAST_LINES, "quantity": 2.0}).with_columns(
        period=pl.lit(days[0])
    )
    products = pl.DataFrame({"product_id": ["a", "b"], "has_unit_price": [1.0, 1.0]})
    lines = pl.DataFrame({
        "user_id": [0, 1, 1], "product_id": "a", "period": days[0], "quantity": [1, 2, 3], "price": [2.0, 2.2, 2.2],
        "list_price": 2.5,
    })  # fmt: skip

    shelf = shelf.with_columns(price=pl.when(pl.col("period") == days[-1]).then(1.5).otherwise("price"))
    cells = cells_of(products, shelf, choices)
    found = [part.table.select("units", "price", "seen").rows() for part in halves(cells, lines)]

    assert cells.table["product_id"].unique().to_list() == ["a"]
    assert cells.table["units"].sum() == 2 * LEAST_LINES
    assert cells.table.row(-1, named=True) | {"price": 1.5, "everyday": 2.5, "everyday_paid": 2.0} == cells.table.row(
        -1, named=True
    )
    assert found == [[(1.0, 2.0, 2.2)], [(5.0, 2.2, 2.0)]]
