"""The write-ahead log: segments of frames, each frame one batch with its signed note.

Owns the form of a frame, the names and order of segments, and reading back with strict checks. Writing segments is for
:mod:`extproc.ledger.segments`. Knows nothing of trees and signatures: the note is bytes here.

A frame, integers big-endian::

    magic      4  b"SWF1"
    crc        4  CRC-32 of all that follows in the frame
    payload    4  length of the payload
    note       4  length of the note
    first      8  index of the first entry
    count      4  number of entries
    payload       the entries, each with its length in two bytes before it (as an entry bundle of tlog-tiles)
    note          the signed note of the checkpoint of the tree after these entries

Every frame carries a note, also where several frames share one flush. Signing costs some 30 us per frame, which is
most of what a lone record costs; but a frame without one could be added by whoever can write the file, and the next
start would sign it.

A segment is preallocated, so the rest of the one being written is zeros; one that is done is cut to its frames. It is
named by the index of its first entry in sixteen digits.
"""

import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from extproc.ledger.errors import LedgerError

MAGIC: Final = b"SWF1"
SEGMENT_BYTES: Final = 64 << 20
SHORT_SEGMENT_BYTES: Final = 1 << 16
"""For a few entries: the first one of a log and the last two."""
_HEADER: Final = struct.Struct(">4sIIIQI")
_CRC_END: Final = 8
"""The checksum covers everything after itself."""
_SUFFIX: Final = ".wal"
_ZEROS: Final = bytes(1 << 16)


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """One batch as it stands in a segment, from byte `offset` to byte `end`."""

    offset: int
    end: int
    first: int
    count: int
    payload: bytes
    note: bytes


class BadFrameError(LedgerError):
    """Bytes at `offset` that are neither a frame nor the zeros after the last one."""

    def __init__(self, offset: int, reason: str) -> None:
        super().__init__(f"byte {offset}: {reason}")
        self.offset = offset
        self.reason = reason


def encode_frame(first: int, encoded: Sequence[bytes], note: bytes) -> bytes:
    """Write a batch of entries, encoded as bundles hold them, as a frame."""
    payload = b"".join(encoded)
    frame = bytearray(_HEADER.pack(MAGIC, 0, len(payload), len(note), first, len(encoded)))
    frame += payload
    frame += note
    frame[4:_CRC_END] = zlib.crc32(memoryview(frame)[_CRC_END:]).to_bytes(4)
    return bytes(frame)


def decode_frame(data: bytes, offset: int) -> Frame:
    """Read the frame at `offset` of a segment's bytes. Raises BadFrameError."""
    if data[offset : offset + len(MAGIC)] != MAGIC:
        raise BadFrameError(offset, f"expected {MAGIC!r}, found {data[offset : offset + len(MAGIC)]!r}")
    if len(data) - offset < _HEADER.size:
        raise BadFrameError(offset, "the segment ends inside a frame's header")
    _, crc, payload_bytes, note_bytes, first, count = _HEADER.unpack_from(data, offset)
    start = offset + _HEADER.size
    middle = start + payload_bytes
    end = middle + note_bytes
    if end > len(data):
        raise BadFrameError(offset, "the segment ends inside a frame")
    found = zlib.crc32(memoryview(data)[offset + _CRC_END : end])
    if found != crc:
        raise BadFrameError(offset, f"expected checksum {crc:08x}, found {found:08x}")
    return Frame(offset=offset, end=end, first=first, count=count, payload=data[start:middle], note=data[middle:end])


def used_bytes(data: bytes) -> int:
    """Count the bytes before the zeros that end a segment. Compares in pieces, because most of a segment is zeros."""
    end = len(data)
    while end and data.startswith(_ZEROS[:end], end - min(end, len(_ZEROS))):
        end -= min(end, len(_ZEROS))
    start = max(0, end - len(_ZEROS))
    return start + len(data[start:end].rstrip(b"\x00"))


def read_frames(data: bytes) -> Iterator[Frame]:
    """Read the frames of a segment's bytes up to the zeros. Raises BadFrameError."""
    used = used_bytes(data)
    offset = 0
    # A note ends in a newline, so a frame never ends in zeros that could be taken for the tail.
    while offset < used:
        frame = decode_frame(data, offset)
        yield frame
        offset = frame.end


def next_good_frame(data: bytes, offset: int) -> Frame | None:
    """Find the next whole frame after `offset`, wherever it begins: what tells corruption from a torn write."""
    while (offset := data.find(MAGIC, offset + 1)) >= 0:
        try:
            return decode_frame(data, offset)
        except BadFrameError:
            continue
    return None


def format_segment_name(first: int) -> str:
    """Name the segment that begins with entry `first`."""
    return f"{first:016}{_SUFFIX}"


def list_segments(directory: Path) -> list[Path]:
    """List the segments in order."""
    return sorted(directory.glob(f"*{_SUFFIX}"))
