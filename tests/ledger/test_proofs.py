"""Proofs from published tiles: the same as from all leaves, at every size, and none from what is not there."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extproc.ledger.errors import ProofError
from extproc.ledger.merkle import (
    EMPTY_ROOT,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    root_of,
    subtree_of,
    verify_consistency,
    verify_inclusion,
)
from extproc.ledger.proofs import TileTree
from extproc.ledger.tiles import TILE_WIDTH, TileBuilder, encode_entry, format_tile_path
from extproc.notes.errors import MalformedError

LARGEST = 70_000
ENTRIES = [index.to_bytes(3) for index in range(LARGEST)]
LEAVES = [leaf_hash(entry) for entry in ENTRIES]


def publish(size: int, *, before: int = 0) -> dict[str, bytes]:
    """The tiles of a log that was published at `before` entries and again at `size`."""
    builder = TileBuilder()
    files: dict[str, bytes] = {}
    for start, end in pairwise(sorted({0, before, size})):
        encoded = [encode_entry(entry) for entry in ENTRIES[start:end]]
        for tile, data in builder.append(encoded, LEAVES[start:end]):
            files[format_tile_path(tile)] = data
        for tile, data in builder.partial():
            files[format_tile_path(tile)] = data
    return files


def tree_of(files: dict[str, bytes], size: int) -> TileTree:
    def read(name: str) -> bytes:
        try:
            return files[name]
        except KeyError:
            raise FileNotFoundError(name) from None

    return TileTree(read, size)


@given(st.data())
def test_every_proof_is_that_of_all_leaves(data: st.DataObject) -> None:
    published = data.draw(st.integers(1, 1100), label="published")
    size = data.draw(st.integers(1, published), label="size")
    old = data.draw(st.integers(0, size), label="old")
    index = data.draw(st.integers(0, size - 1), label="index")
    tree = tree_of(publish(published), published)
    leaves = LEAVES[:size]
    assert tree.root(size) == root_of(leaves)
    assert tree.root(old) == root_of(leaves[:old])
    assert tree.leaf(index) == leaves[index]
    assert tree.inclusion(index, size) == inclusion_proof(index, size, subtree_of(leaves))
    assert tree.consistency(old, size) == consistency_proof(old, size, subtree_of(leaves))


@pytest.mark.slow
@pytest.mark.parametrize("size", [65_535, 65_536, 65_537, LARGEST])
def test_three_levels_of_tiles(size: int) -> None:
    tree = tree_of(publish(size), size)
    root = root_of(LEAVES[:size])
    assert tree.root() == root
    for index in (0, 255, 256, 65_534, size - 1):
        verify_inclusion(LEAVES[index], index, size, tree.inclusion(index), root)
    for old in (1, 255, 256, 257, 65_280, 65_535, size):
        verify_consistency(old, root_of(LEAVES[:old]), size, root, tree.consistency(old))


def test_the_empty_tree_needs_no_tile() -> None:
    tree = tree_of({}, 0)
    assert tree.root() == EMPTY_ROOT
    assert tree.consistency(0) == []


def test_a_full_tile_stands_in_for_its_partial_one() -> None:
    files = publish(300)
    old = tree_of(files, 200)
    assert "tile/0/000.p/200" not in files
    assert old.root() == root_of(LEAVES[:200])


def test_a_tile_that_is_not_there_is_an_error_and_no_guess() -> None:
    files = publish(300)
    del files["tile/0/001.p/44"]
    tree = tree_of(files, 300)
    assert tree.leaf(255) == LEAVES[255]
    with pytest.raises(FileNotFoundError, match=r"tile/0/001"):
        tree.root()
    del files["tile/0/000"]
    with pytest.raises(FileNotFoundError, match=r"tile/0/000"):
        tree_of(files, 300).leaf(0)


@pytest.mark.parametrize("change", [-1, 1, -32, 32])
def test_a_tile_of_the_wrong_length_is_refused(change: int) -> None:
    files = publish(300)
    data = files["tile/0/001.p/44"]
    files["tile/0/001.p/44"] = data[:change] if change < 0 else data + bytes(change)
    with pytest.raises(MalformedError, match="expected 44 hashes"):
        tree_of(files, 300).root()


@pytest.mark.parametrize(("start", "end"), [(0, 0), (-1, 1), (0, 301), (5, 4)])
def test_leaves_beyond_the_tree(start: int, end: int) -> None:
    with pytest.raises(IndexError, match="no leaves"):
        tree_of(publish(300), 300).subtree(start, end)


def test_proofs_beyond_the_tree() -> None:
    tree = tree_of(publish(300), 300)
    with pytest.raises(ProofError):
        tree.inclusion(300)
    with pytest.raises(ProofError):
        tree.consistency(301)
    with pytest.raises(IndexError):
        tree.consistency(10, 301)


def test_tiles_are_read_once_and_not_all_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("extproc.ledger.proofs._KEPT_TILES", 2)
    files = publish(5 * TILE_WIDTH)
    reads: list[str] = []

    def read(name: str) -> bytes:
        reads.append(name)
        return files[name]

    tree = TileTree(read, 5 * TILE_WIDTH)
    for _ in range(3):
        tree.leaf(7)
        tree.leaf(300)
    assert reads == ["tile/0/000", "tile/0/001"]
    tree.leaf(600)
    tree.leaf(7)
    assert reads == ["tile/0/000", "tile/0/001", "tile/0/002", "tile/0/000"]
