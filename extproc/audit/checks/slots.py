"""Records taken apart without reading all of them, for speed: most of a record repeats.

Two records of one kind of request differ in few places: ids, numbers, times and measured figures. Every other byte is
the same in thousands of records. So the first of them is read in full, and the places that may hold anything, its
slots, are found in it. What all bytes outside of slots say is worked out once, and the next record with exactly these
bytes says the same.

A slot is a value of fixed length: eight bytes of a double, or bytes whose length stands before them, outside. What is
in it decides nothing about how the bytes around it are read. That is not believed but tried: with other values in all
slots, the record must read as the same but for these values. A record of which that is not so is read in full, each
time. Nothing depends on who wrote it.
"""

import struct
from collections.abc import Iterator, Sequence
from typing import Final, TypeAlias, TypeVar

from google.protobuf.message import DecodeError, Message

from extproc.audit.checks.compact import MORE
from extproc.ledger import entry_pb2 as pb

Layout: TypeAlias = struct.Struct
"""Unpacks a record into the bytes outside of its slots."""
Slot: TypeAlias = tuple[int, int]
"""From where to where."""
_Record = TypeVar("_Record", pb.Decision, pb.Delivery)
_DOUBLE: Final = struct.Struct("<d")
_DOUBLES: Final = {"latency_s", "age_s", "began_at_s", "duration_s"}
_BYTES: Final = {"pseudonym", "request", "sealed"}
_PROBE: Final = 0x55


def learn(data: bytes, record: type[_Record]) -> tuple[Layout, _Record] | None:
    """Find the slots of a record and try them; give what unpacks records like it, and this one with its slots emptied.

    None where there is no way to cut it.
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
    try:
        other = record.FromString(bytes(probe))
    except DecodeError:
        return None
    if any(set(value) != {_PROBE} for _, value in _values(other)):
        return None
    _empty(read)
    _empty(other)
    return None if read != other else (_layout(slots, len(data)), read)


def _layout(slots: Sequence[Slot], size: int) -> Layout:
    parts: list[str] = []
    at = 0
    for start, end in slots:
        parts.append(f"{start - at}s{end - start}x")
        at = end
    return struct.Struct("<" + "".join(parts) + f"{size - at}s")


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
            elif field.name in _BYTES:
                yield bytes((field.number << 3 | 2,)) + _varint(len(value)), value


def _empty(record: pb.Decision | pb.Delivery) -> None:
    for part in _parts(record):
        for field, value in part.ListFields():
            if field.name in _DOUBLES:
                setattr(part, field.name, 0.0)
            elif field.name in _BYTES:
                setattr(part, field.name, bytes(len(value)))


def _varint(number: int) -> bytes:
    digits = bytearray()
    while number >= MORE:
        digits.append(number & MORE - 1 | MORE)
        number >>= 7
    digits.append(number)
    return bytes(digits)
