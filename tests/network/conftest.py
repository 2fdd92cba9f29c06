"""A market whose demand the test knows, and a network trained on it."""

import pytest

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
