"""Tier 1: which regions may process a request.

Three questions in order, each of which can only narrow: whose law claims the data (`jurisdictions_of`), what data it
is (`classes_of`), and where that law, the tenant, the model and the legal overrides let it go (`judge`). Deny
wins; whatever is not defined raises :class:`Undecided`.

It does not look at health, latency or load: that is tier 2.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from extproc.core.facts import RequestFacts, Tier
from extproc.core.ids import DataClass, Jurisdiction, ModelId, OverrideId, RegimeId, RegionId, RegionMask
from extproc.core.overrides import Suspension
from extproc.core.reasons import Exclusion, Refusal
from extproc.core.tables import ConflictMode, Epoch, Permit, PolicyTables, Ruling, Rulings, Tenant


class Undecided(Exception):  # noqa: N818 - not an error of the program: the answer is a refusal
    """Tier 1 cannot define an answer; `refusal` says why."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.value)
        self.refusal = refusal


@dataclass(frozen=True, slots=True, kw_only=True)
class RegionVerdict:
    """Tier 1's answer for one region.

    `permits` are the permits that cover it, one per regime that governs the request. `exclusion` is None if and only
    if the region is permitted; `excluded_by` names the regime or the override that removed it.
    """

    region: RegionId
    permits: tuple[Permit, ...]
    exclusion: Exclusion | None = None
    excluded_by: RegimeId | OverrideId | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Tier 1's answer for every region of the catalogue, in its order."""

    jurisdictions: tuple[Jurisdiction, ...]
    classes: tuple[DataClass, ...]
    regimes: tuple[RegimeId, ...]
    permitted: RegionMask
    regions: tuple[RegionVerdict, ...]


def jurisdictions_of(facts: RequestFacts, policy: PolicyTables) -> tuple[Jurisdiction, ...]:
    """Give the union of what the signals say, after replacement, sorted.

    A verified signal replaces a weaker source only where the policy says so and only if it knows a jurisdiction.
    Unauthenticated signals add to an authenticated one and never stand alone: otherwise sending a header would
    widen.

    Raises Undecided where an authenticated signal that counts does not know, or there is none, or the signals
    differ and the policy says to refuse then.
    """
    replaced = {
        source
        for signal in facts.signals
        if signal.jurisdiction is not None and signal.tier <= Tier.VERIFIED_CLAIM
        for source in policy.may_replace.get(signal.source, ())
    }
    counting = [signal for signal in facts.signals if signal.source not in replaced]
    if not any(signal.tier <= Tier.TRUSTED_EDGE for signal in counting):
        raise Undecided(Refusal.UNKNOWN_JURISDICTION)
    found: set[Jurisdiction] = set()
    for signal in counting:
        if signal.jurisdiction is None:
            raise Undecided(Refusal.UNKNOWN_JURISDICTION)
        found.add(signal.jurisdiction)
    if len(found) > 1 and policy.conflict is ConflictMode.DENY:
        raise Undecided(Refusal.CONFLICTING_SIGNALS)
    return tuple(sorted(found))


def classes_of(facts: RequestFacts, tenant: Tenant, policy: PolicyTables) -> tuple[DataClass, ...]:
    """Give the data classes under which the request is judged: the tenant's own, and a declared one beside it.

    Both are judged and both must permit, so a declaration can only narrow, whatever the classes mean.
    """
    declared = facts.declared_class
    if declared is None or declared == tenant.data_class:
        return (tenant.data_class,)
    if declared not in policy.classes:
        raise Undecided(Refusal.UNKNOWN_CLASS)
    return (tenant.data_class, declared)


def judge(  # noqa: PLR0913 - the facts of tier 1, each by name
    *,
    policy: PolicyTables,
    epoch: Epoch,
    tenant: Tenant,
    model: ModelId,
    jurisdictions: tuple[Jurisdiction, ...],
    classes: tuple[DataClass, ...],
    suspensions: Iterable[Suspension],
    now_s: float,
) -> Verdict:
    """Intersect what every regime, the tenant, the model and the overrides permit.

    Raises Undecided where a jurisdiction is governed by no regime for one of the classes, or where no region is
    approved for the model at all. An empty permitted set is a verdict, not an exception.
    """
    serving = policy.models.get(model)
    if serving is None:
        raise Undecided(Refusal.UNKNOWN_MODEL)
    rulings = [
        ruling_for(epoch.profiles[tenant.profile], data_class, jurisdiction)
        for data_class in classes
        for jurisdiction in jurisdictions
    ]
    suspended = {s.region: s.id for s in suspensions if s.in_force(now_s)}

    regions: list[RegionVerdict] = []
    permitted = 0
    for i, region in enumerate(policy.regions):
        verdict = _judge_region(
            region.id,
            rulings,
            i,
            allowed=bool(tenant.allowed >> i & 1),
            serves=bool(serving >> i & 1),
            suspension=suspended.get(region.id),
        )
        regions.append(verdict)
        if verdict.exclusion is None:
            permitted |= 1 << i
    return Verdict(
        jurisdictions=jurisdictions,
        classes=classes,
        regimes=tuple(dict.fromkeys(regime for ruling in rulings for regime in ruling.regimes)),
        permitted=RegionMask(permitted),
        regions=tuple(regions),
    )


def ruling_for(rulings: Rulings, data_class: DataClass, jurisdiction: Jurisdiction) -> Ruling:
    """Look one ruling up; a subdivision that the policy does not single out is judged as its country.

    Raises Undecided where no regime governs.
    """
    by_jurisdiction = rulings[data_class]
    ruling = by_jurisdiction.get(jurisdiction) or by_jurisdiction.get(Jurisdiction(jurisdiction[:2]))
    if ruling is None:
        raise Undecided(Refusal.UNGOVERNED_JURISDICTION)
    return ruling


def _judge_region(  # noqa: PLR0913 - see judge
    region: RegionId,
    rulings: Iterable[Ruling],
    i: int,
    *,
    allowed: bool,
    serves: bool,
    suspension: OverrideId | None,
) -> RegionVerdict:
    """Judge the region at index `i`. The strongest ground is named first: the law, then an order, then choice."""
    permits: dict[Permit, None] = {}
    for ruling in rulings:
        for grant in ruling.grants[i]:
            if grant.permit is None:
                exclusion = Exclusion.CLASS_RULE if grant.class_rule else Exclusion.NO_PERMIT
                return RegionVerdict(region=region, permits=(), exclusion=exclusion, excluded_by=grant.regime)
            permits[grant.permit] = None
    covered = tuple(permits)
    if suspension is not None:
        return RegionVerdict(region=region, permits=covered, exclusion=Exclusion.SUSPENDED, excluded_by=suspension)
    if not allowed:
        return RegionVerdict(region=region, permits=covered, exclusion=Exclusion.TENANT)
    if not serves:
        return RegionVerdict(region=region, permits=covered, exclusion=Exclusion.MODEL)
    return RegionVerdict(region=region, permits=covered)
