import pytest
from hypothesis import given
from hypothesis import strategies as st

from extproc.ledger.errors import EntryTooLargeError
from extproc.ledger.merkle import leaf_hash, root_of
from extproc.ledger.tiles import (
    Tile,
    TileBuilder,
    decode_entries,
    encode_entry,
    format_tile_path,
    hashes_of,
    parse_tile_path,
    tiles_of,
)
from extproc.notes.errors import MalformedError


@pytest.mark.parametrize(
    ("tile", "path"),
    [
        (Tile(level=0, index=0), "tile/0/000"),
        (Tile(level=0, index=1_234_067), "tile/0/x001/x234/067"),
        (Tile(level=3, index=255, width=17), "tile/3/255.p/17"),
        (Tile(level=None, index=1000, width=1), "tile/entries/x001/000.p/1"),
    ],
)
def test_paths_are_those_of_the_specification(tile: Tile, path: str) -> None:
    assert format_tile_path(tile) == path
    assert parse_tile_path(path) == tile


@given(st.builds(Tile, level=st.none() | st.integers(0, 7), index=st.integers(0, 1 << 56), width=st.integers(1, 256)))
def test_paths_parse_to_what_was_formatted(tile: Tile) -> None:
    assert parse_tile_path(format_tile_path(tile)) == tile


@pytest.mark.parametrize(
    "path",
    "tile/0/0 tile/8/000 tile/00/000 tile/0/x000/000 tile/0/1234 tile/0/000.p/256 tile/0/000.p/0 tile/0/000.p/257 "
    "tile/x/000 checkpoint tile/0/000/ /tile/0/000".split(),
)
def test_other_paths_are_refused(path: str) -> None:
    with pytest.raises(MalformedError, match="not the path of a tile"):
        parse_tile_path(path)


@given(st.lists(st.binary(max_size=300), max_size=20))
def test_entries_decode_to_what_was_encoded(entries: list[bytes]) -> None:
    data = b"".join(map(encode_entry, entries))
    assert decode_entries(data, len(entries)) == entries
    with pytest.raises(MalformedError, match="too many"):
        decode_entries(data + b"\x00", len(entries))
    if entries:
        with pytest.raises(MalformedError, match="ends inside"):
            decode_entries(data[:-1], len(entries))


def test_an_entry_has_a_largest_size() -> None:
    assert len(encode_entry(bytes(65_535))) == 65_537
    with pytest.raises(EntryTooLargeError, match="65536"):
        encode_entry(bytes(65_536))


def _tiles(size: int, batch: int) -> dict[Tile, bytes]:
    entries = [i.to_bytes(4) for i in range(size)]
    leaves = list(map(leaf_hash, entries))
    builder = TileBuilder()
    tiles: dict[Tile, bytes] = {}
    for start in range(0, size, batch):
        end = start + batch
        tiles.update(builder.append(list(map(encode_entry, entries[start:end])), leaves[start:end]))
    tiles.update(builder.partial())
    assert set(tiles) == set(tiles_of(size))
    for tile, data in tiles.items():
        assert len(data) == tile.width * (6 if tile.level is None else 32)
        if tile.level == 0:
            assert hashes_of(data) == leaves[tile.index * 256 :][: tile.width]
        if tile.level == 1:
            assert hashes_of(data)[0] == root_of(leaves[tile.index << 16 :][:256])
    return tiles


@pytest.mark.parametrize("size", [0, 1, 2, 255, 256, 257, 511, 512, 513])
@pytest.mark.parametrize("batch", [1, 7, 256, 1000])
def test_tiles_of_any_batches_are_those_of_the_tree(size: int, batch: int) -> None:
    assert _tiles(size, batch) == _tiles(size, 300)


@pytest.mark.slow
@pytest.mark.parametrize("size", [65_535, 65_536, 65_537])
def test_tiles_where_a_third_level_begins(size: int) -> None:
    tiles = _tiles(size, 4096)
    assert (Tile(level=2, index=0, width=1) in tiles) == (size >= 65_536)
