"""The one mutable reference of the request path: what decisions are made with at this moment.

A decision takes `current` once and uses nothing else, so no decision ever mixes two policies. Everything reachable from
it is immutable.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from extproc.core.health import NEVER_OBSERVED, RegionHealth
from extproc.core.ids import RegionId
from extproc.core.reading import Reading
from extproc.core.snapshot import Snapshot
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
    """From the name of a region's Envoy cluster to the region."""


class Live:
    """Holds the current state; swapped whole by the watchers, read once by each decision."""

    def __init__(self, configuration: Configuration, keys: Keys | None = None) -> None:
        """Decide by `configuration`. Raises ConfigurationError when it needs erasable keys and there are none."""
        self._keys = keys
        self.configuration = configuration
        self.current = _current(configuration, {}, {}, keys)

    def with_configuration(self, configuration: Configuration) -> Current:
        """Make what :meth:`configure` puts in force; regions that remain keep their health.

        Raises ConfigurationError when it needs erasable keys and there are none.
        """
        return _current(configuration, self._health(), self.current.regions, self._keys)

    def configure(self, configuration: Configuration, made: Current) -> None:
        """Decide by another configuration from now on, with the health of this moment."""
        health = self._health()
        snapshot = made.snapshot
        latest = tuple(health.get(region.id, NEVER_OBSERVED) for region in snapshot.policy.regions)
        self.current = replace(made, snapshot=replace(snapshot, health=latest))
        self.configuration = configuration

    def region_of(self, cluster: str) -> RegionId | None:
        """Give the region of an Envoy cluster; one that was removed is still known, for requests on their way."""
        return self.current.regions.get(cluster)

    def _health(self) -> dict[RegionId, RegionHealth]:
        snapshot = self.current.snapshot
        return {region.id: health for region, health in zip(snapshot.policy.regions, snapshot.health, strict=True)}

    def health_of(self, region: RegionId) -> RegionHealth | None:
        """Give the health of a region, None where the policy no longer has it."""
        index = self.current.snapshot.policy.index.get(region)
        return None if index is None else self.current.snapshot.health[index]

    def observe(self, region: RegionId, health: RegionHealth) -> None:
        """Decide with a region's new health from now on."""
        snapshot = self.current.snapshot
        index = snapshot.policy.index[region]
        changed = (*snapshot.health[:index], health, *snapshot.health[index + 1 :])
        self.current = replace(self.current, snapshot=replace(snapshot, health=changed))


def _current(
    configuration: Configuration,
    health: Mapping[RegionId, RegionHealth],
    known: Mapping[str, RegionId],
    keys: Keys | None,
) -> Current:
    tables = configuration.tables
    return Current(
        snapshot=Snapshot(
            revision=configuration.revision,
            policy=tables,
            suspensions=configuration.suspensions,
            health=tuple(health.get(region.id, NEVER_OBSERVED) for region in tables.regions),
            shadow=configuration.shadow_snapshot,
        ),
        reading=configuration.reading,
        reader=Reader.of(configuration.reading, configuration.locate),
        shadow=None
        if configuration.shadow is None
        else Reader.of(configuration.shadow.reading, configuration.locate_for_shadow),
        sealer=_sealer(configuration, keys),
        regions={**known, **{region.cluster: region.id for region in tables.regions}},
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
