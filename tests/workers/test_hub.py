"""The supervisor's hub and the workers' memberships, over real socket pairs in one loop."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field, replace

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families

from extproc.core.delivery import Attempt
from extproc.core.fitness import Fitness, Shown
from extproc.core.ids import Country, DecisionId, Jurisdiction, ModelId, RegionId
from extproc.core.routing.health import HealthState, Outcome
from extproc.core.routing.standing import Standing
from extproc.core.tables import Approval, Region
from extproc.sidecar.identifiers import DecisionIds
from extproc.sidecar.team import Member
from extproc.signals.board import CellsSeen
from extproc.wire.access_log import AttemptEnded, Ended, RequestEnded
from extproc.workers.channel import Frame, Kind
from extproc.workers.counters import SharedBlock, SharedCounters, create_block
from extproc.workers.hub import Hub
from extproc.workers.membership import SILENT_S, Membership

_FRA, _AMS = RegionId("eu-fra"), RegionId("eu-ams")
_DIGITS = ModelId("digits")


def _region(name: RegionId) -> Region:
    return Region(
        id=name, country=Country("DE"), cluster=f"region_{name}", models={_DIGITS: Approval(version="1")}, capacity=10
    )


_REGIONS = (_region(_FRA), _region(_AMS))


@dataclass
class _Worker:
    """A worker as its team sees it: remembers what it is told, and when."""

    membership: Membership
    standings: dict[RegionId, Standing] = field(default_factory=dict)
    told_at_s: dict[RegionId, float] = field(default_factory=dict)
    unfit: Fitness | None = None
    unfit_of: Sequence[Region] = ()
    reports: list[Ended] = field(default_factory=list)
    reporting: list[bool] = field(default_factory=list)
    registry: CollectorRegistry = field(default_factory=CollectorRegistry)
    reasons: list[str] = field(default_factory=list)
    lost: bool = False
    news: asyncio.Event = field(default_factory=asyncio.Event)

    def standing(self, region: RegionId, standing: Standing) -> None:
        self.standings[region] = standing
        self.told_at_s[region] = time.monotonic()
        self.news.set()

    def fitness(self, fitness: Fitness, regions: Sequence[Region]) -> None:
        self.unfit, self.unfit_of = fitness, regions
        self.news.set()

    def take(self, ended: Ended) -> None:
        self.reports.append(ended)
        self.news.set()

    def note(self, reporting: bool) -> None:  # noqa: FBT001 - as a member is told
        self.reporting.append(reporting)
        self.news.set()

    def lose(self) -> None:
        self.lost = True
        self.news.set()

    def member(self) -> Member:
        return Member(
            publish=self,
            reporting=self.note,
            take=self.take,
            why_not_ready=lambda: self.reasons,
            registry=self.registry,
            lost=self.lose,
        )

    async def until(self, holds: Callable[[], object]) -> None:
        async with asyncio.timeout(5):
            while not holds():
                self.news.clear()
                await self.news.wait()


class _Set:
    def __init__(self, workers: int = 2) -> None:
        self.block: SharedBlock = create_block(workers=workers, catalogue=[region.id for region in _REGIONS])
        self.hub = Hub(_REGIONS, counters=SharedCounters(self.block), clock=time.time, checks_models=True)
        self.workers: list[_Worker] = []

    async def add(self, index: int) -> _Worker:
        ours, theirs = socket.socketpair()
        channel = self.hub.seat(index)
        loop = asyncio.get_running_loop()
        await loop.create_connection(lambda: channel, sock=ours)
        membership = Membership(
            index=index,
            workers=self.block.workers,
            counters=SharedCounters(self.block, index),
            catalogue=self.block.catalogue,
        )
        await membership.connect(theirs)
        worker = _Worker(membership)
        self.workers.append(worker)
        return worker

    async def joined(self, index: int) -> _Worker:
        worker = await self.add(index)
        await worker.membership.join(worker.member(), _REGIONS)
        return worker

    async def until(self, holds: Callable[[], object]) -> None:
        async with asyncio.timeout(5):
            while not holds():  # noqa: ASYNC110 - what the hub has done gives no event
                await asyncio.sleep(0)

    async def close(self) -> None:
        channels = [worker.membership._channel for worker in self.workers]
        for worker in self.workers:
            worker.membership.leave()
        await self.until(lambda: not self.hub._seats and all(channel._transport is None for channel in channels))


@pytest.fixture
async def set_of_two() -> AsyncIterator[_Set]:
    made = _Set()
    try:
        yield made
    finally:
        await made.close()


def _attempt(region: RegionId, flags: tuple[str, ...] = ("UF",)) -> Attempt:
    return Attempt(
        cluster=f"region_{region}",
        region=region,
        status=503 if flags else 200,
        began_at_s=time.time(),
        duration_s=0.01,
        flags=flags,
    )


def _ended(decision: DecisionId | None) -> RequestEnded:
    return RequestEnded(decision=decision, attempts=1, served=_FRA, status=200, began_at_s=1.0, duration_s=0.5)


async def test_a_worker_knows_everything_before_it_is_welcome(set_of_two: _Set) -> None:
    hub = set_of_two.hub
    hub.board.probed(_FRA, CellsSeen(outcome=Outcome.OK, latency_s=0.02))
    hub.board.probed(_AMS, CellsSeen(outcome=Outcome.UNREACHED, latency_s=0.0))
    hub.board.look()
    worker = await set_of_two.joined(0)
    assert worker.standings[_FRA].state is HealthState.UP
    assert worker.standings[_FRA].latency_s == 0.02
    assert worker.standings[_AMS].observed_at_s > 0
    assert worker.unfit is not None
    assert {unfit.region for unfit in worker.unfit[_DIGITS]} == {_FRA, _AMS}


async def test_two_workers_agree_on_health_within_100_ms(set_of_two: _Set) -> None:
    first, second = await set_of_two.joined(0), await set_of_two.joined(1)
    longest_s = 0.0
    for outcome in (Outcome.OK, Outcome.UNREACHED) * 10:
        for worker in (first, second):
            worker.told_at_s.clear()
        set_of_two.hub.board.probed(_FRA, CellsSeen(outcome=outcome, latency_s=0.02))
        began_s = time.monotonic()
        if outcome is Outcome.UNREACHED:
            first.membership.learner.attempted(_FRA, _attempt(_FRA))
        for worker in (first, second):
            await worker.until(lambda worker=worker: _FRA in worker.told_at_s)  # type: ignore[misc]
        await set_of_two.until(lambda: first.standings[_FRA] == second.standings[_FRA])
        longest_s = max(longest_s, *(each.told_at_s[_FRA] - began_s for each in (first, second)))
    assert longest_s < 0.1


async def test_an_attempt_that_one_worker_heard_of_teaches_both(set_of_two: _Set) -> None:
    first, second = await set_of_two.joined(0), await set_of_two.joined(1)
    set_of_two.hub.board.probed(_FRA, CellsSeen(outcome=Outcome.OK, latency_s=0.02))
    await second.until(lambda: second.standings[_FRA].state is HealthState.UP)
    for _ in range(20):
        first.membership.learner.attempted(_FRA, _attempt(_FRA), model=_DIGITS)
    await second.until(lambda: second.standings[_FRA].state is HealthState.DOWN)
    await first.until(lambda: first.standings[_FRA] == second.standings[_FRA])


async def test_a_report_goes_to_the_worker_that_decided(set_of_two: _Set) -> None:
    first, second = await set_of_two.joined(0), await set_of_two.joined(1)
    of_second = DecisionIds(1).make(1.8e9)
    attempt = AttemptEnded(decision=of_second, attempt=_attempt(_FRA), first_byte_s=0.1, load="TEXT x=1")
    assert first.membership.pass_on(attempt)
    assert first.membership.pass_on(_ended(of_second))
    await second.until(lambda: len(second.reports) == 2)
    assert second.reports == [attempt, _ended(of_second)]
    assert first.reports == []


@pytest.mark.parametrize(
    "decision",
    [None, DecisionIds(0).make(1.8e9), DecisionIds(2).make(1.8e9), DecisionIds(255).make(1.8e9)],
    ids=["none", "its own", "of a worker that is none", "of a process that was alone"],
)
async def test_other_reports_are_for_the_worker_that_they_reached(
    set_of_two: _Set, decision: DecisionId | None
) -> None:
    first = await set_of_two.joined(0)
    await set_of_two.joined(1)
    assert not first.membership.pass_on(_ended(decision))


async def test_a_report_for_a_worker_that_is_gone_comes_back(set_of_two: _Set) -> None:
    first, second = await set_of_two.joined(0), await set_of_two.joined(1)
    second.membership.leave()
    await set_of_two.until(lambda: 1 not in set_of_two.hub._seats)
    ended = _ended(DecisionIds(1).make(1.8e9))
    assert first.membership.pass_on(ended)
    await first.until(lambda: first.reports)
    assert first.reports == [ended]


async def test_requests_count_while_any_worker_has_a_stream_of_reports(set_of_two: _Set) -> None:
    first, second = await set_of_two.joined(0), await set_of_two.joined(1)
    first.membership.opened()
    await second.until(lambda: second.reporting == [True])
    second.membership.opened()
    first.membership.closed()
    late = await set_of_two.joined(0)
    await late.until(lambda: late.reporting == [True])
    assert second.reporting == [True]
    second.membership.leave()
    await late.until(lambda: late.reporting == [True, False])
    assert first.reporting[0] is True


async def test_a_changed_catalogue_reaches_the_board_of_all(set_of_two: _Set) -> None:
    first, second = await set_of_two.joined(0), await set_of_two.joined(1)
    second.unfit = None
    bound = Region(id=_FRA, country=Country("DE"), cluster="region_eu-fra", models={_DIGITS: Approval()})
    first.membership.learner.configure((bound,))
    await second.until(lambda: second.unfit is not None)
    assert second.unfit == {}
    assert second.unfit_of == (bound,)  # so that one that still has another policy can tell
    assert set_of_two.hub.regions == (bound,)


@pytest.mark.parametrize(
    "other",
    [
        replace(_REGIONS[0], country=Country("AE")),
        replace(_REGIONS[0], cluster="region_eu-ams"),
        replace(_REGIONS[0], id=RegionId("me-dxb")),
        replace(_REGIONS[0], subdivision=Jurisdiction("DE-BY")),
    ],
    ids=["elsewhere", "another cluster", "new", "in a part of it"],
)
async def test_a_worker_that_comes_back_with_a_policy_of_another_envoy_is_turned_away(
    set_of_two: _Set, other: Region
) -> None:
    first, again = await set_of_two.joined(0), await set_of_two.add(1)
    with pytest.raises(OSError, match="the supervisor"):
        await again.membership.join(again.member(), (other, _REGIONS[1]))
    assert set_of_two.hub.regions == _REGIONS
    assert not first.lost
    fewer = await set_of_two.add(1)
    await fewer.membership.join(fewer.member(), _REGIONS[:1])


@pytest.mark.slow
async def test_workers_say_how_they_are_and_one_that_hangs_is_missing(set_of_two: _Set) -> None:
    first, second = await set_of_two.joined(0), await set_of_two.joined(1)
    first.reasons = ["the disk is full"]
    first.membership.learner.dropped = 3
    answers = await set_of_two.hub.ask(metrics=True)
    assert {worker: answer.reasons for worker, answer in answers.items()} == {0: ["the disk is full"], 1: []}
    names = {s.name: s.value for f in text_string_to_metric_families(answers[0].metrics) for s in f.samples}
    assert names["situs_attempts_dropped_total"] == 3
    second.membership._channel._take = lambda _frame: None  # as a loop that hangs would
    answers = await set_of_two.hub.ask(metrics=False)
    assert list(answers) == [0]
    assert answers[0].metrics == ""
    assert set_of_two.hub._asked == {}


async def test_a_worker_that_does_not_read_gets_the_newest_when_it_reads_again(set_of_two: _Set) -> None:
    first, second = await set_of_two.joined(0), await set_of_two.joined(1)
    seat = set_of_two.hub._seats[1].channel
    seat.pause_writing()  # what the transport says when the socket is full
    for number in range(10_000):
        set_of_two.hub.standing(_FRA, Standing(state=HealthState.UP, observed_at_s=float(number)))
    assert seat.waiting == 1
    await first.until(lambda: first.standings[_FRA].observed_at_s == 9999)
    seat.resume_writing()
    await second.until(lambda: second.standings[_FRA].observed_at_s == 9999)


async def test_a_supervisor_that_does_not_read_holds_up_no_worker(set_of_two: _Set) -> None:
    first = await set_of_two.joined(0)
    await set_of_two.joined(1)
    first.membership._channel.pause_writing()
    for _ in range(5000):
        first.membership.learner.attempted(_FRA, _attempt(_FRA, ()))
    assert first.membership.learner.dropped == 5000 - 4096
    # What is evidence is not dropped: this worker records it.
    assert not first.membership.pass_on(_ended(DecisionIds(1).make(1.8e9)))


async def test_without_a_supervisor_a_worker_ends(set_of_two: _Set) -> None:
    first = await set_of_two.joined(0)
    set_of_two.hub._seats[0].channel.abort()
    await first.until(lambda: first.lost)
    second = await set_of_two.add(1)
    set_of_two.hub._seats[1].channel.abort()
    with pytest.raises(OSError, match="the supervisor is gone"):
        await second.membership.join(second.member(), _REGIONS)


async def test_while_the_supervisor_hangs_nothing_is_taken_for_fit(
    set_of_two: _Set, monkeypatch: pytest.MonkeyPatch
) -> None:
    now_s = time.monotonic()
    monkeypatch.setattr("extproc.workers.membership.monotonic", lambda: now_s)
    hub, good = set_of_two.hub, Shown(at_s=time.time(), version="1")
    for region in (_FRA, _AMS):
        hub.board.probed(region, CellsSeen(outcome=Outcome.OK, latency_s=0.02, shown={_DIGITS: (good,)}))
    worker = await set_of_two.joined(0)
    assert (worker.unfit, worker.unfit_of) == ({}, _REGIONS)

    now_s += SILENT_S - 0.1
    worker.membership.learner.look()
    assert worker.unfit_of == _REGIONS
    hub.look()
    await set_of_two.until(lambda: worker.membership._looked_s == now_s)
    now_s += SILENT_S
    worker.membership.learner.look()
    assert not worker.unfit_of  # found for no region at all

    # What it says while it has not looked is of before it hung.
    hub.fitness({}, _REGIONS)
    await set_of_two.until(lambda: worker.membership._fitness == hub._fitness.body if hub._fitness else False)
    assert not worker.unfit_of
    hub.look()
    await worker.until(lambda: worker.unfit_of == _REGIONS)


async def test_serving_workers_are_counted(set_of_two: _Set) -> None:
    first = await set_of_two.joined(0)
    assert set_of_two.hub.serving == 0
    first.membership.serving()
    await set_of_two.until(lambda: set_of_two.hub.serving == 1)
    set_of_two.hub._seats[0].channel._take(Frame(kind=Kind.WELCOME))  # what no worker sends changes nothing
    assert set_of_two.hub.serving == 1


async def test_requests_in_flight_of_all_workers_shrink_a_budget(set_of_two: _Set) -> None:
    first, second = await set_of_two.joined(0), await set_of_two.joined(1)
    first.membership.counters.add(0, 6)
    second.membership.counters.add(0, 6)
    assert set_of_two.hub.board._in_flight(_FRA) == 12
    assert set_of_two.hub.board._in_flight(RegionId("nowhere")) == 0
