"""A scenario is played and mended, whatever happens."""

import asyncio
import re
import signal
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from extproc.core.ids import RegionId
from extproc.core.tables import PolicyTables
from extproc.demo.received import Received
from extproc.demo.visits import Answer
from extproc.drill.errors import CannotError, DrillError, UnfitSystemError
from extproc.drill.evidence import Decided, Evidence
from extproc.drill.play import Pace, mended, play
from extproc.drill.rehearse import outcomes_of, rehearse
from extproc.drill.scenarios import Scenario
from extproc.drill.system import Fault
from extproc.ledger.housekeeping import DrillMode
from extproc.policy.compile import compile_policy
from extproc.policy.parse import parse_policy

_PACE = Pace(per_s=50.0, steady_s=0.2, least_s=0.3, most_s=1.0, after_s=1.2)
_POLICY = """\
apiVersion: situs/v1
policy: {id: fake, version: 1, profile: legal-first, as_of: 2026-01-01, review_by: 2030-01-01}
ingress: {region: a, edge: {trusted_hops: 1}}
classes: [personal]
regions:
  a: {country: DE, models: {digits: {version: "1"}}}
  b: {country: DE, models: {digits: {version: "1"}}}
regimes:
  - id: eu
    when: {subject_in: EEA}
    permits: [{id: eea, to: EEA, basis: internal, cite: x, confidence: high}]
zones: {EEA: builtin}
tenants: {all: {match: anonymous, class: personal}}
signals: {geoip: {tier: 2, unknown: deny}}
"""


@dataclass
class _Fake:
    """A system of two regions; while it is broken, nobody serves for a while, then the other region does."""

    mode = DrillMode.DEMO
    serves: bool = True
    away_s: float = 0.1
    fails_to_strike: bool = False
    fails_to_mend: bool = False
    said: list[str] = field(default_factory=list)
    broken_since_s: float | None = None
    decisions: dict[str, Decided] = field(default_factory=dict)
    done: str = "a is lost"
    struck: asyncio.Event = field(default_factory=asyncio.Event)
    loop: asyncio.AbstractEventLoop | None = None

    @property
    def tables(self) -> PolicyTables:
        return compile_policy(parse_policy(_POLICY)).tables

    async def send(self, index: int) -> Answer:
        at_s = time.monotonic()
        await asyncio.sleep(0.002)
        away = self.broken_since_s is not None and at_s < self.broken_since_s + self.away_s
        served = self.serves and not away
        region = "a" if self.broken_since_s is None else "b"
        self.decisions[str(index)] = Decided(at_s=time.time(), permitted=frozenset(map(RegionId, "ab")))
        return Answer(
            status=200 if served else 503,
            region=region if served else None,
            decision=str(index),
            reason=None if served else "no_serving_region",
            digit=None,
            at_s=at_s,
            latency_s=time.monotonic() - at_s,
        )

    def fault(self, scenario: Scenario, region: RegionId) -> Fault:
        if scenario is Scenario.GEO_LOSS:
            raise CannotError("nobody knows where that is")
        assert region == "a"
        return self

    def strike(self) -> float:
        self.said.append("struck")
        if self.loop is not None:
            self.loop.call_soon_threadsafe(self.struck.set)
        self.broken_since_s = time.monotonic()
        if self.fails_to_strike:
            raise DrillError("the command failed half-way")
        return self.broken_since_s

    def mend(self) -> None:
        self.said.append("mended")
        self.broken_since_s = None

    async def seen(self) -> Sequence[str]:
        return ()

    async def settled(self) -> Sequence[str]:
        return ()

    async def evidence(self, since_s: float, decisions: frozenset[str]) -> Evidence:
        assert since_s <= time.time()
        return Evidence(decisions={each: self.decisions[each] for each in decisions})

    def received(self) -> Sequence[Received]:
        return ()


@pytest.mark.slow
async def test_it_is_played_mended_and_judged() -> None:
    system, said = _Fake(), []
    told = await rehearse(system, [Scenario.REGION_LOSS], _PACE, lambda of, text: said.append(f"{of}: {text}"))
    assert told.stopped_by is None
    assert system.said == ["struck", "mended"]
    assert [line.split(":")[0] for line in said] == ["region-loss"] * 3
    assert "now a is lost" in said[1]
    (outcome,) = await outcomes_of(system, told.played)
    assert outcome.region == "a"
    assert outcome.recovery_s is not None
    assert outcome.recovery_s >= 0.08
    assert 0 < outcome.failed < outcome.requests
    assert outcome.unserved[0][0] == "503 no_serving_region"
    assert outcome.faults == ()


@pytest.mark.slow
async def test_a_load_that_was_none_is_no_measure() -> None:
    @dataclass
    class Busy(_Fake):
        async def send(self, index: int) -> Answer:
            time.sleep(0.04)  # noqa: ASYNC251 - a machine that is too busy
            return await super().send(index)

    told = await play(Busy(), Scenario.REGION_LOSS, _PACE, lambda _: None)
    (fault,) = told.unmet
    found = re.fullmatch(r"only (\d+) requests a second could be sent: .* is too busy to measure by", fault)
    assert found is not None
    assert 0 < int(found[1]) < 45


@pytest.mark.slow
async def test_a_system_that_does_not_serve_is_not_disturbed() -> None:
    system = _Fake(serves=False)
    with pytest.raises(UnfitSystemError, match="503 no_serving_region"):
        await play(system, Scenario.REGION_LOSS, _PACE, lambda _: None)
    assert system.said == []


@pytest.mark.slow
async def test_what_cannot_be_done_ends_the_rehearsal_and_keeps_what_was_played() -> None:
    system = _Fake()
    scenarios = [Scenario.REGION_LOSS, Scenario.GEO_LOSS, Scenario.RELOAD]
    told = await rehearse(system, scenarios, _PACE, lambda _of, _text: None)
    assert [each.scenario for each in told.played] == [Scenario.REGION_LOSS]
    assert isinstance(told.stopped_by, CannotError)
    assert told.stopped_by.__notes__ == ["in the scenario geo-loss"]
    assert system.said == ["struck", "mended"]


@pytest.mark.slow
async def test_a_fault_that_fails_half_way_is_mended() -> None:
    system = _Fake(fails_to_strike=True)
    with pytest.raises(DrillError, match="half-way"):
        await play(system, Scenario.REGION_LOSS, _PACE, lambda _: None)
    assert system.said == ["struck", "mended"]


@pytest.mark.slow
async def test_who_is_stopped_mends_first() -> None:
    system = _Fake()
    system.loop = asyncio.get_running_loop()
    task = asyncio.create_task(play(system, Scenario.REGION_LOSS, Pace(per_s=50.0, steady_s=0.1), lambda _: None))
    await system.struck.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert system.said == ["struck", "mended"]


def test_while_it_mends_ctrl_c_waits() -> None:
    seen: list[object] = []

    @dataclass
    class Slow(_Fake):
        def mend(self) -> None:
            seen.append([signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)])
            super().mend()

    before = signal.getsignal(signal.SIGINT)
    system = Slow()

    def interrupted() -> None:
        with mended(system) as mender:
            mender.strike()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert system.said == ["struck", "mended"]
    assert seen == [[signal.SIG_IGN] * 3]
    assert signal.getsignal(signal.SIGINT) is before


def test_a_fault_is_mended_once_and_only_if_it_was_begun() -> None:
    system = _Fake()
    with mended(system):
        pass
    assert system.said == []
    with mended(system) as mender:
        mender.strike()
        mender.mend()
    assert system.said == ["struck", "mended"]


def test_mending_waits_for_a_strike_that_goes_on_in_a_thread() -> None:
    begun, go_on = threading.Event(), threading.Event()

    @dataclass
    class Slow(_Fake):
        def strike(self) -> float:
            begun.set()
            assert go_on.wait(10)
            return super().strike()

    system = Slow()
    with mended(system) as mender:
        thread = threading.Thread(target=mender.strike)
        thread.start()
        assert begun.wait(10)
        threading.Timer(0.05, go_on.set).start()
    thread.join()
    assert system.said == ["struck", "mended"]
