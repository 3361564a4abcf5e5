"""`zones:`, `regions:` and `models:`: places, who runs them, and what may be served there."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

from extproc.core.ids import Country, DataClass, DependencyId, Jurisdiction, ModelId
from extproc.policy.document.names import Territory


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
class Operator:
    """`operator:` who runs a region's machines: some laws look at that as well as at the place."""

    name: str

    hq: Country
    """Where its seat, or its parent's, is."""

    admin_from: tuple[Country, ...]
    """The countries from which its people administer the machines, sorted. Default: the seat's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServedModel:
    """One entry of a region's `models:` an approval to serve the model there."""

    version: str | None = None
    """The only version approved, in quotes because it is a text (`"3"`). A region whose cells show another one, or show
    none, is excluded. Default: any version."""

    digest: str | None = None
    """The only bytes approved: `sha256:` and 64 hex digits in lower case, as the cells show them. A version is a name
    that can be given to other weights; this cannot. Default: any bytes."""

    slo_ms: float | None = None
    """The latency to the first byte of an answer that is promised for this model here, in milliseconds, in place of the
    region's, because models differ more than regions do. Default: the region's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """One entry of a region's `needs:` something beside its cells that it must have to serve, such as a vector store.

    The mesh file says where it is asked; the age is that of its data, or of its last answer where it names no time.
    """

    max_age_s: float
    """How old in seconds it may be. What is older, or does not answer, excludes the region: an answer from a store that
    missed an erasure may be unlawful, not just stale. No default: only its owner knows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecoveryTarget:
    """`recovery:` what a drill of the region is held to. No decision reads it."""

    rto_s: float
    """The most seconds from the first failure until requests are served again (recovery time objective)."""

    rpo_records: int = 0
    """The most records of decisions that may be lost (recovery point objective). Default: 0, because no answer leaves
    before its record is kept."""


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

    operator: Operator | None = None
    """Who runs its machines. Default: not stated, and then no permit that asks about the operator covers the region."""

    certs: tuple[str, ...] = ()
    """Certifications that its operator holds (`dpf`, `c5`), sorted; a permit may ask for one. Default: none."""

    rtt_ms: float | None = None
    """Expected round trip from the ingress, in milliseconds, used until one is measured. Default: not known, which
    ranks after every known one."""

    capacity: int | None = None
    """How many requests in flight one sidecar may have there to begin with. It only seeds a budget that grows while the
    region answers well and shrinks when it does not, so a wrong number is forgotten. Default: a cautious seed."""

    quota: int | None = None
    """The most requests in flight that one sidecar may ever have there, whatever was learned: for what was bought or
    agreed, which no measurement tells. Default: no bound but the learned one."""

    slo_ms: float | None = None
    """The latency to the first byte of an answer that is promised here, in milliseconds. Misses are counted; under
    every profile but `legal-first` a region that keeps missing it comes after the others that are permitted. Default:
    nothing is promised."""

    needs: Mapping[DependencyId, Need] = field(default_factory=dict)
    """What it must have beside its cells to serve, by names that the mesh file uses too. A region that lacks one is
    excluded, whoever asks. Default: nothing."""

    recovery: RecoveryTarget | None = None
    """What a drill of this region is held to. Default: drills measure, and nothing is held against it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelEntry:
    """One entry of `models:` what holds for a model wherever it is served."""

    resident_in: Territory | None = None
    """The only places in which the model may be served (a licence, an export rule for weights). Default: wherever a
    region is approved for it."""

    cite: str = ""
    """By what it is bound there. Required with `resident_in`."""

    data_class: DataClass | None = None
    """`class:` the class that every request to this model bears, beside the tenant's own. Default: none."""
