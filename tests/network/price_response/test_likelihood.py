"""The pass of the price response against the network itself, and the equations against dense algebra."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.sparse import csr_array

from gpu_pricer.network.encoding.loading import EncodingConfig, load_choice_data
from gpu_pricer.network.model.demand_network import DemandNetwork, NetworkConfig
from gpu_pricer.network.model.history_encoder import HistoryConfig
from gpu_pricer.network.model.objective import OptimiserConfig, batch_of, log_likelihood
from gpu_pricer.network.price_response.likelihood import ResponseLikelihood
from gpu_pricer.network.price_response.normal_equations import NormalEquations
from gpu_pricer.network.price_response.parameters import PriorConfig, ResponseParameters
from tests.canonical import SPLIT, write_canonical

ENCODING = EncodingConfig(min_count=2, min_price_coverage=0.7, price_memory=8, half_lives=[2, 8])
NETWORK = NetworkConfig(
    taste_width=4, sensitivity_width=2, start_sensitivity=1.0, season_spread=0.5, carry_periods=4, history=None
)
OPTIMISER = OptimiserConfig("choices", 0.005, 0.02, 0.01, 512, max_epochs=1, patience=1, max_alternatives=3)
PRIOR = PriorConfig(level=1.0, effect=0.3, user_level=0.5, attribute=0.5, product=0.5, user=0.5, shock=0.1)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    directory = tmp_path_factory.mktemp("response") / "data"
    write_canonical(directory, users=40, periods=12, keep_zeros=0.5)
    return load_choice_data(directory, ENCODING, SPLIT)


@pytest.mark.parametrize("likelihood", ["choices", "purchases"])
@pytest.mark.parametrize("history", [None, HistoryConfig(hidden=8, dropout=0.0)])
def test_a_pass_has_the_value_and_the_gradient_of_the_network(data, likelihood, history):
    optimiser = replace(OPTIMISER, likelihood=likelihood, max_alternatives=None)
    network = _anywhere(data, replace(NETWORK, history=history))
    parameters = ResponseParameters(network, PRIOR)
    batch = batch_of(data, data.split()[0], optimiser, torch.Generator())
    value = log_likelihood(data, network.utility(batch, network.tastes(batch), data.trusted_moves(batch.row)), batch,
                           optimiser).sum()  # fmt: skip
    value.backward()
    expected = parameters.gradient()
    network.zero_grad()

    found, curvature, mean_sensitivity = ResponseLikelihood(network, optimiser, seed=0).look()

    assert found == pytest.approx(float(value.detach()), rel=1e-5)
    np.testing.assert_allclose(parameters.gradient(), expected, rtol=1e-3, atol=1e-3)
    response = network.sensitivities(batch).detach()
    assert float(response.min()) < mean_sensitivity < float(response.max())
    assert float(curvature.information.sum()) > 0


def test_the_normal_equations_are_solved_with_every_shock_in_them():
    rng = np.random.default_rng(0)
    levels, slopes = np.zeros((40, 7)), np.zeros((40, 7))
    levels[:, :4], slopes[:, 4:] = (rng.normal(size=(40, n)) * (rng.random((40, n)) < 0.5) for n in (4, 3))
    information, steepness, precision = (rng.uniform(0.5, 2, n) for n in (40, 40, 7))
    gradient, of_shocks = rng.normal(size=7), rng.normal(size=40)
    x = np.hstack([levels + steepness[:, None] * slopes, np.eye(40)])
    normal = x.T @ (information[:, None] * x) + np.diag(np.append(precision, np.full(40, 25.0)))
    expected = np.linalg.solve(normal, np.append(gradient, of_shocks))

    equations = NormalEquations(csr_array(levels), csr_array(slopes), precision, shock=25.0)
    found = np.concatenate(equations.solve(information, steepness, gradient, of_shocks))

    assert found @ normal @ found == pytest.approx(expected @ normal @ expected, rel=1e-3)
    error = found - expected
    assert error @ normal @ error < 1e-3 * (expected @ normal @ expected)


def _anywhere(data, config):
    """A network whose parameters are nowhere near their start."""
    torch.manual_seed(0)
    network = DemandNetwork(data, config).eval()
    network.shock.requires_grad_(True)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return network
