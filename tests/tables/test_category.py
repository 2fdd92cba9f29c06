"""The category of products without one."""

import polars as pl
import pytest

from gpu_pricer.tables.category import category_key


@pytest.mark.parametrize(("product_id", "alone"), [([4, 5], "product:5"), (["a", "b"], "product:b")])
def test_product_without_category_is_alone(product_id, alone):
    products = pl.DataFrame({"product_id": product_id, "category_id": ["DIPS", None]})

    assert products.select(category_key())["category_id"].to_list() == ["DIPS", alone]
