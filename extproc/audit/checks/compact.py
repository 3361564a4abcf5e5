"""Decisions taken apart without reading all of them, for speed: most of a record repeats.

Two decisions of one kind of request differ in their id, their number, their estimates (`choice`) and in what points to
a person (`private`). Everything else is the same bytes in thousands of records. So a decision is cut into these four
and the two runs of bytes around them, and what those two say is worked out once (:mod:`.decisions`).

The cut rests on one property of the encoding: fields that stand one after the other are a message, and a message cut
between fields is two, which merge into it. Where a record is not written as ours are, it cannot be cut, and is read in
full. Nothing depends on who wrote it.
"""

from typing import Any, Final

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError

from extproc.ledger import entry_pb2 as pb

_FIELDS: Final = {
    each.name: each.number for each in pb.Decision.DESCRIPTOR.fields if each.name in {"choice", "private"}
}
AT_TAG: Final = 0x09
"""Entry.at_s: field 1, eight bytes."""
DECISION_TAG: Final = 0x22
DELIVERY_TAG: Final = 0x2A
KIND_AT: Final = 9
"""Where the tag of an entry's kind stands: behind its time."""
_ID: Final = b"\x0a\x10"
ID_AT: Final = 2
"""Where the id stands in a decision that begins as ours do."""
_ID_END: Final = 18
_SEQUENCE_TAG: Final = 0x10
CHOICE_TAG: Final = 0x3A
PRIVATE_TAG: Final = 0x6A
MORE: Final = 0x80
"""Set in every byte of a number but its last."""
_MORE_DIGITS: Final = tuple((_ID_END + 1 + i, 7 * i) for i in range(1, 10))


def _make() -> Any:  # noqa: ANN401 - a class that is made here has no static type
    """Make a message class that reads two fields of a decision, as bytes."""
    types = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(name="situs/audit/compact.proto", package="situs.audit", syntax="proto2")
    message = file.message_type.add(name="Decision")
    for name, number in _FIELDS.items():
        message.field.add(name=name, number=number, type=types.TYPE_BYTES, label=types.LABEL_OPTIONAL)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("situs.audit.Decision"))


_parse: Final = _make().FromString


def body_at(data: bytes) -> int:
    """Give where the message of an entry's kind begins, when the entry is its time and that alone; else 0."""
    if len(data) < KIND_AT + 3 or data[0] != AT_TAG:
        return 0
    size, at = data[KIND_AT + 1], KIND_AT + 2
    if size >= MORE:
        high = data[at]
        if high >= MORE:
            high2 = data[at + 1] if len(data) > at + 1 else MORE
            if high2 >= MORE:
                return 0
            size += ((high - MORE) << 7) - MORE + (high2 << 14)
            at += 2
        else:
            size += (high - 1) << 7
            at += 1
    return at if at + size == len(data) else 0


def sequence_of(body: bytes) -> tuple[int, int]:
    """Give the number of a decision and where the next field begins; (0, 0) where it does not begin as ours do."""
    if len(body) < _ID_END + 2 or body[_ID_END] != _SEQUENCE_TAG or not body.startswith(_ID):
        return 0, 0
    sequence = body[_ID_END + 1]
    if sequence < MORE:
        return sequence, _ID_END + 2
    sequence &= MORE - 1
    for at, shift in _MORE_DIGITS:
        digit = body[at] if at < len(body) else MORE
        sequence |= (digit & MORE - 1) << shift
        if digit < MORE:
            return sequence, at + 1
    return 0, 0


def cut(rest: bytes) -> tuple[int, int, int] | None:
    """Give where `choice` begins and ends and where `private` begins, in what follows a decision's number.

    None where it has them otherwise than ours: then it must be read in full.
    """
    try:
        found = _parse(rest)
    except DecodeError:
        return None
    end = len(rest)
    private = end
    if found.private:
        private = rest.rfind(field(PRIVATE_TAG, found.private))
        if private < 0:
            return None
    if not found.choice:
        return private, private, private
    whole = field(CHOICE_TAG, found.choice)
    choice = rest.find(whole, 0, private)
    return None if choice < 0 else (choice, choice + len(whole), private)


def inner(whole: bytes, tag: int) -> bytes | None:
    """Give the message of a field that is exactly `whole`; None where it is not, or not that field."""
    if len(whole) < 2 or whole[0] != tag:  # noqa: PLR2004 - tag and length
        return None
    size = whole[1]
    if size < MORE:
        return whole[2:] if len(whole) == size + 2 else None
    if len(whole) < 3 or whole[2] >= MORE or len(whole) != size - MORE + (whole[2] << 7) + 3:  # noqa: PLR2004 - the same
        return None
    return whole[3:]


def field(tag: int, message: bytes) -> bytes:
    """Give the field that holds a message, as short as it can be written."""
    size = len(message)
    digits = bytearray((tag,))
    while size >= MORE:
        digits.append(size & MORE - 1 | MORE)
        size >>= 7
    digits.append(size)
    return bytes(digits) + message
