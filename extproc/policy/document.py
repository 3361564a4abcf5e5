"""The written policy, field by field: this is the manual of the language.

Everything here is what the operator wrote, checked but not yet compiled. Names that a field takes from the document
(zones, regions, classes, permits, mechanisms) are known to exist. Where the order of a list means nothing, the
parser sorts it, so that documents that mean the same are equal.

A default never changes within one `apiVersion`: the revision of a policy leaves out what has its default.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Final, NewType, TypeAlias

from extproc.core.facts import Source
from extproc.core.ids import (
    Country,
    DataClass,
    Jurisdiction,
    MechanismId,
    ModelId,
    OverrideId,
    PermitId,
    RegimeId,
    RegionId,
    TenantId,
)
from extproc.core.tables import Basis, ConflictMode

API_VERSION: Final = "situs/v1"
"""What `apiVersion` must say: the version of the language, not of the policy."""

ANYWHERE: Final = "anywhere"
"""The word for every place there is. It must be written, because nothing means "everywhere" by being left out."""

ZoneId = NewType("ZoneId", str)
"""A name that the policy gives to a set of places (`EEA`)."""

Territory: TypeAlias = tuple[str, ...]
"""A set of places, sorted: zone names, country codes (`DE`), subdivision codes (`CA-QC`) or the word `anywhere`.

Something is inside when it is inside any of them. A country holds its subdivisions, but what is only known to be in
the country is not held by a subdivision: a regime for `CA-QC` does not govern a request that is located no better
than `CA`. Where the geolocation database does not know subdivisions, write the regime for the country.
"""


class Confidence(StrEnum):
    """How sure the author of a permit is of it. For people and reports; no decision reads it."""

    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


class WhenUnknown(StrEnum):
    """What follows when geolocation does not know an address."""

    DENY = "deny"
    """The request is refused: an undefined decision is never a permission."""


class Effect(StrEnum):
    """What an override does."""

    SUSPEND = "suspend"
    """No decision names the region while the override is in force."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """`policy:` which policy this is, and from when it is in force."""

    id: str
    """A name that stays the same over all versions, such as `acme-prod`. Stands in every record."""

    version: int
    """Counts up from 1 with each change that is put in force. For people; programs compare revisions."""

    as_of: date
    """The day, from its midnight UTC, from which the policy is in force, and whose law it describes. Requests
    before it are refused: nobody has said what was lawful then."""

    review_by: date
    """The day by which somebody must have looked at it again. Not before `as_of`. The policy stays in force after
    it, because an outage on a date is no review; reports warn."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ingress:
    """`ingress:` where requests arrive, and what stands in front."""

    region: RegionId
    """The region in which this sidecar and its Envoy stand."""

    trusted_hops: int
    """`edge: direct` gives 0: clients connect to Envoy themselves. `edge: {trusted_hops: N}` says that N proxies of
    your own stand in front, each adding to `x-forwarded-for`. No default: a wrong number lets clients forge where
    they are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ZoneMember:
    """One place in a zone, for as long as it belongs there."""

    code: Jurisdiction
    """`country:` an ISO 3166-1 alpha-2 code, or `subdivision:` an ISO 3166-2 code. A plain code stands for
    `{country: code}`."""

    cite: str = ""
    """By what it belongs there (`Dec. (EU) 2026/179`). Default: nothing, the zone's own name says it."""

    valid_from: date | None = None
    """First day, from midnight UTC. Default: always was."""

    valid_until: date | None = None
    """Last day, which still counts. Default: no end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Zone:
    """One entry of `zones:` a named set of places."""

    members: tuple[ZoneMember, ...]
    """Sorted by code. `builtin` takes the list that the program ships, which becomes part of the revision: an
    update of the program that changes the list changes the revision too."""

    builtin: bool = False
    """Whether it was written as `builtin`. Default: the members were listed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServedModel:
    """One entry of a region's `models:` an approval to serve the model there."""

    version: str | None = None
    """The only version approved, in quotes because it is a text (`"3"`). Default: any version."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RegionEntry:
    """One entry of `regions:` a place that requests can be routed to."""

    country: Country
    """ISO 3166-1 alpha-2 code of where its machines stand: a fact, which the law then looks at."""

    cluster: str
    """Envoy's name for it (`outbound|443||host.example` under Istio). Default: the region's id. No two regions
    share one, or nobody could tell afterwards where a request went."""

    models: Mapping[ModelId, ServedModel]
    """The models it may serve. May be empty, for a region that only receives requests."""

    subdivision: Jurisdiction | None = None
    """ISO 3166-2 code inside the country, where a regime looks that closely (`CA-QC`). Default: not stated, and
    then no permit for a subdivision covers the region."""

    certs: tuple[str, ...] = ()
    """Certifications that its operator holds (`dpf`, `c5`), sorted; a permit may ask for one. Default: none."""

    rtt_ms: float | None = None
    """Expected round trip from the ingress, in milliseconds, used until one is measured. Default: not known, which
    ranks after every known one."""


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
class AnyOf:
    """`any:` at least one of the conditions holds."""

    any: "tuple[Condition, ...]"


@dataclass(frozen=True, slots=True, kw_only=True)
class AllOf:
    """`all:` every condition holds; also what conditions beside each other mean."""

    all: "tuple[Condition, ...]"


Condition: TypeAlias = SubjectIn | ExporterIn | ClassIn | ClassNot | AnyOf | AllOf


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """`to:` which regions a permit covers. All that is given must hold."""

    within: tuple[Territory, ...]
    """`to: EEA`, `to: [DE, NL]`, or in a table any of `zone:`, `country:`, `subdivision:` and `in:`. The region
    stands in every territory given. At least one; `anywhere` must be written."""

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
class ClassRule:
    """One entry of a regime's `class:` a tighter rule for one data class."""

    only: tuple[PermitId, ...]
    """The only permits that count for the class, sorted. An empty list leaves none: nowhere."""


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


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimMatch:
    """`match: {jwt.CLAIM: VALUE}` the verified token's claim has this value."""

    claim: str
    equals: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AnonymousMatch:
    """`match: anonymous` the request presents no verified token at all. One tenant at most."""


Match: TypeAlias = ClaimMatch | AnonymousMatch


@dataclass(frozen=True, slots=True, kw_only=True)
class Mechanism:
    """One entry of `mechanisms:` a fact that the exporter declares about itself."""

    reference: str = ""
    """The exporter's own reference, such as a certification number; stands in the record of each transfer. Default,
    also written `true`: none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TenantEntry:
    """One entry of `tenants:` on whose behalf data is processed."""

    match: Match
    """How a request is bound to the tenant. A request that matches none is refused."""

    data_class: DataClass
    """`class:` the class of the tenant's data. A request may declare another one beside it, which can only narrow."""

    exporter: Jurisdiction | None = None
    """Country or subdivision in which the party that exports the data is established, for conditions on
    `exporter_in`. Default: none, and only the data subjects' law governs."""

    mechanisms: Mapping[MechanismId, Mechanism]
    """The transfer mechanisms that the exporter has. Default: none, so every permit that needs one is off."""

    allow: tuple[str, ...] | None = None
    """Patterns over region ids (`eu-*`), sorted: the tenant's own restriction, which never adds a region. Default:
    all regions that the law leaves."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JwtSignal:
    """`jwt:` the jurisdiction is a claim of a verified token (tier 1)."""

    claim: str
    """The claim that holds an ISO 3166 code."""

    may_replace: tuple[Source, ...] = ()
    """Signals that do not count when the claim knows a jurisdiction, sorted. Default: none, both count."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GeoipSignal:
    """`geoip:` the jurisdiction is where the client's address is (tier 2)."""

    unknown: WhenUnknown = WhenUnknown.DENY
    """What follows when the address is not known. Default, and the only choice: `deny`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HeaderSignal:
    """`header:` the client declares a jurisdiction (tier 3). Nobody has checked it, so it can only narrow."""

    name: str
    """The header's name in lower case."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Signals:
    """`signals:` what the policy reads of a request. At least one of `geoip` and `jwt` is needed.

    How far each source can be trusted is fixed; `tier:` may say it for the reader, and must then say it right.
    """

    geoip: GeoipSignal | None = None
    """Default: addresses are not looked at."""

    jwt: JwtSignal | None = None
    """Default: no claim states a jurisdiction."""

    header: HeaderSignal | None = None
    """Default: no declared jurisdiction is read."""

    class_header: str | None = None
    """`class: {header: NAME}`: the header in which a client declares a data class. Default: none is read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OverrideEntry:
    """One entry of `overrides:` a legal order that takes effect whatever the rules say."""

    id: OverrideId
    """Unique; stands in the record of each region that it removes."""

    effect: Effect
    region: RegionId

    reason: str
    """Why, in words that may be recorded and shown."""

    from_at: datetime
    """`from:` a moment with its offset (`2026-11-21T09:00:00Z`), or a day, from its midnight UTC."""

    until_at: datetime | None = None
    """`until:` a moment, which no longer counts, or a day, which still counts to its end. Default: until it is
    removed."""

    approved_by: tuple[str, ...]
    """Who approved it, sorted; at least one. Two are better."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyDocument:
    """A whole policy as written."""

    identity: Identity
    """`policy:`"""

    ingress: Ingress

    classes: tuple[DataClass, ...]
    """The closed list of data classes, sorted. A class that is declared and not listed is refused."""

    zones: Mapping[ZoneId, Zone]
    """Default: none."""

    regions: Mapping[RegionId, RegionEntry]
    """At least one. Their order means nothing; in the tables they stand sorted by id."""

    regimes: tuple[Regime, ...]
    """At least one, in order: a region that several exclude is recorded with the first."""

    tenants: Mapping[TenantId, TenantEntry]
    """At least one."""

    signals: Signals

    conflict: ConflictMode = ConflictMode.INTERSECT
    """`conflict: {mode: …}` when signals name different jurisdictions: `intersect` lets all of their laws govern at
    once, `deny` refuses the request. Default: `intersect`, which travellers and VPN users survive."""

    overrides: tuple[OverrideEntry, ...] = ()
    """Default: none."""

    plan_length: int = 2
    """`plan: {length: N}` how many regions a request may be tried in, 1 to 3. Default 2: the primary and one
    fallback. Each plan is a cluster in Envoy's configuration, so their number grows with this power of the regions."""
