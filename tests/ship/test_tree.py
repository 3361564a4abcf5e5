"""What of a log is shipped, and that nothing is that does not hash to the signed root."""

import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ship.world import Logs

from extproc.ledger.merkle import leaf_hash, root_of
from extproc.ledger.tiles import TileBuilder, encode_entry, format_tile_path, tiles_of
from extproc.ship.errors import LocalLogError, TileMissingError
from extproc.ship.local_log import LocalLog, find_logs, region_of
from extproc.ship.tree import CheckedTree


def _log(folder: Path, *sizes: int) -> LocalLog:
    """Tiles of a tree of small entries, with the partial ones of each size."""
    builder = TileBuilder()
    log = LocalLog(root=folder, name="log-1")
    for size in sizes:
        entries = [f"entry {n}".encode() for n in range(builder.size, size)]
        written = list(builder.append([encode_entry(each) for each in entries], list(map(leaf_hash, entries))))
        for tile, data in [*written, *builder.partial()]:
            path = folder / log.tile_name(tile)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
            if tile == tile.full:
                shutil.rmtree(path.with_name(f"{path.name}.p"), ignore_errors=True)
    return log


def _root(size: int) -> bytes:
    return root_of([leaf_hash(f"entry {n}".encode()) for n in range(size)])


@pytest.mark.parametrize("size", [0, 1, 2, 255, 256, 257, 511, 512, 700])
def test_exactly_the_tiles_of_the_size(tmp_path: Path, size: int) -> None:
    tree = CheckedTree(_log(tmp_path, size), size)
    pieces = [piece for _, group in tree.full(0) for piece in group] + tree.edge()
    assert {piece.tile for piece in pieces} == set(tiles_of(size))
    assert all(piece.data == (tmp_path / "log-1/log" / format_tile_path(piece.tile)).read_bytes() for piece in pieces)
    assert tree.root(size) == _root(size)


@pytest.mark.slow
def test_a_tree_of_three_levels(tmp_path: Path) -> None:
    size = 65_536 + 300
    log = _log(tmp_path, size)
    tree = CheckedTree(log, size)
    pieces = [piece for _, group in tree.full(0) for piece in group] + tree.edge()
    assert {piece.tile for piece in pieces} == set(tiles_of(size))
    for old in (1, 256, 65_535, 65_536, 65_537, size):
        assert tree.root(old) == _root(old)


@given(st.integers(1, 800), st.integers(0, 800))
def test_the_root_of_every_earlier_size(tmp_path_factory: pytest.TempPathFactory, old: int, more: int) -> None:
    folder = tmp_path_factory.mktemp("tree")
    tree = CheckedTree(_log(folder, old + more), old + more)
    assert tree.root(old) == _root(old)


def test_a_partial_tile_that_vanished_is_found_in_the_full_one(tmp_path: Path) -> None:
    """The checkpoint over 100 was read, and then the log grew past the tile's end."""
    log = _log(tmp_path, 100, 300)
    tree = CheckedTree(log, 100)
    assert not (tmp_path / log.tile_name(next(iter(tiles_of(100))))).exists()
    assert [piece.tile for piece in tree.edge()] == list(tiles_of(100))
    assert tree.root(100) == _root(100)
    bundle, hashes = tree.edge()
    assert bundle.data == b"".join(encode_entry(f"entry {n}".encode()) for n in range(100))
    assert hashes.data is not None
    assert len(hashes.data) == 3200
    assert tree.last_entry() == b"entry 99"


def test_a_flipped_byte_anywhere_is_found_before_it_leaves(tmp_path: Path) -> None:
    size = 600
    log = _log(tmp_path, size)
    for tile in tiles_of(size):
        path = tmp_path / log.tile_name(tile)
        data = path.read_bytes()
        for at in range(0, len(data), len(data) // 7):
            path.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
            tree = CheckedTree(log, size)
            with pytest.raises((LocalLogError, AssertionError)):  # noqa: PT012 - whichever of the checks sees it first
                list(tree.full(0))
                tree.edge()
                assert tree.root(size) == _root(size)
        path.write_bytes(data)


def test_a_pruned_beginning_is_passed_over_and_a_hole_is_not(tmp_path: Path) -> None:
    log = _log(tmp_path, 1100)
    bundles = [tmp_path / log.tile_name(tile) for tile in tiles_of(1100) if tile.level is None]
    bundles[0].unlink()
    bundles[1].unlink()
    missing = [piece.tile for _, group in CheckedTree(log, 1100).full(0) for piece in group if piece.data is None]
    assert [(tile.level, tile.index) for tile in missing] == [(None, 0), (None, 1)]
    bundles[3].unlink()
    with pytest.raises(TileMissingError, match=r"entries/003: not there, and the checkpoint covers it\. Mend: "):
        list(CheckedTree(log, 1100).full(0))


def test_logs_are_found_by_what_they_are(tmp_path: Path) -> None:
    logs = Logs(root=tmp_path)
    logs.grow(1)
    logs.close()
    logs.grow(1)
    (tmp_path / ".shipping").mkdir()
    (tmp_path / "node-1/w0/.unborn/log").mkdir(parents=True)
    found = find_logs(tmp_path)
    assert [log.name[:16] for log in found] == ["node-1/w0/000001", "node-1/w0/000002"]
    assert [log.worker for log in found] == ["node-1/w0", "node-1/w0"]


@pytest.mark.parametrize("origin", ["", "acme/test/eu/n/w", "acme/test//n/w/1", "acme/test/eu/n/w/1/2"])
def test_an_origin_without_a_region(origin: str) -> None:
    with pytest.raises(LocalLogError, match="no region can be read"):
        region_of(origin)


def test_the_region_of_an_origin() -> None:
    assert region_of("acme/test/eu-fra/node-1/keeper/000001-5f3a90c2") == "eu-fra"
