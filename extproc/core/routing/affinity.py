"""Which region a session prefers: weighted rendezvous hashing, so that each sidecar finds the same one by itself.

When regions come or go, or a weight changes, only the sessions move that must.
SPEC: D. G. Thaler, C. V. Ravishankar, "Using name-based mappings to increase hit rates" (1998); weights by -w / ln(u).
"""

from collections.abc import Sequence
from hashlib import blake2b
from itertools import count
from math import inf, log
from typing import Final

from extproc.core.ids import RegionId

_BITS: Final = (1 << 64) - 1
_STEP: Final = 2.0**-52
_NAMES_KEPT: Final = 4096

_hashes: dict[RegionId, int] = {}
"""Of the names of regions, which are the same for each request."""


def preferences(key: bytes, regions: Sequence[RegionId], weights: Sequence[int] = ()) -> tuple[int, ...]:
    """Rank the regions for a session: 0 at the index of the one that it prefers.

    `weights` are as many as `regions`, or none where all are equal. A region of weight 0 comes last.
    """
    session = _hash(key)
    draws = [_mixed(session ^ (_hashes.get(region) or _hash_of_name(region))) for region in regions]
    # With equal weights the score grows with the draw, so there is no need to work it out.
    scores = list(map(_score, draws, weights)) if weights else draws
    ranks = [0] * len(draws)
    for rank, (_, _, i) in enumerate(sorted(zip([-score for score in scores], regions, count(), strict=False))):
        ranks[i] = rank
    return tuple(ranks)


def _score(draw: int, weight: int) -> float:
    # Of 52 bits, so that a float holds it and the half exactly: strictly between 0 and 1.
    return -weight / log(((draw >> 12) + 0.5) * _STEP) if weight > 0 else -inf


def _hash(data: bytes) -> int:
    return int.from_bytes(blake2b(data, digest_size=8).digest())


def _hash_of_name(region: RegionId) -> int:
    if len(_hashes) >= _NAMES_KEPT:
        _hashes.clear()
    found = _hashes[region] = _hash(region.encode())
    return found


def _mixed(bits: int) -> int:
    """Draw 64 bits from 64 bits. A cryptographic hash for each region would take most of a choice's time.

    SPEC: SplitMix64's finaliser; G. L. Steele, D. Lea, C. H. Flood, "Fast splittable pseudorandom number generators"
    (2014).
    """
    bits = (bits ^ bits >> 30) * 0xBF58476D1CE4E5B9 & _BITS
    bits = (bits ^ bits >> 27) * 0x94D049BB133111EB & _BITS
    return bits ^ bits >> 31
