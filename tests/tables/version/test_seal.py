"""The seal of a version: any change of its folder breaks it, and GNU's sha256sum reads it."""

import subprocess

import pytest

from gpu_pricer.errors import InputError
from gpu_pricer.tables.version import seal as sealing
from gpu_pricer.tables.version.names import LOCK, SEAL
from gpu_pricer.tables.version.seal import has_file, require_sealed, require_unchanged, seal


@pytest.fixture
def version(tmp_path):
    """A sealed folder of two files and a record."""
    folder = tmp_path / "night"
    (folder / "_record").mkdir(parents=True)
    for name in ("a.parquet", "b.parquet", "_record/run.json"):
        (folder / name).write_text(name)
    seal(folder)
    return folder


def test_sealed_version_passes_whoever_locks_it(version):
    (version / LOCK).write_text("publish by process 1")

    require_sealed(version)


def test_what_a_killed_publish_left_breaks_no_seal(version):
    (version / "_record/publication.json.5bce0ea85767.part").write_text("[")

    require_sealed(version)


def test_sha256sum_verifies_the_seal(version):
    subprocess.run(["sha256sum", "--check", "--strict", SEAL], cwd=version, check=True, capture_output=True)


CHANGES = {
    "changed file": (lambda folder: (folder / "a.parquet").write_text("b"), "1 of its files changed, .* a.parquet"),
    "missing file": (lambda folder: (folder / "a.parquet").unlink(), "1 of its files .* a.parquet"),
    "added file": (lambda folder: (folder / "_record/more").write_text(""), "1 of its files .* _record/more"),
    "swapped files": (
        lambda folder: [(folder / name).write_text(other) for name, other in (("a.parquet", "b"), ("b.parquet", "a"))],
        "2 of its files .* a.parquet, b.parquet",
    ),
    "link": (
        lambda folder: (folder / "a.parquet").rename(folder.parent / "a") and (folder / "a.parquet").symlink_to("../a"),
        "1 of its files .* a.parquet",
    ),
    "seal cut off": (lambda folder: (folder / SEAL).write_text("x"), "3 of its files"),
    "line added to the seal": (
        lambda folder: (folder / SEAL).write_text((folder / SEAL).read_text() + "\n"),
        "such as _record.SHA256SUMS",
    ),
    "no seal": (
        lambda folder: (folder / SEAL).unlink(),
        "must hold _record/SHA256SUMS, .* found none: wait for it, or score again",
    ),
    "seal elsewhere": (
        lambda folder: (folder / SEAL).rename(folder.parent / "seal") and (folder / SEAL).symlink_to("../../seal"),
        "must hold _record/SHA256SUMS, .* found none: wait for it, or score again",
    ),
}


@pytest.mark.parametrize("change", CHANGES)
def test_changed_version_is_refused(version, change):
    make, message = CHANGES[change]
    make(version)

    with pytest.raises(InputError, match=message):
        require_sealed(version)


def test_file_that_changes_while_it_is_sealed_is_read_again(version, monkeypatch):
    checksums = sealing.checksums

    def overtaken(folder, from_disk):
        monkeypatch.setattr(sealing, "checksums", checksums)
        found = checksums(folder, from_disk)
        (version / "a.parquet").write_text("scored again")
        return found

    monkeypatch.setattr(sealing, "checksums", overtaken)
    seal(version)

    require_sealed(version)


def test_file_that_vanishes_while_it_is_sealed_is_told(version, monkeypatch):
    def overtaken(folder, from_disk):
        raise FileNotFoundError(2, "No such file", "a.parquet")

    monkeypatch.setattr(sealing, "checksums", overtaken)

    with pytest.raises(InputError, match=r"found that another task removed a.parquet: let that task finish"):
        seal(version)


def test_named_files_are_compared_alone(version):
    (version / "b.parquet").write_text("c")

    require_unchanged(version, ["a.parquet"])
    with pytest.raises(InputError, match=r"night/b\.parquet must be as `score` left it, byte for byte, found another"):
        require_unchanged(version, ["a.parquet", "b.parquet"])


def test_file_that_the_seal_lists_cannot_be_lost(version):
    assert has_file(version, "a.parquet")
    assert not has_file(version, "c.parquet")
    (version / "a.parquet").unlink()

    with pytest.raises(
        InputError, match=r"night/a\.parquet must be there, since _record/SHA256SUMS lists it, found no"
    ):
        has_file(version, "a.parquet")
