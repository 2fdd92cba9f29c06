"""The catalog as a policy reads it, and what is said of a policy on the way."""

import logging
from dataclasses import replace
from datetime import date, timedelta

import polars as pl
import pytest

from gpu_pricer.errors import InputError
from gpu_pricer.policy.rule_columns import with_rule_columns
from gpu_pricer.tables.version.price_history import EarlierPrices
from gpu_pricer.versions.priced_catalog import continued_catalog, read_priced_catalog, warn_of_idle_rules
from tests.markets import NO_RULES, a_policy, catalog_of, small_artefact


@pytest.mark.parametrize(
    ("rules", "said"),
    [
        ({"max_increase": 30}, ["policy.bounds.max_increase=30 lets a price rise by 3000 %; 0.3 is 30 %"]),
        (
            {"anchor": {"column": "cost", "max_increase": 3}},
            ["policy.bounds.anchor.max_increase=3 lets a price rise by 300 %; 0.3 is 30 %"],
        ),
        ({"max_increase": 1.0}, []),
    ],
)
def test_a_bound_that_may_have_been_meant_in_percent_is_said(tmp_path, caplog, rules, said):
    catalog_of(small_artefact(3, segments=1, products=2, categories=1)).write_parquet(tmp_path / "products.parquet")
    policy = a_policy(replace(NO_RULES, **rules))

    with caplog.at_level(logging.WARNING):
        read_priced_catalog(tmp_path / "products.parquet", policy, tmp_path / "prices", date(2026, 11, 27))

    assert [record.message for record in caplog.records] == said


@pytest.mark.parametrize(
    ("rules", "said"),
    [
        (
            {"frozen": "brand = 'Bosh'"},
            "policy.bounds.frozen=\"brand = 'Bosh'\" freezes nothing: it holds for no product of the catalog",
        ),
        ({"frozen": "brand = 'Bosch'"}, None),
        ({"floor_column": "floor"}, "policy.bounds.floor_column limits no price: floor is null for every product"),
        ({"ceiling_column": "price"}, None),
        ({"anchor": {"column": "floor", "max_increase": 0.1}}, "policy.bounds.anchor.column limits no price: floor is"),
        (
            {"competitor_columns": ["floor", "floor"], "max_above_competitor": 0.1},
            "policy.bounds.competitor_columns limits no price: floor, floor is null",
        ),
        ({"competitor_columns": ["floor", "price"], "max_above_competitor": 0.1}, None),
        ({"below_list_price": True}, "policy.bounds.below_list_price limits no price: list_price is null"),
        ({"family_column": "product_id"}, "policy.bounds.family_column=product_id joins no prices: no two products"),
        ({"family_column": "category_id"}, None),
        (
            {"pack_sizes": {"line": "brand", "size": "floor"}},
            "policy.bounds.pack_sizes limits no price: no two products",
        ),
        (
            {"pack_sizes": {"line": "brand", "size": "size"}},
            "policy.bounds.pack_sizes: for 2 of 2 packs with a smaller one today's prices break the order, and",
        ),
        ({"pack_sizes": {"line": "brand", "size": "price"}}, None),
    ],
)
def test_a_rule_that_finds_no_product_is_said(caplog, rules, said):
    catalog = catalog_of(small_artefact(3, segments=1, products=4, categories=2)).with_columns(
        brand=pl.lit("Bosch"),
        floor=pl.lit(None, pl.Float64),
        list_price=pl.lit(None, pl.Float64),
        size=pl.col("price").rank("ordinal", descending=True),
    )

    with caplog.at_level(logging.WARNING):
        warn_of_idle_rules(catalog, replace(NO_RULES, **rules))

    assert len(caplog.messages) == (said is not None)
    assert said is None or caplog.messages[0].startswith(said)


def test_products_whose_history_is_too_short_are_counted(caplog):
    catalog = catalog_of(small_artefact(3, segments=1, products=4, categories=1)).sort("product_id")
    policy, day = a_policy(replace(NO_RULES, min_days_between_changes=14)), date(2026, 11, 27)
    since = pl.Series([day - timedelta(days) for days in (400, 14, 13)])
    earlier = catalog.head(3).select("product_id", pl.col("price") + 1, since=since)
    gone = pl.DataFrame({"product_id": ["gone"], "price": [1.0], "since": [day - timedelta(2)]})

    with caplog.at_level(logging.INFO):
        continued_catalog(catalog, policy, EarlierPrices(pl.concat([earlier, gone]), day - timedelta(1)), day)
        continued_catalog(catalog.head(2), policy, EarlierPrices(earlier, day - timedelta(1)), day)

    assert caplog.messages == [
        "the history of prices begins less than 14 days before 2026-11-27 for 2 of 4 products: their first known price "
        "counts"
    ]


BESIDE_COMPETITOR = replace(NO_RULES, max_above_competitor=0.1, competitor_columns=["theirs"])


def beside(*times: float | None) -> pl.DataFrame:
    """Return a catalog with a competitor's prices, so many times its own."""
    catalog = catalog_of(small_artefact(3, segments=1, products=len(times), categories=1)).sort("product_id")
    return catalog.with_columns(theirs=pl.col("price") * pl.Series(times, dtype=pl.Float64))


def test_competitors_prices_in_another_unit_are_refused():
    with pytest.raises(InputError, match="found 4 of 5 products with a theirs more than 10 times above or below"):
        warn_of_idle_rules(beside(100.0, 110.0, 1.0, 90.0, 95.0, None), BESIDE_COMPETITOR)


def test_a_competitors_price_that_is_a_slip_counts_as_unknown(caplog):
    catalog = beside(100.0, None, 1.1, 100.0)

    with caplog.at_level(logging.WARNING):
        warn_of_idle_rules(catalog, BESIDE_COMPETITOR)

    [record] = caplog.records
    assert record.message.startswith("2 of 3 products with a theirs more than 10 times above or below today's price")
    found = with_rule_columns(catalog, BESIDE_COMPETITOR)
    assert (found["rule_competitor"] / found["price"]).to_list() == [None, None, pytest.approx(1.1), None]


def test_competitors_prices_that_are_text_are_refused_where_prices_are_made():
    catalog = beside(1.0, 1.0).with_columns(theirs=pl.lit("a"))

    warn_of_idle_rules(catalog, BESIDE_COMPETITOR)
    with pytest.raises(InputError, match="theirs must be an amount of money"):
        with_rule_columns(catalog, BESIDE_COMPETITOR)
