"""A compiled policy: the tables that tier 1 reads, with every region answered at once by a bit mask.

:mod:`extproc.policy.compile` builds these from the written policy; nothing here parses or decides. The domain is
finite (tenants' profiles x data classes x jurisdictions), so lint, coverage and comparison can be exhaustive.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import TypeAlias

from extproc.core.facts import Source
from extproc.core.ids import (
    Country,
    DataClass,
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Region:
    """One entry of the region catalogue. `rtt_s` is a declared round trip in seconds, the least that is expected."""

    id: RegionId
    country: Country
    cluster: str
    models: Mapping[ModelId, str | None]
    """The models that the region is approved to serve, with the approved version or None for any."""
    subdivision: Jurisdiction | None = None
    certs: frozenset[str] = frozenset()
    rtt_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Permit:
    """One dated legal basis under which a regime lets data go somewhere."""

    regime: RegimeId
    id: PermitId
    cite: str
    basis: Basis
    mechanism: MechanismId | None = None
    reference: str = ""
    """The tenant's own reference of the mechanism, such as a certification number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """One regime's answer for one region: the permit that lets data go there, or why none does."""

    regime: RegimeId
    permit: Permit | None
    class_rule: bool = False
    """With no permit: one would have covered the region, but the rule for the data class leaves it out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ruling:
    """What every governing regime says for one (profile, class, jurisdiction).

    `grants[i]` holds one grant per governing regime for the region at index `i`. A region is in `permitted` if and
    only if every one of its grants has a permit.
    """

    permitted: RegionMask
    regimes: tuple[RegimeId, ...]
    grants: tuple[tuple[Grant, ...], ...]


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Epoch:
    """A span of time `[starts_s, ends_s)` in Unix seconds in which no permit begins or ends."""

    starts_s: float
    ends_s: float
    profiles: tuple[Rulings, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyTables:
    """A whole compiled policy; immutable, shared by all decisions until it is swapped.

    `epochs` are contiguous and in order of time. A time before the first or after the last is not covered, and a
    decision at such a time is refused.
    """

    id: str
    version: int
    revision: PolicyRevision
    ingress_region: RegionId
    regions: tuple[Region, ...]
    classes: frozenset[DataClass]
    tenants: Mapping[TenantId, Tenant]
    models: Mapping[ModelId, RegionMask]
    epochs: tuple[Epoch, ...]
    may_replace: Mapping[Source, frozenset[Source]]
    conflict: ConflictMode = ConflictMode.INTERSECT
    plan_length: int = 2
    index: Mapping[RegionId, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        index = {region.id: i for i, region in enumerate(self.regions)}
        object.__setattr__(self, "index", MappingProxyType(index))

    def epoch_at(self, now_s: float) -> Epoch | None:
        """Give the epoch that covers `now_s`, or None where the policy has no rules."""
        for epoch in self.epochs:
            if epoch.starts_s <= now_s < epoch.ends_s:
                return epoch
        return None
