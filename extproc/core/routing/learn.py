"""How what is known of one region changes with each attempt, each probe and the passing of time.

Everything is a value: :func:`after_attempt` and :func:`after_probe` give another :class:`Learned`, and
:func:`standing_of` gives what decisions see of it. Where observations come from is not told here.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from math import inf
from typing import Final

from extproc.core.ids import ModelId
from extproc.core.routing.budget import CONGESTED, Budget, grown, seeded, shrunk
from extproc.core.routing.health import NEVER_OBSERVED, HealthState, Outcome, RegionHealth
from extproc.core.routing.health import after_attempt as health_after_attempt
from extproc.core.routing.health import after_probe as health_after_probe
from extproc.core.routing.load import FRESH_S, LoadReport, cap_of
from extproc.core.routing.standing import Standing
from extproc.core.tables import Region

LATENCIES_KEPT: Final = 8
SETTLED_S: Final = 0.001
SETTLED_SHARE: Final = 0.1
"""A measured round trip is believed anew when it differs by more than the greater of the two: two regions that are
equally far must not change places with every probe."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """One attempt that ended. `outcome` is None where it says nothing of the region (a 500, a client that hung up).

    `duration_s` is how long it took in seconds, `model` what it asked for, None where that is not known; `in_flight` the
    requests in the region at its end, itself included.
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Learned:
    """All that is known of one region.

    `probe_latencies_s` are the latest, oldest first, since it was last down; `latency_s` is the one that is believed.
    `baselines_s` has the least latency of each model's attempts lately. `cap` bounds the budget until `cap_until_s`.
    """

    health: RegionHealth = NEVER_OBSERVED
    budget: Budget = field(default_factory=Budget)
    probe_latencies_s: tuple[float, ...] = ()
    latency_s: float | None = None
    baselines_s: Mapping[ModelId | None, float] = field(default_factory=dict)
    cap: float = inf
    cap_until_s: float = 0.0
    missed: float = 0.0
    """Share of the latest requests that missed the latency which the policy promises."""


def unlearned(region: Region) -> Learned:
    """Give what is known of a region at first: what the policy declares."""
    return Learned(budget=seeded(region.capacity))


def after_attempt(learned: Learned, tried: Tried, region: Region, *, now_s: float) -> Learned:
    """Give what is known after Envoy tried the region."""
    if tried.outcome is None:
        return learned
    health = health_after_attempt(learned.health, tried.outcome, now_s=now_s)
    if tried.outcome is not Outcome.OK:
        return replace(learned, health=health, budget=shrunk(learned.budget, tried.in_flight, now_s=now_s))
    known = learned.baselines_s.get(tried.model, inf)
    baseline_s = min(known, tried.duration_s)
    is_congested = tried.duration_s > CONGESTED * baseline_s
    budget = (
        shrunk(learned.budget, tried.in_flight, now_s=now_s)
        if is_congested
        else grown(learned.budget, tried.in_flight)
    )
    return replace(
        learned,
        health=health,
        budget=budget,
        baselines_s=learned.baselines_s if baseline_s == known else {**learned.baselines_s, tried.model: baseline_s},
        missed=_missed(learned, tried, region),
    )


def after_probe(learned: Learned, probed: Probed, *, in_flight: int, now_s: float) -> Learned:
    """Give what is known after a probe of ours, while `in_flight` requests were in the region."""
    health = health_after_probe(learned.health, probed.outcome, now_s=now_s)
    if probed.outcome is not Outcome.OK:
        return replace(learned, health=health)
    before = () if learned.health.state is HealthState.DOWN else learned.probe_latencies_s
    kept = (*before, probed.latency_s)[-LATENCIES_KEPT:]
    cap, cap_until_s = learned.cap, learned.cap_until_s
    if probed.load is not None:
        cap, cap_until_s = cap_of(probed.load, in_flight), probed.load.at_s + FRESH_S
    return replace(
        learned,
        health=health,
        probe_latencies_s=kept,
        latency_s=_settled(learned.latency_s, min(kept)),
        cap=cap,
        cap_until_s=cap_until_s,
    )


def standing_of(learned: Learned, region: Region, *, now_s: float) -> Standing:  # noqa: ARG001 - a window ends by itself
    """Give what decisions see of the region from `now_s` on."""
    return Standing(
        state=learned.health.state,
        observed_at_s=learned.health.observed_at_s,
        latency_s=learned.latency_s,
        budget=float(int(learned.budget.size)),
        cap=learned.cap,
        cap_until_s=learned.cap_until_s,
        up_since_s=learned.health.up_since_s,
        missing_slo=_promises(region) and learned.missed > _MISSING,
    )


_MISSING: Final = 0.5
_WINDOW: Final = 20.0
"""About how many of the latest requests count."""


def _missed(learned: Learned, tried: Tried, region: Region) -> float:
    slo_s = slo_of(region, tried.model)
    if slo_s is None:
        return learned.missed
    return learned.missed + ((tried.duration_s > slo_s) - learned.missed) / _WINDOW


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
