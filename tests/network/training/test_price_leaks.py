"""Prices that are permuted within each product say nothing about demand, so the network must learn nothing from them.

What is left is chance: the response to the true prices stays in the log and now looks like shocks, whose correlation
with the permuted prices falls with the length of the log. So a leak shows in a long log, and in what prices predict.
"""

from typing import NamedTuple

import polars as pl
import pytest
import torch

from gpu_pricer.network.encoding.batches import EVERY_ALTERNATIVE, gather_batch
from gpu_pricer.network.encoding.loading import load_choice_data
from gpu_pricer.network.model.objective import log_likelihood
from tests.canonical import SPLIT, write_canonical
from tests.network.small import ENCODING, OPTIMISER, mean_sensitivity_of_products, trained_network

PERIODS = 80
HONEST, PERMUTED = None, 1


class Learned(NamedTuple):
    """Mean sensitivity, and by how much prices raise the log likelihood of the held-out choices."""

    sensitivity: float
    gain: float


@pytest.fixture(scope="module")
def learned(tmp_path_factory):
    """What is learned from a log whose prices are permuted by the seed PERMUTED, or honest."""
    folder = tmp_path_factory.mktemp("leaks")
    write_canonical(folder / "data", periods=PERIODS)
    shelf = pl.read_parquet(folder / "data" / "shelf.parquet")
    found = {}
    for seed in (HONEST, PERMUTED):
        _permuted(shelf, seed).write_parquet(folder / "data" / "shelf.parquet")
        found[seed] = _learn(folder)
    return found


def test_prices_predict_held_out_choices_and_permuted_prices_do_not(learned):
    assert learned[HONEST].gain > 100
    assert learned[PERMUTED].gain < 3


def test_permuting_prices_destroys_the_price_response(learned):
    assert learned[HONEST].sensitivity > 2
    assert learned[PERMUTED].sensitivity < 0.1 * learned[HONEST].sensitivity


def _permuted(shelf: pl.DataFrame, seed: int | None) -> pl.DataFrame:
    return shelf if seed is None else shelf.with_columns(pl.col("price").shuffle(seed=seed).over("product_id"))


def _learn(folder) -> Learned:
    data = load_choice_data(folder / "data", ENCODING, SPLIT)
    network = trained_network(data, folder / "data", folder / "train")
    batch = gather_batch(data, torch.cat(data.split()[1:]), EVERY_ALTERNATIVE, torch.Generator())
    move = data.shelf.price_move(batch.row)
    with torch.no_grad():
        with_prices, without = (
            float(log_likelihood(data, network.utility(batch, moves), batch, OPTIMISER).sum())
            for moves in (move, 0 * move)
        )
    return Learned(float(mean_sensitivity_of_products(network).mean()), with_prices - without)
