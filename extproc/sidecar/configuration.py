"""Everything that a person configures, loaded together: policy, legal overrides and geolocation database.

One immutable object, replaced whole. Loading either gives all of it or raises and changes nothing, so that a bad file
at start refuses to start and a bad file at reload leaves the last good configuration in force.
"""

import hashlib
import json
from collections.abc import Container
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Final

from extproc.core.facts import Signal, Source, Tier
from extproc.core.ids import ConfigRevision
from extproc.core.overrides import Suspension
from extproc.core.reading import Reading
from extproc.core.tables import PolicyTables
from extproc.geo import GeoDatabase, GeoIdentity
from extproc.geo.signal import signal_of
from extproc.policy.compile import CompiledPolicy
from extproc.policy.load import load_policy
from extproc.policy.override_file import load_overrides

PROGRAM_VERSION: Final = version("situs")

_NOT_CONFIGURED: Final = Signal(source=Source.GEOIP, tier=Tier.TRUSTED_EDGE, jurisdiction=None, detail="not_configured")


class ConfigurationError(Exception):
    """A configuration that cannot be used; the message names the place and the mend."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Files:
    """Where the configuration is read from. None means that there is no such file."""

    policy: Path
    geo: Path | None = None
    overrides: Path | None = None

    def all(self) -> tuple[Path, ...]:
        """Give every file there is, for watching."""
        return tuple(path for path in (self.policy, self.geo, self.overrides) if path is not None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """A loaded configuration. `overrides` are the orders of the override file."""

    compiled: CompiledPolicy
    database: GeoDatabase | None
    overrides: tuple[Suspension, ...]
    revision: ConfigRevision

    @property
    def tables(self) -> PolicyTables:
        """The tables that tier 1 reads."""
        return self.compiled.tables

    @property
    def reading(self) -> Reading:
        """What the policy reads of a request."""
        return self.compiled.reading

    @property
    def suspensions(self) -> tuple[Suspension, ...]:
        """The orders of the policy itself and those of the override file."""
        return (*self.compiled.suspensions, *self.overrides)

    @property
    def inert(self) -> tuple[Suspension, ...]:
        """The orders about regions that the policy does not have."""
        return tuple(order for order in self.suspensions if order.region not in self.tables.index)

    @property
    def geo(self) -> GeoIdentity | None:
        """Which geolocation database this is."""
        return None if self.database is None else self.database.identity

    def locate(self, address: str) -> Signal:
        """Give the geolocation signal of Envoy's `source.address`."""
        return _NOT_CONFIGURED if self.database is None else signal_of(self.database.locate(address))


def load_configuration(
    files: Files, *, before: Configuration | None = None, changed: Container[Path] = ()
) -> Configuration:
    """Load all files, or with `before` only those that `changed`, and keep the rest of it.

    What did not change is not read again: a legal order must wait neither for the checks of a large geolocation
    database nor for somebody to mend a policy that was refused.

    Raises DocumentError, GeoDatabaseError or ConfigurationError, each naming the file and the mend.
    """
    compiled = load_policy(files.policy) if before is None or files.policy in changed else before.compiled
    if compiled.reading.geoip and files.geo is None:
        raise ConfigurationError(
            f"{files.policy}: the policy reads the signal geoip, but no database is given. "
            "Mend: name one with --geo-db, or remove signals.geoip from the policy"
        )
    if files.overrides is None:
        overrides: tuple[Suspension, ...] = ()
    else:
        overrides = (
            load_overrides(files.overrides) if before is None or files.overrides in changed else before.overrides
        )
    if files.geo is None:
        database = None
    else:
        database = _load_database(files.geo, before) if before is None or files.geo in changed else before.database
    identity = None if database is None else database.identity
    return Configuration(
        compiled=compiled,
        database=database,
        overrides=overrides,
        revision=_revision(compiled.tables, (*compiled.suspensions, *overrides), identity),
    )


def check_same_envoy(rendered: Configuration, loaded: Configuration) -> None:
    """Refuse a configuration that an Envoy which was rendered for `rendered` cannot carry out.

    Who may use what is the sidecar's answer and may change at any time. The edge, the clusters and the headers that are
    sent to the sidecar are Envoy's configuration: a plan that Envoy has not would be refused by it, and an edge that
    differs would place clients wrongly. Raises ConfigurationError.
    """
    reasons: list[str] = []
    clusters = {region.cluster for region in rendered.tables.regions}
    if new := [region.id for region in loaded.tables.regions if region.cluster not in clusters]:
        reasons.append(f"it has new regions or clusters ({', '.join(new)})")
    if loaded.tables.plan_length > rendered.tables.plan_length:
        reasons.append("its plans are longer")
    if loaded.reading.trusted_hops != rendered.reading.trusted_hops:
        reasons.append("it declares another edge")
    if headers := sorted(set(loaded.reading.headers) - set(rendered.reading.headers)):
        reasons.append(f"it reads other headers ({', '.join(headers)})")
    if bool(loaded.reading.tenant_by_claim or loaded.reading.residency_claim) > bool(
        rendered.reading.tenant_by_claim or rendered.reading.residency_claim
    ):
        reasons.append("it reads verified claims")
    if reasons:
        raise ConfigurationError(
            f"the changed policy needs another Envoy configuration: {'; '.join(reasons)}. "
            "Mend: render Envoy's configuration anew, restart Envoy with it and then this sidecar"
        )


def _load_database(path: Path, before: Configuration | None) -> GeoDatabase:
    """Load the database, or keep the loaded one with its warm cache when the file holds the same bytes."""
    known = None if before is None else before.database
    not_older_than = None if known is None else known.identity.build_epoch
    loaded = GeoDatabase.load(path, not_older_than=not_older_than)
    if known is not None and known.identity.sha256 == loaded.identity.sha256:
        loaded.close()
        return known
    return loaded


def _revision(tables: PolicyTables, suspensions: tuple[Suspension, ...], geo: GeoIdentity | None) -> ConfigRevision:
    canonical = json.dumps(
        {
            "policy": tables.revision,
            "suspensions": [asdict(suspension) for suspension in suspensions],
            "geo": None if geo is None else geo.sha256,
            "program": PROGRAM_VERSION,
        },
        sort_keys=True,
        separators=(",", ":"),
    )
    return ConfigRevision("sha256:" + hashlib.sha256(canonical.encode()).hexdigest())
