"""Whether a file is a well-formed MaxMind DB, decided before any C code reads its records.

The C extension of maxminddb trusts its file: a map whose key is not text, one flipped bit away, makes it read
through a wild pointer and the process dies. So every record that the search tree can reach is walked here once, in
Python, when a database is loaded. What passes can still say something untrue; it cannot crash a lookup.

Does not decode values and does not judge them. Stricter than the reader where the reader is lax: records end before
the metadata, a pointer never leads to a pointer, and a record is of bounded depth and size.

SPEC: MaxMind DB File Format Specification 2.0.
"""

from collections.abc import Callable, Iterator
from itertools import chain
from struct import iter_unpack
from typing import Final

MARKER: Final = b"\xab\xcd\xefMaxMind.com"
SEPARATOR_BYTES: Final = 16

# SPEC: the metadata is in the last 128 KiB, after the last marker.
_METADATA_MAX_BYTES: Final = 128 * 1024

_POINTER: Final = 1
_STRING: Final = 2
_MAP: Final = 7
_BOOLEAN: Final = 14
_RUNS_OF_BYTES: Final = frozenset({_STRING, 4})
_CONTAINERS: Final = frozenset({_MAP, 11})
# Type to the sizes that it may have. SPEC: integers may drop leading zero bytes, floats may not.
_SIZES: Final = {
    3: range(8, 9),  # double
    5: range(3),  # unsigned 16
    6: range(5),  # unsigned 32
    8: range(5),  # signed 32
    9: range(9),  # unsigned 64
    10: range(17),  # unsigned 128
    15: range(4, 5),  # float
}
# SPEC: pointer sizes add these, so that no offset has two encodings.
_POINTER_BASES: Final = (0, 2_048, 526_336, 0)

# Records of every vendor stay far below: depth 4, a few hundred values with all languages.
_MAX_DEPTH: Final = 32
_MAX_VALUES: Final = 10_000


class StructureError(ValueError):
    """A file is not a well-formed MaxMind DB; the text says where."""


def check_metadata(content: bytes) -> int:
    """Check the metadata at the end of `content`, which may be just the last 128 KiB of a file.

    Returns the offset of the marker within `content`. Raises StructureError.
    """
    start = max(0, len(content) - _METADATA_MAX_BYTES)
    marker = content.rfind(MARKER, start)
    if marker < 0:
        raise StructureError("has no metadata: it is not a MaxMind DB, or is cut short")
    _Section(content[marker + len(MARKER) :]).check(0)
    return marker


def check_records(content: memoryview, *, node_count: int, record_size: int, metadata_at: int) -> None:
    """Check every record that the search tree of `content` can reach.

    `metadata_at` is the offset of the metadata's marker. Costs about 0.2 µs per node and 1 µs per distinct value.
    Raises StructureError.
    """
    if node_count == 0:
        raise StructureError("has no nodes")
    tree_bytes = node_count * record_size // 4
    if tree_bytes + SEPARATOR_BYTES > metadata_at:
        raise StructureError(f"declares {node_count} nodes, more than it has")
    section = _Section(bytes(content[tree_bytes + SEPARATOR_BYTES : metadata_at]))
    leaves = {record for record in _RECORDS[record_size](content[:tree_bytes]) if record > node_count}
    for leaf in leaves:
        offset = leaf - node_count - SEPARATOR_BYTES
        if offset < 0:
            raise StructureError(f"points from its tree into the separator ({leaf})")
        section.check(offset)


def _records_24(tree: memoryview) -> Iterator[int]:
    return chain.from_iterable((a << 16 | b, c << 16 | d) for a, b, c, d in iter_unpack(">BHBH", tree))


def _records_28(tree: memoryview) -> Iterator[int]:
    # SPEC: the middle byte holds the high bits of the left record, then of the right one.
    return chain.from_iterable(
        ((middle & 0xF0) << 20 | a << 8 | b, (middle & 0x0F) << 24 | c << 16 | d)
        for a, b, middle, c, d in iter_unpack(">HBBBH", tree)
    )


def _records_32(tree: memoryview) -> Iterator[int]:
    return chain.from_iterable(iter_unpack(">II", tree))


_RECORDS: Final[dict[int, Callable[[memoryview], Iterator[int]]]] = {
    24: _records_24,
    28: _records_28,
    32: _records_32,
}


class _Section:
    """A run of encoded values that point only at each other."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        # Offset to the number of values there, pointers followed; 0 while the walk is inside, so a cycle shows.
        self._seen: dict[int, int] = {}

    def check(self, offset: int) -> None:
        """Raise StructureError unless a well-formed value, itself not a pointer, begins at `offset`."""
        try:
            self._target(offset, 0)
        except IndexError:
            raise StructureError(f"ends inside the value at {offset} of a section") from None

    def _target(self, offset: int, depth: int) -> int:
        count = self._seen.get(offset)
        if count is None:
            self._seen[offset] = 0
            kind, size, after = self._header(offset)
            if kind == _POINTER:
                raise StructureError(f"has a pointer to the pointer at {offset}")
            count, _ = self._value(kind, size, after, depth)
            self._seen[offset] = count
        elif count == 0:
            raise StructureError(f"has a value that contains itself at {offset}")
        return count

    def _value(self, kind: int, size: int, after: int, depth: int) -> tuple[int, int]:
        """Return how many values one value expands to, and the offset behind it."""
        if kind in _RUNS_OF_BYTES:
            after += size
        elif kind in _CONTAINERS:
            return self._container(kind, size, after, depth + 1)
        elif kind == _POINTER:
            return self._target(size, depth), after
        elif kind == _BOOLEAN:
            if size > 1:
                raise StructureError(f"has a boolean of {size} at {after}")
        elif kind in _SIZES and size in _SIZES[kind]:
            after += size
        else:
            raise StructureError(f"has a value of type {kind} and size {size} at {after}")
        self._within(after)
        return 1, after

    def _container(self, kind: int, size: int, offset: int, depth: int) -> tuple[int, int]:
        if depth > _MAX_DEPTH:
            raise StructureError(f"nests deeper than {_MAX_DEPTH} at {offset}")
        count = 1
        for _ in range(size):
            if kind == _MAP:
                offset = self._key(offset)
            kind_within, size_within, offset = self._header(offset)
            more, offset = self._value(kind_within, size_within, offset, depth)
            count += more
            if count > _MAX_VALUES:
                raise StructureError(f"has a record of more than {_MAX_VALUES} values at {offset}")
        return count, offset

    def _key(self, offset: int) -> int:
        """Step over the key of a map. One that is not text is what crashes the C extension."""
        kind, size, after = self._header(offset)
        behind = after
        if kind == _POINTER:
            kind, size, after = self._header(size)
        else:
            behind += size
        if kind != _STRING:
            raise StructureError(f"has a map key that is not text at {offset}")
        self._within(after + size)
        return behind

    def _header(self, offset: int) -> tuple[int, int, int]:
        """Return type, size and the offset behind the control bytes. A pointer's size is where it points."""
        data = self._data
        control = data[offset]
        kind = control >> 5
        offset += 1
        if kind == _POINTER:
            length = (control >> 3 & 3) + 1
            number = int.from_bytes(data[offset : offset + length], "big")
            if length < 4:  # noqa: PLR2004 - a pointer of four bytes has no bits in its control byte
                number |= (control & 7) << 8 * length
            self._within(offset + length)
            return kind, number + _POINTER_BASES[length - 1], offset + length
        if kind == 0:
            kind = 7 + data[offset]
            offset += 1
            if kind == _MAP:
                raise StructureError(f"has an extended type of {kind} at {offset}")
        size = control & 31
        if size >= 29:  # noqa: PLR2004 - SPEC: sizes 29, 30 and 31 take one, two and three bytes more
            length = size - 28
            base = (29, 285, 65_821)[length - 1]
            size = base + int.from_bytes(data[offset : offset + length], "big")
            offset += length
            self._within(offset)
        return kind, size, offset

    def _within(self, offset: int) -> None:
        if offset > len(self._data):
            raise StructureError(f"ends before a value that needs {offset} bytes of its section")
