"""From single requests to figures: latencies, shares, counts."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import ceil

from bench.profiles.evidence import Case, Crossing, Failover, Proof
from bench.profiles.story import Phase
from bench.profiles.traffic import KINDS
from extproc.core.tables import Profile
from extproc.demo.client import PATIENCE_S

_CLASS_OF = {kind.name: kind.data_class for kind in KINDS}


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency:
    """Percentiles of served requests in milliseconds, by the nearest rank."""

    samples: int
    p50_ms: float
    p99_ms: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Some requests of one profile. `unserved` are counted by reason code, `regions` by who served."""

    requests: int
    served: int
    latency: Latency | None
    regions: dict[str, int]
    unserved: dict[str, int]

    @property
    def unserved_share(self) -> float:
        """Give the share that was not served, nearly always because it was refused."""
        return (self.requests - self.served) / self.requests if self.requests else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """Everything that is said of one profile. Counts are of requests, over all phases."""

    whole: Group
    by_class: dict[str, Group]
    by_class_in_calm: dict[str, Group]
    by_kind: dict[str, Group]
    by_phase: dict[str, Group]
    p50_ms_by_round: tuple[float, ...]
    crossings: dict[str, int]
    transfers_recorded: int
    transferred: int
    failovers: dict[str, int]
    proof: Proof

    def crossed(self, crossing: Crossing | None = None) -> float:
        """Give the share of served requests that were served outside the subject's legal area, on one basis or any."""
        count = sum(self.crossings.values()) if crossing is None else self.crossings[crossing]
        return count / self.whole.served if self.whole.served else 0.0


def summarise(cases: Sequence[Case], proofs: Mapping[Profile, Proof]) -> dict[Profile, Figures]:
    """Sum up each profile's cases."""
    return {
        profile: _figures([case for case in cases if case.answer.profile is profile], proof)
        for profile, proof in proofs.items()
    }


def percentile(values: Iterable[float], percent: float) -> float:
    """Give a percentile by the nearest rank. Raises ValueError where there is no value."""
    ordered = sorted(values)
    if not ordered:
        raise ValueError("a percentile of nothing")
    return ordered[max(0, ceil(len(ordered) * percent / 100) - 1)]


def _figures(cases: Sequence[Case], proof: Proof) -> Figures:
    rounds = _by(cases, lambda case: str(case.answer.round)).values()
    return Figures(
        whole=_group(cases),
        by_class=_groups(cases, _class_of),
        by_class_in_calm=_groups([case for case in cases if case.answer.phase is Phase.CALM], _class_of),
        by_kind=_groups(cases, lambda case: case.answer.kind),
        by_phase=_groups(cases, lambda case: case.answer.phase.value),
        p50_ms_by_round=tuple(found.p50_ms for each in rounds if (found := _group(each).latency) is not None),
        crossings={basis.value: sum(case.crossing is basis for case in cases) for basis in Crossing},
        transfers_recorded=sum(case.transfer_recorded for case in cases),
        transferred=sum(case.transferred for case in cases),
        failovers={who.value: sum(case.failover is who for case in cases) for who in Failover},
        proof=proof,
    )


def _class_of(case: Case) -> str:
    return _CLASS_OF[case.answer.kind]


def _groups(cases: Sequence[Case], key: Callable[[Case], str]) -> dict[str, Group]:
    return {name: _group(each) for name, each in _by(cases, key).items()}


def _by(cases: Sequence[Case], key: Callable[[Case], str]) -> dict[str, list[Case]]:
    found: dict[str, list[Case]] = {}
    for case in cases:
        found.setdefault(key(case), []).append(case)
    return found


def _group(cases: Sequence[Case]) -> Group:
    served = [case for case in cases if case.served]
    # Cells that start again do so on the cores on which everything else runs: what is slow then is this machine.
    timed = [case.answer.latency_s * 1000 for case in served if case.answer.phase is not Phase.BACK]
    return Group(
        requests=len(cases),
        served=len(served),
        latency=Latency(samples=len(timed), p50_ms=percentile(timed, 50), p99_ms=percentile(timed, 99))
        if timed
        else None,
        regions=dict(sorted(Counter(case.answer.region or "unnamed" for case in served).items())),
        unserved=dict(sorted(Counter(_refusal(case) for case in cases if not case.served).items())),
    )


def _refusal(case: Case) -> str:
    answer = case.answer
    if answer.status == 0:
        if answer.decision is not None:
            return "answer broken off"
        return "no answer in time" if answer.latency_s >= PATIENCE_S else "connection closed without an answer"
    return f"{answer.status} {answer.reason or 'by Envoy'}"
