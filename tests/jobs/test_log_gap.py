"""A log with a gap that is longer than data.shelf.carry_periods: `prepare` says so, and training goes on."""

import logging
from datetime import timedelta

import polars as pl

from gpu_pricer.jobs import train
from gpu_pricer.tables.artefact import read_artefact
from tests.jobs.conftest import configuration
from tests.jobs.test_begun_period import START, WEEKS, prepared, sales_of


def test_a_log_with_a_long_gap_is_trained_on(tmp_path, caplog):
    sales = sales_of(7 * WEEKS).filter(pl.col("user_id") < 150)
    first, last = (START + timedelta(weeks=week) for week in (7, 13))
    closed = pl.col("time").is_between(first, last, closed="left")

    with caplog.at_level(logging.WARNING, "gpu_pricer"):
        work = prepared(tmp_path, sales.filter(~closed))
        told = [*caplog.messages]
        train.main(configuration(work, "model=tiny", "model.optimiser.steps=5", "train.segments.count=2"))

    lines = sales.filter(pl.col("time").is_between(last, last + timedelta(weeks=1), closed="left")).height
    assert told == [
        "no product is on the shelf in 3 of 24 whole periods, the first 2024-03-18, the last 2024-04-01, because none "
        f"had a known price in the data.shelf.carry_periods before: their {lines} lines are not learned from"
    ]
    assert read_artefact(work / "demand").info.pricing_period == "2024-06-17"
