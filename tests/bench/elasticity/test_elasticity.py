"""The regression against one with dummies, and the ratio on units that answer prices as an artefact says."""

from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest
from sklearn.linear_model import PoissonRegressor

from tests.bench.elasticity.__main__ import judged
from tests.bench.elasticity.cells import EVERYDAY, LEAST_LINES, Cells, cells_of, halves
from tests.bench.elasticity.implied import of_bent_response, responses
from tests.bench.elasticity.poisson import poisson_regression
from tests.markets import small_artefact

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
    ids = cells.table["product_id"].unique().sort()
    found = pl.DataFrame({"product_id": ids, "reference_price": 2.0, "response": share * RESPONSE, "bend": 0.0})
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
    ids = cells.table["product_id"].unique().sort()
    found = pl.DataFrame({"product_id": ids, "reference_price": 2.0, "response": RESPONSE, "bend": 0.0})

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
    ids = cells.table["product_id"].unique().sort()
    found = pl.DataFrame({"product_id": ids, "reference_price": 2.0, "response": RESPONSE, "bend": 0.0})

    regression = judged(half, [half, half], found)["regression"]

    assert regression["units"][0] > -1.6
    assert regression["units_instrumented"][0] == pytest.approx(-RESPONSE, rel=0.1)


def test_response_of_an_artefact_is_its_sensitivity_to_a_price():
    artefact = small_artefact(0, segments=1, products=4, categories=2, form="dense")

    found = responses(artefact).sort("product_id")

    known = artefact.products.with_row_index("row").filter(pl.col("availability") > 0)
    weight = np.exp(artefact.factors["appeal"][0, known["row"]].astype(float)) * known["availability"].to_numpy()
    total = [1 + weight[(known["category_id"] == name).to_numpy()].sum() for name in known["category_id"]]
    expected = artefact.factors["sensitivity"][0, known["row"]] * (1 - weight / total)
    np.testing.assert_allclose(found["response"], expected, rtol=1e-6)


@pytest.mark.parametrize("bend", [0.0, 0.4, 1.0])
def test_bent_response_is_touched_by_the_artefact_at_today_s_price(bend):
    artefact = pl.DataFrame({"product_id": [1, 2], "reference_price": [2.0, 4.0], "response": [1.5, 3.0], "bend": 0.0})
    today = pl.DataFrame({"product_id": [2, 1], "price": [5.0, 1.5]})

    found = of_bent_response(artefact, today, bend)

    ratio, response = np.array([1.5 / 2.0, 5.0 / 4.0]), found["response"].to_numpy()
    ends = [response * ((1 - bend) * (x - 1) + bend * np.log(x)) for x in (ratio + 1e-5, ratio - 1e-5)]
    np.testing.assert_allclose((ends[0] - ends[1]) / 2e-5, artefact["response"], rtol=1e-6)
    assert found["bend"].to_list() == [bend, bend]


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
