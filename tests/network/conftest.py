"""A market whose demand the test knows, and a network trained on it."""

import pytest

from gpu_pricer.network.encoding.loading import load_choice_data
from gpu_pricer.network.price_response.settling import settle_price_response
from gpu_pricer.network.training.fitting import fit_network
from tests.canonical import SPLIT, write_canonical
from tests.network.small import CPU, ENCODING, NETWORK, OPTIMISER, PRICE_RESPONSE


@pytest.fixture(scope="session")
def market(tmp_path_factory):
    directory = tmp_path_factory.mktemp("canonical") / "data"
    drawn = write_canonical(directory)
    return drawn, load_choice_data(directory, ENCODING, SPLIT)


@pytest.fixture(scope="session")
def trained(market, tmp_path_factory):
    _, data = market
    network = fit_network(data, NETWORK, OPTIMISER, CPU, tmp_path_factory.mktemp("train"), seed=0, resume=False).network
    settle_price_response(network, PRICE_RESPONSE, OPTIMISER, seed=0)
    return network.eval()
