"""A database of anonymous networks, beside that of places: which addresses hide where their users are.

Owns the lookups of marks. It is optional: without one, only the marks that the database of places bears itself are
known. The same care is taken as with places: copied, inspected apart, swapped by a watcher.

SPEC: MaxMind DB File Format Specification 2.0, read by the C extension of maxminddb.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from extproc.geo.adapters import MarkAdapter, mark_adapter_for
from extproc.geo.address import parse_source_address
from extproc.geo.inspection import Purpose
from extproc.geo.loading import GeoIdentity, KeptLookups, load
from extproc.geo.network import NetworkKind

if TYPE_CHECKING:
    from maxminddb.reader import Reader


class AnonymityDatabase:
    """One database of anonymous networks, open for lookups until `close`. For one thread at a time."""

    __slots__ = ("_lookup", "identity", "unreadable")

    def __init__(self, reader: "Reader", adapter: MarkAdapter, identity: GeoIdentity) -> None:
        self._lookup = KeptLookups(reader, adapter, nowhere=None, absent=None)
        self.identity = identity
        self.unreadable = 0
        """Lookups whose record could not be read. Anything but 0 means a damaged database, or one in use after
        `close`."""

    @classmethod
    def load(
        cls, path: Path, *, not_older_than: int | None = None, now_s: float | None = None, apart: bool = True
    ) -> "AnonymityDatabase":
        """Read, check and open the database at `path`, with the arguments of `GeoDatabase.load`.

        Blocks on the file and on the check: call it off the event loop. Raises GeoDatabaseError, also for a database
        of another type, in which every network would seem harmless.
        """
        reader, identity = load(path, Purpose.ANONYMITY, not_older_than=not_older_than, now_s=now_s, apart=apart)
        return cls(reader, mark_adapter_for(identity.database_type, path), identity)

    def age_s(self, now_s: float) -> float:
        """Say how long ago, at `now_s`, the vendor built it."""
        return self.identity.age_s(now_s)

    def marks(self, address: str) -> NetworkKind | None:
        """Say how the network of `address`, in the form of Envoy's `source.address`, is marked. Never raises.

        None means that it is not marked, or that the text is no address or one without a place: nothing is located then
        anyway. A record that cannot be read is UNREADABLE, is counted in `unreadable` and is not kept.
        """
        packed = parse_source_address(address)
        if packed is None:
            return None
        try:
            return self._lookup(packed)
        except Exception:  # noqa: BLE001 - whatever a reader raises, a network is not harmless by that
            self.unreadable += 1
            return NetworkKind.UNREADABLE

    def close(self) -> None:
        """Release the copy and forget the results. Lookups from here on are UNREADABLE. May be called twice.

        Takes 15 ms and more where many results are kept: call it off the event loop.
        """
        self._lookup.close()
