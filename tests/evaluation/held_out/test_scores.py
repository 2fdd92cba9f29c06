"""Scores of held-out choices, price moves, and the products whose prices moved most."""

from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest

from gpu_pricer.errors import InputError
from gpu_pricer.evaluation.held_out.scores import evaluate_held_out, price_moves, select_moved_most

DAY = date(2025, 1, 6)
SHELF = pl.DataFrame({"period": [DAY] * 4, "product_id": ["a", "b", "c", "d"], "price": [1.0, 0.5, 1.3, 1.1]})
REFERENCE = pl.DataFrame({"product_id": ["a", "b", "c", "d"], "reference_price": [1.0] * 4})


def periods(count: int) -> list[date]:
    return [date(2025, 1, 6) + timedelta(days=7 * week) for week in range(count)]


def test_move_compares_with_the_eight_periods_before():
    price = [1.0, 3.0, *[2.0] * 8, 2.5]
    shelf = pl.DataFrame({"period": periods(11), "product_id": [7] * 11, "price": price})

    move = price_moves(shelf).sort("period")["move"].to_list()

    assert move[0] is None
    assert move[1] == pytest.approx(np.log(3.0))
    assert move[10] == pytest.approx(np.log(2.5 / 2.0))


def test_deviance_is_over_buyers_per_product_and_period_with_weights():
    first, second = periods(2)
    shelf = pl.DataFrame({"period": [first, second], "product_id": [1, 1], "price": [1.0, 1.2]})
    offers = pl.DataFrame(
        {
            "period": [first, second, second],
            "product_id": [1, 1, 1],
            "probability": [0.5, 0.25, 0.5],
            "bought": [True, False, True],
            "weight": [1.0, 2.0, 1.0],
        }
    )

    found = evaluate_held_out(offers, price_moves(shelf))

    assert found["rows"] == 3
    assert found["predicted_over_actual"] == pytest.approx((0.5 + 2 * 0.25 + 0.5) / 2)
    one = 2 * (np.log(1 / 0.5) - 0.5)
    assert found["poisson_deviance"]["all"] == pytest.approx(one / 2)
    assert found["poisson_deviance"]["moved_15pct"] == pytest.approx(0.0)


def test_units_have_a_deviance_beside_the_buyers():
    first, second = periods(2)
    offers = pl.DataFrame(
        {
            "period": [first, second, second],
            "product_id": [1, 1, 1],
            "probability": [0.5, 0.25, 0.5],
            "bought": [True, False, True],
            "units": [3.0, 0.0, 2.0],
            "expected_units": [1.5, 0.25, 0.5],
            "weight": [1.0, 2.0, 1.0],
        }
    )
    moves = pl.DataFrame({"period": [first, second], "product_id": [1, 1], "move": [0.0, 0.2]})

    found = evaluate_held_out(offers, moves)["units_poisson_deviance"]

    cells = [2 * (3 * np.log(3 / 1.5) - 1.5), 2 * (2 * np.log(2 / 1.0) - 1.0)]
    assert found["all"] == pytest.approx(np.mean(cells))
    assert found["moved_15pct"] == pytest.approx(cells[1])


def test_segments_have_a_deviance_of_their_own_cells():
    day = periods(1)[0]
    offers = pl.DataFrame(
        {
            "period": [day] * 2,
            "segment_id": [0, 1],
            "product_id": [1, 1],
            "probability": [0.5, 0.5],
            "bought": [True, False],
            "weight": [1.0, 1.0],
        }
    )
    moves = pl.DataFrame({"period": [day], "product_id": [1], "move": [0.2]})

    found = evaluate_held_out(offers, moves)

    assert found["poisson_deviance"]["all"] == pytest.approx(0.0)
    apart = ((2 * (np.log(1 / 0.5) - 0.5)) + 2 * 0.5) / 2
    assert found["poisson_deviance_by_segment"] == pytest.approx(
        dict.fromkeys(["all", "moved_5pct", "moved_15pct"], apart)
    )


def test_the_share_of_products_whose_price_left_the_reference_furthest():
    assert select_moved_most(SHELF, REFERENCE, 0.5)["product_id"].to_list() == ["b", "c"]


def test_at_least_one_product_is_judged():
    assert select_moved_most(SHELF, REFERENCE, 0.01)["product_id"].to_list() == ["b"]


def test_no_product_with_a_past_is_refused():
    with pytest.raises(InputError, match="must have been on the shelf before, found none"):
        select_moved_most(SHELF, REFERENCE.clear(), 0.5)
