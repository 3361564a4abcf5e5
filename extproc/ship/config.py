"""`shipping.yaml`: which region's evidence goes where. This docstring and the classes below are its manual.

Keyed by region, because evidence stays in the region of the record. A log's region is the third part of its origin,
which its checkpoint states. A log of a region that has no entry is refused, loudly, and never shipped elsewhere::

    apiVersion: situs/v1
    regions:
      eu-fra: {to: "s3://acme-evidence-fra/situs", endpoint: "https://s3.eu-central-1.amazonaws.com",
               location: eu-central-1, lock_days: 400}
      me-dxb: {to: "/mnt/evidence"}
    kafka:
      eu-fra: {bootstrap: "kafka-0.fra.example:9093", topic: situs-decisions}

Credentials never stand here nor on a command line: those of a store are found as every S3 client finds them, those of
Kafka stand in a file that only its owner may read.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from extproc.strict_yaml import (
    Table,
    UnfitError,
    Value,
    entries_of,
    integer,
    number,
    parsed,
    read_document,
    table_of,
    text,
)

API_VERSION: Final = "situs/v1"
LOCK_DAYS: Final = 400
EVERY_S: Final = 10.0

_REGION: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}", re.ASCII)
_BUCKET: Final = re.compile(
    r"s3://(?P<bucket>[a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:/(?P<prefix>[A-Za-z0-9._-]+(?:/[A-Za-z0-9._-]+)*))?", re.ASCII
)
_LOCATION: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,62}", re.ASCII)
_TOPIC: Final = re.compile(r"[A-Za-z0-9._-]{1,200}", re.ASCII)
_LONGEST_LOCK: Final = 36_500
_LONGEST_PERIOD_S: Final = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderPlace:
    """`to: "/absolute/path"`: another disk or a mounted share. It must exist. Takes no other fields but `every_s`."""

    path: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class BucketPlace:
    """`to: "s3://BUCKET/PREFIX"`: a store that speaks S3. The bucket needs versioning and object lock."""

    bucket: str
    prefix: str
    """Begins every name in the bucket; empty, or without a slash at its end."""
    endpoint: str
    """Required. `https://HOST[:PORT]`, the only host that is ever spoken to; plain http is for loopback alone."""
    location: str
    """Required. The region in the store's own words, such as `eu-central-1`; a bucket elsewhere is refused."""
    lock_days: int = LOCK_DAYS
    """Days for which no version of any object can be removed, by anybody (COMPLIANCE). 400: more than the six months
    that the EU AI Act asks of logs, and more than a year, so that a yearly audit finds all of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RegionShipping:
    """One region's store."""

    place: FolderPlace | BucketPlace
    every_s: float = EVERY_S
    """Least time between two checkpoints of one log, in seconds. Full tiles go at once. Each checkpoint takes a few
    small objects along, so a quiet log is cheaper with more; what a lost machine can lose is this and an upload."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KafkaPlace:
    """A topic that gets a copy of each entry; see :mod:`extproc.ship.kafka` for what is guaranteed."""

    bootstrap: str
    """Required. Brokers as `HOST:PORT`, separated by commas."""
    topic: str
    """Required. Must exist, and beside it `TOPIC.positions`, which must be compacted."""
    settings: Path | None = None
    """Further settings of the client as `name=value` lines (`security.protocol`, `sasl.…`), in a file of mode 0600.
    Without it TLS without a client's certificate is spoken, and plain text on loopback alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shipping:
    """All of the file."""

    regions: Mapping[str, RegionShipping]
    kafka: Mapping[str, KafkaPlace] = field(default_factory=dict)
    """Copies, by region. A region that is copied must also be shipped."""


def load_shipping(path: Path) -> Shipping:
    """Read the file. Raises DocumentError with every fault, its place and its mend."""
    return read_document(path, table_of(_shipping))


def is_loopback(address: str) -> bool:
    """Tell whether a host is this machine and no other."""
    try:
        return ip_address(address.strip("[]")).is_loopback
    except ValueError:
        return address == "localhost"


def _shipping(table: Table) -> Shipping:
    version = table.required("apiVersion", _version)
    regions = table.required("regions", entries_of(_parse_region, _region, minimum=1))
    none: Mapping[str, KafkaPlace] = {}
    kafka = table.optional("kafka", entries_of(_parse_region, _kafka), default=none)
    if regions.is_sound and kafka.is_sound:
        for region in kafka.value:
            if region not in regions.value:
                table.value.complain(
                    f"kafka: the region '{region}' is copied and not shipped",
                    f"add '{region}:' to regions, or remove it from kafka: a topic keeps no evidence by itself",
                )
    _ = version.value
    return Shipping(regions=regions.value, kafka=kafka.value)


def _region(_: str, value: Value) -> RegionShipping:
    def read(table: Table) -> RegionShipping:
        to = table.required("to", parsed(_parse_place))
        endpoint = table.optional("endpoint", parsed(_parse_endpoint), default=None)
        location = table.optional("location", parsed(_parse_location), default=None)
        lock_days = table.optional("lock_days", integer(minimum=1, maximum=_LONGEST_LOCK), default=None)
        every_s = table.optional("every_s", number(minimum=0.1, maximum=_LONGEST_PERIOD_S), default=EVERY_S)
        if isinstance(to.value, Path):
            if (endpoint.value, location.value, lock_days.value) != (None, None, None):
                table.value.refuse(
                    "a folder has no endpoint, location or lock_days", "remove them, or write to: s3://BUCKET/PREFIX"
                )
            return RegionShipping(place=FolderPlace(path=to.value), every_s=every_s.value)
        if endpoint.value is None or location.value is None:
            table.value.refuse(
                "a bucket is pinned by its endpoint and its location", "add 'endpoint:' and 'location:' of the store"
            )
        bucket, prefix = to.value
        place = BucketPlace(
            bucket=bucket,
            prefix=prefix,
            endpoint=endpoint.value,
            location=location.value,
            lock_days=lock_days.value or LOCK_DAYS,
        )
        return RegionShipping(place=place, every_s=every_s.value)

    return table_of(read)(value)


def _kafka(_: str, value: Value) -> KafkaPlace:
    def read(table: Table) -> KafkaPlace:
        bootstrap = table.required("bootstrap", parsed(_parse_bootstrap))
        topic = table.required("topic", parsed(_parse_topic))
        settings = table.optional("settings", parsed(_parse_absolute), default=None)
        return KafkaPlace(bootstrap=bootstrap.value, topic=topic.value, settings=settings.value)

    return table_of(read)(value)


def _version(value: Value) -> str:
    written = text(value)
    if written != API_VERSION:
        value.refuse(f"the version '{written}' is not known", f"write 'apiVersion: {API_VERSION}'")
    return written


def _parse_region(written: str) -> str:
    if _REGION.fullmatch(written) is None:
        raise UnfitError(f"'{written}' is no region", "write the third part of the logs' origins, such as eu-fra")
    return written


def _parse_place(written: str) -> Path | tuple[str, str]:
    if written.startswith("/"):
        return Path(written)
    match = _BUCKET.fullmatch(written)
    if match is None or {".", ".."} & set((match["prefix"] or "").split("/")):
        raise UnfitError(
            f"'{written}' is neither a bucket nor an absolute path", "write s3://BUCKET/PREFIX or /a/folder"
        )
    return match["bucket"], match["prefix"] or ""


def _parse_endpoint(written: str) -> str:
    mend = "write https://HOST, without a path; plain http is for loopback alone"
    try:
        parts = urlsplit(written)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise UnfitError("the endpoint is no URL", mend) from None
    if parts.username is not None or parts.password is not None:
        raise UnfitError("the endpoint holds a password", "set AWS_ACCESS_KEY_ID and its like instead")
    if parts.path.strip("/") or parts.query or parts.fragment or not host or port == 0:
        raise UnfitError(f"'{written}' is no endpoint", mend)
    if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(host)):
        raise UnfitError(f"'{written}' is no HTTPS endpoint", mend)
    return f"{parts.scheme}://{parts.netloc}"


def _parse_location(written: str) -> str:
    if _LOCATION.fullmatch(written) is None:
        raise UnfitError(f"'{written}' is no region of a store", "write it as the store does, such as eu-central-1")
    return written


def _parse_bootstrap(written: str) -> str:
    for each in written.split(","):
        host, colon, port = each.rpartition(":")
        if not (colon and host and port.isascii() and port.isdigit()) or " " in each:
            raise UnfitError(f"'{each}' is no broker", "write HOST:PORT, several separated by commas without blanks")
    return written


def _parse_topic(written: str) -> str:
    if _TOPIC.fullmatch(written) is None or written in {".", ".."}:
        raise UnfitError(f"'{written}' is no topic", "write letters, digits, dots, underscores and hyphens")
    return written


def _parse_absolute(written: str) -> Path:
    if not written.startswith("/"):
        raise UnfitError(f"'{written}' is not absolute", "write the path from / on")
    return Path(written)
