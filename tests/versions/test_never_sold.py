"""Priced products that were never sold are found in the canonical sales."""

import polars as pl
import pytest

from gpu_pricer.tables.version.names import RECORD, UNPRICED
from gpu_pricer.versions.doubts import doubts_of
from gpu_pricer.versions.never_sold import UNKNOWN, UNSOLD, NeverSold, never_sold, never_sold_of, unsold_words
from tests.markets import catalog_of, small_artefact

ARTEFACT = small_artefact(3, segments=2, products=6, categories=2)


@pytest.fixture
def shop(tmp_path):
    """Six products, p000 to p005, of which the first four were sold; the folder of the shop and its catalog."""
    products = ARTEFACT.products.drop_nulls("product_id")["product_id"]
    pl.DataFrame({"product_id": products.head(4), "units": 1.0}).write_parquet(tmp_path / "sales.parquet")
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


@pytest.mark.parametrize(("product", "said"), [("p003", ""), ("p004", UNSOLD), ("p999", UNKNOWN)])
def test_whose_demand_a_product_without_sales_has_is_said(shop, product, said):
    assert unsold_words(shop, ARTEFACT, product) == said


@pytest.mark.parametrize(("unsold", "is_told"), [(None, False), (NeverSold(0, 9), False), (NeverSold(1, 9), True)])
def test_products_that_were_never_sold_are_counted_among_the_doubts(unsold, is_told):
    doubts = doubts_of(None, {}, {}, unsold=unsold)

    assert len(doubts) == is_told
    assert all(doubt.startswith("1 of the 9 priced products were never sold: their demand is") for doubt in doubts)
