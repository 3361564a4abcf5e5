"""A worker's side of its channel: the team that a sidecar takes part in.

What the supervisor does not take in time is dropped and counted where it only teaches the board, and kept by this
worker where it is evidence: a report that cannot be passed on is recorded here, as decided elsewhere.
"""

import asyncio
import socket
from collections.abc import Callable, Sequence
from time import monotonic
from typing import Final

import structlog
from prometheus_client import Counter
from prometheus_client.exposition import generate_latest

from extproc.core.delivery import Attempt
from extproc.core.ids import ModelId, RegionId
from extproc.core.routing.load import LoadReport
from extproc.core.tables import Region
from extproc.sidecar.identifiers import worker_of
from extproc.sidecar.inflight import Counters
from extproc.sidecar.team import Member
from extproc.wire.access_log import Ended
from extproc.workers.channel import Channel, Frame, Kind
from extproc.workers.codecs import (
    dumps,
    format_regions,
    format_tried,
    loads,
    parse_fitness,
    parse_standing,
)
from extproc.workers.reports import format_report, parse_report

_log = structlog.get_logger(__name__)

WELCOME_S: Final = 10.0
"""How long the supervisor may take to tell everything that it knows."""
SILENT_S: Final = 5.0
"""A supervisor looks twice a second. One that has not for so long hangs, and would not tell that a region is unfit."""


class BoardAway:
    """The way to the supervisor's board."""

    def __init__(self, channel: Channel, look: Callable[[], None]) -> None:
        """Send through `channel`; `look` is called a few times a second."""
        self._channel = channel
        self._look = look
        self.dropped = 0
        """Attempts that the supervisor did not take in time."""

    def configure(self, regions: Sequence[Region]) -> None:
        """Have all workers' board learn of these regions."""
        self._channel.tell(Kind.CATALOGUE, Frame(kind=Kind.CATALOGUE, body=format_regions(regions)))

    def attempted(
        self,
        region: RegionId,
        attempt: Attempt,
        *,
        model: ModelId | None = None,
        first_byte_s: float | None = None,
        load: LoadReport | None = None,
    ) -> None:
        """Send an attempt, unless too many wait: the board learns from the next one."""
        body = format_tried(region, attempt, model=model, first_byte_s=first_byte_s, load=load)
        self.dropped += not self._channel.send(Frame(kind=Kind.ATTEMPT, body=body))

    def look(self) -> None:
        """See whether the supervisor still looks."""
        self._look()


class Membership:
    """One worker's place in the set of `workers`; the counters' regions are those of `catalogue`."""

    def __init__(self, *, index: int, workers: int, counters: Counters, catalogue: Sequence[RegionId]) -> None:
        self.index = index
        self.counters = counters
        self.catalogue = catalogue
        self._workers = workers
        self._channel = Channel(self._take, self._ended)
        self.learner = BoardAway(self._channel, self._look)
        self._member: Member | None = None
        self._welcome = asyncio.Event()
        self._gone = asyncio.Event()
        self._reporting = False
        self._fitness: bytes | None = None
        self._looked_s = monotonic()
        self._silent = False
        self.streams = 0

    async def connect(self, own: socket.socket) -> None:
        """Take the worker's end of the socket pair."""
        await asyncio.get_running_loop().create_connection(lambda: self._channel, sock=own)

    async def join(self, member: Member, regions: Sequence[Region]) -> None:
        """Take part; return when all that is known of the regions was published.

        Raises OSError where there is no supervisor any more.
        """
        self._member = member
        self._looked_s = monotonic()
        dropped = Counter(
            "situs_attempts_dropped_total",
            "Attempts that the supervisor did not take in time, so that the board did not learn from them.",
            registry=member.registry,
        )
        self._dropped = dropped
        self._channel.send(Frame(kind=Kind.JOIN, body=format_regions(regions)))
        waits = [asyncio.ensure_future(event.wait()) for event in (self._welcome, self._gone)]
        await asyncio.wait(waits, timeout=WELCOME_S, return_when=asyncio.FIRST_COMPLETED)
        for wait in waits:
            wait.cancel()
        if not self._welcome.is_set():
            raise OSError(
                "the supervisor is gone, or hangs, or turned this worker away: it has not said what it knows of the "
                "regions. Mend: see what the supervisor says in the event log"
            )

    def serving(self) -> None:
        """Say that this worker answers requests."""
        self._channel.send(Frame(kind=Kind.SERVING))

    def opened(self) -> None:
        """Say that Envoy opened a stream of reports to this worker."""
        self._tell_streams(1)

    def closed(self) -> None:
        """Say that such a stream ended."""
        self._tell_streams(-1)

    def pass_on(self, ended: Ended) -> bool:
        """Send a report to the worker that decided; False where it is for this one to take."""
        if ended.decision is None:
            return False
        owner = worker_of(ended.decision)
        if owner == self.index or owner >= self._workers:
            return False
        return self._channel.send(Frame(kind=Kind.REPORT, worker=owner, body=format_report(ended)))

    def leave(self) -> None:
        """Take part no more."""
        self._member = None
        self._channel.close()

    def _tell_streams(self, change: int) -> None:
        self.streams += change
        self._channel.tell(Kind.STREAMS, Frame(kind=Kind.STREAMS, body=dumps(self.streams)))

    def _take(self, frame: Frame) -> None:
        member = self._member
        if member is None:
            return
        match frame.kind:
            case Kind.STANDING:
                member.publish.standing(*parse_standing(frame.body))
            case Kind.FITNESS:
                self._fitness = frame.body
                if not self._silent:
                    member.publish.fitness(*parse_fitness(frame.body))
            case Kind.LOOKED:
                self._note_look(member)
            case Kind.REPORT | Kind.RETURNED:
                member.take(parse_report(frame.body))
            case Kind.REPORTING:
                self._note_reporting(member, is_reporting=loads(frame.body))
            case Kind.WELCOME:
                self._note_look(member)
                self._welcome.set()
            case Kind.ASK:
                self._answer(member, *loads(frame.body))
            case _:
                _log.error("the supervisor sent what no supervisor sends", kind=frame.kind.name)

    def _note_reporting(self, member: Member, *, is_reporting: bool) -> None:
        if is_reporting != self._reporting:
            self._reporting = is_reporting
            member.reporting(is_reporting)

    def _note_look(self, member: Member) -> None:
        self._looked_s = monotonic()
        if not self._silent:
            return
        self._silent = False
        _log.warning("the supervisor is back")
        if self._fitness is not None:
            member.publish.fitness(*parse_fitness(self._fitness))

    def _look(self) -> None:
        """Take nothing for fit any more while the supervisor hangs: what cells have shown is not believed for ever."""
        if self._member is None or self._silent or monotonic() - self._looked_s < SILENT_S:
            return
        self._silent = True
        _log.critical("the supervisor hangs: nothing that must be looked at is taken for fit", seconds=SILENT_S)
        self._member.publish.fitness({}, ())

    def _answer(self, member: Member, question: int, with_metrics: bool, with_more: bool) -> None:  # noqa: FBT001 - as it is asked
        self._dropped.inc(self.learner.dropped)
        self.learner.dropped = 0
        metrics = generate_latest(member.registry).decode() if with_metrics else ""
        more = dict(member.tell()) if with_more else None
        self._channel.send(Frame(kind=Kind.ANSWER, body=dumps([question, member.why_not_ready(), metrics, more])))

    def _ended(self) -> None:
        self._gone.set()
        if self._member is not None:
            self._member.lost()
