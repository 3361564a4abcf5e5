"""What a sidecar needs of the set that it is one worker of; one that is alone has no team.

Owns the words in which a worker and its set speak; :mod:`extproc.workers` has the set. With a team, the board is the
supervisor's, requests in flight are counted for all workers, and a report of Envoy's goes to the worker that decided.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from prometheus_client import CollectorRegistry

from extproc.core.delivery import Attempt
from extproc.core.ids import ModelId, RegionId
from extproc.core.routing.load import LoadReport
from extproc.core.tables import Region
from extproc.sidecar.inflight import Counters
from extproc.signals.board import Publish
from extproc.wire.access_log import Ended


class Learner(Protocol):
    """Takes what is heard of regions: a board, or the way to the one of a supervisor."""

    def configure(self, regions: Sequence[Region]) -> None:
        """Learn of these regions from now on."""
        ...

    def attempted(
        self,
        region: RegionId,
        attempt: Attempt,
        *,
        model: ModelId | None = None,
        first_byte_s: float | None = None,
        load: LoadReport | None = None,
    ) -> None:
        """Take an attempt of Envoy's."""
        ...

    def look(self) -> None:
        """See what only the passing of time has changed."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """What the set may ask of one worker.

    `publish` takes what decisions see of regions. `reporting` is told whether Envoy reports to any worker. `take` takes
    a report about a decision of this worker, or of one that is gone. `lost` is called when the supervisor is gone: the
    worker must end. `tell` gives what the control socket is told of this worker, in plain types.
    """

    publish: Publish
    reporting: Callable[[bool], None]
    take: Callable[[Ended], None]
    why_not_ready: Callable[[], list[str]]
    registry: CollectorRegistry
    lost: Callable[[], None]
    tell: Callable[[], Mapping[str, object]] = dict


class Team(Protocol):
    """The set, as one of its workers sees it. `index` is the worker's own, from 0 to 255."""

    @property
    def index(self) -> int:
        """Which worker this one is."""
        ...

    @property
    def counters(self) -> Counters:
        """Where the requests in flight of all workers are counted."""
        ...

    @property
    def catalogue(self) -> Sequence[RegionId]:
        """The regions of the counters, in the order of their indices."""
        ...

    @property
    def learner(self) -> Learner:
        """The way to the board of all workers."""
        ...

    @property
    def streams(self) -> int:
        """How many streams of reports Envoy has open to this worker."""
        ...

    async def join(self, member: Member, regions: Sequence[Region]) -> None:
        """Take part; return when all that is known of the regions was published.

        Raises OSError where there is no supervisor any more.
        """
        ...

    def serving(self) -> None:
        """Say that this worker answers requests."""
        ...

    def opened(self) -> None:
        """Say that Envoy opened a stream of reports to this worker."""
        ...

    def closed(self) -> None:
        """Say that such a stream ended."""
        ...

    def pass_on(self, ended: Ended) -> bool:
        """Send a report to the worker that decided; False where it is for this one to take."""
        ...

    def leave(self) -> None:
        """Take part no more."""
        ...
