"""Logs that keep every rule line by line, and are unfit as a whole."""

from datetime import datetime, timedelta

import numpy as np
import polars as pl
import pytest

from gpu_pricer.data.checks_of_log import LEAST_OF_SEVERAL, require_unit_prices
from gpu_pricer.errors import InputError
from gpu_pricer.tables.periods import Period

WEEK = Period("1w")


def lines(totals, several=40, weeks=4):
    """Lines of one unit at 2, and as many of several units, of which the first state what all of them cost."""
    quantity = np.concatenate([np.ones(several), 2.0 + np.arange(several) % 3])
    price = np.where(np.arange(2 * several) < several + totals, 2.0 * quantity, 2.0)
    day = np.arange(2 * several) % several % weeks
    return pl.DataFrame(
        {
            "product_id": 10,
            "quantity": quantity,
            "price": price,
            "time": [datetime(2025, 1, 6) + timedelta(weeks=int(week)) for week in day],
        }
    ).sort("time", maintain_order=True)


def test_prices_of_all_units_of_a_line_are_refused():
    with pytest.raises(InputError, match=r"sales\.csv must be those of one unit, found what all units cost") as error:
        require_unit_prices(lines(totals=40), "sales.csv", WEEK)

    assert "in 40 of 40 lines of several units, such as 2 of product 10 at 4.00, of which one costs 2.00" in str(
        error.value
    )


@pytest.mark.parametrize("log", [
    lines(totals=0), lines(totals=20), lines(totals=LEAST_OF_SEVERAL - 1, several=LEAST_OF_SEVERAL - 1),
    lines(totals=40).filter(pl.col("quantity") > 1), lines(totals=40).with_columns(quantity=pl.col("quantity") - 0.5),
    lines(totals=40).filter(quantity=1),
])  # fmt: skip
def test_other_prices_pass(log):
    require_unit_prices(log, "sales.csv", WEEK)


def test_a_price_that_rises_from_week_to_week_is_compared_within_its_own():
    log = lines(totals=40).with_columns(price=pl.col("price") * (1 + (pl.col("time").dt.ordinal_day() - 6) // 7))

    with pytest.raises(InputError, match=r"in 40 of 40 lines of several units"):
        require_unit_prices(log, "sales.csv", WEEK)
