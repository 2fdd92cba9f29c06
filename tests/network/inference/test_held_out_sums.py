"""Sums of predictions over all occasions of the test periods, from a log that keeps a sample of them."""

import logging
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
import torch
from polars.testing import assert_frame_equal

from gpu_pricer.network.inference import held_out_sums
from gpu_pricer.network.inference.artefact_shares import artefact_shares
from gpu_pricer.network.inference.held_out import predict_held_out
from gpu_pricer.network.inference.held_out_sums import write_held_out_sums
from gpu_pricer.network.segments import members

CELL = ["period", "product_id", "segment_id"]
SUMS = ["probability", "expected_units", "artefact_probability", "artefact_expected_units"]
SEGMENTS = np.arange(300) % 3


def units_of(artefact):
    """Units of a choice that differ between the artefact's shelf rows and segments, [r, S]."""
    rows, segments = artefact.share.shape
    return 1 + torch.arange(rows).double()[:, None] % 3 + torch.arange(segments)


def sampled(data, kept):
    """The same data with a share of its choices of nothing."""
    choices = data.choices
    is_kept = (choices.chosen >= 0) | (torch.rand(choices.count, generator=torch.Generator().manual_seed(0)) < kept)
    some = choices.each(lambda values: values[is_kept])
    return replace(data, choices=replace(some, log_kept=torch.full_like(some.log_kept, float(np.log(kept)))))


def written(network, path, segment=SEGMENTS):
    artefact = artefact_shares(network, segment, None, 300)
    write_held_out_sums(network, artefact, units_of(artefact), path)
    return pl.read_parquet(path).sort(CELL)


def test_sums_of_a_sample_are_those_of_the_predictions_of_every_user(trained, market, tmp_path, monkeypatch):
    artefact = artefact_shares(trained, SEGMENTS, None, 300)
    predict_held_out(trained, artefact, units_of(artefact), tmp_path / "all.parquet")
    monkeypatch.setattr(trained, "data", sampled(market[1], 0.1))
    monkeypatch.setattr(members, "USERS", 37)
    monkeypatch.setattr(members, "PRODUCTS", 5)

    found = written(trained, tmp_path / "sums.parquet")

    offers = pl.read_parquet(tmp_path / "all.parquet")
    assert offers["weight"].unique().to_list() == [1.0]
    assert_frame_equal(found, offers.group_by(CELL).agg(pl.col(SUMS).sum()).sort(CELL), rel_tol=1e-4)


def test_who_did_not_come_is_in_no_sum(trained, market, tmp_path, monkeypatch):
    data = sampled(market[1], 0.1)
    monkeypatch.setattr(trained, "data", data)
    everybody = written(trained, tmp_path / "sums.parquet")
    visits = data.visits_before
    last = data.calendar.count
    stayed = SEGMENTS == 2
    monkeypatch.setattr(type(data), "visits_before", lambda _, period: visits(period) - stayed * (period == last))

    found = written(trained, tmp_path / "sums.parquet")

    is_there = (pl.col("period") < data.calendar.periods[-1]) | (pl.col("segment_id") < 2)
    assert_frame_equal(found, everybody.filter(is_there), rel_tol=1e-6)


def test_users_parted_at_random_are_expected_to_buy_as_much(trained, market, tmp_path, monkeypatch):
    monkeypatch.setattr(trained, "data", sampled(market[1], 0.1))

    one, parted = (
        written(trained, tmp_path / "sums.parquet", segment).group_by("period", "product_id").agg(pl.col(SUMS).sum())
        for segment in (np.zeros(300, np.int64), np.random.default_rng(0).permutation(SEGMENTS))
    )

    both = one.join(parted, on=["period", "product_id"])
    np.testing.assert_allclose(both["probability"], both["probability_right"], rtol=1e-6)
    np.testing.assert_allclose(both["artefact_probability"], both["artefact_probability_right"], rtol=0.05)


def test_log_that_keeps_every_occasion_needs_no_sums(trained, tmp_path):
    artefact = artefact_shares(trained, SEGMENTS, None, 300)

    write_held_out_sums(trained, artefact, units_of(artefact), tmp_path / "sums.parquet")

    assert not (tmp_path / "sums.parquet").exists()


def test_more_occasions_than_can_be_predicted_leave_the_sample(trained, market, tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(trained, "data", sampled(market[1], 0.1))
    monkeypatch.setattr(held_out_sums, "MOST_OCCASIONS", 3 * 4 * 300 - 1)

    with caplog.at_level(logging.INFO), pytest.raises(FileNotFoundError):
        written(trained, tmp_path / "sums.parquet")

    assert (
        "3,600 hold-out occasions are too many to predict all: expected sales are estimated from a sample"
        in caplog.text
    )
