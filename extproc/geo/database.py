"""A geolocation database: loaded once, checked, then asked once per request.

Owns the bytes, their identity and the lookups. Does not watch files and does not swap: a watcher loads a new
GeoDatabase, puts it in the next snapshot and closes the old one. Does not say what a country means in law.

The file is copied into memory that has no name. A mapped file that somebody truncates in place kills the process
with SIGBUS at the next lookup; the copy cannot be truncated. The copy counts as shared memory of the container, once
per worker: allow for the size of the database.

SPEC: MaxMind DB File Format Specification 2.0, read by the C extension of maxminddb.
"""

import fcntl
import importlib
import mmap
import os
import stat
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from socket import AF_INET, AF_INET6, inet_ntop
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

import maxminddb

from extproc.core.iso3166 import is_country
from extproc.geo.adapters import Adapter, adapter_for
from extproc.geo.address import is_locatable, parse_source_address
from extproc.geo.errors import GeoDatabaseError
from extproc.geo.result import NO_COUNTRY, NOT_FOUND, NOT_LOCATABLE, UNPARSABLE, GeoResult, GeoStatus
from extproc.geo.structure import check_metadata, check_records

if TYPE_CHECKING:
    from maxminddb.reader import Reader

CACHE_ENTRIES: Final = 65_536
"""Addresses whose results are kept, least recently used out first: at most about 12 MiB, and 86 % of the lookups of
60,000 addresses under Zipf's law. A flood of new addresses costs misses, never memory."""

MAX_FILE_BYTES: Final = 2 * 1024**3
"""Larger files are refused: the copy is in memory. The largest published database is well under 1 GiB."""

_CHUNK_BYTES: Final = 1024**2
_METADATA_TAIL_BYTES: Final = 128 * 1024
_SAMPLED_NETWORKS: Final = 1_024
_IPV6: Final = 6
_FETCH_AGAIN: Final = "fetch it again and put it in place with a rename"


@dataclass(frozen=True, slots=True, kw_only=True)
class GeoIdentity:
    """Which database said it: what a record of a decision carries beside the result."""

    sha256: str
    """Of the bytes that are looked up in, in lower-case hex."""

    build_epoch: int
    """When the vendor built it, in seconds since 1970."""

    database_type: str
    node_count: int


class GeoDatabase:
    """One database, open for lookups until `close`.

    For one thread at a time. Under asyncio a lookup never awaits, so once the reference is swapped no lookup is in
    flight and the old database may be closed at once.
    """

    __slots__ = ("_lookup", "_reader", "identity", "unreadable")

    def __init__(self, reader: "Reader", adapter: Adapter, identity: GeoIdentity) -> None:
        self._reader = reader
        self._lookup = lru_cache(CACHE_ENTRIES)(_lookup_in(reader, adapter))
        self.identity = identity
        self.unreadable = 0
        """Lookups whose record could not be read. Anything but 0 means a damaged database, or one in use after
        `close`."""

    @classmethod
    def load(
        cls,
        path: Path,
        *,
        not_older_than: int | None = None,
        canaries: Mapping[str, str | None] = MappingProxyType({}),
    ) -> "GeoDatabase":
        """Read, check and open the database at `path`.

        `not_older_than` is a build epoch in seconds: usually that of the database in use, so that a reload cannot
        go back. `canaries` maps addresses to the country each must have, or None for unknown.

        Blocks on the file and on the check of its records: call it off the event loop. Raises GeoDatabaseError.
        """
        # 1. The C reader must be there: the pure one costs ten times as much on the request path.
        _require_extension(path)
        # 2. Copy the file, hashing what is copied; from here on the file does not matter.
        copy, digest = _copy(path)
        try:
            # 3. Check the form of all that C code will read, then let it open the copy.
            reader, identity = _open(path, copy, digest)
        finally:
            os.close(copy)  # the reader's mapping keeps the bytes
        # 4. Check what it says.
        try:
            adapter = adapter_for(identity.database_type, path)
            _check_age(path, identity, not_older_than)
            _check_sample(path, reader, adapter)
            database = cls(reader, adapter, identity)
            _check_canaries(path, database, canaries)
        except BaseException:
            reader.close()
            raise
        return database

    def locate(self, address: str) -> GeoResult:
        """Say where `address` is, in the form of Envoy's `source.address`. Never raises.

        A record that cannot be read is NO_COUNTRY, is counted in `unreadable` and is not kept.
        """
        packed = parse_source_address(address)
        if packed is None:
            return UNPARSABLE
        try:
            return self._lookup(packed)
        except Exception:  # noqa: BLE001 - whatever a reader raises, a request gets an unknown country
            self.unreadable += 1
            return NO_COUNTRY

    def close(self) -> None:
        """Release the copy and forget the results. Lookups from here on are NO_COUNTRY. May be called twice."""
        self._reader.close()
        self._lookup.cache_clear()


def _lookup_in(reader: "Reader", adapter: Adapter) -> Callable[[bytes], GeoResult]:
    # A closure and not a method, so that database and cache are no cycle: the collector is frozen after start.
    get = reader.get
    ipv4_only = reader.metadata().ip_version != _IPV6

    def lookup(packed: bytes) -> GeoResult:
        if not is_locatable(packed):
            return NOT_LOCATABLE
        if len(packed) == 4:  # noqa: PLR2004
            record = get(inet_ntop(AF_INET, packed))
        elif ipv4_only:
            return NOT_FOUND
        else:
            record = get(inet_ntop(AF_INET6, packed))
        return NOT_FOUND if record is None else adapter(record)

    return lookup


def _require_extension(path: Path) -> None:
    try:
        importlib.import_module("maxminddb.extension")
    except ImportError as error:
        raise GeoDatabaseError(
            path,
            "cannot be read: the C extension of maxminddb is not installed",
            "install a binary wheel of maxminddb, or libmaxminddb and build it",
        ) from error


def _copy(path: Path) -> tuple[int, str]:
    """Copy a regular file into a new memfd; return its descriptor, which the caller closes, and the sha256."""
    try:
        # Not blocking, so that a named pipe in the place of the file is refused below and not waited for.
        source = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (OSError, ValueError) as error:
        raise GeoDatabaseError(path, f"cannot be opened ({error})", "check path and permissions") from error
    try:
        before = os.fstat(source)
        if not stat.S_ISREG(before.st_mode):
            raise GeoDatabaseError(path, "is not a regular file", "name the .mmdb file itself")
        if before.st_size > MAX_FILE_BYTES:
            raise GeoDatabaseError(path, f"has {before.st_size} bytes", f"the limit is {MAX_FILE_BYTES}")
        copy = os.memfd_create("situs-geo", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        try:
            copied, digest = _copy_bytes(source, copy)
        except BaseException:
            os.close(copy)
            raise
        after = os.fstat(source)
    except OSError as error:
        raise GeoDatabaseError(path, f"cannot be copied ({error})", "check memory limits and disk") from error
    finally:
        os.close(source)
    if (copied, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
        os.close(copy)
        raise GeoDatabaseError(path, "changed while it was read", _FETCH_AGAIN)
    return copy, digest


def _copy_bytes(source: int, copy: int) -> tuple[int, str]:
    digest = sha256()
    copied = 0
    while chunk := os.read(source, _CHUNK_BYTES):
        digest.update(chunk)
        view = memoryview(chunk)
        while view:
            view = view[os.write(copy, view) :]
        copied += len(chunk)
        if copied > MAX_FILE_BYTES:
            break  # it grows as it is read: the caller sees that it changed
    fcntl.fcntl(copy, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE)
    return copied, digest.hexdigest()


def _open(path: Path, copy: int, digest: str) -> tuple["Reader", GeoIdentity]:
    if os.fstat(copy).st_size == 0:
        raise GeoDatabaseError(path, "is empty", _FETCH_AGAIN)
    with mmap.mmap(copy, 0, flags=mmap.MAP_PRIVATE, prot=mmap.PROT_READ) as content:
        try:
            tail_at = max(0, len(content) - _METADATA_TAIL_BYTES)
            metadata_at = tail_at + check_metadata(content[tail_at:])
            # Opening reads the metadata alone. It raises nearly anything, SystemError too, on a damaged file.
            reader = maxminddb.open_database(f"/proc/self/fd/{copy}", maxminddb.MODE_MMAP_EXT)
        except Exception as error:
            raise _damaged(path, error) from error
        try:
            metadata = reader.metadata()
            with memoryview(content) as view:
                check_records(
                    view,
                    node_count=metadata.node_count,
                    record_size=metadata.record_size,
                    metadata_at=metadata_at,
                )
        except Exception as error:
            reader.close()
            raise _damaged(path, error) from error
    return reader, GeoIdentity(
        sha256=digest,
        build_epoch=metadata.build_epoch,
        database_type=metadata.database_type,
        node_count=metadata.node_count,
    )


def _damaged(path: Path, error: Exception) -> GeoDatabaseError:
    return GeoDatabaseError(path, f"is damaged: {error}", _FETCH_AGAIN)


def _check_age(path: Path, identity: GeoIdentity, not_older_than: int | None) -> None:
    if not_older_than is not None and identity.build_epoch < not_older_than:
        raise GeoDatabaseError(
            path,
            f"was built at {identity.build_epoch}, before {not_older_than}",
            "fetch the current release; going back needs a restart",
        )


def _check_sample(path: Path, reader: "Reader", adapter: Adapter) -> None:
    """Read the first networks. A renamed field would else turn every client into an unknown one, silently."""
    seen = _sample(path, reader, adapter, IPv4Address(0))
    if GeoStatus.LOCATED not in seen and reader.metadata().ip_version == _IPV6:
        seen |= _sample(path, reader, adapter, IPv6Address("2000::"))
    if GeoStatus.LOCATED not in seen:
        raise GeoDatabaseError(
            path,
            f"gives no country in its first {_SAMPLED_NETWORKS} networks (only {', '.join(sorted(seen)) or 'gaps'})",
            "check that it is a country or city database of the type it declares",
        )


def _sample(path: Path, reader: "Reader", adapter: Adapter, address: IPv4Address | IPv6Address) -> set[GeoStatus]:
    seen: set[GeoStatus] = set()
    bits = address.max_prefixlen
    # Steps from network to network by lookups; the reader's own iteration never ends on a tree with a loop.
    for _ in range(_SAMPLED_NETWORKS):
        try:
            record, prefix = reader.get_with_prefix_len(str(address))
        except Exception as error:
            raise GeoDatabaseError(path, f"has an unreadable record at {address}", _FETCH_AGAIN) from error
        if record is not None:
            seen.add(adapter(record).status)
        host_bits = max(0, bits - prefix)
        following = (int(address) >> host_bits) + 1 << host_bits
        if following >> bits:
            break
        address = type(address)(following)
    return seen


def _check_canaries(path: Path, database: GeoDatabase, canaries: Mapping[str, str | None]) -> None:
    for address, expected in canaries.items():
        found = database.locate(address)
        if found is UNPARSABLE:
            raise GeoDatabaseError(path, f"has the canary {address!r}, not an address", "correct the canary")
        if expected is not None and not is_country(expected):
            raise GeoDatabaseError(path, f"has the canary {expected!r}, not a country", "correct the canary")
        if found.country != expected:
            raise GeoDatabaseError(
                path,
                f"says {found.country or found.status.value} for the canary {address}, not {expected or 'unknown'}",
                "do not use this release until somebody has looked at it, or correct the canary",
            )
