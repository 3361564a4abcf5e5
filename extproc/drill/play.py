"""One scenario, played: load, fault, end. Whatever happens, Ctrl-C too, a fault that was begun is mended."""

import asyncio
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final, TypeAlias

from extproc.core.ids import RegionId
from extproc.demo.load import Load, open_loop
from extproc.drill.errors import UnfitSystemError
from extproc.drill.judge import timeline_of
from extproc.drill.outcome import targets_of
from extproc.drill.played import Played
from extproc.drill.scenarios import TERMS, Scenario
from extproc.drill.system import Fault, System
from extproc.drill.timeline import HOLD_S, recovered

Say: TypeAlias = Callable[[str], None]

_LOOK_S: Final = 0.2
_SERVED: Final = 200
_MOST_UNSERVED: Final = 0.1
_LEAST_OF_RATE: Final = 0.9
_STOPPERS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How a scenario is played: `per_s` requests a second, and seconds.

    The fault comes after `steady_s`. It stays for `least_s`, and longer, up to `most_s`, where service is not there
    again. After its end everything is watched for `after_s` more.
    """

    per_s: float
    steady_s: float = 2.0
    least_s: float = 3.0
    most_s: float = 20.0
    after_s: float = 1.5


class _Mender:
    """Mends a fault that was begun, once, whoever comes first."""

    def __init__(self, fault: Fault) -> None:
        self._fault = fault
        self._lock = threading.Lock()
        self._begun = False

    def strike(self) -> float:
        with self._lock:
            self._begun = True
            return self._fault.strike()

    def mend(self) -> None:
        with self._lock:
            if self._begun:
                self._begun = False
                self._fault.mend()


@contextmanager
def mended(fault: Fault) -> Iterator[_Mender]:
    """Mend a fault on the way out, if nobody has; who stops the program waits for that."""
    mender = _Mender(fault)
    try:
        yield mender
    finally:
        with _undisturbed():
            mender.mend()


@contextmanager
def _undisturbed() -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, signal.SIG_IGN) for number in _STOPPERS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


async def play(system: System, scenario: Scenario, pace: Pace, say: Say) -> Played:
    """Play a scenario. Raises UnfitSystemError where nothing is served to begin with, and CannotError."""
    began_s, to_unix_s = time.monotonic(), time.time() - time.monotonic()
    async with open_loop(system.send, pace.per_s) as load:
        say(f"steady load of {pace.per_s:g} requests a second")
        await asyncio.sleep(pace.steady_s)
        region = _serving(load)
        fault = system.fault(scenario, region)
        with mended(fault) as mender:
            say(f"now {fault.done}")
            struck_s = await asyncio.to_thread(mender.strike)

            def so_far(mended_s: float, unmet: tuple[str, ...] = ()) -> Played:
                return Played(
                    scenario=scenario,
                    region=region,
                    done=fault.done,
                    answers=tuple(load.since(began_s)),
                    began_s=began_s,
                    struck_s=struck_s,
                    mended_s=mended_s,
                    ended_s=time.monotonic(),
                    to_unix_s=to_unix_s,
                    unmet=unmet,
                )

            unseen = await fault.seen()
            most_s = max(pace.most_s, pace.least_s, targets_of(system.tables, region).rto_s + HOLD_S)
            while (watched_s := time.monotonic() - struck_s) < most_s:
                if watched_s >= pace.least_s and _is_back(so_far(time.monotonic())):
                    break
                await asyncio.sleep(_LOOK_S)
            say("and back to how it was")
            mended_s = time.monotonic()
            await asyncio.to_thread(mender.mend)
            unsettled = await fault.settled()
            await asyncio.sleep(pace.after_s)
    return so_far(mended_s, (*unseen, *unsettled, *_too_slow(load, pace)))


def _too_slow(load: Load, pace: Pace) -> tuple[str, ...]:
    """Say so where the load was not what it should have been: then this machine was measured, and not the system."""
    times = [answer.at_s for answer in load.since(0.0)]
    per_s = (len(times) - 1) / (times[-1] - times[0]) if len(times) > 1 else 0.0
    if per_s >= _LEAST_OF_RATE * pace.per_s:
        return ()
    return (f"only {per_s:.0f} requests a second could be sent: the machine of the drill is too busy to measure by",)


def _serving(load: Load) -> RegionId:
    """Give the region that serves. Raises UnfitSystemError where requests are not served to begin with."""
    answers = load.since(0.0)
    unserved = Counter(f"{a.status} {a.reason or ''}".strip() for a in answers if a.status != _SERVED)
    if not answers or unserved.total() > _MOST_UNSERVED * len(answers):
        why = ", ".join(f"{count} times {what}" for what, count in unserved.most_common(3)) or "no answer came"
        raise UnfitSystemError(
            f"the system does not serve to begin with: {why}. Mend: send what is served, or mend the system first"
        )
    regions = Counter(answer.region for answer in answers[len(answers) // 2 :] if answer.region is not None)
    if not regions:
        raise UnfitSystemError(
            "no answer says which region served it. Mend: let the cells answer with the header x-situs-region"
        )
    return RegionId(regions.most_common(1)[0][0])


def _is_back(played: Played) -> bool:
    terms = TERMS[played.scenario]
    sent = timeline_of(played)
    return recovered(sent, played.struck_s, share=terms.share, at_first=terms.at_first) is not None
