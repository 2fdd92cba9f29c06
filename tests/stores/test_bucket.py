"""A folder of an object store: what is fetched, sent and created, and what an error says."""

import re
import time
import urllib.request

import pytest

from gpu_pricer.errors import InputError
from gpu_pricer.tables.stores import bucket as stores
from gpu_pricer.tables.stores.address import parse_address
from gpu_pricer.tables.stores.bucket import Bucket
from gpu_pricer.tables.stores.local_copy import begin_copy, refresh

PATIENCE = 30.0
"""Seconds within which a store that does not answer must end a job."""


@pytest.fixture
def store(bucket):
    return Bucket(f"s3://{bucket}/raw")


def test_only_one_of_several_creates_an_object(store):
    made = [store.create("claim", name.encode()) for name in ("first", "second")]

    assert made == [True, False]
    assert store.read("claim") == b"first"
    assert store.read("other") is None


def test_objects_come_in_parts_and_whole(store, tmp_path, monkeypatch):
    monkeypatch.setattr(stores, "PART", 3)
    contents = {"a": b"", "b/c": b"123", "b/d": b"1234567"}
    for key, content in contents.items():
        store.write(key, content)

    store.fetch({key: tmp_path / key for key in contents}, store.list())

    assert {key: (tmp_path / key).read_bytes() for key in contents} == contents
    assert not [*tmp_path.rglob("*.part")]


def test_object_that_is_replaced_while_it_is_fetched_is_refused(store, tmp_path):
    store.write("a", b"old")
    listed = store.list()
    store.write("a", b"new")

    with pytest.raises(
        InputError, match=r"must be in an object store that answers, found: PreconditionFailed, because an object"
    ):
        store.fetch({"a": tmp_path / "a"}, listed)

    assert not [*tmp_path.iterdir()]


def test_copy_fetches_what_changed_and_drops_what_has_gone(store, tmp_path, monkeypatch):
    copy = tmp_path / "copy"
    begin_copy(copy, store.address)
    for key in ("same", "changed", "gone"):
        store.write(key, b"old")
    refresh(copy, lambda key: True)
    (copy / "ours").write_text("ours")
    store.write("changed", b"new")
    store.remove(["gone"])
    fetched = []
    monkeypatch.setattr(
        Bucket,
        "fetch",
        lambda self, files, facts, fetch=Bucket.fetch: fetched.extend(files) or fetch(self, files, facts),
    )

    gone = refresh(copy, lambda key: True)

    assert gone == {"gone"}
    assert fetched == ["changed"]
    files = {path.name: path.read_text() for path in copy.iterdir() if path.name != "_copy.json"}
    assert files == {"same": "old", "changed": "new", "ours": "ours"}


def test_objects_that_mark_folders_are_no_files(bucket, endpoint, tmp_path):
    for key in ("raw/", "raw/products/", "raw/products/shoes/", "raw/products/shoes/part.parquet", "raw/sales.parquet"):
        content = key.encode() * (not key.endswith("/"))
        with urllib.request.urlopen(urllib.request.Request(f"{endpoint}/{bucket}/{key}", content, method="PUT")):
            pass
    copy = tmp_path / "copy"
    begin_copy(copy, f"s3://{bucket}/raw")

    refresh(copy, lambda key: True)

    files = {path.relative_to(copy).as_posix() for path in copy.rglob("*") if path.is_file()}
    assert files == {"_copy.json", "products/shoes/part.parquet", "sales.parquet"}


@pytest.mark.parametrize(
    ("changed", "address", "message"),
    [
        ({}, "s3://none/raw", r"NoSuchBucket: make the bucket, or mend the address"),
        (
            {"AWS_ENDPOINT_URL": "http://127.0.0.1:1"},
            "s3://none/raw",
            r"Error performing .*: check the network and the",
        ),
        ({"AWS_ACCESS_KEY_ID": None}, "s3://none/raw", r"Missing AccessKeyId: put credentials that may read and"),
    ],
    ids=["no bucket", "no server", "no credentials"],
)
@pytest.mark.usefixtures("bucket")
def test_store_that_does_not_answer_is_said_in_one_line_and_soon(monkeypatch, changed, address, message):
    for name, value in changed.items():
        monkeypatch.delenv(name) if value is None else monkeypatch.setenv(name, value)
    begun = time.monotonic()

    with pytest.raises(InputError) as raised:
        Bucket(address).list()

    assert re.search(rf"^{address} must be in an object store that answers, found: .*{message}", str(raised.value))
    assert "\n" not in str(raised.value)
    assert time.monotonic() - begun < PATIENCE


@pytest.mark.usefixtures("bucket")
def test_password_in_an_endpoint_is_not_said(monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://ann:pass@word@127.0.0.1:1")

    with pytest.raises(InputError, match=r"http://\.\.\.@127\.0\.0\.1:1/none\?\.\.\.: check the network") as raised:
        Bucket("s3://none/raw").list()

    assert "word" not in str(raised.value)


@pytest.mark.parametrize("endpoint", ["foo", "http://", "http://shop:99999", "ftp://shop", "http://a b"])
@pytest.mark.parametrize("name", ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"])
def test_endpoint_that_is_no_url_is_refused_in_one_line(gpu_pricer, monkeypatch, name, endpoint):
    monkeypatch.setenv(name, endpoint)

    ended = gpu_pricer("versions", "paths.prices=s3://shop/prices")

    assert ended.status == 2
    assert ended.said == [
        f"gpu-pricer versions: {name} must be a URL with http:// or https:// and a host, found '{endpoint}': "
        "mend it, or unset it"
    ]


@pytest.mark.parametrize(
    "address",
    [
        "s3://",
        "s3:///prices",
        "s3://shop/a/../b",
        "s3://shop//prices",
        "s3://us:secret@shop/prices",
        "s3://us:secret@x@shop/a?b=secret",
    ],
)
def test_what_is_no_address_is_refused(address):
    with pytest.raises(InputError, match=r"without credentials, found .*: write it like s3://bucket/prices") as raised:
        parse_address(address)

    assert "secret" not in str(raised.value)
