"""Jobs on a demand artefact with nested categories: prices, their derivation, and prices over draws."""

import polars as pl
import pytest

from gpu_pricer.tables.price_table import PARTS, scan_prices
from tests.jobs.test_explain import numbers, part_line
from tests.markets import catalog_of, small_artefact, with_dissimilarity, with_posterior
from tests.pricing.logit import category_value, dense_demand
from tests.shops import lay_out

ARTEFACT = with_posterior(small_artefact(61, segments=4, products=24, categories=6), 0.1)
NESTED = with_dissimilarity(ARTEFACT, {"c0": 0.4, "c1": 0.2, "c2": 1.0})
CATALOG = catalog_of(NESTED)


def test_a_nested_price_is_derived_as_the_table_says(gpu_pricer, tmp_path):
    lay_out(tmp_path, NESTED, CATALOG)
    scored = gpu_pricer("score", "policy=profit", "score.details=[parts]", "paths.shards=prices/one")

    ended = gpu_pricer("explain", "product=p007", "segment=s2", "paths.shards=prices/one")

    assert scored.status == ended.status == 0
    prices = scan_prices(tmp_path / "prices/one").collect()
    row = prices.filter(product_id="p007", segment_id="s2").row(0, named=True)
    for part in PARTS:
        found = numbers(part_line(part, ended.out))[0]
        assert found == pytest.approx(float(row[part]), abs=0.011)
    names = sorted(NESTED.products.filter(category_id="c1")["product_id"])
    mine = prices.filter(pl.col("product_id").is_in(names), segment_id="s2").sort("product_id")
    price, demand = mine["price"].cast(pl.Float64).to_numpy(), dense_demand(NESTED)
    earned = category_value(NESTED, CATALOG, demand.index("s2"), names, price)
    assert mine["expected_profit"].sum() == pytest.approx(1000 * earned, rel=1e-5)


def test_prices_over_draws_have_intervals_around_their_means(gpu_pricer, tmp_path):
    lay_out(tmp_path, NESTED, CATALOG)
    overrides = ("policy=profit", "uncertainty=posterior", "score.details=[interval]", "paths.shards=prices/drawn")

    ended = gpu_pricer("score", *overrides)

    assert ended.status == 0
    prices = scan_prices(tmp_path / "prices/drawn").collect()
    assert prices.height == NESTED.products["product_id"].count() * 4
    assert (prices["profit_low"] < prices["profit_high"]).any()
    assert (prices["profit_low"] <= prices["expected_profit"]).mean() > 0.9
