"""From a file to a reader that may be asked: copied, inspected, opened.

Owns the order of loading, what identifies a database and how lookups in it are kept. What its records mean is for
:mod:`extproc.geo.database` and :mod:`extproc.geo.anonymity`.
"""

import importlib
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from socket import AF_INET, AF_INET6, inet_ntop
from typing import TYPE_CHECKING, Final, Generic, TypeVar

from extproc.geo.address import is_locatable
from extproc.geo.apart import inspect_apart
from extproc.geo.errors import FETCH_AGAIN, GeoDatabaseError
from extproc.geo.inspection import IPV6, Inspection, Purpose, open_copy
from extproc.geo.memory import copy_into_memory

if TYPE_CHECKING:
    from maxminddb.reader import Reader

CACHE_ENTRIES: Final = 65_536
"""Addresses whose results are kept, least recently used out first: at most about 12 MiB, and 86 % of the lookups of
60,000 addresses under Zipf's law. A flood of new addresses costs misses, never memory."""

_SHARDS: Final = 16
_REST_S: Final = 0.001

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True, kw_only=True)
class GeoIdentity:
    """Which database said it: what a record of a decision carries beside the result."""

    sha256: str
    """Of the bytes that are looked up in, in lower-case hex."""

    build_epoch: int
    """When the vendor built it, in seconds since 1970."""

    database_type: str
    node_count: int

    def age_s(self, now_s: float) -> float:
        """Say how long ago it was built; 0 if that is still to come by this clock."""
        return max(0.0, now_s - self.build_epoch)


def load(
    path: Path, purpose: Purpose, *, not_older_than: int | None, now_s: float | None, apart: bool
) -> tuple["Reader", GeoIdentity]:
    """Copy the file at `path`, inspect the copy, apart from this process or in it, and open it.

    Raises GeoDatabaseError.
    """
    # 1. The C reader must be there: the pure one costs ten times as much on the request path.
    _require_extension(path)
    # 2. Copy the file, hashing what is copied; from here on the file does not matter.
    copy, digest = copy_into_memory(path)
    try:
        # 3. Check form, type, age and sense.
        now_s = time.time() if now_s is None else now_s
        inspection = Inspection(purpose=purpose, now_s=now_s, not_older_than=not_older_than)
        if apart:
            inspect_apart(inspection, copy, path)
        else:
            inspection.inspect(copy, path)
        # 4. Open the same bytes here.
        reader = open_copy(copy)
    except (MemoryError, OSError) as error:
        raise GeoDatabaseError(
            path, f"cannot be opened ({error!r})", f"check memory limits; or {FETCH_AGAIN}"
        ) from error
    finally:
        os.close(copy)  # the reader's mapping keeps the bytes
    metadata = reader.metadata()
    return reader, GeoIdentity(
        sha256=digest,
        build_epoch=metadata.build_epoch,
        database_type=metadata.database_type,
        node_count=metadata.node_count,
    )


class KeptLookups(Generic[_T]):
    """The lookups of packed addresses in one reader, with their cache.

    They give `nowhere` for an address that can have no place and `absent` for one that is in no network of the
    database. They raise what a reader raises, and keep nothing then.
    """

    __slots__ = ("_reader", "_shards")

    def __init__(self, reader: "Reader", adapter: Callable[[object], _T], *, nowhere: _T, absent: _T) -> None:
        self._reader = reader
        lookup = _lookup_in(reader, adapter, nowhere, absent)
        self._shards = [lru_cache(CACHE_ENTRIES // _SHARDS)(lookup) for _ in range(_SHARDS)]

    def __call__(self, packed: bytes) -> _T:
        """Look up 4 or 16 packed bytes."""
        return self._shards[hash(packed) % _SHARDS](packed)

    def close(self) -> None:
        """Release the reader's memory and forget the results. Lookups from here on raise. May be called twice.

        A full cache takes 15 ms to forget, so it is done in parts, with rests in which others get the interpreter: call
        it off the event loop.
        """
        self._reader.close()
        for shard in self._shards:
            if shard.cache_info().currsize:
                shard.cache_clear()
                time.sleep(_REST_S)


def _lookup_in(reader: "Reader", adapter: Callable[[object], _T], nowhere: _T, absent: _T) -> Callable[[bytes], _T]:
    # A closure and not a method, so that database and cache are no cycle: the collector is frozen after start.
    get = reader.get
    ipv4_only = reader.metadata().ip_version != IPV6

    def lookup(packed: bytes) -> _T:
        if not is_locatable(packed):
            return nowhere
        if len(packed) == 4:  # noqa: PLR2004
            record = get(inet_ntop(AF_INET, packed))
        elif ipv4_only:
            return absent
        else:
            record = get(inet_ntop(AF_INET6, packed))
        return absent if record is None else adapter(record)

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
