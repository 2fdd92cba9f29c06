"""The price table's files."""

import numpy as np
import polars as pl
import pytest

from gpu_pricer.errors import InputError
from gpu_pricer.tables.parquet.file import Column
from gpu_pricer.tables.parquet.pages import values_chunk
from gpu_pricer.tables.price_table import MOVE_LIMITS, RULES, price_columns, write_prices


def test_file_is_whole_or_absent(tmp_path):
    def interrupted():
        yield [values_chunk(np.ones(3, np.float32))]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_prices(tmp_path / "prices.parquet", [Column("price", pl.Float32())], interrupted(), {})

    assert not (tmp_path / "prices.parquet").exists()


@pytest.mark.parametrize(
    ("segments", "found"),
    [(["a", "b c"], "price_b c"), (["a=1"], "price_a=1"), (["x", "X"], "price_x, price_X")],
)
def test_segments_that_cannot_name_columns_are_refused(segments, found):
    with pytest.raises(InputError, match=r"^score.layout=wide needs segments whose ids name columns") as error:
        price_columns(pl.Series(segments))

    assert f"found {found}: rename the segments or set score.layout=long" in str(error.value)


def test_every_rule_on_a_move_is_among_the_limits_on_moves():
    assert set(MOVE_LIMITS) == {rule for rule in RULES if rule.startswith(("max_decrease", "max_increase"))}
