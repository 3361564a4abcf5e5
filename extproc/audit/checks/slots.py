"""Records taken apart without reading all of them, for speed: most of a record repeats.

Two records of one kind of request differ in few places: ids, numbers, times and measured figures. Every other byte is
the same in thousands of records. So the first of them is read in full, and the places that may hold anything, its
slots, are found in it. What all bytes outside of slots say is worked out once, and the next record with exactly these
bytes says the same.

A slot is a value of fixed length: eight bytes of a double, four of a number, or bytes whose length stands before them,
outside. What is
in it decides nothing about how the bytes around it are read. That is not believed but tried: with other values in all
slots, the record must read as the same but for these values. A record of which that is not so is read in full, each
time. Nothing depends on who wrote it.
"""

import struct
from collections.abc import Callable, Iterator, Sequence
from typing import Final, Generic, TypeAlias, TypeVar

from google.protobuf.message import Message

from extproc.audit.checks.compact import MORE
from extproc.ledger import entry_pb2 as pb

Key: TypeAlias = Callable[[bytes], object]
"""Gives the bytes of a record outside of its slots, in a form that can be looked up."""
Slot: TypeAlias = tuple[int, int]
"""From where to where."""
_Record = TypeVar("_Record", pb.Decision, pb.Delivery)
_Said = TypeVar("_Said")
_DOUBLE: Final = struct.Struct("<d")
_FIXED: Final = struct.Struct("<I")
_DOUBLES: Final = {"latency_s", "age_s", "began_at_s", "duration_s"}
_NUMBERS: Final = {"in_flight", "budget", "preference"}
_BYTES: Final = {"pseudonym", "request", "sealed"}
_PROBE: Final = 0x55
KEPT: Final = 1 << 14
"""Distinct records that are kept in mind: far more than a policy gives, and an end for a log that is made to differ."""
_LAYOUTS: Final = 8
"""Layouts of records of one length that are tried."""
_MOST_PIECES: Final = 16


class Shapes(Generic[_Said]):
    """What records say by the bytes outside of their slots, for at most :data:`KEPT` of them."""

    def __init__(self) -> None:
        self._known: dict[int, list[tuple[object, Key, dict[object, _Said]]]] = {}
        self._count = 0

    def find(self, data: bytes) -> _Said | None:
        """Give what a record says that differs from one known in its slots alone."""
        for _, key, known in self._known.get(len(data), ()):
            said = known.get(key(data))
            if said is not None:
                return said
        return None

    def add(self, data: bytes, slots: Sequence[Slot], said: _Said) -> None:
        """Take up what a record says."""
        if self._count >= KEPT:
            self.clear()
        self._count += 1
        layout = tuple(slots)
        layouts = self._known.setdefault(len(data), [])
        known = next((each for each in layouts if each[0] == layout), None)
        if known is None:
            known = layout, _key(layout, len(data)), {}
        else:
            layouts.remove(known)
        layouts.insert(0, known)
        del layouts[_LAYOUTS:]
        known[2][known[1](data)] = said

    def clear(self) -> None:
        """Forget all."""
        self._known.clear()
        self._count = 0


def learn(data: bytes, record: type[_Record]) -> tuple[Sequence[Slot], _Record] | None:
    """Find the slots of a record and try them; give them, and the record with its slots emptied.

    None where there is no way to cut it. Raises DecodeError.
    """
    read = record.FromString(data)
    slots: list[Slot] = []
    at = 0
    for tag, value in _values(read):
        found = data.find(tag + value, at)
        if found < 0:
            return None
        at = found + len(tag) + len(value)
        slots.append((at - len(value), at))
    probe = bytearray(data)
    for start, end in slots:
        probe[start:end] = bytes((_PROBE,)) * (end - start)
    other = record.FromString(bytes(probe))
    if any(set(value) != {_PROBE} for _, value in _values(other)):
        return None
    _empty(read)
    _empty(other)
    return None if read != other else (slots, read)


def _key(slots: Sequence[Slot], size: int) -> Key:
    """Give the function that gives the bytes outside of slots: as pieces, or where there are many, as one number."""
    if len(slots) > _MOST_PIECES:
        mask = bytearray(b"\xff" * size)
        for start, end in slots:
            mask[start:end] = bytes(end - start)
        kept = int.from_bytes(mask, "little")
        return lambda data: int.from_bytes(data, "little") & kept
    pieces: list[str] = []
    at = 0
    for start, end in slots:
        pieces.append(f"{start - at}s{end - start}x")
        at = end
    return struct.Struct("<" + "".join(pieces) + f"{size - at}s").unpack


def _parts(record: pb.Decision | pb.Delivery) -> Iterator[Message]:
    """Give the messages of a record that have slots, in the order in which our records hold them."""
    if isinstance(record, pb.Delivery):
        yield from record.attempts
        yield record
    else:
        yield from record.choice.estimates
        yield record.private


def _values(record: pb.Decision | pb.Delivery) -> Iterator[tuple[bytes, bytes]]:
    """Give what fills each slot, with the bytes before it: its tag, and its length where that may vary."""
    for part in _parts(record):
        for field, value in part.ListFields():
            if field.name in _DOUBLES:
                yield bytes((field.number << 3 | 1,)), _DOUBLE.pack(value)
            elif field.name in _NUMBERS:
                yield bytes((field.number << 3 | 5,)), _FIXED.pack(value)
            elif field.name in _BYTES:
                yield bytes((field.number << 3 | 2,)) + _varint(len(value)), value


def _empty(record: pb.Decision | pb.Delivery) -> None:
    for part in _parts(record):
        for field, value in part.ListFields():
            if field.name in _DOUBLES:
                setattr(part, field.name, 0.0)
            elif field.name in _NUMBERS:
                setattr(part, field.name, 0)
            elif field.name in _BYTES:
                setattr(part, field.name, bytes(len(value)))


def _varint(number: int) -> bytes:
    digits = bytearray()
    while number >= MORE:
        digits.append(number & MORE - 1 | MORE)
        number >>= 7
    digits.append(number)
    return bytes(digits)
