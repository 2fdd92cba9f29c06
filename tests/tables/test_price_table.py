"""The price table's files."""

import numpy as np
import polars as pl
import pytest

from gpu_pricer.tables.price_table import money, write_prices


def test_money_is_exact_for_every_price_there_is():
    for first in range(0, 2**24, 2**21):
        cents = np.arange(first, first + 2**21, dtype=np.int32)

        amounts = money(cents)

        assert amounts.dtype == pl.Decimal(12, 2)
        assert (amounts * 100 == pl.Series(cents).cast(pl.Decimal(12, 2))).all()


def test_file_is_whole_or_absent(tmp_path):
    with pytest.raises(pl.exceptions.ComputeError):
        write_prices(pl.DataFrame({"price": [1]}), tmp_path / "prices.parquet", {"currency": 3})

    assert not (tmp_path / "prices.parquet").exists()
