"""Addresses in object stores, and how delta-rs is told to reach them.

obstore, delta-rs and Polars are bindings of one Rust library, object_store, which takes endpoint, region and
credentials from the environment. Nothing of that is configured here.
"""

import os
import re
from typing import NamedTuple
from urllib.parse import urlsplit

from gpu_pricer.errors import InputError

ADDRESS = re.compile(r"(?P<kind>s3|gs|az)://(?P<bucket>[A-Za-z0-9][A-Za-z0-9._-]*)(/(?P<prefix>[^?#\s]*))?")
ENDPOINTS = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT", "GOOGLE_BASE_URL")
"""Variables that name the server of a store."""
SCHEMES = "s3://, gs:// or az://"
RETRIES = 3
CONNECT_SECONDS, REQUEST_SECONDS, RETRY_SECONDS = 5, 60, 20
"""The most seconds to connect, for one request, and after which a failed request is not tried again."""
UNSAFE = "AWS_S3_ALLOW_UNSAFE_RENAME"
"""What lets delta-rs overwrite a commit of somebody else."""


class Address(NamedTuple):
    """A folder of an object store. kind: s3, gs or az. prefix: without slashes at its ends, "" for the whole bucket."""

    kind: str
    bucket: str
    prefix: str


def is_address(text: str) -> bool:
    """Return whether the text begins like an address that we can reach."""
    return text.startswith(("s3://", "gs://", "az://"))


def without_credentials(text: str) -> str:
    """Return an address as it may be shown: of `user:password@host/folder?token=...` the host and the folder."""
    scheme, mark, rest = text.partition("://")
    if not mark:
        scheme, rest = "", text
    *hidden, shown = rest.split("@")
    return f"{scheme}{mark}{'...@' if hidden else ''}{shown.partition('?')[0]}"


def parse_address(text: str) -> Address:
    """Return the parts of an address; raise InputError if it names no folder of a bucket."""
    match = ADDRESS.fullmatch(text)
    prefix = (match["prefix"] or "").rstrip("/") if match else ""
    if match is None or {".", "..", ""} & {*(prefix or "whole").split("/")}:
        raise InputError(
            f"an address must be {SCHEMES}, a bucket and a folder in it, without credentials, found "
            f"{without_credentials(text)!r}: write it "
            "like s3://bucket/prices"
        )
    return Address(match["kind"], match["bucket"], prefix)


def require_endpoints() -> None:
    """Raise InputError for an endpoint in the environment that is no URL, with which the stores' library panics."""
    for name, value in ((name, os.environ.get(name)) for name in ENDPOINTS):
        if value and not _is_url(value):
            raise InputError(
                f"{name} must be a URL with http:// or https:// and a host, found {without_credentials(value)!r}: "
                "mend it, or unset it"
            )


def _is_url(text: str) -> bool:
    try:
        parts = urlsplit(text)
        has_port = parts.port != 0
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname) and has_port and not re.search(r"\s", text)


def is_plain_http() -> bool:
    """Return whether the environment names an S3 endpoint without TLS, as of a server in one's own network."""
    endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL") or ""
    return endpoint.startswith("http://")


def delta_options(text: str) -> dict[str, str]:
    """Return what delta-rs needs to commit safely at an address: a log entry is written only if it is not there yet.

    S3 has such conditional writes since 2024, Google's and Azure's stores always had. Raise InputError where the
    environment asks for commits without that, or names an endpoint that is no URL.
    """
    require_endpoints()
    if os.environ.get(UNSAFE, "").strip().lower() not in ("", "0", "false"):
        raise InputError(
            f"{UNSAFE} must not be set, found {os.environ[UNSAFE]}: one of two publishers would overwrite "
            "the other's commit"
        )
    options = {
        "timeout": f"{REQUEST_SECONDS}s",
        "connect_timeout": f"{CONNECT_SECONDS}s",
        "max_retries": str(RETRIES),
        "retry_timeout": f"{RETRY_SECONDS}s",
    }
    if parse_address(text).kind == "s3":
        options["aws_conditional_put"] = "etag"
        if is_plain_http():
            options["allow_http"] = "true"
    return options
