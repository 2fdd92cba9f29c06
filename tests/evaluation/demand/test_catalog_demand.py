"""A demand on a catalog: purchases, elasticities, response curves and the value of its segments."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from gpu_pricer.evaluation.demand.catalog_demand import CatalogDemand
from gpu_pricer.evaluation.demand.price_response import arc_response, artefact_response, raise_prices, response_curves
from gpu_pricer.evaluation.demand.segmentation import segmentation_value
from tests.evaluation.markets import policy
from tests.markets import NO_RULES, a_policy, catalog_of, small_artefact


@pytest.fixture(scope="module")
def demand() -> CatalogDemand:
    artefact = small_artefact(5, segments=6, products=20, categories=5)
    return CatalogDemand.of(artefact, catalog_of(artefact), policy([0.09, 0.49, 0.99]))


def test_elasticities_are_slopes_of_purchases_that_only_the_own_price_moves(demand):
    cells = demand.elasticities()

    assert (cells["elasticity"] < 0).all()
    assert cells["purchases"].sum() == pytest.approx(demand.purchases(1.0).sum())


def test_the_largest_categories_keep_their_demand(demand):
    bought = demand.products.select("category_id").with_columns(purchases=demand.purchases(1.0).sum(axis=1))
    most = bought.group_by("category_id").agg(pl.col("purchases").sum()).sort("purchases", descending=True).head(2)

    largest = demand.largest(2)

    assert set(largest.products["category_id"]) == set(most["category_id"])
    assert largest.purchases(1.0).sum() == pytest.approx(most["purchases"].sum())


def test_a_category_without_a_product_on_the_shelf_is_none_of_the_largest():
    artefact = small_artefact(5, segments=6, products=20, categories=5)
    share = pl.when(pl.col("category_id") == "c3").then(0.0).otherwise(1.0)
    catalog = catalog_of(artefact).with_columns(availability=share)
    demand = CatalogDemand.of(artefact, catalog, policy([0.09, 0.49, 0.99]))

    largest = demand.largest(9)

    assert set(largest.products["category_id"]) == {"c0", "c1", "c2", "c4"}
    assert set(largest.products["category_id"]) == set(demand.elasticities()["category_id"])


def test_rules_of_catalog_columns_hold_in_the_largest_categories_too():
    artefact = small_artefact(5, segments=6, products=20, categories=5)
    catalog = catalog_of(artefact).with_columns(most=pl.col("price") * 0.9)
    rules = a_policy(replace(NO_RULES, ceiling_column="most"), ladder=None)

    largest = CatalogDemand.of(artefact, catalog, rules).largest(2)

    most = largest.products.join(catalog.select("product_id", "most"), on="product_id", maintain_order="left")["most"]
    assert (largest.problem.limits.high / 100 <= most.to_numpy()).all()


def test_means_of_elasticities_count_purchases():
    cells = pl.DataFrame(
        {"category_id": ["c", "c", "d"], "elasticity": [-1.0, -3.0, 0.5], "purchases": [3.0, 1.0, 4.0]}
    )
    observed = pl.DataFrame({"category_id": ["c"], "observed": [-2.0], "low": [-3.0], "high": [-1.0]})

    found = artefact_response(cells, [observed])

    assert found["mean_elasticity"] == pytest.approx((-3 - 3 + 2) / 8)
    assert found["share_rising"] == pytest.approx(1 / 3)
    expected = {"elasticity": -1.5, "purchases": 4.0, "observed": -2.0, "low": -3.0, "high": -1.0}
    assert found["elasticity_by_category"]["c"] == expected
    assert found["elasticity_by_category"]["d"]["observed"] is None


def test_an_arc_elasticity_recovers_a_constant_one():
    offers = pl.DataFrame({"category_id": ["c", "d"], "price": [2.0, 3.0], "weight": [1.0, 5.0]})
    probability = 0.1 * offers["price"].to_numpy() ** -2.0

    found = arc_response(offers, probability, 0.1 * raise_prices(offers)["price"].to_numpy() ** -2.0)

    assert found["mean_elasticity"] == pytest.approx(-2.0)
    assert found["elasticity_by_category"]["d"]["elasticity"] == pytest.approx(-2.0)
    assert found["share_rising"] == 0.0


def test_response_curves_fall_and_pass_through_today(demand):
    curves = response_curves(demand)

    for _, curve in curves.group_by("category_id"):
        assert (np.diff(curve.sort("price_level")["units"]) < 0).all()
    today = curves.filter((pl.col("price_level") - 1).abs() < 1e-9)
    per_choice = demand.problem.products.units_per_choice[:, None]
    expected = 1000 * (per_choice * demand.purchases(1.0)).sum() / demand.problem.segments.visits.sum()
    assert today["units"].sum() == pytest.approx(expected)
    assert (curves["support_low"] < 1).all()


def test_more_segments_earn_no_less_and_fit_the_purchases_that_they_predict_no_worse(demand):
    offers = expected_offers(demand)

    value = segmentation_value(demand, offers)

    assert value["segments"].to_list() == [1, 4, 6]
    assert (np.diff(value["profit"]) >= 0).all()
    assert value["profit"][-1] > value["profit"][0]
    assert (np.diff(value["log_loss"]) <= 0).all()
    assert segmentation_value(demand, None)["log_loss"].null_count() == 3


def test_the_held_out_segments_may_have_any_ids(demand):
    offers = expected_offers(demand)
    others = offers.with_columns(segment_id=(pl.col("segment_id").rank("dense") * 5 % 7).cast(pl.Int64))

    assert others["segment_id"].n_unique() == offers["segment_id"].n_unique()
    expected = segmentation_value(demand, offers)["log_loss"].to_list()
    assert segmentation_value(demand, others)["log_loss"].to_list() == pytest.approx(expected)


def expected_offers(demand: CatalogDemand) -> pl.DataFrame:
    """Return every cell as a bought and as another offer, weighted with the numbers that the demand expects."""
    chance, visits = demand.shares(1.0).ravel(), np.tile(demand.problem.segments.visits, len(demand.products))
    products, segments = len(demand.products), len(demand.problem.segments.visits)
    cells = pl.DataFrame(
        {
            "segment_id": demand.problem.segments.segment_id.gather(np.tile(np.arange(segments), products)),
            "product_id": demand.products["product_id"].gather(np.repeat(np.arange(products), segments)),
            "period": 0,
            "artefact_probability": chance,
        }
    )
    bought = cells.with_columns(bought=pl.lit(True), weight=visits * chance)
    both = pl.concat([bought, cells.with_columns(bought=pl.lit(False), weight=visits * (1 - chance))])
    return both.filter(pl.col("artefact_probability") > 0)


def test_units_at_todays_prices_of_todays_shelf_are_those_of_today(demand):
    rows = demand.products.filter(pl.Series(demand.shelf.on_shelf)).with_columns(period=pl.lit(1))

    found = demand.log_units(rows.select("product_id", "period", "price"))

    expected = demand.shares(1.0) @ demand.problem.segments.visits
    assert np.exp(found) == pytest.approx(expected[demand.shelf.on_shelf])


@pytest.mark.parametrize("bend", [0.0, 0.6])
def test_units_at_other_prices_are_those_of_the_response_itself(bend):
    """One product, one segment: choices are a logit with a bent utility, and units fall with a power of the price."""
    artefact = small_artefact(5, segments=1, products=1, categories=1, form="dense")
    appeal, b = (float(artefact.factors[name][0, 0]) for name in ("appeal", "sensitivity"))
    kappa, availability = 0.3 * b, 0.8
    products = artefact.products.with_columns(quantity_sensitivity=kappa, availability=availability)
    artefact = replace(artefact, info=replace(artefact.info, bend=bend), products=products)
    reference = products["reference_price"][0]
    catalog = catalog_of(artefact).with_columns(price=pl.lit(round(0.9 * reference, 2)))
    demand = CatalogDemand.of(artefact, catalog, policy(None))
    prices = reference * np.array([0.3, 0.7, 0.9, 1.0, 1.4])

    found = demand.log_units(pl.DataFrame({"product_id": "p000", "period": range(5), "price": prices}))

    now, at = catalog["price"][0] / reference, prices / reference
    steep = 1 - bend + bend / now
    fallen = (1 - bend) * (at - now) + bend * np.log(at / now)
    today = appeal + np.log(availability) - b * (now - 1)
    utility = today - (b - kappa) * fallen / steep - kappa * now * np.log(at / now)
    expected = np.log(artefact.segments["visits"][0] / (1 + np.exp(-utility)))
    assert found == pytest.approx(expected, rel=1e-5)


def test_units_of_a_product_that_the_demand_lacks_are_unknown(demand):
    rows = pl.DataFrame({"product_id": ["p001", "nowhere"], "period": [0, 0], "price": [2.0, 2.0]})

    assert np.isnan(demand.log_units(rows)).tolist() == [False, True]


def test_units_at_absurd_prices_are_unknown_or_finite(demand):
    product = demand.products.row(0, named=True)
    prices = [product["price"] * times for times in (1e-4, 1.0, 1e4)]

    found = demand.log_units(pl.DataFrame({"product_id": product["product_id"], "period": range(3), "price": prices}))

    assert not np.isinf(found).any()
    assert found[0] > found[1]
