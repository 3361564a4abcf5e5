"""From what became of each request to the figures by which ways to choose are compared."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bench.routing.play import FAILED, SHED, Played
from bench.routing.trace import SESSIONS, Trace
from bench.routing.world import REGIONS, SLO_S, SUBJECTS, Spell, World

RECOVERED: Final = 1.25
"""Recovered is who takes no longer than so many times what the oracle takes in the same second, for three in a row."""
_STEADY: Final = 3
_LOW, _HIGH = 0.4, 0.7
"""A region is left below the one share of its usual rate, and used above the other."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """One run; times in milliseconds, shares of 1. Requests of the warm-up count nowhere.

    Latencies hold what was not shed; a request that failed counts with the time until it did. `regret_ms` is the mean
    difference to the oracle over the requests that neither shed. `recovered_s` is counted from the begin of each event
    and None where it did not; `left_s` is when the browned-out region had lost half of its usual rate. `swings` are how
    often that region was left or taken up again: two are due. `violations` reached a region outside the set that they
    were given, `unlawful` one that no law permits, and `transferred` one outside the subject's home set.
    """

    requests: int
    mean_ms: float
    p50_ms: float
    p95_ms: float
    p99_ms: float
    slo_missed: float
    failed: int
    shed: int
    regret_ms: float
    moves: float
    violations: int
    unlawful: float
    transferred: float
    recovered_s: dict[str, float | None]
    left_s: float | None
    swings: int


def judge(world: World, trace: Trace, played: Played, oracle: Played) -> Figures:
    """Judge a run against the oracle's on the same trace."""
    at_s, subject = np.array(trace.at_s), np.array(trace.subject)
    counted = at_s >= world.warm_s
    latency_ms = played.latency_s[counted] * 1000
    answered = latency_ms[~np.isnan(latency_ms)]
    missed = int((answered > SLO_S * 1000).sum()) + int((played.served[counted] == SHED).sum())
    reached = played.reached
    p50, p95, p99 = (float(each) for each in np.percentile(answered, (50, 95, 99)))
    return Figures(
        requests=int(counted.sum()),
        mean_ms=float(answered.mean()),
        p50_ms=p50,
        p95_ms=p95,
        p99_ms=p99,
        slo_missed=missed / int(counted.sum()),
        failed=int((played.served[counted] == FAILED).sum()),
        shed=int((played.served[counted] == SHED).sum()),
        regret_ms=float(np.nanmean((played.latency_s - oracle.latency_s)[counted]) * 1000),
        moves=_moves(trace, played, counted),
        violations=int((reached & ~np.array(world.masks)[subject] != 0).sum()),
        unlawful=float((reached & ~np.array([each.hybrid for each in SUBJECTS])[subject] != 0)[counted].mean()),
        transferred=float((reached & ~np.array([each.legal_first for each in SUBJECTS])[subject] != 0)[counted].mean()),
        recovered_s={each.name: _recovered_s(each, world, at_s, played, oracle) for each in _firsts(world.spells)},
        left_s=_left_s(world, at_s, played),
        swings=_swings(world, at_s, played),
    )


def by_second(at_s: NDArray[np.float64], latency_s: NDArray[np.float64], until_s: float) -> NDArray[np.float64]:
    """Give the mean latency in seconds of the requests that arrived in each second; NaN where none was answered."""
    answered = ~np.isnan(latency_s)
    bins = np.arange(0.0, until_s + 1.0)
    counts = np.histogram(at_s[answered], bins)[0]
    sums = np.histogram(at_s[answered], bins, weights=latency_s[answered])[0]
    means: NDArray[np.float64] = np.divide(sums, counts, out=np.full(len(counts), np.nan), where=counts > 0)
    return means


def _firsts(spells: tuple[Spell, ...]) -> list[Spell]:
    """Give the first spell of each name: what has several steps is one event."""
    return list({each.name: each for each in reversed(spells)}.values())[::-1]


def _moves(trace: Trace, played: Played, counted: NDArray[np.bool_]) -> float:
    """Give how many of the requests went to another region than the one before of their session."""
    key = (np.array(trace.sidecar) * len(SUBJECTS) + np.array(trace.subject)) * SESSIONS + np.array(trace.session)
    tried = counted & (played.first != SHED)
    order = np.argsort(key[tried], kind="stable")
    key, first = key[tried][order], played.first[tried][order]
    same = key[1:] == key[:-1]
    return float(((first[1:] != first[:-1]) & same).sum() / max(1, same.sum()))


def _recovered_s(spell: Spell, world: World, at_s: NDArray[np.float64], played: Played, oracle: Played) -> float | None:
    mine, best = (by_second(at_s, each.latency_s, world.until_s) for each in (played, oracle))
    good = mine <= RECOVERED * best
    begin = int(spell.from_s)
    bad = [i for i in range(begin, min(int(spell.until_s), len(good))) if not good[i]]
    if not bad:
        return 0.0
    for i in range(bad[0], len(good) - _STEADY + 1):
        if good[i : i + _STEADY].all():
            return float(i - begin)
    return None


def _rates(
    world: World, at_s: NDArray[np.float64], played: Played, step_s: float
) -> tuple[Spell, NDArray[np.float64]] | None:
    """Give the first slow spell, and its region's rate over the rate before it, in steps from its begin on."""
    slow = [each for each in world.spells if each.slowness is not None]
    if not slow:
        return None
    spell = slow[0]
    times = at_s[played.first == spell.region]
    before = ((times >= spell.from_s - 10) & (times < spell.from_s)).sum() / 10
    counts = np.histogram(times, np.arange(spell.from_s, world.until_s + step_s / 2, step_s))[0]
    return spell, counts / step_s / max(1.0, float(before))


def _left_s(world: World, at_s: NDArray[np.float64], played: Played) -> float | None:
    found = _rates(world, at_s, played, 0.5)
    if found is None:
        return None
    spell, rates = found
    for i in range(min(len(rates), int(2 * (spell.until_s - spell.from_s))) - _STEADY + 1):
        if (rates[i : i + _STEADY] <= 0.5).all():  # noqa: PLR2004 - half
            return i / 2
    return None


def _swings(world: World, at_s: NDArray[np.float64], played: Played) -> int:
    found = _rates(world, at_s, played, 1.0)
    if found is None:
        return 0
    is_used, swings = True, 0
    for rate in found[1]:
        if (is_used and rate < _LOW) or (not is_used and rate > _HIGH):
            is_used = not is_used
            swings += 1
    return swings


def region_rates(world: World, trace: Trace, played: Played) -> NDArray[np.float64]:
    """Give how many requests of each second each region answered, by region and second of arrival."""
    at_s, bins = np.array(trace.at_s), np.arange(0.0, world.until_s + 1.0)
    return np.array([np.histogram(at_s[played.served == r], bins)[0] for r in range(len(REGIONS))], dtype=np.float64)
