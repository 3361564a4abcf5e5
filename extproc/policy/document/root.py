"""The top of the document."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from extproc.core.ids import DataClass, ModelId, RegionId, TenantId
from extproc.core.tables import ConflictMode
from extproc.policy.document.cases import Case
from extproc.policy.document.deployment import Deployment
from extproc.policy.document.evidence import EvidenceEntry
from extproc.policy.document.identity import Identity, Ingress
from extproc.policy.document.law import Regime
from extproc.policy.document.names import ZoneId
from extproc.policy.document.orders import OverrideEntry
from extproc.policy.document.parties import TenantEntry
from extproc.policy.document.places import ModelEntry, RegionEntry, Zone
from extproc.policy.document.signals import Signals


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyDocument:
    """A whole policy as written."""

    identity: Identity
    """`policy:`"""

    ingress: Ingress

    classes: tuple[DataClass, ...]
    """The closed list of data classes, sorted. A class that is declared and not listed is refused."""

    unregulated: tuple[DataClass, ...] = ()
    """Those that are marked `unregulated`, sorted. Default: none."""

    zones: Mapping[ZoneId, Zone]
    """Default: none."""

    regions: Mapping[RegionId, RegionEntry]
    """At least one. Their order means nothing; in the tables they stand sorted by id."""

    models: Mapping[ModelId, ModelEntry]
    """Default: nothing holds for a model but what its regions say."""

    regimes: tuple[Regime, ...]
    """At least one, in order: a region that several exclude is recorded with the first."""

    tenants: Mapping[TenantId, TenantEntry]
    """At least one."""

    signals: Signals

    conflict: ConflictMode = ConflictMode.INTERSECT
    """`conflict: {mode: …}` when signals name different jurisdictions: `intersect` lets all of their laws govern at
    once, `deny` refuses the request, `prefer_verified` lets a verified signal stand against where the address is.
    Default: `intersect`, which travellers and VPN users survive."""

    deployment: Deployment = field(default_factory=Deployment)
    """Default: active-active."""

    evidence: EvidenceEntry = field(default_factory=EvidenceEntry)
    """Default: each decision waits for what `situs serve --durability` says, and records point to nobody."""

    overrides: tuple[OverrideEntry, ...] = ()
    """Default: none."""

    plan_length: int = 2
    """`plan: {length: N}` how many regions a request may be tried in, 1 to 3. Default 2: the primary and one
    fallback. Each plan is a cluster in Envoy's configuration, so their number grows with this power of the regions."""

    session_header: str | None = None
    """`affinity: {header: NAME}` the header that names a request's session, in lower case: its requests stay in one
    region, among those that are as good, where caches are warm. It is hashed and never recorded. A client writes it, so
    it only chooses among permitted regions. Default: none, and each request is one by itself."""

    tests: tuple[Case, ...] = ()
    """Default: none."""
