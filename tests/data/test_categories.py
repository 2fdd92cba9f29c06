"""Need groups small enough for one choice."""

import polars as pl
import pytest

from gpu_pricer.data.categories import CategoryRule, sized_categories
from gpu_pricer.errors import InputError

CHIPS = pl.DataFrame(
    {
        "product_id": [1, 2, 3, 4, 5],
        "category_id": ["CHIPS", "CHIPS", "CHIPS", "DIPS", None],
        "brand": ["Own", "National", None, "Own", "Own"],
        "maker": [7, 8, 9, 7, 7],
    }
)
ALL = CHIPS["product_id"]


def test_large_category_is_split_by_the_attribute():
    products = sized_categories(CHIPS, ALL, CategoryRule(2, "split", ["brand"]))

    expected = ["CHIPS / Own", "CHIPS / National", "CHIPS / unknown", "DIPS", None]
    assert products["category_id"].to_list() == expected


def test_next_attribute_splits_only_what_is_still_too_large():
    same_brand = CHIPS.with_columns(brand=pl.Series(["Own", "Own", "National", "Own", "Own"]))

    products = sized_categories(same_brand, ALL, CategoryRule(1, "split", ["brand", "maker"]))

    assert products["category_id"].to_list()[:3] == ["CHIPS / Own / 7", "CHIPS / Own / 8", "CHIPS / National"]


def test_only_products_ever_on_a_shelf_count():
    products = sized_categories(CHIPS, ALL.head(2), CategoryRule(2, "refuse", []))

    assert products.equals(CHIPS)


@pytest.mark.parametrize("rule", [CategoryRule(2, "refuse", ["brand"]), CategoryRule(2, "split", [])])
def test_category_that_stays_too_large_is_refused(rule):
    with pytest.raises(InputError, match="at most 2 products, found 3 in 'CHIPS' of products: name finer categories"):
        sized_categories(CHIPS, ALL, rule)


def test_unknown_split_column_is_refused():
    with pytest.raises(InputError, match="split_by must name columns of products, found colour but only product_id"):
        sized_categories(CHIPS, ALL, CategoryRule(2, "split", ["colour"]))


@pytest.mark.parametrize("arguments", [(0, "split", []), (2, "ignore", []), (2, "split", [3])])
def test_impossible_rule_is_refused(arguments):
    with pytest.raises(ValueError, match="must"):
        CategoryRule(*arguments)
