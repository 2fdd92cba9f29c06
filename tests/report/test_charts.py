"""What the specifications of charts fix, because Vega would choose otherwise."""

import polars as pl
import pytest

from gpu_pricer.report import charts


@pytest.mark.parametrize(("products", "ticks"), [(1, [0, 1]), (2, [0, 1, 2]), (40, None)])
def test_products_are_counted_at_whole_numbers(products, ticks):
    drawn = charts.move_histogram(pl.DataFrame({"move": [0.03] * products}))

    assert drawn["encoding"]["y"]["axis"].get("values") == ticks


def test_small_move_is_not_told_as_no_move():
    drawn = charts.move_histogram(pl.DataFrame({"move": [-0.003, 0.0, 0.02]}))

    ways = {row["way"]: row["products"] for row in drawn["data"]["values"]}
    assert ways == {"within 0.5 %": 2, "up": 1}
