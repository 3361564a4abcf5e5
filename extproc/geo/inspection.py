"""Everything that is checked of a database before a request is answered from it, but for the operator's canaries.

Owns the order of the checks and what each refusal says. Does not own the form of a MaxMind DB
(:mod:`extproc.geo.structure`). It costs seconds of Python for a city database, so it is run in a process of its own
(:mod:`extproc.geo.apart`).
"""

import mmap
import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeAlias

import maxminddb

from extproc.geo.adapters import adapter_for, mark_adapter_for
from extproc.geo.errors import FETCH_AGAIN, GeoDatabaseError
from extproc.geo.result import GeoStatus
from extproc.geo.structure import check_metadata, check_records

if TYPE_CHECKING:
    from maxminddb.reader import Reader

IPV6: Final = 6
MAX_CLOCK_SKEW_S: Final = 86_400.0
"""How far in the future a database may say that it was built: a vendor's day may have begun before ours."""

_METADATA_TAIL_BYTES: Final = 128 * 1024
_SAMPLED_NETWORKS: Final = 1_024

# Say nothing of the file.
_OF_THE_MACHINE: Final = (MemoryError, OSError)

_Say: TypeAlias = Callable[[object], str]


class Purpose(StrEnum):
    """What a database is to tell of an address."""

    PLACES = "places"
    ANONYMITY = "anonymity"


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspection:
    """What a database is held against. `now_s` and `not_older_than` are seconds since 1970."""

    purpose: Purpose
    now_s: float
    not_older_than: int | None = None

    def inspect(self, copy: int, path: Path) -> None:
        """Check the sealed memfd `copy` of the file at `path`. Raises GeoDatabaseError."""
        # 1. The form of all that C code will read; only then may it read.
        with _checked_reader(copy, path) as reader:
            metadata = reader.metadata()
            # 2. The type, and with it which field says what.
            say, wanted = self._say(metadata.database_type, path)
            # 3. The age.
            self._check_age(metadata.build_epoch, path)
            # 4. Whether it says anything at all.
            _check_sample(path, reader, say, wanted)

    def _say(self, database_type: str, path: Path) -> tuple[_Say, str]:
        """Return what puts a record into one word, and the word that a database of this purpose must say somewhere."""
        if self.purpose is Purpose.PLACES:
            place = adapter_for(database_type, path)
            return lambda record: place(record).status.value, GeoStatus.LOCATED.value
        mark = mark_adapter_for(database_type, path)
        return lambda record: "no mark" if mark(record) is None else "marked", "marked"

    def _check_age(self, build_epoch: int, path: Path) -> None:
        if self.not_older_than is not None and build_epoch < self.not_older_than:
            raise GeoDatabaseError(
                path,
                f"was built at {build_epoch}, before {self.not_older_than}",
                "fetch the current release; going back needs a restart",
            )
        if build_epoch > self.now_s + MAX_CLOCK_SKEW_S:
            raise GeoDatabaseError(
                path,
                f"says that it was built at {build_epoch}, which is in the future (now is {self.now_s:.0f})",
                f"check the clock of this machine; if it is right, the file is damaged: {FETCH_AGAIN}",
            )


def _checked_reader(copy: int, path: Path) -> "Reader":
    # Not closed by hand: after an error its traceback may still hold a view of it, and closing would fail over that.
    content = mmap.mmap(copy, 0, flags=mmap.MAP_PRIVATE, prot=mmap.PROT_READ)
    try:
        tail_at = max(0, len(content) - _METADATA_TAIL_BYTES)
        metadata_at = tail_at + check_metadata(content[tail_at:])
        # Opening reads the metadata alone. It raises nearly anything, SystemError too, on a damaged file.
        reader = open_copy(copy)
    except _OF_THE_MACHINE:
        raise
    except Exception as error:
        raise _damaged(path, error) from error
    try:
        metadata = reader.metadata()
        check_records(
            memoryview(content),
            node_count=metadata.node_count,
            record_size=metadata.record_size,
            metadata_at=metadata_at,
        )
    except BaseException as error:
        reader.close()
        if isinstance(error, Exception) and not isinstance(error, _OF_THE_MACHINE):
            raise _damaged(path, error) from error
        raise
    return reader


def open_copy(copy: int) -> "Reader":
    """Let the C extension map the memfd `copy`, which may be closed afterwards. Raises nearly anything."""
    return maxminddb.open_database(f"/proc/self/fd/{copy}", maxminddb.MODE_MMAP_EXT)


def _damaged(path: Path, error: Exception) -> GeoDatabaseError:
    # The reader names the copy, which nobody else knows.
    what = re.sub(r" \(/proc/self/fd/\d+\)", "", str(error))
    return GeoDatabaseError(path, f"is damaged: {what}", FETCH_AGAIN)


def _check_sample(path: Path, reader: "Reader", say: _Say, wanted: str) -> None:
    """Read the first networks. A renamed field would else turn every client into an unknown one, silently."""
    said = _sample(path, reader, say, IPv4Address(0))
    if wanted not in said and reader.metadata().ip_version == IPV6:
        said |= _sample(path, reader, say, IPv6Address("2000::"))
    if wanted not in said:
        what = "country" if wanted == GeoStatus.LOCATED else "mark"
        raise GeoDatabaseError(
            path,
            f"gives no {what} in its first {_SAMPLED_NETWORKS} networks (only {', '.join(sorted(said)) or 'gaps'})",
            "check that it is a database of the type it declares",
        )


def _sample(path: Path, reader: "Reader", say: _Say, address: IPv4Address | IPv6Address) -> set[str]:
    said: set[str] = set()
    bits = address.max_prefixlen
    # Steps from network to network by lookups; the reader's own iteration never ends on a tree with a loop.
    for _ in range(_SAMPLED_NETWORKS):
        try:
            record, prefix = reader.get_with_prefix_len(str(address))
        except Exception as error:
            raise GeoDatabaseError(path, f"has an unreadable record at {address}", FETCH_AGAIN) from error
        if record is not None:
            said.add(say(record))
        host_bits = max(0, bits - prefix)
        following = (int(address) >> host_bits) + 1 << host_bits
        if following >> bits:
            break
        address = type(address)(following)
    return said
