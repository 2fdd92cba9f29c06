"""What the harness calls a broken promise."""

from dataclasses import replace

import pytest

from gpu_pricer.pricing.tiling import Tiling
from gpu_pricer.tables.version.names import FAIRNESS, RUN_RECORD
from gpu_pricer.tables.version.seal import seal
from gpu_pricer.versions.priced_catalog import PricedCatalog
from gpu_pricer.versions.publication import Publication, publish
from gpu_pricer.versions.scored_version import score
from tests.faults.remains import broken_promises, outcome, unfinished, unfollowed
from tests.gates.limits import NOBODY, OFF
from tests.markets import a_policy, catalog_of, small_artefact

ARTEFACT = small_artefact(21, segments=3, products=12, categories=4)
USUAL = Publication(
    dry_run=False, keep=5, keep_hours=0, gates=replace(OFF, audit=True), accept=[], reason=None, approval=NOBODY
)


@pytest.fixture
def prices(tmp_path, monkeypatch):
    """The published table of a working folder, of the audited version `first`."""
    monkeypatch.chdir(tmp_path)
    prices = tmp_path / "prices"
    publish(prices, scored(prices / "first"), USUAL)
    return prices


def scored(folder, seed=0):
    tiling = Tiling("long", 100, 1, None, 1)
    score(ARTEFACT, PricedCatalog(catalog_of(ARTEFACT, seed)), a_policy(), tiling, folder, "cpu")
    (folder / FAIRNESS).write_text('{"is_refused": false}')
    seal(folder)
    return folder


def test_published_table_breaks_none(prices):
    assert (broken_promises(), unfollowed(), unfinished()) == ([], [], [])


def test_link_to_an_unpublished_version(prices):
    scored(prices / "second", seed=1)
    (prices / "_current").unlink()
    (prices / "_current").symlink_to("second")

    assert broken_promises() == ["_current names second, published are ['first']"]
    assert unfollowed() == ["_current is second, published is first"]


def test_version_without_audit_or_record(prices):
    scored(prices / "second", seed=1)
    (prices / "second" / FAIRNESS).unlink()
    scored(prices / "third", seed=1)
    (prices / "third" / RUN_RECORD).unlink()

    assert broken_promises() == ["prices/second can be published without an audit"]
    assert unfinished() == ["prices/third"]


def test_other_prices_are_another_outcome(prices):
    before = outcome()
    publish(prices, scored(prices / "second", seed=1), USUAL)

    after = outcome()

    assert after["published"] != before["published"]
    assert {name for name in after if after[name] != before[name]} == {"published"}


def test_unfinished_file_is_nothing_that_anybody_reads(prices):
    before = outcome()
    folder = prices.parent / "work/frontier"
    folder.mkdir(parents=True)
    (folder / "units.parquet.0123456789ab.part").write_bytes(b"half")

    assert outcome() == before
