"""A market whose demand the test knows, and a network trained on it."""

import pytest
import torch

from gpu_pricer.network.encoding.loading import load_choice_data
from tests.canonical import SPLIT, write_canonical
from tests.network.small import ENCODING, trained_network


@pytest.fixture(scope="session")
def tables(tmp_path_factory):
    directory = tmp_path_factory.mktemp("canonical") / "data"
    return directory, write_canonical(directory)


@pytest.fixture(scope="session")
def market(tables):
    directory, drawn = tables
    return drawn, load_choice_data(directory, ENCODING, SPLIT)


@pytest.fixture(scope="session")
def trained(market, tables, tmp_path_factory):
    return trained_network(market[1], tables[0], tmp_path_factory.mktemp("train"))


@pytest.fixture
def in_threads():
    """What a function returns where PyTorch has so many threads; it has as many before and after the call."""
    before = torch.get_num_threads()

    def call(threads, function):
        torch.set_num_threads(threads)
        found = function()
        assert torch.get_num_threads() == threads
        return found

    yield call
    torch.set_num_threads(before)
