"""Artefacts kept beside the versions, once each."""

import pytest

from gpu_pricer.errors import InputError
from gpu_pricer.tables.artefact import read_artefact, write_artefact
from gpu_pricer.tables.published import kept_artefacts
from gpu_pricer.tables.published.kept_artefacts import bring_artefact, keep_artefact, kept_artefact
from tests.markets import small_artefact, with_posterior

ARTEFACT = with_posterior(small_artefact(3), 0.5)
FINGERPRINT = ARTEFACT.fingerprint()


@pytest.fixture
def demand(tmp_path):
    write_artefact(ARTEFACT, tmp_path / "demand")
    (tmp_path / "demand/network").mkdir()
    return tmp_path / "demand"


def kept(folder):
    return sorted(path.name for path in (folder / "_artefacts").iterdir())


def test_kept_artefact_is_the_same_without_its_network(demand, tmp_path):
    keep_artefact(demand, tmp_path, FINGERPRINT)

    place = kept_artefact(tmp_path, FINGERPRINT)
    assert read_artefact(place).fingerprint() == FINGERPRINT
    assert not (place / "network").exists()
    assert kept(tmp_path) == [FINGERPRINT]


def test_artefact_that_is_kept_is_not_read_again(demand, tmp_path):
    keep_artefact(demand, tmp_path, FINGERPRINT)

    keep_artefact(tmp_path / "gone", tmp_path, FINGERPRINT)

    assert kept(tmp_path) == [FINGERPRINT]


def test_other_artefact_is_refused_and_nothing_kept(demand, tmp_path):
    with pytest.raises(InputError, match=r"demand must stay as it is while it is priced .* found another artefact"):
        keep_artefact(demand, tmp_path, "0123456789abcdef")

    assert not (tmp_path / "_artefacts").exists()


def test_two_processes_that_keep_one_artefact_leave_one(demand, tmp_path, monkeypatch):
    def slow(artefact, directory):
        """Another process keeps the artefact while this one writes its copy."""
        write_artefact(artefact, directory)
        monkeypatch.setattr(kept_artefacts, "write_artefact", write_artefact)
        keep_artefact(demand, tmp_path, FINGERPRINT)

    monkeypatch.setattr(kept_artefacts, "write_artefact", slow)

    keep_artefact(demand, tmp_path, FINGERPRINT)

    assert kept(tmp_path) == [FINGERPRINT]


def test_artefact_comes_along_with_its_version(demand, tmp_path):
    keep_artefact(demand, tmp_path / "what-if", FINGERPRINT)
    (tmp_path / "prices").mkdir()

    assert bring_artefact(tmp_path / "what-if", tmp_path / "prices", FINGERPRINT)

    assert read_artefact(kept_artefact(tmp_path / "prices", FINGERPRINT)).fingerprint() == FINGERPRINT
    assert not bring_artefact(tmp_path / "what-if", tmp_path / "prices", "none")
