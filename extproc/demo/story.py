"""The demo's story: visits, a cell that dies, a legal trigger, a sidecar that dies, and the log that proves it all."""

import asyncio
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from extproc.core.ids import RegionId
from extproc.demo.load import steady_load
from extproc.demo.visits import EEA, UAE, VISITS, Answer, Visit, Visitor
from extproc.demo.world import World

LOAD_PER_S: Final = 50.0
_OK: Final = 200
_LEGAL: Final = 451
_UNAVAILABLE: Final = 503
_STEADY_S: Final = 1.0
_TRIGGER_LIMIT_S: Final = 1.0
_FAILOVER_LIMIT_S: Final = 5.0

_GERMANY: Final = next(visit for visit in VISITS if visit.who == "Germany")
_UAE_VISIT: Final = next(visit for visit in VISITS if visit.who == "UAE")


@dataclass(slots=True, kw_only=True)
class Row:
    """One visit as it went; `record` is its Decision entry, joined at the end by its id."""

    visit: Visit
    answer: Answer
    right_digit: bool
    faults: list[str] = field(default_factory=list)
    record: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One thing that was done to the world, what was measured, and whether it went as it must."""

    name: str
    held: bool
    story: str
    measures: dict[str, float]


@dataclass(slots=True, kw_only=True)
class Told:
    """The whole story."""

    rows: list[Row] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)

    @property
    def held(self) -> bool:
        """Tell whether every expectation held."""
        return all(not row.faults for row in self.rows) and all(event.held for event in self.events)


Say = Callable[[str], None]


async def play(world: World, visitor: Visitor, labels: Callable[[int], int], say: Say) -> Told:
    """Play the story in a running world, up to where the log is read."""
    told = Told()
    say("requests of real digit images, from different clients")
    for index, visit in enumerate(VISITS):
        answer = await visitor.send(visit, index)
        told.rows.append(_row(visit, answer, answer.digit == labels(index)))
    say("killing the serving cell under steady load")
    told.events.append(await cell_dies(world, visitor))
    say("suspending regions by a legal trigger")
    told.events.append(await region_is_suspended(world, visitor))
    say("killing the sidecar under steady load")
    told.events.append(await sidecar_dies(world, visitor))
    return told


def _row(visit: Visit, answer: Answer, right_digit: bool) -> Row:  # noqa: FBT001 - a measured fact
    row = Row(visit=visit, answer=answer, right_digit=right_digit)
    if answer.status != visit.status:
        row.faults.append(f"status {answer.status}, expected {visit.status}")
    if answer.reason != visit.reason:
        row.faults.append(f"reason {answer.reason}, expected {visit.reason}")
    if answer.status == _OK and answer.region not in visit.permitted:
        row.faults.append(f"served in {answer.region}, outside {sorted(visit.permitted)}")
    if answer.status != _OK and answer.region is not None:
        row.faults.append(f"refused, yet {answer.region} answered")
    return row


async def cell_dies(world: World, visitor: Visitor) -> Event:
    """Kill the cell that serves Germany, and see the other European one take over without a failed request."""
    async with steady_load(visitor, _GERMANY, LOAD_PER_S) as load:
        nearest = _nearest(world, EEA)

        async def settled() -> bool:
            latest = load.answers[-int(LOAD_PER_S) :]
            return len(latest) == int(LOAD_PER_S) and all(answer.region == nearest for answer in latest)

        # The first probes of a busy machine may say otherwise; what is further would not be served again afterwards.
        await world.until(settled, f"{nearest} serves")
        serving = nearest
        killed_s = time.monotonic()
        world.cells[serving].kill()
        await asyncio.sleep(_STEADY_S * 2)
        world.cells[serving].start()
        await world.cell_ready(serving)
        back_s = time.monotonic()

        async def serves_again() -> bool:
            return any(answer.region == serving for answer in load.since(back_s))

        await world.until(serves_again, f"{serving} serves again")
        again_s = time.monotonic()
    after = load.since(killed_s)
    elsewhere = [a for a in after if a.status == _OK and a.region != serving]
    recovered_s = elsewhere[0].at_s + elsewhere[0].latency_s - killed_s if elsewhere else float("inf")
    inside = all(a.region in EEA for a in load.answers if a.status == _OK)
    held = inside and recovered_s <= _FAILOVER_LIMIT_S and load.failed() == 0
    return Event(
        name="cell killed",
        held=held,
        story=f"{serving} killed; {elsewhere[0].region if elsewhere else 'nobody'} served after "
        f"{recovered_s * 1000:.0f} ms, {load.failed(killed_s)} of {len(after)} requests failed, all inside the EEA; "
        f"{serving} served again {(again_s - back_s) * 1000:.0f} ms after it was ready",
        measures={
            "recovered_s": recovered_s,
            "requests": len(load.answers),
            "failed": load.failed(),
            "back_after_s": again_s - back_s,
        },
    )


async def region_is_suspended(world: World, visitor: Visitor) -> Event:
    """Suspend the serving European region and the only one of the UAE; see both obeyed within a second; resume."""
    async with (
        steady_load(visitor, _GERMANY, LOAD_PER_S) as german,
        steady_load(visitor, _UAE_VISIT, LOAD_PER_S) as uae,
    ):
        await asyncio.sleep(_STEADY_S)
        serving = _last_region(german.answers)
        for region in (serving, *UAE):
            await asyncio.to_thread(
                world.run_situs, "suspend", region, "--overrides", world.folder.overrides,
                "--reason", "injunction 4 O 12/26 (demo)", "--until", "2099-12-31",
                "--approved-by", "A. Counsel", "--approved-by", "B. Officer",
            )  # fmt: skip
        pulled_s = time.monotonic()
        await asyncio.sleep(_TRIGGER_LIMIT_S)
        obeyed_s = time.monotonic()
        await asyncio.sleep(_STEADY_S)
        german_after, uae_after = german.since(obeyed_s), uae.since(obeyed_s)
        rerouted = [a for a in german.since(pulled_s) if a.region != serving]
        for region in (serving, *UAE):
            await asyncio.to_thread(
                world.run_situs, "resume", region, "--overrides", world.folder.overrides,
                "--reason", "the injunction was lifted (demo)",
                "--approved-by", "A. Counsel", "--approved-by", "B. Officer",
            )  # fmt: skip
        resumed_s = time.monotonic()

        async def served_again() -> bool:
            return any(answer.status == _OK for answer in uae.since(resumed_s))

        await world.until(served_again, "the UAE is served again")
    within_s = max(0.0, rerouted[0].at_s - pulled_s) if rerouted else float("inf")
    held = (
        bool(german_after and uae_after)
        and all(a.status == _OK and a.region in EEA - {serving} for a in german_after)
        and all(a.status == _LEGAL for a in uae_after)
    )
    return Event(
        name="regions suspended",
        held=held,
        story=f"{serving} and me-dxb suspended; Germany was re-routed to {_last_region(german_after)} within "
        f"{within_s * 1000:.0f} ms of the command's end, the UAE refused with 451; both served again after `resume`",
        measures={"effective_s": within_s, "requests": len(german.answers) + len(uae.answers)},
    )


async def sidecar_dies(world: World, visitor: Visitor) -> Event:
    """Kill the sidecar: Envoy must refuse, no cell may receive anything; start it again and see service return."""
    async with steady_load(visitor, _GERMANY, LOAD_PER_S) as load:
        await asyncio.sleep(_STEADY_S)
        world.sidecar.kill()
        dead_s = time.monotonic()
        await asyncio.sleep(_STEADY_S)
        received = len(list(world.received()))
        await asyncio.sleep(_STEADY_S)
        leaked = len(list(world.received())) - received
        dead = [a for a in load.since(dead_s) if a.at_s < dead_s + _STEADY_S]
        started_s = time.monotonic()
        world.sidecar.start()
        await world.sidecar_ready()

        async def served_again() -> bool:
            return any(answer.status == _OK for answer in load.since(started_s))

        await world.until(served_again, "requests are served again")
        back_s = time.monotonic()
    held = leaked == 0 and bool(dead) and all(answer.status == _UNAVAILABLE for answer in dead)
    return Event(
        name="sidecar killed",
        held=held,
        story=f"{len(dead)} requests in the next second were refused by Envoy with 503, cells received {leaked}; "
        f"served again {back_s - started_s:.2f} s after the restart",
        measures={"refused": len(dead), "leaked": leaked, "back_after_s": back_s - started_s},
    )


def _nearest(world: World, regions: frozenset[str]) -> RegionId:
    """Give the region with the least declared round trip."""
    among = [region for region in world.tables().regions if region.id in regions]
    return min(among, key=lambda region: region.rtt_s or 0.0).id


def _last_region(answers: list[Answer]) -> str:
    return next((a.region for a in reversed(answers) if a.region is not None), "nobody")


def decisions_of(world: World) -> dict[str, dict[str, Any]]:
    """Read every Decision of the log, by id, with the auditor's own command."""
    done = world.run_situs("audit", "show", world.folder.log, "--kind", "decision", "--json")
    records = [json.loads(line) for line in done.stdout.splitlines()]
    return {record["decision"]["id"]: record["decision"] for record in records}


def join(told: Told, decisions: dict[str, dict[str, Any]]) -> None:
    """Give each row its record, and hold the recorded permitted set against the expected one."""
    for row in told.rows:
        if row.answer.decision is None:
            if row.visit.status != 401:  # noqa: PLR2004 - Envoy's own refusal, before any decision
                row.faults.append("the answer bears no decision id")
            continue
        row.record = decisions.get(row.answer.decision)
        if row.record is None:
            row.faults.append(f"decision {row.answer.decision} is not in the log")
        elif permitted_of(row.record) != row.visit.permitted:
            row.faults.append(f"permitted {sorted(permitted_of(row.record))}, expected {sorted(row.visit.permitted)}")


def leaks(world: World, decisions: dict[str, dict[str, Any]]) -> list[str]:
    """Judge by what the cells received: every request must bear a logged decision that permits that very region."""
    found = []
    for received in world.received():
        record = decisions.get(received.decision or "")
        if record is None:
            found.append(f"{received.region} received a request whose decision {received.decision} is not in the log")
        elif received.region not in permitted_of(record):
            found.append(f"{received.region} received {received.decision}, permitted {sorted(permitted_of(record))}")
    return found


def permitted_of(record: dict[str, Any]) -> frozenset[str]:
    """Give the permitted regions of a Decision's JSON form."""
    regions = record.get("verdict", {}).get("regions", [])
    return frozenset(region["region"] for region in regions if not region.get("exclusion"))
