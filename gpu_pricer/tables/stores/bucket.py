"""A folder of an object store: its objects are listed, fetched, sent and removed, by keys relative to the folder."""

import re
import secrets
from collections.abc import Callable, Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, NamedTuple

import obstore
from obstore.exceptions import (
    AlreadyExistsError,
    BaseError,
    PermissionDeniedError,
    UnauthenticatedError,
)
from obstore.store import AzureStore, GCSStore, S3Store

from gpu_pricer.errors import InputError
from gpu_pricer.tables.files.replacing import whole_or_absent
from gpu_pricer.tables.stores.address import (
    CONNECT_SECONDS,
    REQUEST_SECONDS,
    RETRIES,
    RETRY_SECONDS,
    Address,
    is_plain_http,
    parse_address,
    require_endpoints,
)

if TYPE_CHECKING:
    from obstore import GetOptions
    from obstore.store import ClientConfig, ObjectStore, RetryConfig, S3Config

AT_ONCE = 8
"""Transfers at a time."""
PART = 16 * 2**20
"""The most bytes to fetch by one request."""
CODE = re.compile(r"<Code>(\w+)</Code>")
"""In the answers of S3 and its kin: what is wrong."""
SECRET = re.compile(r"(?<=://)[^/\s]*(?=@)|(?<=[^\s]\?)\S+")
"""What an address in an error may hold beside host and folder: a user with a password, and a query with a token."""
COLOURS = re.compile(r"\x1b\[\d*m|↳")
"""With which delta-rs draws the causes of an error."""
DENIALS = ("AccessDenied", "AccessKey", "Signature", "Token", "169.254.169.254")
"""Words in reasons that are about credentials; the last is where a cloud tells a machine those of its role, which are
asked for where the environment has none."""
MOST_TOLD = 200
"""Characters of an error of the store in a message."""


class Stored(NamedTuple):
    """An object. size: in bytes; last_write: in seconds, by the store's clock; tag: differs once the content does."""

    size: int
    last_write: float
    tag: str


class Bucket:
    """A folder of an object store; every method raises InputError, in bounded time, where the store does not answer."""

    def __init__(self, address: str) -> None:
        self.address = address.rstrip("/")
        with self._input_errors():
            self._store = _opened(parse_address(self.address))

    def list(self, folder: str = "") -> dict[str, Stored]:
        """Return the objects below a folder by key, sorted, without those that mark a folder, as consoles make them."""
        with self._input_errors():
            found = [entry for batch in obstore.list(self._store, folder or None) for entry in batch]
        facts = {
            entry["path"]: Stored(entry["size"], entry["last_modified"].timestamp(), str(entry["e_tag"]))
            for entry in found
        }
        folders = {key.rpartition("/")[0] for key in facts}
        folders |= {parent.as_posix() for folder in folders for parent in PurePosixPath(folder).parents} | {""}
        return {key: facts[key] for key in sorted(facts) if key not in folders and not key.endswith("/")}

    def read(self, key: str) -> bytes | None:
        """Return the content of a small object, None if there is none."""
        with self._input_errors():
            try:
                return bytes(obstore.get(self._store, key).bytes())
            except FileNotFoundError:
                return None

    def write(self, key: str, content: bytes) -> None:
        """Write a small object; what was there is replaced at once."""
        with self._input_errors():
            obstore.put(self._store, key, content)

    def create(self, key: str, content: bytes) -> bool:
        """Write a small object unless there is one, and return whether this call wrote it: of several only one does."""
        with self._input_errors():
            try:
                obstore.put(self._store, key, content, mode="create")
            except AlreadyExistsError:
                return False
        return True

    def fetch(self, files: Mapping[str, Path], facts: Mapping[str, Stored]) -> None:
        """Fetch objects by key to paths, each whole or not at all, with the content that `facts` were listed of.

        They come in parts, so that the time for one request does not limit their size.
        """
        with self._input_errors():
            _at_once(lambda key, path: self._fetch(key, path, facts[key]), files)

    def send(self, files: Mapping[str, Path]) -> None:
        """Send files by key, large ones in parts; a key has the whole file or what it had before."""
        with self._input_errors():
            _at_once(lambda key, path: obstore.put(self._store, key, path), files)

    def remove(self, keys: Collection[str]) -> None:
        """Remove objects; those that are not there do not matter."""
        with self._input_errors():
            for key in keys:
                try:
                    obstore.delete(self._store, key)
                except FileNotFoundError:
                    continue

    def _fetch(self, key: str, path: Path, facts: Stored) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = path.with_name(f"{path.name}.{secrets.token_hex(4)}.part")
        with whole_or_absent(fresh):
            with fresh.open("wb") as file:
                for start in range(0, facts.size, PART):
                    part: GetOptions = {"range": (start, min(start + PART, facts.size)), "if_match": facts.tag}
                    file.write(obstore.get(self._store, key, options=part).bytes())
            fresh.replace(path)

    @contextmanager
    def _input_errors(self) -> Iterator[None]:
        """Raise InputError with a remedy for an error of the store."""
        try:
            yield
        except (BaseError, FileNotFoundError, ValueError) as error:
            raise InputError(
                f"{self.address} must be in an object store that answers, found: {store_error(error)}"
            ) from error


def _opened(place: Address) -> "ObjectStore":
    """Return the store; S3 is told the SHA-256 of what it gets, and refuses other bytes."""
    require_endpoints()
    client: ClientConfig = {
        "connect_timeout": timedelta(seconds=CONNECT_SECONDS),
        "timeout": timedelta(seconds=REQUEST_SECONDS),
        "allow_http": place.kind == "s3" and is_plain_http(),
    }
    retry: RetryConfig = {"max_retries": RETRIES, "retry_timeout": timedelta(seconds=RETRY_SECONDS)}
    prefix = place.prefix or None
    if place.kind == "gs":
        return GCSStore(place.bucket, prefix=prefix, client_options=client, retry_config=retry)
    if place.kind == "az":
        return AzureStore(place.bucket, prefix=prefix, client_options=client, retry_config=retry)
    checked: S3Config = {"checksum_algorithm": "sha256"}
    return S3Store(place.bucket, prefix=prefix, config=checked, client_options=client, retry_config=retry)


def _at_once(work: Callable[[str, Path], object], files: Mapping[str, Path]) -> None:
    """Call work(key, path) for every file, several at a time; raise the first error, once all others have ended."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        tasks = [pool.submit(work, key, path) for key, path in files.items()]
        try:
            for task in tasks:
                task.result()
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise


def store_error(error: Exception) -> str:
    """Return what an error of obstore or delta-rs says, in one line, and what to do."""
    text = SECRET.sub("...", " ".join(COLOURS.sub("", str(error)).split()))
    code = CODE.search(text)
    reason = code[1] if code else text.partition(" in ")[0].partition(" Debug source")[0][:MOST_TOLD]
    if reason == "NoSuchBucket":
        return f"{reason}: make the bucket, or mend the address"
    if reason == "PreconditionFailed":
        return f"{reason}, because an object was replaced while it was read: run it again"
    is_denied = isinstance(error, PermissionDeniedError | UnauthenticatedError)
    if is_denied or any(word in reason for word in DENIALS):
        return f"{reason}: put credentials that may read and write there into the environment, as AWS_ACCESS_KEY_ID"
    return f"{reason}: check the network and the endpoint in the environment (AWS_ENDPOINT_URL), then run it again"
