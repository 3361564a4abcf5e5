"""Active probes: asks each region's cells whether they are ready, and what they serve of the models that are bound.

The answer tells how long it takes, where a cell is and how much it has to do. A model is bound where the policy
approves one version or digest of it. A probe carries no user data and no header of a request, so probing an excluded
region moves nothing across a border. Cells are servers that may say anything: what they say can take their own region
out, and nothing else.
"""

import asyncio
import contextlib
import math
import ssl
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import quote

import orjson
import structlog

from extproc.core.fitness import SHOWN_FOR_S, Shown
from extproc.core.ids import ModelId, RegionId
from extproc.core.routing.health import Outcome
from extproc.core.routing.load import LoadReport
from extproc.core.tables import Region
from extproc.signals.asking import Answer, Asker, Silence, asking
from extproc.signals.board import CellsSeen
from extproc.signals.orca import HEADER, parse_load

PERIOD_S: Final = 1.0
UNEASY_PERIOD_S: Final = 0.5
UNEASY_S: Final = 2.0
"""For so long after a round that was not good, rounds come sooner: Envoy may find a region back a little later than we
do, and takes our word back by a failed attempt; the next good round then mends that."""
LATE_S: Final = 0.1
"""How long a round waits for the other cells once one is known to be ready. A later answer counts in the next round."""
MODELS: Final = 8
"""Of which one cell is asked in a round, where there are more: the others have their turn in the next ones. Each
question takes about a millisecond of computing."""
TURN: Final = 5
"""Rounds until each model had its turn, however many there are: a third of the time for which a word is believed."""
_FIRST_S: Final = 1.5
AT_ONCE: Final = 4
"""Questions to one cell about models at a time."""

_READY: Final = "/v2/health/ready"  # SPEC: Open Inference Protocol v2
_MODEL: Final = "/v2/models/"
_BEST: Final = (Outcome.OK, Outcome.FAILED, Outcome.UNREACHED)
_OK: Final = 200
_NOT_FOUND: Final = 404

# Of our own cells, on each answer. Others may say nothing of their region.
_REGION: Final = "x-situs-region"
_VERSION: Final = "x-situs-model-version"
_DIGEST: Final = "x-situs-model-digest"
_LONGEST: Final = 200
"""Characters of a word that are kept."""

_log = structlog.get_logger(__name__)

Probed = Callable[[RegionId, CellsSeen], None]
Regions = Callable[[], Sequence[Region]]
Contexts = Mapping[RegionId, ssl.SSLContext]


async def probe_forever(
    endpoints: Mapping[RegionId, Sequence[str]],
    regions: Regions,
    probed: Probed,
    *,
    clock: Callable[[], float] = time.time,
    contexts: Contexts | None = None,
) -> None:
    """Probe every region's `endpoints` (each `host:port`) each second, each region on its own, until cancelled.

    `regions` gives the regions and their models as the policy in force has them. `contexts` makes the connections to
    each region's cells, which must prove to be of that region; without it they are asked in plain HTTP.
    """
    async with contextlib.AsyncExitStack() as stack:
        askers = await _askers(endpoints, contexts, stack)
        group = await stack.enter_async_context(asyncio.TaskGroup())
        for region, places in endpoints.items():
            probe = RegionProbe(
                region, places, askers[region], group, clock=clock, scheme="http" if contexts is None else "https"
            )
            group.create_task(_probe_region(probe, regions, probed))


async def _askers(
    endpoints: Mapping[RegionId, Sequence[str]], contexts: Contexts | None, stack: contextlib.AsyncExitStack
) -> Mapping[RegionId, Asker]:
    """Give who asks each region's cells: one for all of them, or one for each where each must prove to be another."""
    if contexts is None:
        cells = sum(map(len, endpoints.values()))
        return dict.fromkeys(endpoints, await stack.enter_async_context(asking(cells * (1 + AT_ONCE))))
    return {
        region: await stack.enter_async_context(asking(len(places) * (1 + AT_ONCE), contexts[region]))
        for region, places in endpoints.items()
    }


class FirstRound:
    """Passes on what is seen, and tells when every region was looked at once."""

    def __init__(self, regions: Iterable[RegionId], probed: Probed) -> None:
        """Pass on to `probed` what is seen of these regions."""
        self._left = set(regions)
        self._probed = probed
        self._over = asyncio.Event()

    def __call__(self, region: RegionId, seen: CellsSeen) -> None:
        """Take a round of probes."""
        self._probed(region, seen)
        self._left.discard(region)
        if not self._left:
            self._over.set()

    async def wait(self) -> None:
        """Wait for the first round of each region, or for as long as that may take."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_FIRST_S):
                await self._over.wait()


async def _probe_region(probe: "RegionProbe", regions: Regions, probed: Probed) -> None:
    uneasy_until_s = 0.0
    while True:
        began_s = time.monotonic()
        bound = next((_bound_models(each) for each in regions() if each.id == probe.region), ())
        seen = await probe.look(bound)
        probed(probe.region, seen)
        if seen.outcome is not Outcome.OK:
            uneasy_until_s = began_s + UNEASY_S
        period_s = UNEASY_PERIOD_S if began_s < uneasy_until_s else PERIOD_S
        await asyncio.sleep(max(0.0, period_s - (time.monotonic() - began_s)))


def _bound_models(region: Region) -> tuple[ModelId, ...]:
    return tuple(model for model, approval in region.models.items() if approval.is_bound)


@dataclass(slots=True, kw_only=True)
class _Cell:
    """What is known of one cell. `said` has its latest word of each model; `asked_s` and `heard_s` are monotonic."""

    place: str
    outcome: Outcome = Outcome.UNREACHED
    latency_s: float = 0.0
    load: LoadReport | None = None
    elsewhere_until_s: float = 0.0
    said: dict[ModelId, Shown] = field(default_factory=dict)
    asked_s: dict[ModelId, float] = field(default_factory=dict)
    heard_s: dict[ModelId, float] = field(default_factory=dict)
    readiness: "asyncio.Task[None] | None" = None
    inventory: "asyncio.Task[None] | None" = None


class RegionProbe:
    """Asks the cells of one region, round by round, and remembers what each of them has said."""

    def __init__(  # noqa: PLR0913 - whom to ask, how, and by whom
        self,
        region: RegionId,
        places: Sequence[str],
        asker: Asker,
        group: asyncio.TaskGroup,
        *,
        clock: Callable[[], float] = time.time,
        scheme: str = "http",
    ) -> None:
        """Ask the cells at `places`, each `host:port`, by tasks in `group`; `clock` gives Unix seconds."""
        self.region = region
        self._scheme = scheme
        self._cells = [_Cell(place=place) for place in places]
        self._asker = asker
        self._group = group
        self._clock = clock

    async def look(self, models: Sequence[ModelId]) -> CellsSeen:
        """Ask every cell once, of these models too; a round lasts for little more than a second at most.

        One cell that says that it is in another region takes the whole region down: what is routed here would be
        processed there, and Envoy cannot be told to leave out a single endpoint.
        """
        for cell in self._cells:
            if cell.inventory is None or cell.inventory.done():
                cell.inventory = self._group.create_task(self._ask_of_models(cell, models))
            if cell.readiness is None or cell.readiness.done():
                cell.readiness = self._group.create_task(self._ask_if_ready(cell))
        await self._until_known()
        for cell in self._cells:
            if cell.outcome is Outcome.OK:
                self._note_silence(cell, models)
        outcome, latency_s = self._health()
        return CellsSeen(
            outcome=outcome,
            latency_s=latency_s,
            load=_heaviest([cell.load for cell in self._cells if cell.load is not None]),
            shown=self._shown(models),
        )

    async def _until_known(self) -> None:
        """Wait for the cells; for the rest of them only a little, once one is ready, and so for what they serve."""
        waiting = {cell.readiness for cell in self._cells if cell.readiness is not None}
        done: set[asyncio.Task[None]] = set()
        while waiting:
            is_ready = any(cell.outcome is Outcome.OK for cell in self._cells if cell.readiness in done)
            ended, waiting = await asyncio.wait(
                waiting, timeout=LATE_S if is_ready else None, return_when=asyncio.FIRST_COMPLETED
            )
            if not ended:
                break
            done |= ended
        inventories = [cell.inventory for cell in self._cells if cell.inventory is not None]
        await asyncio.wait(inventories, timeout=LATE_S)

    def _health(self) -> tuple[Outcome, float]:
        now_s = self._clock()
        if any(now_s < cell.elsewhere_until_s for cell in self._cells):
            return Outcome.UNREACHED, 0.0
        return min(
            ((cell.outcome, cell.latency_s) for cell in self._cells),
            key=lambda each: (_BEST.index(each[0]), each[1]),
        )

    def _shown(self, models: Sequence[ModelId]) -> dict[ModelId, tuple[Shown, ...]]:
        """Give the latest word of each cell, also of those that did not answer this time."""
        shown = {model: tuple(cell.said[model] for cell in self._cells if model in cell.said) for model in models}
        return {model: words for model, words in shown.items() if words}

    async def _ask_if_ready(self, cell: _Cell) -> None:
        answer = await self._asker.ask(f"{self._scheme}://{cell.place}{_READY}")
        if isinstance(answer, Silence):
            cell.outcome = Outcome.UNREACHED if answer is Silence.UNREACHED else Outcome.FAILED
            cell.load = None
            return
        self._check_place(cell, answer)
        cell.outcome = Outcome.OK if answer.status == _OK else Outcome.FAILED
        cell.latency_s = answer.took_s
        cell.load = parse_load(answer.headers.get(HEADER, ""), at_s=self._clock())

    def _check_place(self, cell: _Cell, answer: Answer) -> None:
        said = answer.headers.get(_REGION, self.region)
        if said == self.region:
            cell.elsewhere_until_s = 0.0
            return
        # It is believed for as long as what it serves is, for Envoy may still reach it when we do not.
        cell.elsewhere_until_s = self._clock() + SHOWN_FOR_S
        _log.error(
            "a cell is not where the mesh file says; its region is taken for down",
            cell=cell.place,
            listed=self.region,
            says=said[:_LONGEST],
        )

    async def _ask_of_models(self, cell: _Cell, models: Sequence[ModelId]) -> None:
        """Ask of the models whose turn it is, a few at a time; begin with no more once half a period is over."""
        most = max(MODELS, math.ceil(len(models) / TURN))
        due = sorted(models, key=lambda model: cell.asked_s.get(model, 0.0))[:most]
        ends_s = time.monotonic() + PERIOD_S / 2

        async def ask_in_turn() -> None:
            while due and time.monotonic() < ends_s:
                await self._ask_of_model(cell, due.pop(0))

        await asyncio.gather(*(ask_in_turn() for _ in range(AT_ONCE)))

    async def _ask_of_model(self, cell: _Cell, model: ModelId) -> None:
        now_s, asked_s = self._clock(), time.monotonic()
        answer = await self._asker.ask(f"{self._scheme}://{cell.place}{_MODEL}{quote(model, safe='')}")
        cell.asked_s[model] = asked_s
        if isinstance(answer, Silence) or answer.status not in (_OK, _NOT_FOUND):
            return
        cell.heard_s[model] = asked_s
        cell.said[model] = Shown(
            at_s=now_s,
            has_model=answer.status == _OK,
            version=_version(answer) if answer.status == _OK else None,
            digest=_word(answer, _DIGEST),
        )

    def _note_silence(self, cell: _Cell, models: Sequence[ModelId]) -> None:
        """Note the models of which a cell that is ready says nothing: it may serve anything, so it is not approved."""
        now_s, clock_s = self._clock(), time.monotonic()
        for model in models:
            asked_s = cell.asked_s.get(model)
            if asked_s is None:
                continue
            heard_s = cell.heard_s.get(model)
            if heard_s is None or (asked_s > heard_s and clock_s - heard_s > SHOWN_FOR_S):
                cell.said[model] = Shown(at_s=now_s)


def _word(answer: Answer, header: str) -> str | None:
    said: str | None = answer.headers.get(header)
    return None if said is None else said[:_LONGEST]


def _version(answer: Answer) -> str | None:
    """Give the version that a cell serves by default: what it says itself, else the only one that it has."""
    said = _word(answer, _VERSION)
    if said is not None:
        return said
    try:
        metadata = orjson.loads(answer.body or b"")
    except orjson.JSONDecodeError:
        return None
    versions = metadata.get("versions") if isinstance(metadata, dict) else None
    if isinstance(versions, list) and len(versions) == 1 and isinstance(versions[0], str):
        return versions[0][:_LONGEST]
    return None


def _heaviest(reports: Sequence[LoadReport]) -> LoadReport | None:
    """Give the report of the cell that is used most."""
    return max(reports, key=lambda each: (each.utilization or 0.0, each.queued or 0.0), default=None)
