"""Which product is priced by which demand, and which is not priced at all."""

from dataclasses import replace

import polars as pl
import pytest

from gpu_pricer.errors import InputError
from gpu_pricer.pricing.problem.matching import NO_DEMAND, NO_UNIT_PRICE, match_products
from gpu_pricer.pricing.problem.pricing_problem import pricing_problem
from gpu_pricer.tables.priced_products import catalog_fingerprint, read_catalog
from tests.markets import a_policy, catalog_of, small_artefact


def with_fallback(artefact, category="c0"):
    """The same demand, its first row being the category's fallback (reference 4, support 3 to 5)."""
    first = pl.int_range(pl.len()) == 0
    values = {"product_id": None, "category_id": category, "reference_price": 4.0, "min_price": 3.0}
    values["max_price"] = 5.0
    changes = (pl.when(first).then(pl.lit(v)).otherwise(pl.col(n)).alias(n) for n, v in values.items())
    return replace(artefact, products=artefact.products.with_columns(changes))


def test_products_come_out_sorted_by_category_then_product():
    artefact = small_artefact(1)

    products = match_products(catalog_of(artefact), artefact).products

    assert products.equals(products.sort("category_id", "product_id"))
    assert artefact.products[products["demand_row"].to_list()]["product_id"].equals(products["product_id"])


def test_unknown_product_takes_its_categorys_fallback_around_todays_price():
    artefact = with_fallback(small_artefact(1))
    new = {"product_id": "new", "category_id": "c0", "price": 8.0, "cost": 2.0, "availability": None}
    catalog = catalog_of(artefact)
    catalog = catalog.vstack(pl.DataFrame(new, schema=catalog.schema))

    row = match_products(catalog, artefact).products.row(by_predicate=pl.col("product_id") == "new", named=True)

    assert (row["demand_row"], row["reference_price"], row["min_price"], row["max_price"]) == (
        0,
        8.0,
        6.0,
        10.0,
    )


def test_product_without_demand_is_listed_with_the_reason():
    artefact = small_artefact(1)
    catalog = catalog_of(artefact).with_columns(product_id=pl.col("product_id").replace({"p003": "other"}))

    matched = match_products(catalog, artefact)

    assert matched.unpriced.rows() == [("other", NO_DEMAND)]
    assert matched.products.height == catalog.height - 1


def test_product_without_unit_price_is_listed_with_the_reason():
    artefact = small_artefact(1)
    catalog = catalog_of(artefact).with_columns(
        product_id=pl.col("product_id").replace({"p003": "other"}),
        has_unit_price=pl.when(pl.col("product_id") == "p001").then(0.0),
    )

    matched = match_products(catalog, artefact)

    assert matched.unpriced.rows() == [("other", NO_DEMAND), ("p001", NO_UNIT_PRICE)]
    assert NO_UNIT_PRICE.startswith("no_unit_price")
    assert matched.products.height == catalog.height - 2


def test_catalog_file_says_which_products_have_no_unit_price(tmp_path):
    artefact = small_artefact(1)
    catalog = catalog_of(artefact).with_columns(has_unit_price=pl.col("product_id") != "p001")
    catalog.write_parquet(tmp_path / "catalog.parquet")

    problem = pricing_problem(artefact, read_catalog(tmp_path / "catalog.parquet"), a_policy())

    assert problem.unpriced.rows() == [("p001", NO_UNIT_PRICE)]
    assert "p001" not in problem.products.product_id


def test_catalog_without_any_unit_price_is_refused():
    artefact = small_artefact(1)

    with pytest.raises(InputError, match="some product of the catalog must have a unit price, found none in its 24"):
        match_products(catalog_of(artefact).with_columns(has_unit_price=0.0), artefact)


def test_product_without_category_is_alone():
    artefact = small_artefact(1)
    catalog = catalog_of(artefact).with_columns(category_id=None)

    products = match_products(catalog.cast({"category_id": pl.String}), artefact).products

    assert products["category_id"].n_unique() == products.height
    assert products["category_id"][0] == f"product:{products['product_id'][0]}"


def test_catalog_decides_the_category():
    artefact = small_artefact(1)
    catalog = catalog_of(artefact).with_columns(category_id=pl.lit("all"))

    assert match_products(catalog, artefact).products["category_id"].unique().to_list() == ["all"]


def test_catalogs_availability_wins_over_the_artefacts():
    artefact = small_artefact(1)
    catalog = catalog_of(artefact).sort("product_id")
    catalog = catalog.with_columns(availability=pl.when(pl.col("product_id") < "p002").then(0.25))

    products = match_products(catalog, artefact).products.sort("product_id")

    assert products["availability"][:2].to_list() == [0.25, 0.25]
    assert products["availability"][2:].equals(artefact.products["availability"][2:])


def test_integer_ids_meet_whatever_their_width():
    artefact = small_artefact(1)
    numbers = artefact.products.with_columns(product_id=pl.int_range(pl.len(), dtype=pl.Int32))
    artefact = replace(artefact, products=numbers)
    catalog = catalog_of(artefact).cast({"product_id": pl.Int64})

    matched = match_products(catalog, artefact)

    assert matched.products.schema["product_id"] == pl.Int64
    assert matched.products.height == numbers.height


def test_ids_of_different_kinds_are_refused():
    artefact = small_artefact(1)
    catalog = catalog_of(artefact).with_columns(product_id=pl.int_range(pl.len()))

    with pytest.raises(InputError, match=r"product_id must be of one kind .* found String and Int64"):
        match_products(catalog, artefact)


def test_catalog_of_another_market_is_refused():
    artefact = small_artefact(1)
    catalog = catalog_of(artefact).with_columns(product_id=pl.col("product_id") + "x")

    with pytest.raises(InputError, match="must know a product or category of the catalog's 24 rows, found none"):
        match_products(catalog, artefact)


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("cost", None),
        ("cost", -1.0),
        ("price", 0.0),
        ("availability", 1.5),
        ("cost_source", "erp"),
        ("product_id", "p000"),
    ],
)
def test_catalog_that_breaks_a_rule_names_the_column(tmp_path, column, value):
    catalog = catalog_of(small_artefact(1)).with_columns(pl.lit(value).alias(column))
    catalog.write_parquet(tmp_path / "products.parquet")

    with pytest.raises(InputError, match=rf"products\.parquet breaks {column.split('_')[0]}"):
        read_catalog(tmp_path / "products.parquet")


def test_catalog_needs_no_availability(tmp_path):
    catalog_of(small_artefact(1)).drop("availability").write_parquet(tmp_path / "products.parquet")

    assert read_catalog(tmp_path / "products.parquet")["availability"].null_count() == 24


def test_catalogs_fingerprint_ignores_order_and_sees_every_price():
    catalog = catalog_of(small_artefact(1))
    changed = catalog.with_columns(
        price=pl.col("price") + pl.when(pl.col("product_id") == "p007").then(0.01).otherwise(0)
    )

    assert catalog_fingerprint(catalog) == catalog_fingerprint(catalog.reverse())
    assert catalog_fingerprint(catalog) != catalog_fingerprint(changed)
