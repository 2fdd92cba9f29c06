"""A server of the S3 protocol for the whole session, an empty bucket for each test, and machines that publish there."""

import itertools
import os
import subprocess
import sys
import urllib.request
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from gpu_pricer.pricing.tiling import Tiling
from gpu_pricer.tables.artefact import DemandArtefact
from gpu_pricer.tables.published.price_copy import refresh_copy
from gpu_pricer.tables.stores.local_copy import begin_copy
from gpu_pricer.tables.version.seal import seal
from gpu_pricer.versions.priced_catalog import PricedCatalog
from gpu_pricer.versions.publication import Publication, publish
from gpu_pricer.versions.scored_version import score
from tests.gates.limits import NOBODY, OFF
from tests.markets import a_policy, catalog_of, small_artefact

PYTHON = Path(sys.prefix) / "s3-server/bin/python"
"""Moto needs older libraries than we do, so that it has an environment of its own."""
NUMBERS = itertools.count()
ARTEFACT = small_artefact(31, segments=3, products=12, categories=4)
USUAL = Publication(dry_run=False, keep=5, keep_hours=0, gates=OFF, accept=[], reason=None, approval=NOBODY)


@pytest.fixture(scope="session")
def endpoint():
    """The address of the server."""
    if not PYTHON.exists():
        pytest.skip("the S3 server is not installed: make s3-server")
    command = [PYTHON, Path(__file__).with_name("s3_server.py")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        yield server.stdout.readline().strip()
        server.kill()


@pytest.fixture
def bucket(endpoint, monkeypatch):
    """The name of an empty bucket, which the environment gives access to."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    given = {"ENDPOINT_URL": endpoint, "ACCESS_KEY_ID": "us", "SECRET_ACCESS_KEY": "secret", "REGION": "us-east-1"}
    for name, value in {**given, "ALLOW_HTTP": "true"}.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    name = f"shop{next(NUMBERS)}"
    with urllib.request.urlopen(urllib.request.Request(f"{endpoint}/{name}", method="PUT")):
        return name


class Machine:
    """A machine with a copy of the prices at an address."""

    def __init__(self, address: str, prices: Path) -> None:
        self.address, self.prices = address, prices
        begin_copy(prices, address)

    def scored(self, run: str, catalog: int = 0, artefact: DemandArtefact = ARTEFACT) -> Path:
        """The folder of a finished version whose prices differ by catalog."""
        folder = self.prices / run
        score(
            artefact,
            PricedCatalog(catalog_of(ARTEFACT, catalog)),
            a_policy(),
            Tiling("long", 9, 2, None, 1),
            folder,
            "cpu",
        )
        seal(folder)
        return folder

    def refresh(self) -> None:
        """What a job does before it begins."""
        refresh_copy(self.prices, with_current=True)

    def publish(self, folder: Path, **settings: object) -> str:
        """Publish a version, as the job does."""
        return publish(self.prices, folder, replace(USUAL, **settings))

    def rows(self) -> pl.DataFrame:
        """What a reader of Delta sees."""
        return pl.scan_delta(self.address).sort("product_id", "segment_id").collect()


@pytest.fixture
def machines(bucket, tmp_path):
    """Two machines that share an address."""
    return [Machine(f"s3://{bucket}/shops/prices", tmp_path / name) for name in ("one", "two")]
