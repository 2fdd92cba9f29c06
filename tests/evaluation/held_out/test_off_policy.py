"""Which products count as off policy."""

from datetime import date

import polars as pl
import pytest

from gpu_pricer.errors import InputError
from gpu_pricer.evaluation.held_out.off_policy import moved_most

DAY = date(2025, 1, 6)
SHELF = pl.DataFrame({"period": [DAY] * 4, "product_id": ["a", "b", "c", "d"], "price": [1.0, 0.5, 1.3, 1.1]})
REFERENCE = pl.DataFrame({"product_id": ["a", "b", "c", "d"], "reference_price": [1.0] * 4})


def test_the_share_of_products_whose_price_left_the_reference_furthest():
    assert moved_most(SHELF, REFERENCE, 0.5)["product_id"].to_list() == ["b", "c"]


def test_at_least_one_product_is_judged():
    assert moved_most(SHELF, REFERENCE, 0.01)["product_id"].to_list() == ["b"]


def test_no_product_with_a_past_is_refused():
    with pytest.raises(InputError, match="must have been on the shelf before, found none"):
        moved_most(SHELF, REFERENCE.clear(), 0.5)
