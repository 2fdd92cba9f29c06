"""The README states the contracts that the code has."""

from pathlib import Path

import pytest

from gpu_pricer.jobs import JOBS
from gpu_pricer.tables.contract import describe_inputs, describe_prices, describe_wide_prices

README = (Path(__file__).parents[1] / "README.md").read_text()


CONTRACTS = {"prices": describe_prices, "wide prices": describe_wide_prices, "inputs": describe_inputs}


@pytest.mark.parametrize("contract", [describe() for describe in CONTRACTS.values()], ids=CONTRACTS)
def test_contracts_are_those_of_the_schemas(contract):
    assert contract in README, "run `python -m gpu_pricer.tables.contract` and paste what it prints"


def test_readme_is_short():
    assert len(README.splitlines()) <= 180


def test_every_job_of_the_flow_exists():
    assert all(job in README for job in JOBS)
