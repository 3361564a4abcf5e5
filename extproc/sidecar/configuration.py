"""Everything that a person configures, loaded together: policies, legal overrides and geolocation databases.

One immutable object, replaced whole. Loading either gives all of it or raises and changes nothing, so that a bad file
at start refuses to start and a bad file at reload leaves the last good configuration in force.
"""

import hashlib
import json
from collections.abc import Callable, Container
from dataclasses import asdict, dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from typing import Final, TypeVar

from extproc.bundle.accept import Accepted, accept
from extproc.bundle.apart import accept_apart
from extproc.bundle.bundle import looks_signed
from extproc.bundle.file import FileSource
from extproc.bundle.rollback import Standing, check_rollback
from extproc.bundle.source import Fetched, NotModified, SourceOptions, is_remote
from extproc.bundle.trust import Trust
from extproc.core.facts import Signal
from extproc.core.georules import GeoRules
from extproc.core.ids import ConfigRevision, RegionId
from extproc.core.overrides import Resumption, Suspension, TargetKind
from extproc.core.reading import Reading
from extproc.core.snapshot import Shadow
from extproc.core.tables import PolicyTables
from extproc.geo import AnonymityDatabase, GeoDatabase, GeoIdentity, geolocate
from extproc.policy.compile import CompiledPolicy
from extproc.policy.override_file import Orders, load_orders, names_of
from extproc.sidecar.fitting import ConfigurationError, check_shadow, unseen

_Database = TypeVar("_Database", GeoDatabase, AnonymityDatabase)

PROGRAM_VERSION: Final = version("situs")


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where the policy comes from, and what it is held to.

    `location` is a path, an `https://` address or an `s3://` one. With `trust` the policy must be a bundle that enough
    of those keys signed. `state` is the folder that keeps the last good one. `forced_version` lets exactly that version
    through, whatever was before; only at the start, or an old bundle could come back whenever it is sent again.
    """

    location: str
    trust: Trust | None = None
    state: Path | None = None
    forced_version: int | None = None
    options: SourceOptions = field(default_factory=SourceOptions)

    @property
    def path(self) -> Path | None:
        """The file to watch, None where the policy is elsewhere."""
        return None if is_remote(self.location) else Path(self.location)

    @property
    def counts_versions(self) -> bool:
        """Tell whether every change must count the version up; a plain file at hand need not, but may not go back."""
        return self.trust is not None or self.state is not None or self.path is None


@dataclass(frozen=True, slots=True, kw_only=True)
class Files:
    """Where the configuration is read from. None means that there is no such file.

    `region` is where this sidecar stands, where the policy does not say it for this one.
    """

    policy: Origin
    geo: Path | None = None
    anonymity: Path | None = None
    overrides: Path | None = None
    shadow: Path | None = None
    region: RegionId | None = None

    def all(self) -> tuple[Path, ...]:
        """Give every file there is, for watching."""
        paths = (self.policy.path, self.geo, self.anonymity, self.overrides, self.shadow)
        return tuple(path for path in paths if path is not None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """A loaded configuration. `overrides` are the orders of the override file, `shadow` a candidate policy.

    `resumptions` is what the override file says of orders that ended: no decision is made by it.
    """

    compiled: CompiledPolicy
    standing: Standing
    signers: tuple[str, ...]
    shadow: CompiledPolicy | None
    database: GeoDatabase | None
    anonymity: AnonymityDatabase | None
    overrides: tuple[Suspension, ...]
    resumptions: tuple[Resumption, ...]
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
    def shadow_snapshot(self) -> Shadow | None:
        """What decisions are evaluated beside; the orders of the override file hold for it too."""
        if self.shadow is None:
            return None
        return Shadow(policy=self.shadow.tables, suspensions=(*self.shadow.suspensions, *self.overrides))

    @property
    def inert(self) -> tuple[Suspension, ...]:
        """The orders about what the policy does not have."""
        known = {kind: self.names(kind) for kind in TargetKind}
        return tuple(order for order in self.suspensions if order.name not in known[order.kind])

    def names(self, kind: TargetKind) -> frozenset[str]:
        """Give what the policy has of a kind; permits with their regimes."""
        return names_of(self.compiled, kind)

    @property
    def geo(self) -> GeoIdentity | None:
        """Which geolocation database this is."""
        return None if self.database is None else self.database.identity

    def locate(self, address: str, now_s: float) -> tuple[Signal, ...]:
        """Give the signals of Envoy's `source.address`, as the policy takes them."""
        return self._locate(address, now_s, self.reading.geo)

    def locate_for_shadow(self, address: str, now_s: float) -> tuple[Signal, ...]:
        """Give the signals as the shadow policy takes them."""
        return self._locate(address, now_s, None if self.shadow is None else self.shadow.reading.geo)

    def _locate(self, address: str, now_s: float, rules: GeoRules | None) -> tuple[Signal, ...]:
        return geolocate(
            address, now_s=now_s, rules=rules or GeoRules(), database=self.database, anonymity=self.anonymity
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What was read anew; None for what was not. `fetched` are the bytes that the policy was made of."""

    policy: Accepted | None = None
    fetched: Fetched | None = None
    shadow: CompiledPolicy | None = None
    shadow_removed: bool = False
    orders: Orders | None = None
    database: GeoDatabase | None = None
    anonymity: AnonymityDatabase | None = None


def load_configuration(files: Files, policy: Accepted | None = None) -> Configuration:
    """Load all files, to start by; `policy` is one that was fetched and accepted already.

    Raises DocumentError, BundleError, GeoDatabaseError or ConfigurationError, each naming the file and the mend.
    """
    wanted = frozenset(files.all())
    if policy is None:
        return combine(files, read_parts(files, wanted), None)
    parts = read_parts(files, wanted - {files.policy.path})
    return combine(files, replace(parts, policy=policy), None)


def read_parts(files: Files, changed: Container[Path | None], before: Configuration | None = None) -> Parts:
    """Read the files that `changed` and no others, which may take long, and long after `before` was in force.

    A legal order must wait neither for the checks of a large geolocation database nor for a policy of ten thousand
    tenants, nor for somebody to mend one that was refused; so whoever has an order reads it by itself.
    """
    fetched, policy = read_policy(files.policy, before) if files.policy.path in changed else (None, None)
    # A candidate steers nothing, so taking its file away ends the comparison; one that starts must have it.
    removed = before is not None and files.shadow is not None and not files.shadow.exists()
    return Parts(
        policy=policy,
        fetched=fetched,
        shadow=_read_shadow(files.shadow, files.policy.trust, apart=before is not None)
        if files.shadow is not None and files.shadow in changed and not removed
        else None,
        shadow_removed=removed,
        orders=load_orders(files.overrides) if files.overrides is not None and files.overrides in changed else None,
        database=_load_or_keep(GeoDatabase.load, files.geo, None if before is None else before.database)
        if files.geo is not None and files.geo in changed
        else None,
        anonymity=_load_or_keep(AnonymityDatabase.load, files.anonymity, None if before is None else before.anonymity)
        if files.anonymity is not None and files.anonymity in changed
        else None,
    )


def combine(files: Files, parts: Parts, before: Configuration | None) -> Configuration:
    """Put what was read beside what is in force now. Quick: it reads nothing.

    Raises BundleError for a policy that may not follow the one in force, and ConfigurationError for what does not fit
    together.
    """
    policy = parts.policy
    if policy is not None:
        compiled, standing, signers = _standing_in(files, policy.compiled), policy.standing, policy.signers
        if before is not None:
            _check_successor(files.policy, before.standing, standing)
    elif before is not None:
        compiled, standing, signers = before.compiled, before.standing, before.signers
    else:
        raise ConfigurationError(f"{files.policy.location}: no policy was read. Mend: fetch it")
    _check_databases(files, compiled, "the policy")
    shadow = None if before is None or parts.shadow_removed else before.shadow
    if parts.shadow is not None:
        shadow = _standing_in(files, parts.shadow)
        _check_databases(files, shadow, "the shadow policy")
        check_shadow(compiled.reading, shadow.reading, files.shadow)
    elif shadow is not None and unseen(compiled.reading, shadow.reading):
        shadow = None  # a candidate steers nothing, so it holds up no policy either
    orders = parts.orders
    if orders is None:
        orders = Orders() if before is None else Orders(suspensions=before.overrides, resumptions=before.resumptions)
    combined = Configuration(
        compiled=compiled,
        standing=standing,
        signers=signers,
        shadow=shadow,
        database=parts.database or (before.database if before else None),
        anonymity=parts.anonymity or (before.anonymity if before else None),
        overrides=orders.suspensions,
        resumptions=orders.resumptions,
        revision=ConfigRevision(""),
    )
    return replace(combined, revision=_revision(combined))


def read_policy(origin: Origin, before: Configuration | None) -> tuple[Fetched, Accepted]:
    """Read, check and compile the policy file that changed. Raises DocumentError or BundleError."""
    path = origin.path
    if path is None:
        raise ConfigurationError(f"{origin.location}: no file. Mend: fetch it")
    fetched = FileSource(path).read(None)
    if isinstance(fetched, NotModified):  # only where an etag was given
        raise ConfigurationError(f"{path}: not read. Mend: report this")
    # A running sidecar has requests to answer meanwhile; one that starts has none, and starts sooner by itself.
    accepted = (accept if before is None else accept_apart)(
        fetched.data,
        file=str(path),
        trust=origin.trust,
        last=None if before is None or not origin.counts_versions else before.standing,
        forced_version=origin.forced_version if before is None else None,
    )
    return fetched, accepted


def _check_successor(origin: Origin, last: Standing, new: Standing) -> None:
    """Refuse a way back; where versions are counted, also another policy of the same version."""
    if origin.counts_versions or new.version < last.version:
        check_rollback(last, new)


def _check_databases(files: Files, compiled: CompiledPolicy, what: str) -> None:
    if compiled.reading.geo is not None and files.geo is None:
        raise ConfigurationError(
            f"{what} {compiled.tables.id} reads the signal geoip, but no database is given. "
            "Mend: name one with --geo-db, or remove signals.geoip from the policy"
        )


def _standing_in(files: Files, compiled: CompiledPolicy) -> CompiledPolicy:
    """Give the policy as it holds for a sidecar in `files.region`."""
    if files.region is None or files.region == compiled.tables.ingress_region:
        return compiled
    if files.region not in compiled.tables.index:
        known = ", ".join(compiled.tables.index)
        raise ConfigurationError(
            f"the policy {compiled.tables.id} has no region {files.region}. Mend: name one of {known} with --region"
        )
    return replace(compiled, tables=replace(compiled.tables, ingress_region=files.region))


def _read_shadow(path: Path, trust: Trust | None, *, apart: bool) -> CompiledPolicy:
    """Read a candidate. It steers nothing, so nobody need have signed it; if somebody has, the signature counts."""
    data = FileSource(path).read_whole()
    trust = trust if looks_signed(data) else None
    return (accept_apart if apart else accept)(data, file=str(path), trust=trust).compiled


def _load_or_keep(load: Callable[..., _Database], path: Path, known: _Database | None) -> _Database:
    """Load a database, or keep the loaded one with its warm cache when the file holds the same bytes."""
    loaded = load(path, not_older_than=None if known is None else known.identity.build_epoch)
    if known is not None and known.identity.sha256 == loaded.identity.sha256:
        loaded.close()
        return known
    return loaded


def _revision(loaded: Configuration) -> ConfigRevision:
    canonical = json.dumps(
        {
            "policy": loaded.tables.revision,
            "ingress": loaded.tables.ingress_region,
            "shadow": None if loaded.shadow is None else loaded.shadow.tables.revision,
            "suspensions": [asdict(suspension) for suspension in loaded.suspensions],
            "geo": None if loaded.database is None else loaded.database.identity.sha256,
            "anonymity": None if loaded.anonymity is None else loaded.anonymity.identity.sha256,
            "program": PROGRAM_VERSION,
        },
        sort_keys=True,
        separators=(",", ":"),
    )
    return ConfigRevision("sha256:" + hashlib.sha256(canonical.encode()).hexdigest())
