"""What an explanation holds, as plain data: everything that the text says, for programs too."""

from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum

from extproc.core.facts import Source, Tier
from extproc.core.ids import DataClass, Jurisdiction, MechanismId, ModelId, RegimeId, RegionId, TenantId
from extproc.core.reasons import Exclusion, Refusal
from extproc.core.tables import Basis, Profile
from extproc.policy.document import Confidence


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalNote:
    """One signal: what it says, and whether that counts. `jurisdiction` is None where it does not know."""

    source: Source
    tier: Tier
    jurisdiction: Jurisdiction | None
    counts: bool
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassNote:
    """One data class under which the request is judged, and where it comes from."""

    data_class: DataClass
    words: str
    unregulated: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class GoverningNote:
    """One regime that governs, and by which of its conditions: `because` holds one sentence for each."""

    regime: RegimeId
    because: tuple[str, ...]
    verified: bool
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PermitNote:
    """One permit with all that was written about it; `as_of` and `review_by` are the policy's where it has none."""

    name: str
    cite: str
    basis: Basis
    mechanism: MechanismId | None
    declared: bool
    """Whether the tenant has declared the mechanism; true where none is needed."""
    reference: str
    """The tenant's own, of the mechanism."""
    as_of: date
    valid_from: date | None
    valid_until: date | None
    review_by: date
    confidence: Confidence | None
    risk: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NearMiss:
    """A permit that reaches where the region stands, and what keeps it from counting."""

    permit: PermitNote
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """What one governing regime says of one region: the permit on which it rests, or why there is none.

    `classes` are those of the request for which it says so. `order` is the legal order that suspends the permits.
    """

    regime: RegimeId
    classes: tuple[DataClass, ...]
    permit: PermitNote | None
    lacking: Exclusion | None = None
    order: str | None = None
    words: str = ""
    belongs: tuple[str, ...] = ()
    """By what the region's place belongs to the zones that the permit names, with its dates."""
    near: tuple[NearMiss, ...] = ()


class ChangeKind(StrEnum):
    """What kind of thing would have to change."""

    MECHANISM = "mechanism"
    CERTIFICATION = "certification"
    OPERATOR = "operator"
    REGIME = "regime"
    PROFILE = "profile"
    ORDER = "order"
    TIME = "time"
    PERMIT = "permit"
    DATA_CLASS = "data_class"
    SIGNAL = "signal"
    ALLOW = "allow"
    MODEL = "model"
    RESIDENCY = "residency"
    DEPLOYMENT = "deployment"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A change that was tried by asking again, and that changes the answer for a region. One kind for each part.

    Only a regime that is missing is named untried: what it would permit is its author's to write.
    """

    kinds: tuple[ChangeKind, ...]
    words: str
    on: date | None = None
    """When it happens by itself; None where somebody has to do something."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RegionNote:
    """One region: permitted or excluded, by what, and what would change that."""

    region: RegionId
    place: Jurisdiction
    permitted: bool
    exclusion: Exclusion | None
    excluded_by: str | None
    words: str
    grounds: tuple[Ground, ...]
    transfer: bool
    changes: tuple[Change, ...]
    """For an excluded region what would permit it, for a permitted one what would take it away."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proviso:
    """What else is asked of permitted regions when a request comes; `excluded_by` are the reasons if it is not so."""

    regions: tuple[RegionId, ...]
    words: str
    excluded_by: tuple[Exclusion, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class DutyNote:
    """One obligation that follows."""

    name: str
    duty: str
    cite: str


@dataclass(frozen=True, slots=True, kw_only=True)
class IngressNote:
    """Whether the policy's regimes permit the region in which the request arrives; None where no law could be named."""

    region: RegionId
    permitted: bool | None
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """One question to a policy and all that led to its answer."""

    policy: str
    version: int
    revision: str
    profile: Profile
    at: str
    review_by: date
    overdue: bool
    """Whether the policy's review is overdue at this time."""
    tenant: TenantId
    bound_by: str
    exporter: Jurisdiction | None
    model: ModelId
    refusal: Refusal | None
    redirect: str | None
    answer: str
    signals: tuple[SignalNote, ...]
    jurisdictions: tuple[Jurisdiction, ...]
    classes: tuple[ClassNote, ...]
    governing: tuple[GoverningNote, ...]
    silent: tuple[RegimeId, ...]
    """The regimes of the policy that do not govern."""
    unconsidered: tuple[str, ...]
    """Whose law was not considered: sentences about places for which no regime speaks, or which are not known well."""
    regions: tuple[RegionNote, ...]
    """Empty where tier 1 defines no answer."""
    remedies: tuple[Change, ...]
    """What would give a request that is refused as a whole an answer that permits something."""
    duties: tuple[DutyNote, ...]
    ingress: IngressNote
    provisos: tuple[Proviso, ...] = ()
    """What no policy can tell of the permitted regions, and drains, which are no exclusion."""
    asked_about: tuple[RegionId, ...] = ()
    """The regions that the question is about, the only ones in `regions` then; empty where it is about all."""

    def about(self, asked: tuple[RegionId, ...]) -> "Explanation":
        """Give the explanation of these regions alone. The answer stays that about all."""
        regions = tuple(each for each in self.regions if each.region in asked)
        left = ((each, tuple(region for region in each.regions if region in asked)) for each in self.provisos)
        provisos = tuple(replace(each, regions=those) for each, those in left if those)
        return replace(self, regions=regions, provisos=provisos, asked_about=asked)
