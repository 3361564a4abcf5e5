"""A geolocation database: loaded once, checked, then asked once per request.

Owns the lookups of places and the canaries. Does not watch files and does not swap: a watcher loads a new GeoDatabase,
puts it in the next snapshot and closes the old one. Does not say what a country means in law.

SPEC: MaxMind DB File Format Specification 2.0, read by the C extension of maxminddb.
"""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from extproc.core.iso3166 import is_country
from extproc.geo.adapters import Adapter, adapter_for
from extproc.geo.address import parse_source_address
from extproc.geo.errors import GeoDatabaseError
from extproc.geo.inspection import Purpose
from extproc.geo.loading import GeoIdentity, KeptLookups, load
from extproc.geo.result import NO_COUNTRY, NOT_FOUND, NOT_LOCATABLE, UNPARSABLE, GeoResult

if TYPE_CHECKING:
    from maxminddb.reader import Reader


class GeoDatabase:
    """One database of places, open for lookups until `close`.

    For one thread at a time. Under asyncio a lookup never awaits, so once the reference is swapped no lookup is in
    flight and the old database may be closed at once, by another thread.
    """

    __slots__ = ("_lookup", "identity", "unreadable")

    def __init__(self, reader: "Reader", adapter: Adapter, identity: GeoIdentity) -> None:
        self._lookup = KeptLookups(reader, adapter, nowhere=NOT_LOCATABLE, absent=NOT_FOUND)
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
        now_s: float | None = None,
        apart: bool = True,
    ) -> "GeoDatabase":
        """Read, check and open the database at `path`.

        `not_older_than` is a build epoch in seconds: usually that of the database in use, so that a reload cannot
        go back. `canaries` maps addresses to the country each must have, or None for unknown. `now_s` is the time, in
        seconds since 1970, against which a database from the future is told; None asks the clock. The check of the
        records runs `apart` from this process unless told otherwise, so that it stalls nobody here.

        Blocks on the file and on the check: call it off the event loop. Raises GeoDatabaseError.
        """
        reader, identity = load(path, Purpose.PLACES, not_older_than=not_older_than, now_s=now_s, apart=apart)
        try:
            database = cls(reader, adapter_for(identity.database_type, path), identity)
            _check_canaries(path, database, canaries)
        except BaseException:
            reader.close()
            raise
        return database

    def age_s(self, now_s: float) -> float:
        """Say how long ago, at `now_s`, the vendor built it."""
        return self.identity.age_s(now_s)

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
        """Release the copy and forget the results. Lookups from here on are NO_COUNTRY. May be called twice.

        Takes 15 ms and more where many results are kept: call it off the event loop.
        """
        self._lookup.close()


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
