"""Drills as they might have gone: a request each ten milliseconds, a fault at second 2, its end at second 5."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Final

from extproc.core.delivery import Attempt, Delivery, Finding
from extproc.core.ids import DecisionId, RegionId
from extproc.demo.received import Received
from extproc.demo.visits import Answer
from extproc.drill.evidence import Decided, Evidence
from extproc.drill.outcome import Targets
from extproc.drill.played import Played
from extproc.drill.scenarios import Scenario

FRA, AMS, IAD = RegionId("eu-fra"), RegionId("eu-ams"), RegionId("us-iad")
TO_UNIX_S: Final = 1_800_000_000.0
STRUCK_S, MENDED_S, ENDED_S = 2.0, 5.0, 6.5
TARGETS: Final = Targets(rto_s=1.0, rpo_records=0, stated=True)
EACH_S: Final = 0.01

Says = Callable[[float], Mapping[str, object]]


def calm(at_s: float) -> Mapping[str, object]:  # noqa: ARG001 - nothing happens
    """Every request is served in eu-fra."""
    return {}


def answer(at_s: float, index: int, **other: object) -> Answer:
    """One answer, by default from eu-fra after 50 ms."""
    fields: dict[str, object] = {
        "status": 200, "region": FRA, "decision": f"d-{index}", "reason": None, "digit": None, "latency_s": 0.05,
    }  # fmt: skip
    return Answer(at_s=at_s, **{**fields, **other})  # type: ignore[arg-type]


def played(scenario: Scenario, says: Says = calm, unmet: tuple[str, ...] = ()) -> Played:
    """Play it, where `says` tells in what the answer to a request that was sent then differs."""
    times = [round(index * EACH_S, 3) for index in range(int(ENDED_S / EACH_S))]
    return Played(
        scenario=scenario,
        region=FRA,
        done="eu-fra is made to fail",
        answers=tuple(answer(at_s, index, **says(at_s)) for index, at_s in enumerate(times)),
        began_s=0.0,
        struck_s=STRUCK_S,
        mended_s=MENDED_S,
        ended_s=ENDED_S,
        to_unix_s=TO_UNIX_S,
        unmet=unmet,
    )


def evidence(of: Played, *, without: frozenset[str] = frozenset(), deliveries: tuple[Delivery, ...] = ()) -> Evidence:
    """A log that has a decision for each answer but some, made when it was sent; the EEA is permitted."""
    return Evidence(
        decisions={
            each.decision: Decided(at_s=of.unix(each.at_s), permitted=frozenset({FRA, AMS}))
            for each in of.answers
            if each.decision is not None and each.decision not in without
        },
        deliveries={each.decision: each for each in deliveries if each.decision is not None},
        stray=tuple(each for each in deliveries if each.decision is None),
    )


def delivery(
    decision: str | None, at_s: float, *, region: RegionId = FRA, status: int = 200, finding: Finding = Finding.MATCHED
) -> Delivery:
    """What Envoy reported of one attempt that began then."""
    attempt = Attempt(cluster=region, region=region, status=status, began_at_s=TO_UNIX_S + at_s, duration_s=0.01)
    return Delivery(
        decision=None if decision is None else DecisionId(decision),
        attempts=(attempt,),
        attempts_expected=1,
        served=region if status else None,
        status=status,
        began_at_s=TO_UNIX_S + at_s,
        duration_s=0.01,
        finding=finding,
    )


def received(decision: str | None, at_s: float, region: RegionId = FRA) -> Received:
    """What a cell says that it received then."""
    return Received(region=region, decision=decision, status=200, at=datetime.fromtimestamp(TO_UNIX_S + at_s, UTC))
