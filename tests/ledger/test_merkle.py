import pytest
from hypothesis import given
from hypothesis import strategies as st

from extproc.ledger.errors import ProofError
from extproc.ledger.merkle import (
    EMPTY_ROOT,
    Frontier,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    root_of,
    subtree_of,
    verify_consistency,
    verify_inclusion,
)

# The leaves and roots of the reference tests of certificate transparency.
_ENTRIES = "|00|10|2021|3031|40414243|5051525354555657|606162636465666768696a6b6c6d6e6f"
_LEAVES = [leaf_hash(bytes.fromhex(entry)) for entry in _ENTRIES.split("|")]
_ROOTS = """
    e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855
    6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d
    fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125
    aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77
    d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7
    4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4
    76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef
    ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c
    5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328
""".split()


@pytest.mark.parametrize("size", range(9))
def test_roots_are_the_published_ones(size: int) -> None:
    assert root_of(_LEAVES[:size]).hex() == _ROOTS[size]


def test_a_frontier_that_is_extended_stays_as_it_was() -> None:
    frontier = Frontier()
    assert frontier.root() == EMPTY_ROOT
    grown = frontier.extended(_LEAVES)
    assert (grown.size, grown.root().hex()) == (8, _ROOTS[8])
    assert (frontier.size, frontier.root()) == (0, EMPTY_ROOT)


def _leaves(size: int) -> list[bytes]:
    return [leaf_hash(bytes([i])) for i in range(size)]


@given(st.integers(1, 70), st.data())
def test_inclusion_proofs_verify_and_nothing_else_does(size: int, data: st.DataObject) -> None:
    leaves = _leaves(size)
    index = data.draw(st.integers(0, size - 1))
    proof = inclusion_proof(index, size, subtree_of(leaves))
    root = root_of(leaves)
    verify_inclusion(leaves[index], index, size, proof, root)
    for wrong in ([*proof, root], proof[:-1] if proof else [root], [root, *proof[1:]] if proof else [root]):
        with pytest.raises(ProofError):
            verify_inclusion(leaves[index], index, size, wrong, root)
    with pytest.raises(ProofError):
        verify_inclusion(leaf_hash(b"other"), index, size, proof, root)


@given(st.integers(0, 70), st.data())
def test_consistency_proofs_verify_and_nothing_else_does(new: int, data: st.DataObject) -> None:
    leaves = _leaves(new)
    old = data.draw(st.integers(0, new))
    proof = consistency_proof(old, new, subtree_of(leaves))
    old_root, new_root = root_of(leaves[:old]), root_of(leaves)
    verify_consistency(old, old_root, new, new_root, proof)
    other = leaf_hash(b"other")
    with pytest.raises(ProofError):
        verify_consistency(old, other, new, new_root, proof)
    with pytest.raises(ProofError):
        verify_consistency(old, old_root, new, new_root, [*proof, other])
    if proof:
        with pytest.raises(ProofError):
            verify_consistency(old, old_root, new, other, proof)
        with pytest.raises(ProofError):
            verify_consistency(old, old_root, new, new_root, proof[:-1])


def test_proofs_about_what_is_not_there_are_refused() -> None:
    subtree = subtree_of(_LEAVES)
    with pytest.raises(ProofError, match="no leaf 8"):
        inclusion_proof(8, 8, subtree)
    with pytest.raises(ProofError, match="no leaf -1"):
        verify_inclusion(_LEAVES[0], -1, 8, [], EMPTY_ROOT)
    with pytest.raises(ProofError, match="no prefix"):
        consistency_proof(9, 8, subtree)
    with pytest.raises(ProofError, match="no prefix"):
        verify_consistency(9, EMPTY_ROOT, 8, EMPTY_ROOT, [])
    with pytest.raises(ProofError, match="lead to the roots"):
        verify_consistency(3, EMPTY_ROOT, 8, EMPTY_ROOT, [])
