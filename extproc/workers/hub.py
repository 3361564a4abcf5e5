"""The supervisor's side of all channels: one board for all workers, and the way of reports between them.

Owns what workers see: the board learns from the attempts of all of them and from the probes, and each worker is told
the same standings and fitness at the same moment. A worker that joins is told everything that is known before it is
welcome.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import structlog

from extproc.core.fitness import Fitness
from extproc.core.ids import RegionId
from extproc.core.routing.standing import Standing
from extproc.core.tables import Region
from extproc.sidecar.inflight import Counters
from extproc.signals.board import Board
from extproc.workers.channel import Channel, Frame, Kind
from extproc.workers.codecs import (
    dumps,
    format_fitness,
    format_regions,
    format_standing,
    loads,
    parse_regions,
    parse_tried,
)

_log = structlog.get_logger(__name__)

ANSWER_S: Final = 1.0
"""How long a worker may take to say how it is; a probe of readiness waits for that long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What one worker said of itself: why it is not ready, nothing where it is, and its metrics as text.

    `told` is what it tells the control socket, where it was asked for that.
    """

    reasons: list[str]
    metrics: str
    told: Mapping[str, Any] | None = None


@dataclass(slots=True, kw_only=True, eq=False)
class Seat:
    """A worker's place in the set, while a process takes it."""

    index: int
    channel: Channel
    joined: bool = False
    serving: bool = False
    streams: int = 0


class Hub:
    """All workers' channels and the one board. Not for several threads at once."""

    def __init__(
        self,
        regions: Sequence[Region],
        *,
        counters: Counters,
        clock: Callable[[], float],
        checks_models: bool,
        served: Callable[[int], None] = lambda _worker: None,
    ) -> None:
        """Learn of `regions`, whose order is that of `counters`. `served` is called when a worker begins to serve."""
        index = {region.id: number for number, region in enumerate(regions)}
        self.regions = tuple(regions)
        """As the policy in force has them."""
        self._places = frozenset(map(_place, regions))
        self._served = served
        self._seats: dict[int, Seat] = {}
        self._standings: dict[RegionId, Frame] = {}
        self._fitness: Frame | None = None
        self._catalogue, self._catalogue_of = b"[]", tuple[Region, ...]()
        self._reporting = False
        self._asked: dict[int, asyncio.Future[Answer]] = {}
        self._questions = 0
        self._refused = 0
        self.board = Board(
            regions,
            publish=self,
            clock=clock,
            in_flight=lambda region: max(0, counters.totals()[index[region]]) if region in index else 0,
            checks_models=checks_models,
        )

    @property
    def serving(self) -> int:
        """How many workers serve."""
        return sum(seat.serving for seat in self._seats.values())

    @property
    def refused(self) -> int:
        """Frames to workers that found no room since the start."""
        return self._refused + sum(seat.channel.refused for seat in self._seats.values())

    # Workers come and go --------------------------------------------------------------------------------------------

    def seat(self, worker: int) -> Channel:
        """Give a worker's channel a place; connect it to the worker's socket."""
        seat: Seat

        def take(frame: Frame) -> None:
            self._take(seat, frame)

        def ended() -> None:
            self._leave(seat)

        seat = Seat(index=worker, channel=Channel(take, ended))
        self._seats[worker] = seat
        return seat.channel

    def _leave(self, seat: Seat) -> None:
        self._refused += seat.channel.refused
        if self._seats.get(seat.index) is seat:
            del self._seats[seat.index]
        self._tell_reporting()

    # What decisions see ---------------------------------------------------------------------------------------------

    def standing(self, region: RegionId, standing: Standing) -> None:
        """Tell all workers how to see a region."""
        frame = Frame(kind=Kind.STANDING, body=format_standing(region, standing))
        self._standings[region] = frame
        self._broadcast(region, frame)

    def fitness(self, fitness: Fitness, regions: tuple[Region, ...]) -> None:
        """Tell all workers which regions may not serve which models, and for which catalogue that was found."""
        if regions != self._catalogue_of:
            self._catalogue, self._catalogue_of = format_regions(regions), regions
        self._fitness = Frame(kind=Kind.FITNESS, body=format_fitness(fitness, self._catalogue))
        self._broadcast(Kind.FITNESS, self._fitness)

    def look(self) -> None:
        """See what only the passing of time has changed, and tell all workers that it was looked at."""
        self.board.look()
        self._broadcast(Kind.LOOKED, Frame(kind=Kind.LOOKED))

    def _broadcast(self, key: object, frame: Frame) -> None:
        for seat in self._seats.values():
            if seat.joined:
                seat.channel.tell(key, frame)

    def _welcome(self, seat: Seat) -> None:
        seat.joined = True
        for region, frame in self._standings.items():
            seat.channel.tell(region, frame)
        if self._fitness is not None:
            seat.channel.tell(Kind.FITNESS, self._fitness)
        seat.channel.tell(Kind.REPORTING, self._reporting_frame())
        seat.channel.tell(Kind.WELCOME, Frame(kind=Kind.WELCOME))

    # What workers say -----------------------------------------------------------------------------------------------

    def _take(self, seat: Seat, frame: Frame) -> None:
        match frame.kind:
            case Kind.ATTEMPT:
                region, attempt, more = parse_tried(frame.body)
                self.board.attempted(region, attempt, **more)
            case Kind.REPORT:
                self._pass_on(seat, frame)
            case Kind.STREAMS:
                seat.streams = loads(frame.body)
                self._tell_reporting()
            case Kind.JOIN | Kind.CATALOGUE:
                self._take_catalogue(seat, parse_regions(frame.body), joins=frame.kind is Kind.JOIN)
            case Kind.SERVING:
                seat.serving = True
                self._served(seat.index)
            case Kind.ANSWER:
                self._answered(loads(frame.body))
            case _:
                _log.error("a worker sent what no worker sends", worker=seat.index, kind=frame.kind.name)

    def _take_catalogue(self, seat: Seat, regions: tuple[Region, ...], *, joins: bool) -> None:
        """Learn of a worker's regions, and welcome it; turn it away where Envoy's clusters stand for others.

        A worker that runs refuses such a policy by itself. One that is started again has nothing to hold it against.
        """
        elsewhere = sorted(region.id for region in regions if _place(region) not in self._places)
        if elsewhere:
            _log.critical(
                "a worker has a policy with regions that are new or elsewhere, which Envoy was not rendered for, and "
                "must not serve by it. Mend: take the policy back, or render Envoy's configuration anew, restart Envoy "
                "with it and then this sidecar",
                worker=seat.index,
                regions=elsewhere,
            )
            seat.channel.abort()
            return
        self._configure(regions)
        if joins:
            self._welcome(seat)

    def _configure(self, regions: tuple[Region, ...]) -> None:
        if regions != self.regions:
            self.regions = regions
            self.board.configure(regions)

    def _pass_on(self, sender: Seat, frame: Frame) -> None:
        """Give a report to the worker that decided; where that one is gone, it is the sender's to record."""
        owner = self._seats.get(frame.worker)
        if owner is None or not owner.joined or not owner.channel.send(frame):
            sender.channel.send(Frame(kind=Kind.RETURNED, worker=frame.worker, body=frame.body))

    def _tell_reporting(self) -> None:
        reporting = any(seat.streams for seat in self._seats.values())
        if reporting != self._reporting:
            self._reporting = reporting
            self._broadcast(Kind.REPORTING, self._reporting_frame())

    def _reporting_frame(self) -> Frame:
        return Frame(kind=Kind.REPORTING, body=dumps(self._reporting))

    # Questions ------------------------------------------------------------------------------------------------------

    async def inquire(self) -> dict[int, Mapping[str, Any] | None]:
        """Ask every worker what it tells the control socket; None for those that do not answer in time."""
        joined = sorted(worker for worker, seat in self._seats.items() if seat.joined)
        answers = await self.ask(metrics=False, told=True)
        return {worker: answers[worker].told if worker in answers else None for worker in joined}

    async def ask(self, *, metrics: bool, told: bool = False) -> dict[int, Answer]:
        """Ask every worker how it is; those that do not answer in time are not in the result."""
        asked: dict[int, tuple[int, asyncio.Future[Answer]]] = {}
        for worker, seat in sorted(self._seats.items()):
            if seat.joined:
                self._questions += 1
                answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
                asked[self._questions] = (worker, answer)
                self._asked[self._questions] = answer
                seat.channel.send(Frame(kind=Kind.ASK, body=dumps([self._questions, metrics, told])))
        try:
            if asked:
                await asyncio.wait([answer for _, answer in asked.values()], timeout=ANSWER_S)
            return {worker: answer.result() for worker, answer in asked.values() if answer.done()}
        finally:
            for number in asked:
                del self._asked[number]

    def _answered(self, told: list[Any]) -> None:
        question, reasons, metrics, more = told
        future = self._asked.get(question)
        if future is not None and not future.done():
            future.set_result(Answer(reasons=reasons, metrics=metrics, told=more))


def _place(region: Region) -> tuple[str, ...]:
    """Give what a region's cluster stands for in Envoy."""
    return region.cluster, region.id, region.country, region.subdivision or ""
