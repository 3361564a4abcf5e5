"""Failing over through a real Envoy: a region is lost, or slow; all are lost; an order meets requests on their way.

Between Envoy and each cell lies a way that can be made slow, cut and held (:mod:`extproc.demo.ways`). What recovery
takes is judged by the decision log, which holds every attempt that Envoy made.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from itertools import groupby, pairwise
from pathlib import Path
from statistics import median

import httpx
import pytest

from extproc.audit.show import read_records
from extproc.core.delivery import Delivery, Finding
from extproc.core.ids import DecisionId, RegionId
from extproc.demo.load import Load, steady_load
from extproc.demo.plan import Plan
from extproc.demo.visits import EEA, VISITS, Answer, Digits, Visitor
from extproc.demo.world import World, running_world
from extproc.ledger.entries import delivery_from_entry

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

PER_S = 200.0
_FRA, _AMS = RegionId("eu-fra"), RegionId("eu-ams")
_GERMANY = next(visit for visit in VISITS if visit.who == "Germany")
_OK, _UNAVAILABLE = 200, 503
_WINDOW_S = 0.5


@pytest.fixture
async def world(tmp_path: Path, digits_store: Path, envoy_binary: Path) -> AsyncIterator[World]:
    plan = Plan(service_s=0.01, durability="page")
    async with running_world(tmp_path, models=digits_store, envoy=str(envoy_binary), plan=plan) as running:
        yield running


@pytest.fixture
async def visitor(world: World, digits: Digits) -> AsyncIterator[Visitor]:
    async with Visitor(world.url, world.issuer, digits) as visitor:
        yield visitor


async def test_a_lost_region_is_left_within_half_a_second(world: World, visitor: Visitor) -> None:
    """Cut three times under 200 requests a second: the time from the first failed attempt to the last."""
    async with steady_load(visitor, _GERMANY, PER_S) as load:
        for _ in range(3):
            await _served_by(world, load, _FRA)
            await asyncio.to_thread(world.ways[_FRA].cut)
            await asyncio.sleep(1.5)
            await asyncio.to_thread(world.ways[_FRA].mend)
        await _served_by(world, load, _FRA)
    answers = load.answers
    await world.stop()
    assert world.run_situs("audit", "verify", world.folder.log).returncode == 0

    outages = list(_outages(_deliveries(world), _FRA))
    assert len(outages) == 3
    assert median(outages) <= 0.5, outages
    assert {answer.region for answer in answers if answer.status == _OK} <= EEA
    # What had begun to be answered when the connection broke cannot be tried again, by anybody.
    failed = [answer for answer in answers if answer.status != _OK]
    assert all(answer.status == 0 for answer in failed), {answer.status for answer in failed}
    assert len(failed) <= 3 * 2, len(failed)


async def test_a_slow_region_sheds_its_load_and_gets_it_back_without_swinging(world: World, visitor: Visitor) -> None:
    async with steady_load(visitor, _GERMANY, PER_S) as load:
        await _served_by(world, load, _FRA)
        began_s = time.monotonic()
        await asyncio.to_thread(world.ways[_FRA].slow, 5)
        await asyncio.sleep(4.0)
        mended_s = time.monotonic()
        await asyncio.to_thread(world.ways[_FRA].mend)
        await _served_by(world, load, _FRA, patience_s=40.0)
        back_s = time.monotonic()
    slow = [answer for answer in load.since(began_s + 2.0) if answer.at_s < mended_s]
    assert all(answer.status == _OK for answer in load.answers)
    assert {answer.region for answer in load.answers} <= EEA
    share = sum(answer.region == _FRA for answer in slow) / len(slow)
    assert share < 0.5, f"{share:.0%} still went to the slow region after two seconds"
    # Which region most requests of each window went to: away once and back once, and perhaps once more on the way.
    windows = _by_window([answer for answer in load.since(began_s) if answer.at_s < back_s])
    moves = sum(one != other for one, other in pairwise(windows))
    assert moves <= 4, windows


async def test_all_regions_lost_is_503_and_never_elsewhere_and_back_at_once(world: World, visitor: Visitor) -> None:
    for region in (_FRA, _AMS):
        world.cells[region].kill()
    async with steady_load(visitor, _GERMANY, 50.0) as load:

        async def refused() -> bool:
            return any(answer.status == _UNAVAILABLE for answer in load.answers)

        await world.until(refused, "requests are refused")
        await asyncio.sleep(1.0)
        async with httpx.AsyncClient(trust_env=False) as client:
            answer = await client.post(f"{world.url}/v2/models/digits/infer", headers={"x-forwarded-for": "31.0.0.7"})
        assert answer.status_code == _UNAVAILABLE
        assert int(answer.headers["retry-after"]) > 0

        world.cells[_AMS].start()

        async def probed() -> bool:
            return await world.metric('situs_region_up{region="eu-ams"}') > 0.5

        await world.until(probed, "a probe of eu-ams is good")
        good_s = time.monotonic()

        async def served() -> bool:
            return any(answer.status == _OK for answer in load.since(good_s))

        await world.until(served, "requests are served again")
        first = next(answer for answer in load.since(good_s) if answer.status == _OK)
        assert first.at_s + first.latency_s - good_s <= 1.0
    world.cells[_FRA].start()
    assert {answer.region for answer in load.answers if answer.status == _OK} <= EEA
    assert not [each for each in world.received() if each.region not in EEA]


async def test_a_suspension_meets_requests_on_their_way(world: World, visitor: Visitor) -> None:
    """The next region of a plan is suspended while the first holds the request: Envoy goes there all the same.

    Nothing that is decided afterwards does, and what did is named in the log.
    """
    await asyncio.to_thread(world.ways[_FRA].pause)
    before = [asyncio.create_task(visitor.send(_GERMANY, index)) for index in range(5)]
    await asyncio.sleep(0.4)
    await asyncio.to_thread(
        world.run_situs, "suspend", _AMS, "--overrides", world.folder.overrides, "--reason", "injunction",
        "--until", "2099-01-01", "--approved-by", "a", "--approved-by", "b",
    )  # fmt: skip
    await asyncio.sleep(1.0)
    after = [asyncio.create_task(visitor.send(_GERMANY, index)) for index in range(5)]
    await asyncio.sleep(0.4)
    await asyncio.to_thread(world.ways[_FRA].cut)
    on_their_way = await asyncio.gather(*before)
    decided_later = await asyncio.gather(*after)
    assert {answer.region for answer in on_their_way} == {_AMS}
    assert all(answer.status == _UNAVAILABLE for answer in decided_later)

    async def reported() -> bool:
        return await world.metric('situs_deliveries_total{finding="after_order"}') == len(on_their_way)

    await world.until(reported, "Envoy has reported the retries")
    assert await world.metric("situs_violations_total") == 0
    await world.stop()

    found = {each.decision: each.finding for each in _deliveries(world)}
    assert {found[_decision(answer)] for answer in on_their_way} == {Finding.AFTER_ORDER}
    assert Finding.AFTER_ORDER not in {found.get(_decision(answer)) for answer in decided_later}
    verified = world.run_situs("audit", "verify", world.folder.log)
    assert "after_order" in verified.stdout or "after a legal order" in verified.stdout


async def _served_by(world: World, load: Load, region: RegionId, patience_s: float = 30.0) -> None:
    """Wait until nearly all requests of the latest window are served by a region."""

    async def most() -> bool:
        latest = load.since(time.monotonic() - _WINDOW_S)
        return len(latest) > 20 and sum(each.region == region for each in latest) >= 0.9 * len(latest)

    await world.until(most, f"{region} serves", patience_s)


def _by_window(answers: list[Answer]) -> list[str | None]:
    """Give the region that served most in each window."""
    found = []
    for _, group in groupby(answers, key=lambda answer: int(answer.at_s / _WINDOW_S)):
        regions = [answer.region for answer in group]
        found.append(max(set(regions), key=regions.count))
    return found


def _deliveries(world: World) -> list[Delivery]:
    return [delivery_from_entry(each.entry) for each in read_records(world.folder.log) if each.kind == "delivery"]


def _outages(deliveries: list[Delivery], region: RegionId) -> Iterator[float]:
    """Give for each loss of a region the time from the first failed attempt there to the last, in seconds."""
    failed = sorted(
        attempt.began_at_s + attempt.duration_s
        for delivery in deliveries
        for attempt in delivery.attempts
        if attempt.region == region and attempt.status != _OK
    )
    assert failed, "no attempt failed"
    first = last = failed[0]
    for at_s in failed[1:]:
        if at_s - last > 1.0:
            yield last - first
            first = at_s
        last = at_s
    yield last - first


def _decision(answer: Answer) -> DecisionId:
    assert answer.decision is not None
    return DecisionId(answer.decision)
