from pathlib import Path

import pytest

from extproc.geo.structure import MARKER, StructureError, check_metadata, check_records

TEXT = b"\x42iv"
LEAF = 1 + 16  # the value of a record that points to offset 0 of the data section, in a tree of one node


def tree(left: int, right: int, record_size: int) -> bytes:
    if record_size == 28:
        middle = (left >> 24) << 4 | right >> 24
        return (left & 0xFFFFFF).to_bytes(3) + bytes([middle]) + (right & 0xFFFFFF).to_bytes(3)
    size = record_size // 8
    return left.to_bytes(size) + right.to_bytes(size)


def check(data: bytes, *, leaf: int = LEAF, record_size: int = 24) -> None:
    content = tree(leaf, 1, record_size) + bytes(16) + data
    at = len(content)
    check_records(memoryview(content + MARKER), node_count=1, record_size=record_size, metadata_at=at)


@pytest.mark.parametrize("record_size", [24, 28, 32])
@pytest.mark.parametrize(
    "data",
    [
        TEXT,
        b"\x40",  # empty text
        b"\x5d\x01" + bytes(30),  # size in one more byte
        b"\x5e\x00\x00" + bytes(285),
        b"\x5f\x00\x00\x00" + bytes(65_821),
        b"\x68" + bytes(8),
        b"\x04\x08" + bytes(4),
        b"\x81x",
        b"\xa2xx",
        b"\xc4xxxx",
        b"\x04\x01xxxx",
        b"\x08\x02" + bytes(8),
        b"\x10\x03" + bytes(16),
        b"\x00\x07",
        b"\x01\x07",
        b"\x02\x04" + TEXT + TEXT,  # array
        b"\xe1" + TEXT + TEXT,  # map
        b"\xe1\x20\x06" + TEXT + TEXT,  # a key by pointer
        b"\xe1" + TEXT + b"\x38\x00\x00\x00\x09" + TEXT,  # a pointer of four bytes
    ],
)
def test_sound_values(data: bytes, record_size: int) -> None:
    check(data, record_size=record_size)


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"", "ends inside"),
        (b"\x43iv", "ends before"),
        (b"\x5d", "ends before"),
        (b"\xe1" + TEXT, "ends inside"),
        (b"\xe1\x43iv", "ends before"),
        (b"\x67" + bytes(7), "type 3 and size 7"),
        (b"\xa3xxx", "type 5 and size 3"),
        (b"\x02\x07", "boolean of 2"),
        (b"\x00", "ends inside"),
        (b"\x00\x00", "extended type of 7"),
        (b"\x00\x05", "type 12"),
        (b"\x00\x06", "type 13"),
        (b"\x00\xff", "type 262"),
        (b"\x20\x02" + TEXT, "to the pointer"),
        (b"\xe1" + TEXT + b"\x20", "ends before"),
        (b"\xe1" + TEXT + b"\x27\xff", "ends inside"),
        (b"\xe1" + TEXT + b"\x20\x06\x20\x00", "to the pointer"),
        (b"\xe1" + TEXT + b"\x20\x00", "contains itself"),
        (b"\xe1" + TEXT + b"\x28\x00", "ends before"),
        # Read by the C extension, each of these keys is a wild pointer.
        (b"\xe1\x68" + bytes(8) + TEXT, "key that is not text"),
        (b"\xe1\xa1x" + TEXT, "key that is not text"),
        (b"\xe1\xe0" + TEXT, "key that is not text"),
        (b"\xe1\x20\xff" + TEXT, "ends inside"),
        (b"\xe1\x20\x06" + TEXT + b"\x68" + bytes(8), "key that is not text"),
        (b"\x01\x04" * 40 + TEXT, "nests deeper"),
    ],
)
def test_damaged_values(data: bytes, what: str) -> None:
    with pytest.raises(StructureError, match=what):
        check(data)


def test_a_record_that_unfolds_to_too_much_is_refused() -> None:
    # Each array holds ten pointers to the next: ten million values in a few hundred bytes.
    level = 22
    data = b""
    for n in range(7):
        target = (n + 1) * level
        data += b"\x0a\x04" + bytes([0x20 | target >> 8, target & 0xFF]) * 10
    with pytest.raises(StructureError, match="more than 10000 values"):
        check(data + TEXT)


def test_a_tree_that_points_into_the_separator_is_refused() -> None:
    with pytest.raises(StructureError, match="separator"):
        check(TEXT, leaf=2)


def test_a_tree_larger_than_the_file_is_refused() -> None:
    with pytest.raises(StructureError, match="declares 1000 nodes"):
        check_records(memoryview(bytes(100)), node_count=1000, record_size=24, metadata_at=100)


def test_a_tree_without_nodes_is_refused() -> None:
    with pytest.raises(StructureError, match="no nodes"):
        check_records(memoryview(bytes(100)), node_count=0, record_size=24, metadata_at=100)


def test_metadata_is_after_the_last_marker() -> None:
    content = b"x" + MARKER + b"\xff" + MARKER + b"\xe0"
    assert check_metadata(content) == 1 + len(MARKER) + 1


@pytest.mark.parametrize("content", [b"", b"nothing", MARKER[:-1], MARKER + bytes(128 * 1024)])
def test_no_metadata(content: bytes) -> None:
    with pytest.raises(StructureError, match="no metadata"):
        check_metadata(content)


def test_damaged_metadata() -> None:
    with pytest.raises(StructureError, match="key that is not text"):
        check_metadata(MARKER + b"\xe1\x68" + bytes(8) + TEXT)


def test_what_the_writer_writes_is_sound(city: Path) -> None:
    assert check_metadata(city.read_bytes()) > 0
