"""Where a policy comes from: one small interface, and the name of each kind of place.

Owns the limits that hold for all of them. A source gives bytes: whether they are a bundle or a plain policy, and
whether they may be used, is for :mod:`extproc.bundle.accept`.
"""

import ipaddress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from extproc.strict_yaml import MAX_SIZE

LARGEST: Final = MAX_SIZE
"""Bytes of the largest file that is read at all: no policy may be larger."""
TIMEOUT_S: Final = 20.0
"""Seconds within which a source must have given the whole file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """A whole file. `etag` names these bytes at their source; None where the source has no such names."""

    data: bytes
    etag: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class NotModified:
    """The source still holds what the given etag names."""


class Source(Protocol):
    """A place that gives a policy. Its `name` is for people and logs, and holds no credentials."""

    @property
    def name(self) -> str:
        """Name the place."""
        ...

    async def fetch(self, etag: str | None) -> Fetched | NotModified:
        """Give the file as it is now; NotModified where `etag`, from an earlier fetch, still names it.

        Raises SourceError, within a bounded time.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceOptions:
    """What a source needs beside its address. `ca` is a PEM file of the authorities that an HTTPS server is held to.

    For https it replaces those of the system; for S3 it stands beside them. `s3_endpoint` and `s3_region` are of an
    S3-compatible store; None takes AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL or AWS_ENDPOINT, and AWS_REGION.
    """

    ca: Path | None = None
    s3_endpoint: str | None = None
    s3_region: str | None = None
    timeout_s: float = TIMEOUT_S


def is_remote(location: str) -> bool:
    """Tell a place that must be polled from a file, which is watched."""
    return "://" in location


def is_loopback(host: str) -> bool:
    """Tell a host that is this machine, where plain HTTP crosses no network."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
