"""How what is known of one region changes with each attempt, each probe and the passing of time.

Everything is a value: :func:`after_attempt` and :func:`after_probe` give another :class:`Learned`, and
:func:`standing_of` gives what decisions see of it. Where observations come from is not told here.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import inf, log
from types import MappingProxyType
from typing import Final, NamedTuple

from extproc.core.ids import ModelId
from extproc.core.routing.budget import Budget, eased, grown, seeded, shrunk
from extproc.core.routing.health import NEVER_OBSERVED, HealthState, Outcome, RegionHealth
from extproc.core.routing.health import after_attempt as health_after_attempt
from extproc.core.routing.health import after_probe as health_after_probe
from extproc.core.routing.load import FRESH_S, LoadReport, cap_of
from extproc.core.routing.pace import LEAST_S, Pace, first, paced
from extproc.core.routing.recent import MOST, NOTHING_MISSING, NOTHING_RECENT, Missing, Recent, forgotten, judged, seen
from extproc.core.routing.standing import LONGEST_CAP_S, Standing
from extproc.core.tables import Region

LATENCIES_KEPT: Final = 8
CAPPED: Final = 0.5
"""The share of a budget that no load report takes away."""
MODELS_KEPT: Final = 64
"""So many models have a pace of their own in a region; a client that makes names up must not fill the memory."""
SETTLED_S: Final = 0.001
SETTLED_SHARE: Final = 0.1
"""A measured round trip is believed anew when it differs by more than the greater of the two: two regions that are
equally far must not change places with every probe."""
EXCESS_SETTLED_SHARE: Final = 0.25
"""By how much of itself the excess of a region that is slow must differ to be believed anew. It is an average over few
attempts, and differs by a tenth from one to the next."""
COARSE_SHARE: Final = 20
"""Budgets and caps are seen in steps of at most the 20th part, or of 1. Each change costs every decision that follows
more than the step is worth."""
CAP_STEP_S: Final = 0.5
"""Caps end at multiples of it, so that not each report of a load that stays is another one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """One attempt that ended. `outcome` is None where it says nothing of the region (a 500, a client that hung up).

    `duration_s` is how long it took in seconds, `model` what it asked for, None where that is not known; `in_flight`
    the requests in the region at its end, itself included.
    """

    outcome: Outcome | None
    duration_s: float
    model: ModelId | None
    in_flight: int
    load: LoadReport | None = None
    """The cell's own report, where its answer bore one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Probed:
    """One probe of a region's cells. `load` is their own report, None where they say nothing."""

    outcome: Outcome
    latency_s: float
    load: LoadReport | None = None


_NO_PACES: Final[Mapping[ModelId | None, Pace]] = MappingProxyType({})
_UNTRIED: Final = Budget()


class Learned(NamedTuple):
    """All that is known of one region.

    `probe_latencies_s` are the latest, oldest first, since it was last down; `latency_s` is the one that is believed.
    `paces` has how long each model takes, of MODELS_KEPT models. `cap` bounds the budget until `cap_until_s`.
    `recent` and `missing` are of its latest attempts, whatever model, and `excess_s` is the excess of `recent` that is
    believed, in seconds, 0 while there is none. A named tuple, because each attempt makes one.
    """

    health: RegionHealth = NEVER_OBSERVED
    budget: Budget = _UNTRIED
    probe_latencies_s: tuple[float, ...] = ()
    latency_s: float | None = None
    paces: Mapping[ModelId | None, Pace] = _NO_PACES
    cap: float = inf
    cap_until_s: float = 0.0
    recent: Recent = NOTHING_RECENT
    missing: Missing = NOTHING_MISSING
    excess_s: float = 0.0


def unlearned(region: Region) -> Learned:
    """Give what is known of a region at first: what the policy declares."""
    return Learned(budget=seeded(region.capacity))


def after_attempt(learned: Learned, tried: Tried, region: Region, *, now_s: float) -> Learned:
    """Give what is known after Envoy tried the region."""
    if tried.outcome is None:
        return learned
    health = health_after_attempt(learned.health, tried.outcome, now_s=now_s)
    if tried.outcome is not Outcome.OK:
        return _after_failure(learned, tried, health, now_s)
    duration_s, model, in_flight = tried.duration_s, tried.model, tried.in_flight
    took_s = max(LEAST_S, duration_s)
    logarithm = log(took_s)
    budget, paces = learned.budget, learned.paces
    known = paces.get(model)
    if known is None:
        pace = known = first(logarithm, now_s=now_s)
        paces = _kept(paces)
    else:
        pace = paced(known, logarithm, now_s=now_s)
    baseline = known.baseline
    best = baseline if known.lowest == inf else known.lowest
    recent = seen(learned.recent, logarithm - baseline, logarithm - best, best, now_s)
    if recent.is_slow:
        budget = shrunk(budget, in_flight, now_s=now_s)
    elif recent.is_congested:
        budget = eased(budget, in_flight, took_s=took_s, now_s=now_s)
    else:
        budget = grown(budget, in_flight, now_s=now_s)
    cap, cap_until_s = learned.cap, learned.cap_until_s
    if tried.load is not None:
        cap, cap_until_s = _capped(learned, tried.load, in_flight, now_s)
    slo_s = slo_of(region, model)
    missing = learned.missing if slo_s is None else judged(learned.missing, duration_s > slo_s, now_s)
    # In the order of the fields.
    return Learned(
        health,
        budget,
        learned.probe_latencies_s,
        learned.latency_s,
        {**paces, model: pace},
        cap,
        cap_until_s,
        recent,
        missing,
        _excess(learned.excess_s, recent, now_s) if recent.is_slow else 0.0,
    )


def _after_failure(learned: Learned, tried: Tried, health: RegionHealth, now_s: float) -> Learned:
    """Let a failure count as an attempt that took as long as one can count: one of many says little."""
    before = learned.recent
    recent = seen(before, MOST, MOST, before.best, now_s)
    if tried.outcome is Outcome.UNREACHED or recent.is_slow:
        budget = shrunk(learned.budget, tried.in_flight, now_s=now_s)
    elif recent.is_congested:
        budget = eased(learned.budget, tried.in_flight, took_s=tried.duration_s, now_s=now_s)
    else:
        budget = learned.budget
    cap, cap_until_s = learned.cap, learned.cap_until_s
    if tried.load is not None:
        cap, cap_until_s = _capped(learned, tried.load, tried.in_flight, now_s)
    return Learned(
        health,
        budget,
        learned.probe_latencies_s,
        learned.latency_s,
        learned.paces,
        cap,
        cap_until_s,
        recent,
        learned.missing,
        _excess(learned.excess_s, recent, now_s) if recent.is_slow else 0.0,
    )


def _capped(learned: Learned, load: LoadReport, in_flight: int, now_s: float) -> tuple[float, float]:
    """Take the report that an answer bore. It is of one cell alone, so it never lifts what is known of the fullest."""
    cap, cap_until_s = learned.cap, learned.cap_until_s
    until_s = load.at_s + FRESH_S
    new = max(cap_of(load, in_flight), CAPPED * learned.budget.size)
    # What ended, or was set before the clock was set back, bounds nothing any more.
    if not cap_until_s - LONGEST_CAP_S <= now_s < cap_until_s:
        return new, until_s
    return (new, until_s) if new <= cap else (cap, cap_until_s)


def _kept(paces: Mapping[ModelId | None, Pace]) -> Mapping[ModelId | None, Pace]:
    """Make room for another model: that of which nothing was heard for longest goes."""
    if len(paces) < MODELS_KEPT:
        return paces
    oldest = min(paces, key=lambda model: paces[model].since_s)
    return {model: pace for model, pace in paces.items() if model != oldest}


def after_probe(learned: Learned, probed: Probed, *, in_flight: int, now_s: float) -> Learned:
    """Give what is known after a probe of ours, while `in_flight` requests were in the region."""
    health = health_after_probe(learned.health, probed.outcome, now_s=now_s)
    if probed.outcome is not Outcome.OK:
        return learned._replace(health=health)
    was_down = learned.health.state is HealthState.DOWN
    before = () if was_down else learned.probe_latencies_s
    kept = (*before, probed.latency_s)[-LATENCIES_KEPT:]
    cap, cap_until_s = learned.cap, learned.cap_until_s
    if probed.load is not None:
        # What is in flight at one moment may be little by chance, and the report is late: it takes half at the most.
        cap = max(cap_of(probed.load, in_flight), CAPPED * learned.budget.size)
        cap_until_s = probed.load.at_s + FRESH_S
    return learned._replace(
        health=health,
        probe_latencies_s=kept,
        latency_s=_settled(learned.latency_s, min(kept)),
        # How it went before it was down would keep the first request away that is to show how it is now.
        recent=forgotten(learned.recent) if was_down else learned.recent,
        cap=cap,
        cap_until_s=cap_until_s,
    )


def standing_of(learned: Learned, region: Region, *, now_s: float) -> Standing:
    """Give what decisions see of the region from `now_s` on: coarse, and never more room than was learned."""
    latency_s = learned.latency_s
    if latency_s is not None and learned.excess_s and learned.recent.excess_at(now_s):
        latency_s += learned.excess_s
    budget, cap, cap_until_s = coarse(learned.budget.size), inf, 0.0
    # What bounds nothing now is told again as soon as it does, since a budget grows by being learned anew.
    if learned.cap < budget:
        cap, cap_until_s = coarse(learned.cap), learned.cap_until_s // CAP_STEP_S * CAP_STEP_S
    return Standing(
        state=learned.health.state,
        observed_at_s=learned.health.observed_at_s,
        latency_s=latency_s,
        budget=budget,
        cap=cap,
        cap_until_s=cap_until_s,
        up_since_s=learned.health.up_since_s,
        missing_slo=_promises(region) and learned.missing.at(now_s),
    )


def coarse(size: float) -> float:
    """Give a finite number of requests as decisions see it: not more, and less by a 20th at most, or by less than 1.

    Steps are powers of two, so that a larger size is never seen as a smaller one.
    """
    whole = int(size)
    shift = max(0, (whole // COARSE_SHARE).bit_length() - 1)
    return float(whole >> shift << shift)


def _excess(believed_s: float, recent: Recent, now_s: float) -> float:
    """Give the excess to believe: the old one unless the new one differs enough."""
    measured_s = recent.excess_at(now_s)
    if believed_s and abs(measured_s - believed_s) <= EXCESS_SETTLED_SHARE * believed_s:
        return believed_s
    return measured_s


def slo_of(region: Region, model: ModelId | None) -> float | None:
    """Give the latency in seconds that the policy promises of a model in a region; None where it promises none."""
    approval = None if model is None else region.models.get(model)
    return region.slo_s if approval is None or approval.slo_s is None else approval.slo_s


def _promises(region: Region) -> bool:
    return region.slo_s is not None or any(approval.slo_s is not None for approval in region.models.values())


def _settled(believed_s: float | None, measured_s: float) -> float:
    """Give the latency to believe: the old one unless the new one differs enough."""
    if believed_s is None or abs(measured_s - believed_s) > max(SETTLED_S, SETTLED_SHARE * believed_s):
        return measured_s
    return believed_s
