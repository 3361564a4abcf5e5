"""The board: the one place where what is heard of each region becomes what decisions see of it.

It publishes a region's standing when that changes in a way that a decision could see, and the fitness of all regions
when it changes. Whoever publishes may be this process or the supervisor of several; there is one board for all of them,
so they see one view.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

import structlog

from extproc.core.delivery import Attempt
from extproc.core.fitness import Fitness, Freshness, Shown, fitness_of
from extproc.core.ids import DependencyId, ModelId, RegionId
from extproc.core.reasons import Exclusion
from extproc.core.routing.health import Outcome
from extproc.core.routing.learn import Learned, Probed, Tried, after_attempt, after_probe, standing_of, unlearned
from extproc.core.routing.load import LoadReport
from extproc.core.routing.standing import Standing
from extproc.core.tables import Region

_log = structlog.get_logger(__name__)

# ENVOY: no connection could be made, or no host is healthy. That is unambiguous.
_UNREACHED: Final = frozenset({"UF", "UH"})
# ENVOY: the connection broke, or the answer was late or no HTTP. One poisoned request can cause it, so it must repeat.
_FAILED: Final = frozenset({"UC", "UR", "UT", "UPE"})
# A gateway's own failures. Not 500: one client with a poisoned request must not take a region from all others.
_UNAVAILABLE: Final = frozenset({502, 503, 504})
_ANSWERED: Final = range(100, 500)
_ANEW_S: Final = 0.5
"""A standing that differs only in its age is published as often as this."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CellsSeen:
    """One round of probes of a region. `shown[model]` holds what each cell that answered has said of a model.

    `latency_s` is the least time of those cells with the best outcome, in seconds; `load` the highest load of any.
    """

    outcome: Outcome
    latency_s: float
    load: LoadReport | None = None
    shown: Mapping[ModelId, tuple[Shown, ...]] = field(default_factory=dict)


class Publish(Protocol):
    """Takes what decisions are to see."""

    def standing(self, region: RegionId, standing: Standing) -> None:
        """See a region like this from now on."""
        ...

    def fitness(self, fitness: Fitness, regions: tuple[Region, ...]) -> None:
        """See these regions as unfit from now on, and no others. It was found for the catalogue `regions`."""
        ...


class Board:
    """Learns from observations, in Unix seconds by `clock`. Not for several threads at once."""

    def __init__(
        self,
        regions: Sequence[Region],
        *,
        publish: Publish,
        clock: Callable[[], float],
        in_flight: Callable[[RegionId], int],
        checks_models: bool,
    ) -> None:
        """Learn of `regions`. `in_flight` gives the requests that are in a region now.

        `checks_models` is false where no cells are probed: then nobody can say what they serve, and nothing is unfit.
        """
        self._publish = publish
        self._clock = clock
        self._in_flight = in_flight
        self._checks = checks_models
        self._regions: dict[RegionId, Region] = {}
        self._learned: dict[RegionId, Learned] = {}
        self._published: dict[RegionId, Standing] = {}
        self._shown: dict[RegionId, dict[ModelId, tuple[Shown, ...]]] = {}
        self._fresh: dict[RegionId, dict[DependencyId, Freshness]] = {}
        self._fitness: Fitness | None = None
        self.configure(regions)

    def configure(self, regions: Sequence[Region]) -> None:
        """Learn of these regions from now on; what was learned of those that remain is kept."""
        self._regions = {region.id: region for region in regions}
        self._learned = {each.id: self._learned.get(each.id) or unlearned(each) for each in regions}
        self._fitness = None
        for region in self._regions:
            self._put(region, self._learned[region])
        self.look()

    def attempted(
        self,
        region: RegionId,
        attempt: Attempt,
        *,
        model: ModelId | None = None,
        first_byte_s: float | None = None,
        load: LoadReport | None = None,
    ) -> None:
        """Take an attempt of Envoy's. `first_byte_s` is how long its answer's first byte took, None without one."""
        learned = self._learned.get(region)
        if learned is None:
            return
        tried = Tried(
            outcome=_outcome_of(attempt),
            duration_s=attempt.duration_s if first_byte_s is None else first_byte_s,
            model=model,
            in_flight=self._in_flight(region),
            load=load,
        )
        self._put(region, after_attempt(learned, tried, self._regions[region], now_s=self._clock()))

    def probed(self, region: RegionId, seen: CellsSeen) -> None:
        """Take a round of probes of ours."""
        learned = self._learned.get(region)
        if learned is None:
            return
        probed = Probed(outcome=seen.outcome, latency_s=seen.latency_s, load=seen.load)
        self._put(region, after_probe(learned, probed, in_flight=self._in_flight(region), now_s=self._clock()))
        if seen.shown:
            # A model of which no cell spoke this time keeps its last word, which ages.
            self._shown[region] = {**self._shown.get(region, {}), **seen.shown}
            self.look()

    def depended(self, region: RegionId, dependency: DependencyId, freshness: Freshness) -> None:
        """Take a good probe of something that a region depends on. A failed one tells nothing, and it ages."""
        self._fresh.setdefault(region, {})[dependency] = freshness
        self.look()

    def look(self) -> None:
        """See what only the passing of time has changed. Call it a few times a second."""
        if not self._checks:
            return
        fitness = fitness_of(self._regions.values(), self._shown, self._fresh, now_s=self._clock())
        if fitness == self._fitness:
            return
        _say_what_changed(self._fitness or {}, fitness)
        self._fitness = fitness
        self._publish.fitness(fitness, tuple(self._regions.values()))

    def _put(self, region: RegionId, after: Learned) -> None:
        before = self._learned[region]
        self._learned[region] = after
        if before.health.state is not after.health.state:
            _log.info(
                "region health changed",
                region=region,
                before=before.health.state.value,
                after=after.health.state.value,
            )
        standing = standing_of(after, self._regions[region], now_s=self._clock())
        known = self._published.get(region)
        if known is None or _differs(known, standing):
            self._published[region] = standing
            self._publish.standing(region, standing)


def _outcome_of(attempt: Attempt) -> Outcome | None:
    """Tell how an attempt went; None where it says nothing of the region: a 500, a client that hung up."""
    if _UNREACHED.intersection(attempt.flags):
        return Outcome.UNREACHED
    if attempt.status in _UNAVAILABLE or _FAILED.intersection(attempt.flags):
        return Outcome.FAILED
    return Outcome.OK if attempt.status in _ANSWERED else None


def _differs(known: Standing, new: Standing) -> bool:
    """Tell whether a decision could see the difference, but for the age, which it sees twice a second."""
    if abs(new.observed_at_s - known.observed_at_s) >= _ANEW_S:
        return True
    return known != new and _but_for_age(known) != _but_for_age(new)


def _but_for_age(standing: Standing) -> tuple[object, ...]:
    return (
        standing.state,
        standing.latency_s,
        standing.budget,
        standing.cap,
        standing.cap_until_s,
        standing.up_since_s,
        standing.missing_slo,
    )


def _say_what_changed(before: Fitness, after: Fitness) -> None:
    for model in {*before, *after}:
        was = {each.region: each for each in before.get(model, ())}
        now = {each.region: each for each in after.get(model, ())}
        for region, unfit in now.items():
            if was.get(region) != unfit:
                # Until the first probe nothing has been shown, which is no fault yet.
                say = _log.warning if unfit.why is Exclusion.MODEL_UNVERIFIED else _log.error
                say("a region may not serve a model", region=region, model=model, why=unfit.why, by=unfit.by)
        for region in was.keys() - now.keys():
            _log.info("a region may serve a model again", region=region, model=model)
