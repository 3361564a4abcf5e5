"""The run: the same requests to all gateways in turn, while the nearest regions are lost and come back."""

import asyncio
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from bench.profiles.traffic import Requests, kind_at, requests_for
from bench.profiles.worlds import PROFILES, Worlds, running_worlds
from extproc.core.ids import RegionId
from extproc.core.tables import Profile
from extproc.demo.client import Client, Reply
from extproc.demo.visits import REGION_HEADER, Digits
from extproc.names import DECISION_HEADER

FIRST_LOST: Final = RegionId("eu-fra")
SECOND_LOST: Final = RegionId("eu-ams")
_WARMING: Final = -1
VIOLATIONS: Final = "situs_violations_total"


class Phase(StrEnum):
    """What of the world stood while a request was sent."""

    CALM = "all regions up"
    ONE_LOST = "eu-fra lost"
    BOTH_LOST = "eu-fra and eu-ams lost"
    BACK = "coming back"


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """How much is measured: `per_s` requests a second to each gateway, and seconds of each phase in each round.

    What is sent in the first `warm_s` seconds is not counted: connections to the regions are opened then.
    """

    name: str
    rounds: int
    per_s: float
    warm_s: float
    calm_s: float
    one_lost_s: float
    both_lost_s: float
    back_s: float


SHORT: Final = Effort(
    name="short", rounds=1, per_s=25.0, warm_s=1.0, calm_s=2.5, one_lost_s=1.5, both_lost_s=2.5, back_s=0.5
)
FULL: Final = Effort(
    name="full", rounds=4, per_s=30.0, warm_s=3.0, calm_s=8.0, one_lost_s=5.0, both_lost_s=8.0, back_s=2.0
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One request to one gateway and what came back. `late_s` is how long after its time it was sent."""

    profile: Profile
    kind: str
    round: int
    phase: Phase
    status: int
    region: RegionId | None
    decision: str | None
    reason: str | None
    latency_s: float
    late_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """The whole run; `violations` by the sidecars' own metric, read before they were stopped."""

    answers: tuple[Answer, ...]
    violations: dict[Profile, float]
    logs: dict[Profile, Path]
    signers: dict[Profile, Path]
    received: tuple[tuple[RegionId, str | None], ...]
    """Region and decision of each request that reached a cell, by the cells' own account."""
    seconds: float


class _Traffic:
    """Sends each request to the gateways in turn, at times that no answer shifts.

    Slots are `1 / (per_s * gateways)` apart. Which gateway is the first rotates, so that none always follows another.
    """

    def __init__(self, clients: dict[Profile, Client], requests: dict[Profile, Requests], per_s: float) -> None:
        self._clients = clients
        self._requests = requests
        self._slot_s = 1 / (per_s * len(PROFILES))
        self._on_their_way: set[asyncio.Task[None]] = set()
        self._stopped = False
        self.phase = Phase.CALM
        self.round = _WARMING
        self.answers: list[Answer] = []

    def stop(self) -> None:
        self._stopped = True

    async def run(self) -> None:
        began_s = time.perf_counter()
        slot = 0
        while not self._stopped:
            due_s = began_s + slot * self._slot_s
            await asyncio.sleep(max(0.0, due_s - time.perf_counter()))
            index, place = divmod(slot, len(PROFILES))
            profile = PROFILES[(index + place) % len(PROFILES)]
            task = asyncio.create_task(self._send(profile, index, due_s))
            self._on_their_way.add(task)
            task.add_done_callback(self._on_their_way.discard)
            slot += 1
        await asyncio.gather(*self._on_their_way)

    async def _send(self, profile: Profile, index: int, due_s: float) -> None:
        phase, round_ = self.phase, self.round
        late_s = time.perf_counter() - due_s
        reply = await self._clients[profile].ask(self._requests[profile].at(index))
        self.answers.append(
            Answer(
                profile=profile,
                kind=kind_at(index).name,
                round=round_,
                phase=phase,
                status=reply.status,
                region=RegionId(reply.headers[REGION_HEADER]) if REGION_HEADER in reply.headers else None,
                decision=reply.headers.get(DECISION_HEADER),
                reason=_reason(reply),
                latency_s=reply.latency_s,
                late_s=late_s,
            )
        )


async def tell(
    root: Path, effort: Effort, *, models: Path | None, envoy: str | None = None, say: Callable[[str], None]
) -> Told:
    """Run the whole story in the empty folder `root`. Raises ProcessFailedError when a process fails to run."""
    say("starting four cells, their relays and three gateways")
    async with running_worlds(root, models=models, envoy=envoy) as worlds:
        began_s = time.perf_counter()
        digits = Digits(worlds.digits)
        clients = {profile: Client(urlsplit(world.url).port or 0) for profile, world in worlds.by_profile.items()}
        requests = {profile: requests_for(world.issuer, digits) for profile, world in worlds.by_profile.items()}
        traffic = _Traffic(clients, requests, effort.per_s)
        sending = asyncio.create_task(traffic.run())
        try:
            await asyncio.sleep(effort.warm_s)
            for round_ in range(effort.rounds):
                say(f"round {round_ + 1} of {effort.rounds}")
                traffic.round = round_
                await _one_round(worlds, traffic, effort)
        finally:
            traffic.stop()
            await sending
        seconds = time.perf_counter() - began_s
        for client in clients.values():
            await client.close()
        violations = {profile: await world.metric(VIOLATIONS) for profile, world in worlds.by_profile.items()}
    return Told(
        answers=tuple(answer for answer in traffic.answers if answer.round != _WARMING),
        violations=violations,
        logs={profile: world.folder.log for profile, world in worlds.by_profile.items()},
        signers={profile: world.folder.signer for profile, world in worlds.by_profile.items()},
        received=tuple((each.region, each.decision) for each in worlds.received()),
        seconds=seconds,
    )


async def _one_round(worlds: Worlds, traffic: _Traffic, effort: Effort) -> None:
    traffic.phase = Phase.CALM
    await asyncio.sleep(effort.calm_s)
    traffic.phase = Phase.ONE_LOST
    worlds.lose(FIRST_LOST)
    await asyncio.sleep(effort.one_lost_s)
    traffic.phase = Phase.BOTH_LOST
    worlds.lose(SECOND_LOST)
    await asyncio.sleep(effort.both_lost_s)
    traffic.phase = Phase.BACK
    await worlds.restore((FIRST_LOST, SECOND_LOST))
    await worlds.all_up()
    await asyncio.sleep(effort.back_s)


def _reason(reply: Reply) -> str | None:
    """Give the reason code of a refusal that is the sidecar's; Envoy's own refusals have none."""
    if "problem+json" not in reply.headers.get("content-type", ""):
        return None
    try:
        reason = json.loads(reply.body).get("reason")
    except (ValueError, AttributeError):
        return None
    return reason if isinstance(reason, str) else None
