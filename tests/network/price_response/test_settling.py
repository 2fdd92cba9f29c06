"""Price response brought to its optimum, on a market whose sensitivities the test knows."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from gpu_pricer.network.encoding.batches import EVERY_ALTERNATIVE, gather_batch
from gpu_pricer.network.model.demand_network import DemandNetwork
from gpu_pricer.network.model.likelihood import log_probability
from gpu_pricer.network.price_response.settling import settle_price_response
from gpu_pricer.network.training.fitting import fit_network
from tests.network.small import CPU, NETWORK, OPTIMISER, PRICE_RESPONSE, mean_sensitivity_of_products


def test_sensitivity_is_learned_from_price_moves(market, trained):
    drawn, data = market
    learned = mean_sensitivity_of_products(trained)
    truth = drawn.sensitivity[data.products.table["product_id"].to_numpy()]

    assert learned.mean() == pytest.approx(truth.mean(), rel=0.1)
    assert np.corrcoef(learned, truth)[0, 1] > 0.7


def test_sensitivity_does_not_depend_on_where_it_starts(market, trained, tmp_path):
    _, data = market
    brief = replace(OPTIMISER, max_epochs=2)
    begun, reached = [], []
    for start in (0.5, 2.0, 6.0):
        network = replace(NETWORK, start_sensitivity=start)
        other = fit_network(data, network, brief, CPU, tmp_path / str(start), seed=0, resume=False).network
        begun.append(mean_sensitivity_of_products(other).mean())
        settle_price_response(other, PRICE_RESPONSE, OPTIMISER, seed=0)
        reached.append(mean_sensitivity_of_products(other).mean())

    expected = mean_sensitivity_of_products(trained).mean()
    assert max(begun) > 1.2 * min(begun)
    assert reached == pytest.approx([expected] * 3, rel=0.05)
    assert max(reached) < 1.05 * min(reached)


def test_settling_raises_the_penalised_likelihood_to_a_flat_place(market, trained):
    _, data = market
    training = data.split()[0]
    batch = gather_batch(data, training, EVERY_ALTERNATIVE, torch.Generator())
    trained.zero_grad()
    _learned_likelihood(trained, batch).sum().backward()

    purchases = float((batch.chosen >= 0).sum())
    assert abs(float(trained.mean_level.grad)) < 0.005 * purchases
    assert float(trained.mean_sensitivity.grad.abs().max()) < 0.005 * purchases


def test_a_price_that_is_only_carried_teaches_no_price_response(market):
    _, data = market
    network = DemandNetwork(data, NETWORK)
    batch = gather_batch(data, data.split()[0], EVERY_ALTERNATIVE, torch.Generator())
    _learned_likelihood(network, batch).sum().backward()

    carried = data.products.table["product_id"].to_numpy() == 0
    gradient = network.product_sensitivity.own.weight.grad.abs().sum(dim=1).numpy()
    assert (gradient[carried] == 0).all()
    assert (gradient[~carried] > 0).all()


def _learned_likelihood(network, batch):
    """The log likelihood that training climbs, [N]."""
    utility = network.utility(batch, network.tastes(batch), network.data.trusted_moves(batch.row))
    return log_probability(utility, batch.occasion, batch.chosen, batch.outside)
