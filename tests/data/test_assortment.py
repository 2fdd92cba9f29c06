"""The assortment: chosen by the training periods alone."""

import polars as pl
import pytest

from gpu_pricer.data.assortment import AssortmentRule, best_sellers, sales_in_categories
from gpu_pricer.errors import InputError

PRODUCTS = pl.DataFrame({"product_id": [10, 11, 12, 20], "category_id": ["A", "A", "A", "B"]})


def rule(categories=None, products=1, coverage=0.0):
    return AssortmentRule(categories, products, coverage)


def test_only_sales_of_the_named_categories_count(lines):
    sales = lines({"product_id": 10}, {"product_id": 20}, {"product_id": 12})

    assert sales_in_categories(sales, PRODUCTS, rule(["A"]))["product_id"].to_list() == [10, 12]


def test_unknown_category_is_refused(lines):
    with pytest.raises(InputError, match="found C"):
        sales_in_categories(lines({}), PRODUCTS, rule(["A", "C"]))


def test_best_sellers_of_the_training_periods_are_kept_whatever_sells_later(lines, weeks):
    early = [{"product_id": 10, "week": 0}, {"product_id": 10, "week": 1}, {"product_id": 11, "week": 0}]
    late = [{"product_id": 11, "week": 2}] * 9

    kept = best_sellers(lines(*early, *late), PRODUCTS, weeks(2), rule())

    assert kept["product_id"].to_list() == [10]


def test_an_offer_that_nobody_took_is_no_sale(lines, weeks):
    seen = [{"product_id": 11, "week": week, "quantity": 0} for week in (0, 1, 1)]
    offers = lines(*seen, {"product_id": 11, "week": 0}, *({"product_id": 10, "week": week} for week in (0, 1)))

    assert best_sellers(offers, PRODUCTS, weeks(2), rule())["product_id"].to_list() == [10]
    assert best_sellers(offers, PRODUCTS, weeks(2), rule(products=2, coverage=0.6))["product_id"].to_list() == [10]


def test_products_without_a_category_are_alone_in_theirs(lines, weeks):
    alone = pl.DataFrame({"product_id": [30, 31, 32], "category_id": pl.Series([None] * 3, dtype=pl.String)})
    sales = lines(*({"product_id": product} for product in (30, 31, 31)))

    assert best_sellers(sales, alone, weeks(1), rule())["product_id"].to_list() == [30, 31]


def test_of_products_with_as_many_lines_the_smaller_id_is_kept(lines, weeks):
    sales = lines(*({"product_id": product} for product in (12, 10, 11)))

    assert best_sellers(sales, PRODUCTS, weeks(1), rule(products=2))["product_id"].to_list() == [10, 11]


def test_a_product_sold_in_as_many_periods_as_demanded_is_kept(lines, weeks):
    sales = lines(*({"product_id": product, "week": product % 2} for product in (10, 11)), {"product_id": 10})

    assert best_sellers(sales, PRODUCTS, weeks(2), rule(coverage=0.5))["product_id"].to_list() == [10]


def test_a_product_sold_in_too_few_periods_is_left_out(lines, weeks):
    sales = lines(*[{"product_id": 11, "week": 0}] * 5, *({"product_id": 10, "week": week} for week in range(2)))

    assert best_sellers(sales, PRODUCTS, weeks(2), rule(coverage=0.9))["product_id"].to_list() == [10]


def test_no_product_left_is_refused(lines, weeks):
    with pytest.raises(InputError, match=r"found none: lower data\.assortment\.min_coverage"):
        best_sellers(lines({"week": 0}), PRODUCTS, weeks(2), rule(coverage=1.0))


def test_least_coverage_that_no_product_would_be_chosen_by_is_refused():
    with pytest.raises(ValueError, match=r"min_coverage must be 0 where products_per_category is null, found 0.5: set"):
        rule(products=None, coverage=0.5)
    assert rule(products=None).min_coverage == 0
