"""Where the message of an entry begins, and the number of a decision, read from the bytes as ours are written.

For anything else these give 0, and the entry is read in full.
"""

from typing import Final

AT_TAG: Final = 0x09
"""Entry.at_s: field 1, eight bytes."""
DECISION_TAG: Final = 0x22
DELIVERY_TAG: Final = 0x2A
KIND_AT: Final = 9
"""Where the tag of an entry's kind stands: behind its time."""
ID: Final = b"\x0a\x10"
"""How a decision and a delivery begin: with an id of sixteen bytes."""
ID_AT: Final = 2
ID_END: Final = 18
_SEQUENCE_TAG: Final = 0x10
MORE: Final = 0x80
"""Set in every byte of a number but its last."""
_MORE_DIGITS: Final = tuple((ID_END + 1 + i, 7 * i) for i in range(1, 10))


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
    if len(body) < ID_END + 4 or body[ID_END] != _SEQUENCE_TAG or not body.startswith(ID):
        return 0, 0
    sequence = body[ID_END + 1]
    if sequence < MORE:
        return sequence, ID_END + 2
    # Numbers up to two millions, without a loop.
    second, third = body[ID_END + 2], body[ID_END + 3]
    if second < MORE:
        return sequence - MORE | second << 7, ID_END + 3
    if third < MORE:
        return sequence - MORE | second - MORE << 7 | third << 14, ID_END + 4
    sequence &= MORE - 1
    for at, shift in _MORE_DIGITS:
        digit = body[at] if at < len(body) else MORE
        sequence |= (digit & MORE - 1) << shift
        if digit < MORE:
            return sequence, at + 1
    return 0, 0
