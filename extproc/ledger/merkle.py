"""Merkle tree hashes, and proofs of inclusion and consistency.

Owns hashing alone: what a leaf holds and where hashes are kept is for others.

SPEC: RFC 6962 section 2.1 for the hashes; RFC 9162 sections 2.1.3.2 and 2.1.4.2 for verifying proofs.
"""

from collections.abc import Callable, Iterable, Sequence
from hashlib import sha256
from typing import Final, TypeAlias

from extproc.ledger.errors import ProofError

HASH_BYTES: Final = 32
EMPTY_ROOT: Final = sha256(b"").digest()
_PAIR: Final = 2 * HASH_BYTES
_TILE_HEIGHT: Final = 8
"""A tile of tlog-tiles is a perfect subtree of 2**8 leaves."""

Subtree: TypeAlias = Callable[[int, int], bytes]
"""Gives the root over the leaves `[start, end)` of a tree; every proof is made of such roots."""


def leaf_hash(entry: bytes) -> bytes:
    """Hash an entry as a leaf. SPEC: RFC 6962 2.1: SHA-256(0x00 || entry)."""
    return sha256(b"\x00" + entry).digest()


def leaf_hashes(entries: Iterable[bytes]) -> list[bytes]:
    """Hash many entries as leaves."""
    return [sha256(b"\x00" + entry).digest() for entry in entries]


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hash two subtrees as their parent. SPEC: RFC 6962 2.1: SHA-256(0x01 || left || right)."""
    return sha256(b"\x01" + left + right).digest()


class Frontier:
    """The right edge of a growing tree: all that appending and the root need.

    Holds the roots of the perfect subtrees that the tree is made of, largest first: one per bit of the size.
    """

    __slots__ = ("_peaks", "size")

    def __init__(self) -> None:
        self.size = 0
        self._peaks: list[bytes] = []

    def append(self, leaf: bytes) -> None:
        """Add one leaf hash."""
        peaks = self._peaks
        size = self.size
        self.size = size + 1
        while size & 1:
            leaf = sha256(b"\x01" + peaks.pop() + leaf).digest()
            size >>= 1
        peaks.append(leaf)

    def extend(self, leaves: Sequence[bytes]) -> list[bytes]:
        """Add leaf hashes, and give the roots of the perfect subtrees of 256 leaves that they complete, in order.

        Level by level over the whole batch: half the time of one leaf after the other.
        """
        peaks, size = self._peaks, self.size
        self.size = size + len(leaves)
        nodes = list(leaves)
        complete: list[bytes] = []
        left: list[bytes] = []
        height = 0
        while nodes:
            if height == _TILE_HEIGHT:
                complete = nodes.copy()
            if size >> height & 1:
                nodes.insert(0, peaks.pop())
            if len(nodes) & 1:
                left.append(nodes.pop())
            pairs = b"".join(nodes)
            nodes = [sha256(b"\x01" + pairs[at : at + _PAIR]).digest() for at in range(0, len(pairs), _PAIR)]
            height += 1
        left.reverse()
        peaks += left
        return complete

    def copy(self) -> "Frontier":
        """Give a frontier of its own of the same tree."""
        same = Frontier()
        same.size, same._peaks = self.size, self._peaks.copy()
        return same

    def extended(self, leaves: Iterable[bytes]) -> "Frontier":
        """Give the frontier of the tree with more leaf hashes; this one stays as it is."""
        grown = self.copy()
        grown.extend(list(leaves))
        return grown

    def root(self) -> bytes:
        """Give the root of the tree as it is now."""
        if not self._peaks:
            return EMPTY_ROOT
        root = self._peaks[-1]
        for peak in self._peaks[-2::-1]:
            root = node_hash(peak, root)
        return root


def root_of(leaves: Sequence[bytes]) -> bytes:
    """Give the root over leaf hashes."""
    frontier = Frontier()
    for leaf in leaves:
        frontier.append(leaf)
    return frontier.root()


def subtree_of(leaves: Sequence[bytes]) -> Subtree:
    """Give the subtree roots of a tree whose leaf hashes are all at hand."""
    return lambda start, end: root_of(leaves[start:end])


def split(size: int) -> int:
    """Give the largest power of two smaller than `size`: where a tree of two leaves or more divides."""
    return 1 << (size - 1).bit_length() - 1


def inclusion_proof(index: int, size: int, subtree: Subtree) -> list[bytes]:
    """Make the proof that leaf `index` is in the tree of `size` leaves. SPEC: RFC 6962 2.1.1."""
    if not 0 <= index < size:
        raise ProofError(f"no leaf {index} in a tree of {size}")
    proof: list[bytes] = []
    start, end = 0, size
    while end - start > 1:
        middle = start + split(end - start)
        if index < middle:
            proof.append(subtree(middle, end))
            end = middle
        else:
            proof.append(subtree(start, middle))
            start = middle
    proof.reverse()
    return proof


def consistency_proof(old: int, new: int, subtree: Subtree) -> list[bytes]:
    """Make the proof that the tree of `old` leaves is a prefix of the tree of `new`. SPEC: RFC 6962 2.1.2."""
    if not 0 <= old <= new:
        raise ProofError(f"a tree of {old} leaves is no prefix of one of {new}")
    if old in (0, new):
        return []
    proof: list[bytes] = []
    start, end = 0, new
    while old != end:
        middle = start + split(end - start)
        if old <= middle:
            proof.append(subtree(middle, end))
            end = middle
        else:
            proof.append(subtree(start, middle))
            start = middle
    if start:
        proof.append(subtree(start, end))
    proof.reverse()
    return proof


def verify_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> None:
    """Check an inclusion proof for a leaf hash. SPEC: RFC 9162 2.1.3.2. Raises ProofError."""
    if not 0 <= index < size:
        raise ProofError(f"no leaf {index} in a tree of {size}")
    at, last, computed = index, size - 1, leaf
    for sibling in proof:
        if last == 0:
            raise ProofError(f"inclusion of leaf {index} in {size}: the proof is too long")
        if at & 1 or at == last:
            computed = node_hash(sibling, computed)
            while at and not at & 1:
                at >>= 1
                last >>= 1
        else:
            computed = node_hash(computed, sibling)
        at >>= 1
        last >>= 1
    if last:
        raise ProofError(f"inclusion of leaf {index} in {size}: the proof is too short")
    if computed != root:
        raise ProofError(f"inclusion of leaf {index} in {size}: expected root {root.hex()}, found {computed.hex()}")


def verify_consistency(old: int, old_root: bytes, new: int, new_root: bytes, proof: Sequence[bytes]) -> None:
    """Check that the tree of `old` leaves is a prefix of that of `new`. SPEC: RFC 9162 2.1.4.2. Raises ProofError."""
    if not 0 <= old <= new:
        raise ProofError(f"a tree of {old} leaves is no prefix of one of {new}")
    if old in (0, new):
        _verify_trivial(old, old_root, new_root, proof)
        return
    # SPEC: a perfect old tree is its own first node, so the proof leaves it out.
    path = [old_root, *proof] if old & (old - 1) == 0 else list(proof)
    at, last = old - 1, new - 1
    while at & 1:
        at >>= 1
        last >>= 1
    old_computed = new_computed = path[0] if path else EMPTY_ROOT
    for node in path[1:]:
        if at & 1 or at == last:
            old_computed = node_hash(node, old_computed)
            new_computed = node_hash(node, new_computed)
            while at and not at & 1:
                at >>= 1
                last >>= 1
        else:
            new_computed = node_hash(new_computed, node)
        at >>= 1
        last >>= 1
    if last or old_computed != old_root or new_computed != new_root:
        raise ProofError(f"consistency of {old} and {new}: the proof does not lead to the roots")


def _verify_trivial(old: int, old_root: bytes, new_root: bytes, proof: Sequence[bytes]) -> None:
    """Check the two cases that need no proof: nothing is a prefix of everything, and a tree of itself."""
    expected = EMPTY_ROOT if old == 0 else new_root
    if proof or old_root != expected:
        raise ProofError(f"consistency from {old}: expected root {expected.hex()} and no proof, found {old_root.hex()}")
