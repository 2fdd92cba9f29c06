"""What `evaluate` does with sums over all occasions: they belong to the offers, and what is missing is said."""

import logging

import polars as pl
import pytest

from gpu_pricer.errors import InputError
from gpu_pricer.jobs.evaluation_inputs import held_out_sums

OFFERS = pl.DataFrame({"period": [1, 1, 2], "product_id": [1, 2, 1], "weight": [1.0, 4.0, 1.0]})


def test_a_sample_without_sums_is_judged_by_itself_and_the_log_says_so(tmp_path, caplog):
    with caplog.at_level(logging.INFO):
        assert held_out_sums(tmp_path, OFFERS) is None

    assert "no sums over all occasions" in caplog.text
    assert "expected sales are estimated from the sampled ones" in caplog.text


def test_offers_that_are_no_sample_need_no_sums(tmp_path, caplog):
    with caplog.at_level(logging.INFO):
        assert held_out_sums(tmp_path, OFFERS.with_columns(weight=1.0)) is None

    assert caplog.text == ""


def test_sums_of_other_offers_are_refused(tmp_path):
    file = tmp_path / "held_out_sums.parquet"
    OFFERS.write_parquet(file)
    assert held_out_sums(tmp_path, OFFERS).equals(OFFERS)

    OFFERS.head(2).write_parquet(file)

    with pytest.raises(InputError, match="found 1 without: run `gpu-pricer train` again"):
        held_out_sums(tmp_path, OFFERS)
