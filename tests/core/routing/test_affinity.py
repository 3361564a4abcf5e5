"""Where sessions go: the same place from every sidecar, and elsewhere only when they must."""

from collections import Counter
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extproc.core.ids import RegionId
from extproc.core.routing import affinity
from extproc.core.routing.affinity import _score, preferences

REGIONS = tuple(map(RegionId, ("eu-fra", "eu-ams", "us-iad", "ap-sin")))
KEYS = [f"session-{n}".encode() for n in range(4000)]


def first(key: bytes, regions: tuple[RegionId, ...], weights: tuple[int, ...] = ()) -> RegionId:
    return regions[preferences(key, regions, weights).index(0)]


def test_every_sidecar_finds_the_same_order_whatever_order_its_regions_are_in() -> None:
    ranks = dict(zip(REGIONS, preferences(b"alice", REGIONS), strict=True))
    again = dict(zip(REGIONS[::-1], preferences(b"alice", REGIONS[::-1]), strict=True))
    assert ranks == again
    # Other sidecars may be of another release: where a session is must not change with ours.
    assert sorted(ranks, key=ranks.__getitem__) == ["ap-sin", "eu-ams", "us-iad", "eu-fra"]


@pytest.mark.slow
@pytest.mark.parametrize("weights", [(), (1, 1, 1, 1), (3, 1, 1, 1), (5, 3, 2, 0), (100, 1, 1, 100)])
def test_shares_follow_the_weights(weights: tuple[int, ...]) -> None:
    counts = Counter(first(key, REGIONS, weights) for key in KEYS)
    for region, weight in zip(REGIONS, weights or (1, 1, 1, 1), strict=True):
        expected = weight / (sum(weights) or 4)
        assert counts[region] / len(KEYS) == pytest.approx(expected, abs=0.025)


@pytest.mark.slow
def test_only_the_sessions_of_a_region_that_goes_move_and_they_spread() -> None:
    left = REGIONS[:1] + REGIONS[2:]
    moved: Counter[RegionId] = Counter()
    for key in KEYS:
        before, after = first(key, REGIONS), first(key, left)
        if before == REGIONS[1]:
            moved[after] += 1
        else:
            assert after == before
    assert min(moved.values()) > 0.8 * sum(moved.values()) / 3


@pytest.mark.slow
def test_only_sessions_that_gain_move_when_a_weight_grows() -> None:
    for key in KEYS:
        before, after = first(key, REGIONS, (1, 1, 1, 1)), first(key, REGIONS, (2, 1, 1, 1))
        assert after in (before, REGIONS[0])


@given(
    st.binary(max_size=200),
    st.lists(st.text(max_size=8).map(RegionId), max_size=8, unique=True),
    st.lists(st.integers(-1, 1000), min_size=8, max_size=8),
)
def test_ranks_are_a_permutation_and_what_has_no_weight_comes_last(
    key: bytes, regions: list[RegionId], weights: list[int]
) -> None:
    ranks = preferences(key, regions, weights[: len(regions)])
    assert sorted(ranks) == list(range(len(regions)))
    able = [rank for rank, weight in zip(ranks, weights, strict=False) if weight > 0]
    assert sorted(able) == list(range(len(able)))


@pytest.mark.parametrize("draw", [0, 1, (1 << 64) - 1, (1 << 64) - 4096])
def test_no_draw_divides_by_zero(draw: int) -> None:
    """The highest would round to 1, of which the logarithm is 0."""
    assert 0.0 < _score(draw, 3) < inf


def test_the_names_that_are_kept_are_bounded_and_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    before = preferences(b"alice", REGIONS)
    monkeypatch.setattr(affinity, "_NAMES_KEPT", 2)
    monkeypatch.setattr(affinity, "_hashes", {})
    assert preferences(b"alice", REGIONS) == before
    assert len(affinity._hashes) <= 2
