"""Our proofs of every small tree, judged by two implementations that are not ours, and theirs by ours."""

import random
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import pytest
from pymerkle import InmemoryTree  # type: ignore[import-untyped]  # it has no types

from extproc.ledger.merkle import (
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    node_hash,
    split,
    verify_inclusion,
)

pytestmark = pytest.mark.slow

_LARGEST: Final = 40
_LEAVES: Final = [leaf_hash(bytes([number])) for number in range(_LARGEST)]


def _subtree(start: int, end: int) -> bytes:
    """Give the root over leaves, straight from RFC 6962."""
    if end - start == 1:
        return _LEAVES[start]
    middle = start + split(end - start)
    return node_hash(_subtree(start, middle), _subtree(middle, end))


def _ask(programs: Path, questions: Sequence[str]) -> list[str]:
    done = subprocess.run(
        [programs / "trees"],
        input="".join(f"{each}\n" for each in questions),
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.splitlines()


def _inclusion(index: int, size: int, proof: Sequence[bytes]) -> str:
    return " ".join(["inclusion", str(index), str(size), *_hex(_LEAVES[index], _subtree(0, size), *proof)])


def _consistency(old: int, new: int, proof: Sequence[bytes]) -> str:
    return " ".join(["consistency", str(old), str(new), *_hex(_subtree(0, old), _subtree(0, new), *proof)])


def _hex(*hashes: bytes) -> list[str]:
    return [each.hex() for each in hashes]


def _spoil(proof: Sequence[bytes], rng: random.Random) -> list[bytes]:
    """Change one bit of a proof, or leave out a hash, or add one."""
    spoilt = list(proof)
    match rng.randrange(3) if spoilt else 2:
        case 0:
            at = rng.randrange(len(spoilt))
            spoilt[at] = bytes([spoilt[at][0] ^ 1]) + spoilt[at][1:]
        case 1:
            del spoilt[rng.randrange(len(spoilt))]
        case _:
            spoilt.insert(rng.randrange(len(spoilt) + 1), bytes(32))
    return spoilt


def test_every_proof_of_every_small_tree(programs: Path) -> None:
    questions = [
        _inclusion(index, size, inclusion_proof(index, size, _subtree))
        for size in range(1, _LARGEST + 1)
        for index in range(size)
    ]
    questions += [
        _consistency(old, new, consistency_proof(old, new, _subtree))
        for new in range(1, _LARGEST + 1)
        for old in range(1, new + 1)
    ]
    assert _ask(programs, questions) == ["good good"] * len(questions)


def test_no_spoilt_proof_of_a_small_tree(programs: Path) -> None:
    rng = random.Random(7)
    questions = []
    for new in range(2, _LARGEST + 1):
        for old in range(1, new):
            questions.append(_consistency(old, new, _spoil(consistency_proof(old, new, _subtree), rng)))
            questions.append(_inclusion(old, new, _spoil(inclusion_proof(old, new, _subtree), rng)))
    assert _ask(programs, questions) == ["bad bad"] * len(questions)


def test_we_accept_the_proofs_of_pymerkle() -> None:
    tree = InmemoryTree(algorithm="sha256")
    tree.append_entries(bytes([number]) for number in range(_LARGEST))
    for size in range(1, _LARGEST + 1):
        assert tree.get_root(size) == _subtree(0, size)
        for index in range(size):
            leaf, *siblings = tree.prove_inclusion(index + 1, size).path
            verify_inclusion(leaf, index, size, siblings, tree.get_root(size))
