"""Predictions of the periods that training never saw."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from gpu_pricer.network.encoding.loading import load_choice_data
from gpu_pricer.network.inference.held_out import predict_held_out
from gpu_pricer.network.price_response.settling import settle_price_response
from gpu_pricer.network.training.fitting import fit_network
from tests.canonical import SPLIT, write_canonical
from tests.network.small import CPU, ENCODING, NETWORK, OPTIMISER, PRICE_RESPONSE

SEGMENTS = np.arange(300) % 3


def test_held_out_rows_are_the_test_periods_and_probabilities_are_calibrated(market, trained, tmp_path):
    _, data = market
    predict_held_out(trained, SEGMENTS, tmp_path / "held_out.parquet")

    offers = pl.read_parquet(tmp_path / "held_out.parquet")
    assert offers["period"].unique().sort().to_list() == data.calendar.periods[-3:]
    assert offers.height == 3 * 300 * data.products.count
    assert offers["probability"].is_between(0, 1, closed="none").all()
    assert offers["probability"].sum() == pytest.approx(offers["bought"].sum(), rel=0.1)
    assert offers["artefact_probability"].sum() == pytest.approx(offers["probability"].sum(), rel=0.05)


def test_a_sample_of_the_zeros_predicts_as_many_purchases_as_all_of_them(tmp_path):
    write_canonical(tmp_path / "data", keep_zeros=0.3)
    data = load_choice_data(tmp_path / "data", ENCODING, SPLIT)
    network = fit_network(data, NETWORK, OPTIMISER, CPU, tmp_path / "train", seed=0, resume=False).network
    sampled = replace(OPTIMISER, max_alternatives=3)
    settle_price_response(network, PRICE_RESPONSE, sampled, seed=0)

    predict_held_out(network, SEGMENTS, tmp_path / "held_out.parquet")

    offers = pl.read_parquet(tmp_path / "held_out.parquet")
    predicted = (offers["probability"] * offers["weight"]).sum()
    assert predicted == pytest.approx(offers["bought"].sum(), rel=0.1)
    assert data.choices.count < 0.8 * 300 * 20 * 4
