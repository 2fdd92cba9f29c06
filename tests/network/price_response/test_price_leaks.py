"""Prices that are permuted within each product say nothing about demand, so the network must learn nothing from them.

What is left is chance. The response to the true prices stays in the log and now looks like shocks, whose correlation
with the permuted prices falls with the length of the log: a regression of log sales on the permuted prices, products
and categories × weeks taken out, finds slopes of 0 ± 0.2 in 20 weeks and 0 ± 0.1 in 80 (40 permutations). The network
cannot go below 0 and shows the positive ones. So a leak shows in a long log, and in what prices predict.
"""

from functools import partial
from pathlib import Path
from typing import NamedTuple

import polars as pl
import pytest
import torch
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate

from gpu_pricer.network.encoding.batches import EVERY_ALTERNATIVE, gather_batch
from gpu_pricer.network.encoding.loading import load_choice_data
from gpu_pricer.network.model.objective import log_likelihood
from gpu_pricer.network.price_response.settling import settle_price_response
from gpu_pricer.network.training.fitting import fit_network
from tests.canonical import SPLIT, write_canonical

CONF = Path(__file__).parents[3] / "conf"
PERIODS = 80
FACTORS, NO_FACTORS = 2, 0  # of sensitivity; the gradient steps that learn them fit some noise
HONEST, PERMUTATIONS = None, (1, 2)


class Learned(NamedTuple):
    """Mean sensitivity, and by how much prices raise the log likelihood of the held-out choices."""

    sensitivity: float
    gain: float


@pytest.fixture(scope="module")
def learned(tmp_path_factory):
    """What is learned with so many factors from a log whose prices are permuted by a seed, or honest."""
    folder = tmp_path_factory.mktemp("leaks") / "data"
    write_canonical(folder, periods=PERIODS)
    shelf = pl.read_parquet(folder / "shelf.parquet")
    found = {}
    for seed in (HONEST, *PERMUTATIONS):
        _permuted(shelf, seed).write_parquet(folder / "shelf.parquet")
        found |= {(factors, seed): _learn(folder, factors) for factors in (FACTORS, NO_FACTORS)}
    return found


@pytest.mark.parametrize("factors", [FACTORS, NO_FACTORS])
def test_prices_predict_held_out_choices_and_permuted_prices_do_not(learned, factors):
    assert learned[factors, HONEST].gain > 100
    assert max(learned[factors, seed].gain for seed in PERMUTATIONS) < 3


@pytest.mark.parametrize(("factors", "most"), [(FACTORS, 0.2), (NO_FACTORS, 0.05)])
def test_permuting_prices_destroys_the_price_response(learned, factors, most):
    honest = learned[factors, HONEST].sensitivity
    permuted = max(learned[factors, seed].sensitivity for seed in PERMUTATIONS)

    assert honest > 2
    assert permuted < most * honest


def _permuted(shelf: pl.DataFrame, seed: int | None) -> pl.DataFrame:
    return shelf if seed is None else shelf.with_columns(pl.col("price").shuffle(seed=seed).over("product_id"))


def _learn(folder: Path, factors: int) -> Learned:
    with initialize_config_dir(str(CONF), version_base="1.3"):
        config = compose("config", ["model=tiny", f"model.network.sensitivity_width={factors}"])
    data = load_choice_data(folder, instantiate(config.train.encoding), SPLIT)
    model, trainer = config.model, instantiate(config.trainer)
    architecture, optimiser, response = (instantiate(model[key]) for key in ("network", "optimiser", "price_response"))
    network = fit_network(data, architecture, optimiser, trainer, folder / "train", seed=0, resume=False).network
    settle_price_response(network, response, optimiser, seed=0)
    batch = gather_batch(data, torch.cat(data.split()[1:]), EVERY_ALTERNATIVE, torch.Generator())
    with torch.no_grad():
        utility = partial(network.utility, batch, network.tastes(batch))
        moves = data.shelf.price_moves(batch.row)
        with_prices, without = (
            float(log_likelihood(data, utility(some), batch, optimiser).sum()) for some in (moves, 0 * moves)
        )
        return Learned(float(network.sensitivities(batch).mean()), with_prices - without)
