"""Predictions of the periods that training never saw."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
import torch
from polars.testing import assert_frame_equal

from gpu_pricer.network.encoding.loading import load_choice_data
from gpu_pricer.network.inference import held_out
from gpu_pricer.network.inference.artefact_shares import artefact_shares
from gpu_pricer.network.inference.held_out import predict_held_out
from gpu_pricer.network.inference.units import units_per_choice
from gpu_pricer.network.response.fitting.fit import FitConfig, fit_response
from gpu_pricer.network.response.grid.controls import EndogeneityConfig
from gpu_pricer.network.response.grid.loading import ResponseTables, load_response_data
from gpu_pricer.network.response.quantities import Quantities
from tests.canonical import SPLIT, write_canonical
from tests.network.small import ENCODING, OPTIMISER, trained_network

SEGMENTS = np.arange(300) % 3
TABLES = ("shelf", "choices", "visits")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The tables that `market` was read from."""
    directory = tmp_path_factory.mktemp("held_out") / "data"
    write_canonical(directory)
    return directory


def response_of(data, tables):
    """The response of SEGMENTS that the training periods' tables teach; product 0, whose price is never seen, does not.

    tables: shelf, choices and visits.
    """
    taught = range(data.calendar.trained_periods)
    columns = data.products.table.select(
        *("product_id", "category_id", "reference_price", "has_unit_price", "is_listed", "launched"),
        teaches_price=pl.col("price_coverage") > 0.3,
    )
    everything = ResponseTables(
        columns,
        users=data.users.table["user_id"],
        context=data.context_scale,
        periods=data.calendar.periods,
        taught=taught,
        begun=None,
        group_shelf=None,
        **tables,
    )
    known = load_response_data(everything, EndogeneityConfig(None, True, 2), nested=False)
    segment = torch.from_numpy(SEGMENTS)[:, None].expand(-1, data.calendar.count)
    return fit_response(known.grid, known.log.counts(known.grid, segment, 3), FitConfig(20, 0.02, None))


def tables_of(folder):
    tables = {name: pl.read_parquet(folder / f"{name}.parquet") for name in TABLES}
    return tables | {"choices": tables["choices"].lazy()}


def predict(network, response, path, quantities=None):
    """Write the held-out predictions of the network and of the artefact of SEGMENTS."""
    artefact = artefact_shares(network, SEGMENTS, response, 300)
    units = units_per_choice(network.data, quantities, 3, network.support, artefact.first)
    predict_held_out(network, artefact, units, path)


def test_held_out_rows_are_the_test_periods_and_probabilities_are_calibrated(market, trained, folder, tmp_path):
    _, data = market
    predict(trained, response_of(data, tables_of(folder)), tmp_path / "held_out.parquet")

    offers = pl.read_parquet(tmp_path / "held_out.parquet")
    assert offers["period"].unique().sort().to_list() == data.calendar.periods[-3:]
    assert offers.height == 3 * 300 * data.products.count
    assert offers["probability"].is_between(0, 1, closed="none").all()
    assert offers["probability"].sum() == pytest.approx(offers["bought"].sum(), rel=0.1)
    assert offers["artefact_probability"].sum() == pytest.approx(offers["probability"].sum(), rel=0.05)


def test_parts_in_which_it_is_written_change_no_row(market, trained, folder, tmp_path, monkeypatch):
    _, data = market
    given = trained, response_of(data, tables_of(folder))
    predict(*given, tmp_path / "whole.parquet")

    monkeypatch.setattr(held_out, "BATCH", 37)
    predict(*given, tmp_path / "parts.parquet")

    whole, parts = (pl.read_parquet(tmp_path / f"{name}.parquet") for name in ("whole", "parts"))
    assert whole["bought"].any()
    assert_frame_equal(parts, whole, abs_tol=1e-6)


def test_the_artefact_s_probability_is_the_logit_of_the_learned_response(market, trained, folder, tmp_path):
    _, data = market
    response = response_of(data, tables_of(folder))
    response = replace(response, grid=replace(response.grid, bend=float(trained.bend)))  # as one training learns them
    utility = response.utility().numpy()

    predict(trained, response, tmp_path / "held_out.parquet")

    offers = pl.read_parquet(tmp_path / "held_out.parquet").sort("product_id")
    ids = data.products.table["product_id"].gather(response.grid.row.numpy()).to_list()
    assert len(ids) == 19
    for user, period, category in [(0, 17, "c1"), (1, 18, "c2"), (5, 19, "c3")]:
        taught = [ids.index(int(category[1]) * 5 + place) for place in range(5)]
        weight = np.exp(utility[taught, SEGMENTS[user], period])
        same = offers.filter(user_id=user, period=data.calendar.periods[period], category_id=category)
        assert same["artefact_probability"].to_list() == pytest.approx(weight / (1 + weight.sum()), rel=1e-4)


def test_units_are_choices_times_the_units_of_a_choice_at_the_price(market, trained, folder, tmp_path):
    """A segment takes 2 · (price / reference)^−its response units of everything."""
    _, data = market
    response = response_of(data, tables_of(folder))
    choices, answer, grid = response.counts.bought, [0.3, 0.6, 1.2], response.grid
    grid = replace(grid, move=torch.log1p(grid.move))
    taken = 2 * choices * torch.exp(-torch.tensor(answer)[:, None] * grid.move[:, None])
    quantities = fit_response(grid, Quantities(taken, choices), FitConfig(60, 0.002, None))
    place = {number: row for row, number in enumerate(response.grid.row.tolist())}

    predict(trained, response, tmp_path / "held_out.parquet", quantities)

    offers = pl.read_parquet(tmp_path / "held_out.parquet").with_columns(
        units=pl.col("expected_units") / pl.col("probability")
    )
    number = dict(zip(data.products.table["product_id"], range(data.products.count), strict=True))
    found = offers.select("product_id", "segment_id", "price_ratio", "units").unique()
    for product_id, segment, ratio, units in found.rows():
        if number[product_id] in place and 0.8 < ratio < 1.2:
            assert units == pytest.approx(2 * ratio ** -answer[segment], rel=0.05)
        elif number[product_id] not in place:
            assert units == pytest.approx(1.0, rel=1e-5)
    same = offers["artefact_expected_units"] / offers["artefact_probability"]
    assert same.to_list() == pytest.approx(offers["units"].to_list(), rel=1e-5)


def test_sales_of_the_test_periods_do_not_enter_the_artefact_s_probability(market, trained, folder, tmp_path):
    _, data = market
    honest = tables_of(folder)
    later = pl.col("period") >= data.calendar.periods[data.calendar.trained_periods]
    other = honest["choices"].with_columns(
        product_id=pl.when(later).then(pl.lit(None, pl.Int64)).otherwise("product_id"),
        quantity=pl.when(later).then(0).otherwise("quantity"),
    )
    responses = [response_of(data, tables) for tables in (honest, honest | {"choices": other})]

    for number, response in enumerate(responses):
        predict(trained, response, tmp_path / f"{number}.parquet")

    first, second = (pl.read_parquet(tmp_path / f"{number}.parquet") for number in range(2))
    assert first["artefact_probability"].equals(second["artefact_probability"])


def test_a_sample_of_the_zeros_predicts_as_many_purchases_as_all_of_them(tmp_path):
    write_canonical(tmp_path / "data", keep_zeros=0.3)
    data = load_choice_data(tmp_path / "data", ENCODING, SPLIT)
    sampled = replace(OPTIMISER, max_alternatives=3)
    network = trained_network(data, tmp_path / "data", tmp_path / "train", optimiser=sampled)

    predict(network, None, tmp_path / "held_out.parquet")

    offers = pl.read_parquet(tmp_path / "held_out.parquet")
    predicted = (offers["probability"] * offers["weight"]).sum()
    assert predicted == pytest.approx(offers["bought"].sum(), rel=0.1)
    assert data.choices.count < 0.8 * 300 * 20 * 4
