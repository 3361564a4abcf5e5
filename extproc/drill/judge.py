"""The outcome of a drill: the answers, held against the decision log and the cells' accounts. A pure function.

SPEC: RTO and RPO as in ISO 22301: how long service was interrupted, and what of the records was lost.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from statistics import median
from typing import Final

from extproc.core.delivery import Finding
from extproc.demo.received import Received
from extproc.demo.visits import Answer
from extproc.drill.evidence import Evidence
from extproc.drill.outcome import Outcome, Targets
from extproc.drill.played import Played
from extproc.drill.scenarios import ORDER_S, SHED, TERMS, Scenario
from extproc.drill.timeline import Sent, recovered, relapses

_SERVED: Final = 200
_LEGAL: Final = 451
_SERVER_FAILED: Final = 500


def judge(played: Played, evidence: Evidence, received: Sequence[Received] | None, targets: Targets) -> Outcome:
    """Say what came of a scenario. `received` are None where the cells' accounts cannot be read."""
    terms = TERMS[played.scenario]
    sent = timeline_of(played)
    # 1. When was service there again?
    since_s = _interrupted_s(played, sent, evidence)
    back = None if since_s is None else recovered(sent, since_s, share=terms.share, at_first=terms.at_first)
    if terms.lasts and since_s is not None and back is not None and since_s < played.mended_s <= back.at_s:
        back = None  # the mending brought it back, and not the system
    recovery_s = None if since_s is None or back is None else back.ended_s - since_s
    # 2. Where did requests go, and is there a record of each decision?
    ids = {answer.decision for answer in played.answers if answer.decision is not None}
    outside = tuple(_outside(played, evidence, received))
    lost = tuple(sorted(ids - evidence.decisions.keys()))
    # 3. What of it is not as it should be?
    failed = [answer for answer in played.answers if _failed(played, answer)]
    faults = [*played.unmet]
    before = sum(answer.at_s + answer.latency_s < played.struck_s for answer in failed)
    if before:
        faults.append(f"{before} requests failed before the fault: what was measured says little")
    if since_s is not None and back is None:
        watched_s = (played.mended_s if terms.lasts else played.ended_s) - since_s
        faults.append(f"service was not there again in the {watched_s:.1f} s that were watched")
    if recovery_s is not None and recovery_s > targets.rto_s:
        whose = "are promised" if targets.stated else "is the target where the policy promises nothing"
        faults.append(f"service was there again after {recovery_s:.2f} s, and {targets.rto_s:g} s {whose}")
    if back is not None and (again := relapses(sent, back, share=terms.share)):
        faults.append(f"{again} requests were not served properly although service had been there again")
    if terms.unnoticed and len(failed) > before:
        faults.append(f"{len(failed) - before} requests failed, and none should have")
    if late := _late(played, evidence, received):
        faults.append(f"{late} requests that were decided over {ORDER_S:g} s after the order reached {played.region}")
    if outside:
        faults.append(f"{len(outside)} requests went where their decision does not permit them to go")
    if len(lost) > targets.rpo_records:
        faults.append(f"{len(lost)} decisions were released of which the log has no record")
    return Outcome(
        scenario=played.scenario,
        region=played.region,
        done=played.done,
        began_at_s=played.unix(played.began_s),
        ended_at_s=played.unix(played.ended_s),
        requests=len(played.answers),
        failed=len(failed),
        unserved=tuple(Counter(map(_came_back, failed)).most_common()),
        refused=sum(a.status == _LEGAL for a in played.answers) if played.scenario is Scenario.SUSPENSION else 0,
        interrupted=since_s is not None,
        recovery_s=recovery_s,
        targets=targets,
        outside=outside,
        lost=lost,
        records=len(ids) - len(lost),
        by_cells=received is not None,
        in_flight=sum(a.at_s < played.struck_s < a.at_s + a.latency_s for a in played.answers),
        after_order=sum(
            evidence.deliveries[i].finding is Finding.AFTER_ORDER for i in ids & evidence.deliveries.keys()
        ),
        faults=tuple(faults),
    )


def timeline_of(played: Played) -> list[Sent]:
    """Say of each request when it was sent and ended, and whether it was served properly, as the scenario has it."""
    is_proper = _proper(played)
    return [
        Sent(at_s=answer.at_s, ended_s=answer.at_s + answer.latency_s, proper=is_proper(answer))
        for answer in played.answers
    ]


def _proper(played: Played) -> Callable[[Answer], bool]:
    match played.scenario:
        case Scenario.BROWN_OUT:
            usual_s = median([a.latency_s for a in played.answers if a.at_s + a.latency_s < played.struck_s] or [0.0])
            return lambda answer: answer.status == _SERVED and answer.latency_s <= SHED * usual_s
        case Scenario.SUSPENSION:
            # What ends after the order was lifted may have been decided after that.
            return lambda answer: (
                not _failed(played, answer)
                and (answer.region != played.region or answer.at_s + answer.latency_s >= played.mended_s)
            )
        case _:
            return lambda answer: answer.status == _SERVED


def _failed(played: Played, answer: Answer) -> bool:
    """Tell whether a request was not served; a refusal for the sake of a legal order is what the law wants."""
    is_lawful = played.scenario is Scenario.SUSPENSION and answer.status == _LEGAL
    return answer.status != _SERVED and not is_lawful


def _came_back(answer: Answer) -> str:
    return "no answer" if answer.status == 0 else f"{answer.status} {answer.reason or 'without a reason'}"


def _interrupted_s(played: Played, sent: Sequence[Sent], evidence: Evidence) -> float | None:
    """Give since when service was interrupted: the first failed attempt or request after the fault, or the fault."""
    if TERMS[played.scenario].from_fault:
        return played.struck_s
    requests = [each.at_s for each in sent if not each.proper and each.ended_s >= played.struck_s]
    attempts = [
        attempt.began_at_s - played.to_unix_s
        for attempt in evidence.attempts()
        if attempt.region == played.region
        and (attempt.status == 0 or attempt.status >= _SERVER_FAILED)
        and played.struck_s <= attempt.began_at_s + attempt.duration_s - played.to_unix_s <= played.mended_s
    ]
    failures = requests + attempts
    return max(played.struck_s, min(failures)) if failures else None


def _outside(played: Played, evidence: Evidence, received: Sequence[Received] | None) -> Iterator[str]:
    """Name each request that went where it is not permitted to go, by every account that there is."""
    seen: set[tuple[str, str]] = set()
    for where, decision in _reached(played, received):
        known = evidence.decisions.get(decision or "")
        if decision is not None and known is None and received is None:
            continue  # a lost record, which is counted as such
        if (known is None or where not in known.permitted) and (decision or "", where) not in seen:
            seen.add((decision or "", where))
            permitted = (
                "is not in the log" if known is None else f"permits {' '.join(sorted(known.permitted)) or 'none'}"
            )
            yield f"{where} received a request whose decision {decision} {permitted}"
    ids = {answer.decision for answer in played.answers}
    began_s, ended_s = played.unix(played.began_s), played.unix(played.ended_s)
    for delivery in (*evidence.deliveries.values(), *evidence.stray):
        ours = delivery.decision in ids if delivery.decision else began_s <= delivery.began_at_s <= ended_s
        where = ", ".join(sorted({str(attempt.region or attempt.cluster) for attempt in delivery.attempts}))
        if ours and delivery.finding.is_violation and not any(each == (delivery.decision or "") for each, _ in seen):
            yield f"{where} received {delivery.decision}: {delivery.finding}"


def _reached(played: Played, received: Sequence[Received] | None) -> Iterator[tuple[str, str | None]]:
    """Give who received which decision, by the answers and, where they can be read, by the cells' accounts."""
    for answer in played.answers:
        if answer.region is not None:
            yield answer.region, answer.decision
    for each in received or ():
        if played.unix(played.began_s) <= each.at.timestamp() <= played.unix(played.ended_s):
            yield each.region, each.decision


def _late(played: Played, evidence: Evidence, received: Sequence[Received] | None) -> int:
    """Count what was decided after the order and reached the region that the order took out."""
    if played.scenario is not Scenario.SUSPENSION:
        return 0
    from_s, until_s = played.unix(played.struck_s) + ORDER_S, played.unix(played.mended_s)
    late = {
        decision
        for where, decision in _reached(played, received)
        if where == played.region
        and decision is not None
        and decision in evidence.decisions
        and from_s < evidence.decisions[decision].at_s < until_s
    }
    return len(late)
