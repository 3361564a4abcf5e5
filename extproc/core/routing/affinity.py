"""Which region a session prefers: weighted rendezvous hashing, so that each sidecar finds the same one by itself.

When regions come or go, or a weight changes, only the sessions move that must.
SPEC: D. G. Thaler, C. V. Ravishankar, "Using name-based mappings to increase hit rates" (1998); weights by -w / ln(u).
"""

from collections.abc import Sequence
from hashlib import blake2b
from math import inf, log

from extproc.core.ids import RegionId

_DIGEST = 8
_SPAN = float(1 << 64)


def preferences(key: bytes, regions: Sequence[RegionId], weights: Sequence[int] = ()) -> tuple[int, ...]:
    """Rank the regions for a session: 0 at the index of the one that it prefers.

    `weights` are as many as `regions`, or none where all are equal. A region of weight 0 comes last.
    """
    scores = [
        (_score(key, region, weights[i] if weights else 1), region, i) for i, region in enumerate(regions)
    ]
    scores.sort(key=lambda each: (-each[0], each[1]))
    ranks = [0] * len(scores)
    for rank, (_, _, i) in enumerate(scores):
        ranks[i] = rank
    return tuple(ranks)


def _score(key: bytes, region: RegionId, weight: int) -> float:
    if weight <= 0:
        return -inf
    digest = blake2b(region.encode(), key=key[:64], digest_size=_DIGEST).digest()
    # Strictly between 0 and 1.
    return -weight / log((int.from_bytes(digest) + 0.5) / _SPAN)
