"""The first invariant under everything at once: 2,400 mixed requests through a real Envoy while cells die and come
back, the sidecar is killed, the policy is replaced and a region is suspended.

Judged by what the cells themselves received, and by the log that verifies afterwards.
"""

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random

import pytest

from extproc.core.ids import RegionId
from extproc.demo.story import decisions_of, permitted_of
from extproc.demo.visits import VISITS, Answer, Visit, Visitor
from extproc.demo.world import World

REQUESTS = 2400
PER_S = 80.0
_FRA, _AMS, _IAD, _DXB = (RegionId(name) for name in ("eu-fra", "eu-ams", "us-iad", "me-dxb"))
_TRIGGER_LIMIT = timedelta(seconds=1)


@dataclass
class Heard:
    """Every answer, with the visit that it answers."""

    answers: list[tuple[Visit, Answer]] = field(default_factory=list)

    def statuses(self) -> dict[int, int]:
        found: dict[int, int] = {}
        for _, answer in self.answers:
            found[answer.status] = found.get(answer.status, 0) + 1
        return found


async def _send(visitor: Visitor, heard: Heard, done: asyncio.Event) -> None:
    random = Random(7)
    loop = asyncio.get_running_loop()
    began_s = loop.time()

    async def one(visit: Visit, index: int) -> None:
        heard.answers.append((visit, await visitor.send(visit, index)))

    async with asyncio.TaskGroup() as group:
        for index in range(REQUESTS):
            group.create_task(one(random.choice(VISITS), index))
            await asyncio.sleep(max(0.0, began_s + (index + 1) / PER_S - loop.time()))
    done.set()


async def _wreck(world: World, suspended: list[tuple[datetime, datetime]]) -> None:
    """Do to the world what an operator fears, in about 25 seconds."""
    policy = world.folder.policy
    first = policy.read_text()
    narrower = first.replace("mechanisms: {dpf: true}", "mechanisms: {}").replace("version: 1\n", "version: 2\n")
    assert narrower != first
    restored = first.replace("version: 1\n", "version: 3\n")

    await asyncio.sleep(1)
    world.cells[_FRA].kill()
    await asyncio.sleep(2)
    world.cells[_IAD].kill()
    world.cells[_FRA].start()
    await _suspend(world)
    since = datetime.now(UTC)
    policy.write_text(narrower)
    await asyncio.sleep(2)
    world.cells[_IAD].start()
    world.sidecar.kill()
    await asyncio.sleep(1)
    world.sidecar.start()
    await world.sidecar_ready()
    policy.write_text("this: is not a policy\n")
    await asyncio.sleep(1)
    world.cells[_AMS].kill()
    policy.write_text(restored)
    await asyncio.sleep(2)
    suspended.append((since, datetime.now(UTC)))
    await asyncio.to_thread(
        world.run_situs, "resume", _DXB, "--overrides", world.folder.overrides, "--reason", "lifted",
        "--approved-by", "a", "--approved-by", "b",
    )  # fmt: skip
    world.cells[_FRA].kill()  # with eu-ams: no European region is left
    await asyncio.sleep(1.5)
    world.cells[_FRA].start()
    world.cells[_AMS].start()
    await world.cell_ready(_FRA)
    await world.cell_ready(_AMS)


async def _suspend(world: World) -> None:
    await asyncio.to_thread(
        world.run_situs, "suspend", _DXB, "--overrides", world.folder.overrides, "--reason", "injunction",
        "--until", "2099-01-01", "--approved-by", "a", "--approved-by", "b",
    )  # fmt: skip


@pytest.mark.e2e
@pytest.mark.slow
async def test_nothing_is_served_outside_its_permitted_set(world: World, visitor: Visitor) -> None:
    heard, done = Heard(), asyncio.Event()
    suspended: list[tuple[datetime, datetime]] = []
    async with asyncio.TaskGroup() as group:
        group.create_task(_send(visitor, heard, done))
        group.create_task(_wreck(world, suspended))
    assert done.is_set()
    violations = await world.metric("situs_violations_total")
    await world.stop()
    verified = world.run_situs("audit", "verify", world.folder.log, expect=None)
    decisions = decisions_of(world)

    # The chaos was real, and service went on in it.
    statuses = heard.statuses()
    assert len(heard.answers) == REQUESTS
    assert statuses[200] > REQUESTS / 3, statuses
    assert statuses[451] > 0, statuses
    assert statuses[503] > 0, statuses
    assert 0 not in statuses, statuses

    # 1. No answer came from outside its visitor's permitted set.
    for visit, answer in heard.answers:
        assert answer.region is None or answer.region in visit.permitted, (visit, answer)

    # 2. No cell received what its decision, or its visitor, does not permit; each decision is in the log.
    visits = {answer.decision: visit for visit, answer in heard.answers if answer.decision is not None}
    received = list(world.received())
    assert len(received) >= statuses[200]
    for each in received:
        assert each.decision in decisions, each
        assert each.region in permitted_of(decisions[each.decision]), each
        assert each.region in visits[each.decision].permitted if each.decision in visits else True, each

    # 3. A second after the legal trigger nothing reached the suspended region.
    for since, until in suspended:
        late = [r for r in received if r.region == _DXB and since + _TRIGGER_LIMIT < r.at < until]
        assert late == []

    # 4. Every released decision is in the log, the log verifies, and no violation was found, then or now.
    assert set(visits) <= set(decisions)
    assert verified.returncode == 0, verified.stdout + verified.stderr
    assert violations == 0
