"""The record of a job: the fingerprints of what it read."""

import hashlib

from gpu_pricer.process import run_record
from gpu_pricer.process.run_record import fingerprints


def test_file_is_read_once_for_as_long_as_it_stays(tmp_path, monkeypatch):
    file, read = tmp_path / "products.parquet", []
    digest = hashlib.file_digest
    monkeypatch.setattr(run_record.hashlib, "file_digest", lambda *given: read.append(given) or digest(*given))
    file.write_bytes(b"first")

    first = [fingerprints([tmp_path]), fingerprints([file])]
    file.write_bytes(b"second")
    second = fingerprints([file])

    assert first == [{str(file): hashlib.sha256(b"first").hexdigest()}] * 2
    assert second == {str(file): hashlib.sha256(b"second").hexdigest()}
    assert len(read) == 2
