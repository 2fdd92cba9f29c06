"""What a product cost lately is known before its next price is set."""

import numpy as np
import polars as pl
import pytest

from gpu_pricer.network.encoding.price_memory import with_recent_price


@pytest.fixture
def shelf():
    rng = np.random.default_rng(0)
    return pl.DataFrame({
        "product": np.tile([0, 1], 12), "period_index": np.repeat(np.arange(12), 2),
        "price": rng.uniform(1, 2, 24), "reference_price": 1.5,
    })  # fmt: skip


@pytest.mark.parametrize("now", [0, 1, 7])
def test_prices_from_today_on_cannot_change_what_is_remembered_today(shelf, now):
    is_past = pl.col("period_index") < now
    other = shelf.with_columns(price=pl.when(is_past).then("price").otherwise(9.0))

    remembered, changed = (with_recent_price(table, memory=4) for table in (shelf, other))

    until_today = pl.col("period_index") <= now
    assert remembered.filter(until_today)["recent_price"].equals(changed.filter(until_today)["recent_price"])
    assert not remembered["recent_price"].equals(changed["recent_price"])


def test_the_last_prices_are_remembered_and_the_reference_before_there_was_any(shelf):
    remembered = with_recent_price(shelf, memory=4).filter(product=1)
    price = shelf.filter(product=1)["price"].to_numpy()

    expected = [1.5, *(price[max(t - 4, 0) : t].mean() for t in range(1, 12))]
    assert remembered["recent_price"].to_list() == pytest.approx(expected)
