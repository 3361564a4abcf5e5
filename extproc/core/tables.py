"""A compiled policy: the tables that tier 1 reads, with every region answered at once by a bit mask.

:mod:`extproc.policy.compile` builds these from the written policy; nothing here parses or decides. The domain is
finite (tenants' profiles x data classes x jurisdictions), so lint, coverage and comparison can be exhaustive.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, TypeAlias

from extproc.core.facts import Source
from extproc.core.ids import (
    Country,
    DataClass,
    DependencyId,
    Jurisdiction,
    MechanismId,
    ModelId,
    PermitId,
    PolicyRevision,
    RegimeId,
    RegionId,
    RegionMask,
    TenantId,
)
from extproc.core.reasons import Exclusion

_NO_REGION: Final = RegionMask(0)


class Basis(StrEnum):
    """On what basis a permit lets data go to a region. All but the first two make a transfer."""

    INTERNAL = "internal"
    """Inside the regime's own territory: no transfer."""

    UNRESTRICTED = "unrestricted"
    """The regime does not restrict this: no transfer in its sense."""

    ADEQUACY = "adequacy"  # GDPR Art. 45
    SAFEGUARDS = "safeguards"  # GDPR Art. 46
    DEROGATION = "derogation"  # GDPR Art. 49

    @property
    def is_transfer(self) -> bool:
        """Tell whether a decision that rests on this basis is a transfer and is recorded as one."""
        return self not in (Basis.INTERNAL, Basis.UNRESTRICTED)


class ConflictMode(StrEnum):
    """What to do when signals name different jurisdictions."""

    INTERSECT = "intersect"
    DENY = "deny"
    PREFER_VERIFIED = "prefer_verified"
    """A verified signal stands against a geolocation that says otherwise."""


class Profile(StrEnum):
    """How far a policy may go at all."""

    LEGAL_FIRST = "legal-first"
    HYBRID = "hybrid"
    PERFORMANCE_FIRST = "performance-first"


class OnMismatch(StrEnum):
    """What to do with a request that arrived in a region which the regimes do not permit for it."""

    OBSERVE = "observe"
    REDIRECT = "redirect"
    REFUSE = "refuse"


class Pattern(StrEnum):
    """How regions share the work."""

    ACTIVE_ACTIVE = "active-active"
    ACTIVE_PASSIVE = "active-passive"
    REGIONAL_SHARDING = "regional-sharding"
    HUB_AND_SPOKE = "hub-and-spoke"


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """That a region may serve a model. `version` and `digest` are what it must serve then, None for any.

    `slo_s` is the latency in seconds to the first byte of an answer that the policy promises; None for the region's.
    """

    version: str | None = None
    digest: str | None = None
    slo_s: float | None = None

    @property
    def is_bound(self) -> bool:
        """Tell whether a cell must show what it serves."""
        return self.version is not None or self.digest is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovery:
    """What a drill of a region is held to.

    `rto_s` are seconds from the first failure until requests are served again, `rpo_records` how many records of
    decisions may be lost.
    """

    rto_s: float
    rpo_records: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Region:
    """One entry of the region catalogue. `rtt_s` is a declared round trip in seconds, the least that is expected.

    `capacity` is how many requests in flight it is believed to serve well, from which its budget begins; None where
    nothing is declared. `quota` is the most that one sidecar may have in flight there, whatever was learned. `slo_s` is
    the latency that the policy promises. `needs` are what it depends on, with how old in seconds that may be.
    `recovery` is for drills alone; None where they only measure.
    """

    id: RegionId
    country: Country
    cluster: str
    models: Mapping[ModelId, Approval]
    """The models that the region is approved to serve."""
    subdivision: Jurisdiction | None = None
    certs: frozenset[str] = frozenset()
    rtt_s: float | None = None
    capacity: int | None = None
    quota: int | None = None
    slo_s: float | None = None
    needs: Mapping[DependencyId, float] = field(default_factory=dict)
    recovery: Recovery | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """What holds for one model. `serving` are the regions that are approved for it.

    `data_class` is the class that every request to it bears, beside the tenant's own.
    """

    serving: RegionMask
    data_class: DataClass | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Permit:
    """One dated legal basis under which a regime lets data go somewhere."""

    regime: RegimeId
    id: PermitId
    cite: str
    basis: Basis
    mechanism: MechanismId | None = None

    @property
    def name(self) -> str:
        """The name by which an override suspends it: `eu-gdpr.dpf`."""
        return f"{self.regime}.{self.id}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """One regime's answer for one region: the permits that let data go there, in their order, or why none does."""

    regime: RegimeId
    permits: tuple[Permit, ...]
    lacking: Exclusion | None = None
    """With no permit: `no_permit`, or what left out one that would have covered the region."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ruling:
    """What every governing regime says for one (profile of tenants, class, jurisdiction).

    `grants[i]` holds one grant per governing regime for the region at index `i`. A region is in `permitted` if and
    only if every one of its grants has a permit. `obligations` are named with their regime (`ru-152fz.local-copy`).
    """

    permitted: RegionMask
    regimes: tuple[RegimeId, ...]
    grants: tuple[tuple[Grant, ...], ...]
    obligations: tuple[str, ...] = ()


Rulings: TypeAlias = Mapping[DataClass, Mapping[Jurisdiction, Ruling]]
"""A jurisdiction without an entry is ungoverned for that class, and so refused."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tenant:
    """One tenant as a decision needs it. Tenants with equal legal facts share one profile of rulings."""

    id: TenantId
    data_class: DataClass
    exporter: Jurisdiction | None
    allowed: RegionMask
    profile: int
    references: Mapping[MechanismId, str] = field(default_factory=dict)
    """Its own references of the mechanisms it declares, such as a certification number, where it gives one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """How the regions share the work: `ranks[i]` orders the region at index `i`, lower first, whatever its latency.

    `drained` regions take nothing new. `weights[i]` is the share of the region at index `i` among those that are as
    good. `slo_failover` tells whether a region that keeps missing its promised latency comes after those that keep it.
    """

    pattern: Pattern = Pattern.ACTIVE_ACTIVE
    ranks: tuple[int, ...] = ()
    """Empty where all are equal."""
    drained: RegionMask = _NO_REGION
    weights: tuple[int, ...] = ()
    """Empty where none is written, and then requests without a session are not shared out."""
    slo_failover: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Epoch:
    """A span of time `[starts_s, ends_s)` in Unix seconds in which no rule begins or ends.

    `profiles[n]` are the rulings for tenants whose profile is `n`. `residency` has the regions in which a model may be
    at all; a model without an entry is bound nowhere. `reach` has the regions that the deployment's pattern leaves for
    a jurisdiction; None where it leaves all, and a jurisdiction without an entry is left none. `redirects` has the host
    to which a client of a jurisdiction is sent.
    """

    starts_s: float
    ends_s: float
    profiles: tuple[Rulings, ...]
    residency: Mapping[ModelId, RegionMask] = field(default_factory=dict)
    reach: Mapping[Jurisdiction, RegionMask] | None = None
    redirects: Mapping[Jurisdiction, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyTables:
    """A whole compiled policy; immutable, shared by all decisions until it is swapped.

    `epochs` are contiguous and in order of time. A time before the first or after the last is not covered, and a
    decision at such a time is refused. `assume` are the jurisdictions that an address counts as that geolocation does
    not know; empty where such a request is refused. `unregulated` are classes that no regime governs.
    """

    id: str
    version: int
    revision: PolicyRevision
    ingress_region: RegionId
    regions: tuple[Region, ...]
    classes: frozenset[DataClass]
    tenants: Mapping[TenantId, Tenant]
    models: Mapping[ModelId, Model]
    epochs: tuple[Epoch, ...]
    may_replace: Mapping[Source, frozenset[Source]]
    profile: Profile = Profile.HYBRID
    conflict: ConflictMode = ConflictMode.INTERSECT
    assume: tuple[Jurisdiction, ...] = ()
    unregulated: frozenset[DataClass] = frozenset()
    on_mismatch: OnMismatch = OnMismatch.OBSERVE
    deployment: Deployment = Deployment()
    plan_length: int = 2
    index: Mapping[RegionId, int] = field(init=False, repr=False, compare=False)
    verdicts: dict[object, object] = field(init=False, repr=False, compare=False, default_factory=dict)
    """For tier 1 alone: the verdicts that it has given, by all that they depend on."""

    def __post_init__(self) -> None:
        index = {region.id: i for i, region in enumerate(self.regions)}
        # A plain dictionary, because tables are handed from one process to another and a proxy cannot be.
        object.__setattr__(self, "index", index)

    def epoch_at(self, now_s: float) -> Epoch | None:
        """Give the epoch that covers `now_s`, or None where the policy has no rules."""
        for epoch in self.epochs:
            if epoch.starts_s <= now_s < epoch.ends_s:
                return epoch
        return None
