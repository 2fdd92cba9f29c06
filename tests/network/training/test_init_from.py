"""A network that starts from another one: what fits, by id and by word, and what that saves."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
import torch

from gpu_pricer.errors import InputError
from gpu_pricer.network.encoding.loading import load_choice_data
from gpu_pricer.network.model.demand_network import DemandNetwork
from gpu_pricer.network.segments.forming import Segmentation
from gpu_pricer.network.storage.parameter_transfer import parameters_of
from gpu_pricer.network.storage.saved_network import read_network, write_network
from gpu_pricer.network.training.fitting import ModelConfig, fit_network
from gpu_pricer.network.training.init_from import read_start, start_from, warn_of_foresight
from gpu_pricer.network.training.market import learn_market
from tests.canonical import SPLIT, write_canonical
from tests.network.small import CPU, ENCODING, NETWORK, OPTIMISER, RESPONSE, fresh

ONE_SEGMENT = Segmentation(np.zeros(300, np.int64), np.zeros((1, 3)), price_spread=0.2)


def validation_loss(data, household, directory, steps, start=None):
    """The validation log loss that training logs last, and the network; household: from household_of."""
    model = ModelConfig(NETWORK, replace(OPTIMISER, steps=steps))
    module = fit_network(data, household, model, CPU, fresh(directory), seed=3, start=start)
    return float(module.trainer.callback_metrics["validation/log_loss"]), module.network


def household_of(data, tables):
    """The average household of a market; tables: folder of its data."""
    return learn_market(data, tables, RESPONSE).household


@pytest.fixture(scope="module")
def today(tmp_path_factory):
    """A folder with a market's tables, their data and the average household."""
    folder = tmp_path_factory.mktemp("yesterday")
    write_canonical(folder / "data")
    data = load_choice_data(folder / "data", ENCODING, SPLIT)
    return folder, data, household_of(data, folder / "data")


@pytest.fixture(scope="module")
def yesterday(today):
    """A market's data, and the network that three epochs made of them, saved and read."""
    folder, data, household = today
    network = validation_loss(data, household, folder, 150)[1]
    write_network(network, ONE_SEGMENT, data.calendar.last_trained, folder / "demand" / "network")
    return data, network, folder


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory):
    """The data of another market, whose products and users have other ids and tastes, but brands of the same names."""
    folder = tmp_path_factory.mktemp("elsewhere") / "data"
    write_canonical(folder, seed=1)
    for path in folder.glob("*.parquet"):
        table = pl.read_parquet(path)
        ids = [name for name in ("product_id", "user_id") if name in table.columns]
        table.with_columns(pl.col(ids) + 1000).write_parquet(path)
    return folder


def test_what_was_saved_is_what_is_read(yesterday):
    _, network, folder = yesterday
    saved, live = read_start(folder).parameters, parameters_of(network)

    assert saved.tensors.keys() == live.tensors.keys()
    for name in ("product_taste.own", "mean_response", "log_slope", "loyalty.exponent of [2.0, 8.0, 32.0]"):
        torch.testing.assert_close(saved.tensors[name].values, live.tensors[name].values.detach())
    assert saved.labels["product"] == live.labels["product"]


def test_a_retraining_is_after_one_epoch_where_a_cold_one_is_after_more(today, yesterday, tmp_path):
    folder, data, household = today

    warm, _ = validation_loss(data, household, tmp_path / "warm", 50, read_start(folder))
    cold = [validation_loss(data, household, tmp_path / "cold", steps)[0] for steps in (50, 100)]

    assert warm < min(cold)


def test_tastes_of_periods_that_are_held_out_now_are_said_to_flatter(yesterday, caplog):
    data, _, folder = yesterday
    start = read_start(folder)

    warn_of_foresight(start, data)
    assert not caplog.text
    calendar = data.calendar
    fewer = replace(calendar, trained_periods=calendar.trained_periods - 1)
    warn_of_foresight(start, replace(data, calendar=fewer))

    assert (
        f"from sales up to {data.calendar.periods[13]}, but {data.calendar.periods[13]} and later are held out"
        in caplog.text
    )


def test_a_second_market_with_other_ids_takes_words_and_layers_and_is_none_the_worse(
    yesterday, elsewhere, tmp_path, caplog
):
    data = load_choice_data(elsewhere, ENCODING, SPLIT)
    household = household_of(data, elsewhere)

    with caplog.at_level("INFO"):
        warm, _ = validation_loss(data, household, tmp_path / "warm", 50, read_start(yesterday[2]))
    cold, _ = validation_loss(data, household, tmp_path / "cold", 50)

    assert "another network: 0 of 20 products, 0 of 300 users, 7 of 7 words of attributes, and 11 layers" in caplog.text
    assert warm < cold + 0.002  # loyalty and levels, which tell most here, start from the market's own log in both


def test_rows_go_to_the_same_ids_and_words_wherever_they_stand(yesterday, elsewhere, tmp_path):
    products = pl.read_parquet(elsewhere / "products.parquet")
    renamed = products.with_columns(product_id=1019 - pl.col("product_id"), brand=pl.lit("b1"), aroma=pl.lit("fresh"))
    for path in elsewhere.glob("*"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    ids = products.select("product_id", same=renamed["product_id"])
    renamed.write_parquet(tmp_path / "products.parquet")
    for name in ("shelf", "choices"):
        table = pl.read_parquet(tmp_path / f"{name}.parquet").join(
            ids, on="product_id", how="left", maintain_order="left"
        )
        table.with_columns(product_id="same").drop("same").write_parquet(tmp_path / f"{name}.parquet")
    data = load_choice_data(tmp_path, ENCODING, SPLIT)
    network, saved = DemandNetwork(data, NETWORK), read_start(yesterday[2])

    start_from(saved, network)

    mine, theirs = parameters_of(network), saved.parameters
    for axis, name in (("product", "product_level.own"), ("product further:brand", "product_level.further:brand")):
        for label in set(mine.labels[axis]) & set(theirs.labels[axis]):
            here, there = (p.tensors[name].values[p.labels[axis].index(label)] for p in (mine, theirs))
            torch.testing.assert_close(here.detach(), there)
    assert "product_level.further:aroma" in mine.tensors


def test_a_network_that_shares_nothing_is_refused(yesterday, elsewhere, tmp_path):
    for path in elsewhere.glob("*"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    for name in ("products", "shelf", "choices", "categories"):
        table = pl.read_parquet(tmp_path / f"{name}.parquet").with_columns(category_id="x" + pl.col("category_id"))
        table.drop("brand", strict=False).write_parquet(tmp_path / f"{name}.parquet")
    shelf = pl.read_parquet(tmp_path / "shelf.parquet")  # a shorter log has other half-lives
    shelf.filter(pl.col("period") < shelf["period"].unique().sort()[8]).write_parquet(tmp_path / "shelf.parquet")
    network = DemandNetwork(load_choice_data(tmp_path, ENCODING, SPLIT), NETWORK)

    with pytest.raises(InputError, match=r"found 0 of 20 products, 0 of 300 users, 0 of 4 words .* init_from=null"):
        start_from(read_start(yesterday[2]), network)


def test_a_torn_network_is_refused_with_its_folder(yesterday, tmp_path):
    whole = yesterday[2] / "demand" / "network"
    for path in whole.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "parameters.safetensors").write_bytes((whole / "parameters.safetensors").read_bytes()[:-50])

    with pytest.raises(InputError, match=r"the network in .* must be whole, found .*: train it again"):
        read_network(tmp_path)
    with pytest.raises(
        InputError, match=r"init_from must be a demand artefact or a work folder .* found no network at"
    ):
        read_start(tmp_path)
