"""`regimes:`: bodies of law, when each governs, and where it lets data go."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import TypeAlias

from extproc.core.ids import DataClass, MechanismId, PermitId, RegimeId
from extproc.core.tables import Basis
from extproc.policy.document.names import Territory


class Confidence(StrEnum):
    """How sure the author of a permit is of it. For people and reports; no decision reads it."""

    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


@dataclass(frozen=True, slots=True, kw_only=True)
class SubjectIn:
    """`subject_in:` the jurisdiction of the request, from any signal that counts, is in the territory."""

    subject_in: Territory


@dataclass(frozen=True, slots=True, kw_only=True)
class ExporterIn:
    """`exporter_in:` the tenant's exporter is established in the territory. False for a tenant without one."""

    exporter_in: Territory


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassIn:
    """`class_in:` the data class is one of these."""

    class_in: tuple[DataClass, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassNot:
    """`class_not:` the data class is none of these."""

    class_not: tuple[DataClass, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TenantHas:
    """`tenant_has:` the tenant has at least one of these attributes."""

    tenant_has: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TenantHasNot:
    """`tenant_has_not:` the tenant has none of these attributes."""

    tenant_has_not: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AnyOf:
    """`any:` at least one of the conditions holds."""

    any: "tuple[Condition, ...]"


@dataclass(frozen=True, slots=True, kw_only=True)
class AllOf:
    """`all:` every condition holds; also what conditions beside each other mean."""

    all: "tuple[Condition, ...]"


Condition: TypeAlias = SubjectIn | ExporterIn | ClassIn | ClassNot | TenantHas | TenantHasNot | AnyOf | AllOf


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """`to:` which regions a permit covers. All that is given must hold."""

    within: tuple[Territory, ...]
    """`to: EEA`, `to: [DE, NL]`, or in a table any of `zone:`, `country:`, `subdivision:` and `in:`. The region
    stands in every territory given. At least one; `anywhere` must be written."""

    not_in: Territory = ()
    """The region stands in none of these places. Default: none is excepted."""

    operator_in: Territory | None = None
    """The operator's seat and every country it administers from are inside. Default: not asked."""

    operator_not_in: Territory = ()
    """Neither the operator's seat nor any country it administers from is inside; a region whose operator is not stated
    is not covered. Default: not asked."""

    certs: tuple[str, ...] = ()
    """`cert:` the region has every one of these certifications. Default: none is asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PermitEntry:
    """One entry of a regime's `permits:` a dated legal basis under which data may go somewhere.

    Permits are tried in the order of the document; the first that covers a region, is enabled and is in force is
    the one that the record names.
    """

    id: PermitId
    """Unique in its regime."""

    to: Destination
    """Which regions it covers."""

    basis: Basis
    """`internal` and `unrestricted` are no transfers; `adequacy`, `safeguards` and `derogation` are, and each
    decision that rests on one is recorded as a transfer. No default: whether data is transferred must be said."""

    cite: str
    """The text of law it rests on. Required: a permit that nobody can look up cannot be reviewed."""

    as_of: date | None = None
    """The day on which somebody last held the citation against its source. Default: the policy's."""

    valid_from: date | None = None
    """First day in force, from midnight UTC. Default: in force whenever the policy is."""

    valid_until: date | None = None
    """Last day in force, which still counts. Default: no end."""

    review_by: date | None = None
    """The day by which somebody must have looked at this permit again. Default: the policy's."""

    confidence: Confidence | None = None
    """How sure the author is. Default: not stated."""

    risk: str = ""
    """What may bring it down (`appeal pending`). Default: nothing known."""

    enabled_by: MechanismId | None = None
    """`tenant.mechanisms.NAME`: the permit is off for every tenant that has not declared this mechanism. Default:
    on for all, which suits permits that need nothing of the exporter."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ObligationEntry:
    """One entry of a regime's `obligations:` what the exporter must do besides, such as keep a copy at home.

    It excludes no region. It stands in the record of each decision that the regime governs.
    """

    id: str
    """Unique in its regime."""

    duty: str
    """What must be done, in words."""

    cite: str

    classes: tuple[DataClass, ...] | None = None
    """The classes for which it holds, sorted. Default: all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassRule:
    """One entry of a regime's `class:` a tighter rule for one data class."""

    only: tuple[PermitId, ...]
    """The only permits that count for the class, sorted. An empty list leaves none: nowhere."""

    cite: str = ""
    """Where the rule comes from: a text of law, or the policy's own caution, which a reader must not take for law.
    Default: nothing is said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Regime:
    """One entry of `regimes:` a body of law that may govern a request.

    Every regime that governs must permit a region. A request that none governs is refused.
    """

    id: RegimeId
    """Unique in the policy; stands in records."""

    when: Condition
    """When it governs. Conditions beside each other must all hold. An empty table is an error: to govern
    everything, write `subject_in: anywhere`."""

    permits: tuple[PermitEntry, ...]
    """In order. An empty list permits nothing: whatever this regime governs is refused."""

    class_rules: Mapping[DataClass, ClassRule]
    """`class:` by data class. Default: every permit counts for every class."""

    obligations: tuple[ObligationEntry, ...] = ()
    """Duties of the exporter that stand apart from where processing may run, in order. Default: none."""

    verified: bool = True
    """`false` marks a regime of which its author could not verify all: reports say so, no decision reads it."""

    note: str = ""
    """For people. Default: nothing."""
