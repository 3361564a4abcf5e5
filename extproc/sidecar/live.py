"""The one mutable reference of the request path: what decisions are made with at this moment.

A decision takes `current` once and uses nothing else, so no decision ever mixes two policies. Everything reachable from
it is immutable.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from extproc.core.fitness import Fitness, held
from extproc.core.ids import RegionId
from extproc.core.reading import Reading
from extproc.core.routing.standing import UNSEEN, Standing
from extproc.core.snapshot import Snapshot
from extproc.core.tables import Region
from extproc.detect import Classifier
from extproc.sealed.keys import Keys
from extproc.sealed.sealer import Sealer
from extproc.sidecar.configuration import Configuration
from extproc.sidecar.fitting import ConfigurationError
from extproc.wire.request import Locate, RequestReader


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """What turns requests into facts for one policy. `payloads` is None where the policy does not look at them."""

    requests: RequestReader
    payloads: Classifier | None

    @classmethod
    def of(cls, reading: Reading, locate: Locate) -> "Reader":
        """Make the reader that a policy asks for."""
        payloads = None if reading.payload is None else Classifier(reading.payload)
        return cls(requests=RequestReader(reading, locate), payloads=payloads)


@dataclass(frozen=True, slots=True, kw_only=True)
class Current:
    """A snapshot and the readers of requests that belong to it. `shadow` is None where no shadow policy is loaded."""

    snapshot: Snapshot
    reading: Reading
    reader: Reader
    shadow: Reader | None
    sealer: Sealer | None
    """Makes what records hold of a person; None where the policy has nothing of it kept."""
    regions: Mapping[str, RegionId]
    """From each name of a region's Envoy cluster to the region."""
    catalogue: tuple[RegionId, ...]
    """The policy's regions, in its order."""
    weights: tuple[int, ...]
    """Of the regions, in the same order; empty where all are equal."""


class Live:
    """Holds the current state; swapped whole by the watchers, read once by each decision."""

    def __init__(
        self,
        configuration: Configuration,
        keys: Keys | None = None,
        *,
        checks_models: bool = False,
        clusters: Mapping[str, RegionId] | None = None,
    ) -> None:
        """Decide by `configuration`. Raises ConfigurationError when it needs erasable keys and there are none.

        `clusters` has the region of each cluster that Envoy reports by another name than the policy's.

        `checks_models` tells that somebody finds out which regions are fit. What that one has not held against the
        policy in force yet is then unfit; else nothing is, because nobody can say.
        """
        self._keys = keys
        self._checks = checks_models
        self._fitness: Fitness = {}
        self._fitness_of: Sequence[Region] = ()
        self.configuration = configuration
        fitness = self._believed(configuration.tables.regions)
        self.current = _current(configuration, {}, fitness, clusters or {}, keys)

    def with_configuration(self, configuration: Configuration) -> Current:
        """Make what :meth:`configure` puts in force; regions that remain keep their standing.

        Raises ConfigurationError when it needs erasable keys and there are none.
        """
        fitness = self._believed(configuration.tables.regions)
        return _current(configuration, self._standings(), fitness, self.current.regions, self._keys)

    def configure(self, configuration: Configuration, made: Current) -> None:
        """Decide by another configuration from now on, with what is known of the regions at this moment."""
        standings = self._standings()
        snapshot = made.snapshot
        regions = snapshot.policy.regions
        latest = tuple(standings.get(region.id, UNSEEN) for region in regions)
        self.current = replace(made, snapshot=replace(snapshot, standings=latest, fitness=self._believed(regions)))
        self.configuration = configuration

    def region_of(self, cluster: str) -> RegionId | None:
        """Give the region of an Envoy cluster; one that was removed is still known, for requests on their way."""
        return self.current.regions.get(cluster)

    def _standings(self) -> dict[RegionId, Standing]:
        snapshot = self.current.snapshot
        return {region.id: each for region, each in zip(snapshot.policy.regions, snapshot.standings, strict=True)}

    def standing(self, region: RegionId, standing: Standing) -> None:
        """Decide with a region's new standing from now on; one that the policy no longer has is nothing to us."""
        snapshot = self.current.snapshot
        index = snapshot.policy.index.get(region)
        if index is None:
            return
        changed = (*snapshot.standings[:index], standing, *snapshot.standings[index + 1 :])
        self.current = replace(self.current, snapshot=replace(snapshot, standings=changed))

    def fitness(self, fitness: Fitness, regions: Sequence[Region]) -> None:
        """Decide with these regions as unfit from now on, and no others. It was found for the catalogue `regions`.

        Whoever found it may not have heard of the policy in force yet, or of a newer one already. What that policy asks
        and the catalogue did not is unfit.
        """
        self._fitness, self._fitness_of = fitness, regions
        snapshot = self.current.snapshot
        self.current = replace(
            self.current, snapshot=replace(snapshot, fitness=self._believed(snapshot.policy.regions))
        )

    def _believed(self, regions: Sequence[Region]) -> Fitness:
        """Give the fitness to decide with by a policy that has these regions."""
        if not self._checks or tuple(regions) == tuple(self._fitness_of):
            return self._fitness
        return held(self._fitness, self._fitness_of, regions)


def _current(
    configuration: Configuration,
    standings: Mapping[RegionId, Standing],
    fitness: Fitness,
    known: Mapping[str, RegionId],
    keys: Keys | None,
) -> Current:
    tables = configuration.tables
    return Current(
        snapshot=Snapshot(
            revision=configuration.revision,
            policy=tables,
            suspensions=configuration.suspensions,
            standings=tuple(standings.get(region.id, UNSEEN) for region in tables.regions),
            fitness=fitness,
            shadow=configuration.shadow_snapshot,
        ),
        reading=configuration.reading,
        reader=Reader.of(configuration.reading, configuration.locate),
        shadow=None
        if configuration.shadow is None
        else Reader.of(configuration.shadow.reading, configuration.locate_for_shadow),
        sealer=_sealer(configuration, keys),
        regions={**known, **{region.cluster: region.id for region in tables.regions}},
        catalogue=tuple(region.id for region in tables.regions),
        weights=tables.deployment.weights,
    )


def _sealer(configuration: Configuration, keys: Keys | None) -> Sealer | None:
    """Give what makes pseudonyms and sealed blocks, where the policy asks for any."""
    evidence = configuration.reading.evidence
    if not evidence.is_private:
        return None
    if keys is None:
        raise ConfigurationError(
            f"the policy {configuration.tables.id} has records keep pseudonyms or sealed blocks (evidence.subject, "
            "evidence.sealed), and there is no store for their keys. Mend: name one with --key-store, or remove them"
        )
    return Sealer(keys, evidence)
