"""Priced products that were never sold are found in the canonical sales."""

from datetime import timedelta

import polars as pl
import pytest

from gpu_pricer.tables.version.names import RECORD, UNPRICED
from gpu_pricer.versions.appraisal.doubts import doubts_of
from gpu_pricer.versions.appraisal.never_sold import UNKNOWN, UNSOLD, NeverSold, never_sold, never_sold_of, unsold_words
from tests.markets import catalog_of, small_artefact

ARTEFACT = small_artefact(3, segments=2, products=6, categories=2)
END = ARTEFACT.info.last_sales_day


@pytest.fixture
def shop(tmp_path):
    """Six products, p000 to p005, of which the first four were sold; the folder of the shop and its catalog."""
    products = ARTEFACT.products.drop_nulls("product_id")["product_id"]
    pl.DataFrame({"product_id": products.head(4), "day": END}).write_parquet(tmp_path / "sales.parquet")
    catalog_of(ARTEFACT).write_parquet(tmp_path / "products.parquet")
    return tmp_path


def test_products_without_a_sale_are_found_whatever_the_type_of_their_ids(shop):
    assert never_sold(shop, pl.Series(["p000", "p005", "p007"])).to_list() == ["p005", "p007"]

    pl.DataFrame({"product_id": [1, 2]}).write_parquet(shop / "sales.parquet")
    assert never_sold(shop, pl.Series(["2", "3"])).to_list() == ["3"]


def test_without_sales_nothing_is_known(tmp_path, shop):
    (shop / "sales.parquet").unlink()

    assert never_sold(shop, pl.Series(["p000"])) is None
    assert never_sold_of(shop, shop / "products.parquet", shop) is None
    assert unsold_words(shop, ARTEFACT, "p005") == ""


def test_products_that_get_no_price_do_not_count(shop):
    catalog = shop / "products.parquet"
    assert never_sold_of(shop, catalog, shop) == (2, 6)

    (shop / RECORD).mkdir()
    pl.DataFrame({"product_id": ["p005"], "reason": ["x"]}).write_parquet(shop / RECORD / UNPRICED)
    assert never_sold_of(shop, catalog, shop) == (1, 5)

    is_weighed = pl.when(pl.col("product_id") == "p004").then(0.0).otherwise(1.0)
    pl.read_parquet(catalog).with_columns(has_unit_price=is_weighed).write_parquet(catalog)
    assert never_sold_of(shop, catalog, shop) == (0, 4)


@pytest.mark.parametrize(("availability", "found"), [(0.0, (1, 5)), (0.25, (2, 6)), (None, (2, 6))])
def test_only_products_on_the_shelf_count(shop, availability, found):
    """p004 was never sold; a catalog that states no availability leaves it to the demand."""
    catalog, own = shop / "products.parquet", pl.lit(availability, pl.Float64)
    stated = pl.when(pl.col("product_id") == "p004").then(own).otherwise(0.5)
    pl.read_parquet(catalog).with_columns(availability=stated).write_parquet(catalog)

    assert never_sold_of(shop, catalog, shop) == found


@pytest.mark.parametrize(("late", "said"), [(0, ""), (1, UNSOLD)])
def test_sales_that_came_after_the_demand_was_learned_do_not_count(shop, late, said):
    later = pl.DataFrame({"product_id": ["p004"], "day": [END + timedelta(days=late)]})
    pl.concat([pl.read_parquet(shop / "sales.parquet"), later]).write_parquet(shop / "sales.parquet")

    assert unsold_words(shop, ARTEFACT, "p004") == said


def test_a_product_that_the_demand_does_not_know_is_not_said_to_be_without_sales(shop):
    pl.DataFrame({"product_id": ["p999"], "day": [END]}).write_parquet(shop / "sales.parquet")

    said = unsold_words(shop, ARTEFACT, "p999")

    assert said.startswith("The demand model does not know this product: the demand of its category stands for it")


@pytest.mark.parametrize(("product", "said"), [("p003", ""), ("p004", UNSOLD), ("p999", UNKNOWN)])
def test_whose_demand_a_product_without_sales_has_is_said(shop, product, said):
    assert unsold_words(shop, ARTEFACT, product) == said


@pytest.mark.parametrize(("unsold", "is_told"), [
    (None, False), (NeverSold(0, 0), False), (NeverSold(0, 40), False), (NeverSold(1, 60_000), False),
    (NeverSold(1, 21), False), (NeverSold(1, 20), True), (NeverSold(3_000, 60_000), True),
])  # fmt: skip
def test_products_without_a_sale_are_a_doubt_where_they_are_a_twentieth_of_the_shelf(unsold, is_told):
    doubts = doubts_of(None, {}, {}, unsold=unsold)

    assert len(doubts) == is_told
    assert all("priced products on the shelf (5%): their demand is learned from" in doubt for doubt in doubts)


def test_the_doubt_says_that_it_knows_the_prepared_log_alone():
    [doubt] = doubts_of(None, {}, {}, unsold=NeverSold(1_200, 9_600))

    assert doubt.startswith("the prepared log has no sale of 1,200 of the 9,600 priced products on the shelf (12%): ")
