"""Tier 1: which regions may process a request.

Three questions in order, each of which can only narrow: whose law claims the data (`jurisdictions_of`), what data it
is (`classes_of`), and where that law, the tenant, the model, the deployment and the legal overrides let it go
(`judge`). Deny wins; whatever is not defined raises :class:`Undecided`.

It does not look at health, latency or load: that is tier 2.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from extproc.core.facts import RequestFacts, Signal, Source, Tier
from extproc.core.fitness import Unfit
from extproc.core.ids import (
    DataClass,
    DependencyId,
    Jurisdiction,
    ModelId,
    OverrideId,
    RegimeId,
    RegionId,
    RegionMask,
)
from extproc.core.overrides import Suspension, TargetKind
from extproc.core.reasons import Exclusion, Refusal
from extproc.core.tables import (
    ConflictMode,
    Epoch,
    Grant,
    Model,
    Permit,
    PolicyTables,
    Ruling,
    Rulings,
    Tenant,
)

_KEPT_REGION_VERDICTS: Final = 400_000
"""How many answers for one region are kept for requests to come, over all verdicts; then all are dropped."""


class Undecided(Exception):  # noqa: N818 - not an error of the program: the answer is a refusal
    """Tier 1 cannot define an answer; `refusal` says why."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.value)
        self.refusal = refusal


@dataclass(frozen=True, slots=True, kw_only=True)
class Jurisdictions:
    """Whose law claims the data, sorted. `assumed`: geolocation did not know, and the policy says what then."""

    names: tuple[Jurisdiction, ...]
    assumed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RegionVerdict:
    """Tier 1's answer for one region.

    `permits` are the permits that cover it, one per regime that governs the request. `exclusion` is None if and only
    if the region is permitted; `excluded_by` names the regime, the override or the dependency that removed it.
    """

    region: RegionId
    permits: tuple[Permit, ...]
    exclusion: Exclusion | None = None
    excluded_by: RegimeId | OverrideId | DependencyId | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Tier 1's answer for every region of the catalogue, in its order.

    `ingress` tells whether the law permits the region in which the request arrived. Where no regime is named, every
    class of the request is one that the policy marks as unregulated.
    """

    jurisdictions: Jurisdictions
    classes: tuple[DataClass, ...]
    regimes: tuple[RegimeId, ...]
    obligations: tuple[str, ...]
    permitted: RegionMask
    regions: tuple[RegionVerdict, ...]
    ingress: bool


def jurisdictions_of(facts: RequestFacts, policy: PolicyTables) -> Jurisdictions:
    """Give the union of what the signals say, after replacement.

    A verified signal replaces a weaker source only where the policy says so and only if it knows a jurisdiction.
    Signals that do not stand alone add to one that does: otherwise sending a header would widen.

    Raises Undecided where a signal that counts does not know and nothing is assumed, or none stands alone, or they
    differ and the policy says to refuse then.
    """
    counting = _counting(facts.signals, policy)
    if not any(signal.source.stands_alone for signal in counting):
        raise Undecided(Refusal.UNKNOWN_JURISDICTION)
    found: set[Jurisdiction] = set()
    stated: set[Jurisdiction] = set()
    assumed = False
    for signal in counting:
        if signal.jurisdiction is not None:
            found.add(signal.jurisdiction)
            if signal.source not in (Source.GEOIP_REGISTERED, Source.GEOIP_REPRESENTED):
                stated.add(signal.jurisdiction)
        elif signal.source is Source.GEOIP and policy.assume:
            found.update(policy.assume)
            assumed = True
        else:
            raise Undecided(Refusal.UNKNOWN_JURISDICTION)
    # A country and a part of it do not contradict each other; both count.
    apart = {place for place in stated if not any(other != place and other[:2] == place for other in stated)}
    if len(apart) > 1 and policy.conflict is ConflictMode.DENY:
        raise Undecided(Refusal.CONFLICTING_SIGNALS)
    return Jurisdictions(names=tuple(sorted(found)), assumed=assumed)


def _counting(signals: tuple[Signal, ...], policy: PolicyTables) -> list[Signal]:
    """Leave out the signals that a verified one stands against, as the policy says."""
    known = [each for each in signals if each.jurisdiction is not None and each.tier <= Tier.VERIFIED_CLAIM]
    # The strongest first: what it replaces does not count, so it replaces nothing and stands against nothing.
    replaced: set[Source] = set()
    for each in sorted(known, key=lambda signal: signal.tier):
        if each.source not in replaced:
            replaced.update(policy.may_replace.get(each.source, ()))
    verified = [each for each in known if each.source not in replaced]
    if Source.GEOIP in replaced:
        replaced |= {source for source in Source if source.is_geolocation}
    counting = [each for each in signals if each.source not in replaced]
    if policy.conflict is ConflictMode.PREFER_VERIFIED and verified:
        # An unknown place contradicts nothing, so it still counts, and is refused.
        said = {each.jurisdiction for each in verified}
        counting = [
            each
            for each in counting
            if not each.source.is_geolocation or each.jurisdiction is None or _agrees(each.jurisdiction, said)
        ]
    return counting


def _agrees(place: Jurisdiction, said: set[Jurisdiction | None]) -> bool:
    """Tell whether a place is one that was said, or a part of one."""
    return place in said or Jurisdiction(place[:2]) in said


def classes_of(facts: RequestFacts, tenant: Tenant, model: Model, policy: PolicyTables) -> tuple[DataClass, ...]:
    """Give the data classes under which the request is judged: the tenant's own first, and all others beside it.

    Every one must permit, so a declaration or a finding can only narrow, whatever the classes mean.
    """
    others = [] if model.data_class is None else [model.data_class]
    others += [signal.data_class for signal in facts.classes]
    if not policy.classes.issuperset(others):
        raise Undecided(Refusal.UNKNOWN_CLASS)
    return (tenant.data_class, *sorted(set(others) - {tenant.data_class}))


def judge(  # noqa: PLR0913 - the facts of tier 1, each by name
    *,
    policy: PolicyTables,
    epoch: Epoch,
    tenant: Tenant,
    model: ModelId,
    jurisdictions: Jurisdictions,
    classes: tuple[DataClass, ...],
    suspensions: Iterable[Suspension],
    now_s: float,
    unfit: tuple[Unfit, ...] = (),
) -> Verdict:
    """Intersect what every regime, the tenant, the model, the deployment and the overrides permit.

    `unfit` are the regions that may not serve the model now, for what they serve or what they depend on.

    Raises Undecided where a jurisdiction is governed by no regime for one of the classes, or where no region is
    approved for the model at all. An empty permitted set is a verdict, not an exception.

    Verdicts are kept with the policy by all that they depend on, so that equal questions cost one look.
    """
    orders = tuple(order for order in suspensions if order.in_force(now_s))
    key = (epoch.starts_s, tenant.profile, tenant.allowed, model, jurisdictions, classes, orders, unfit)
    known = policy.verdicts.get(key)
    if isinstance(known, Verdict):
        return known
    verdict = _Bench(policy, epoch, tenant, model, orders, unfit).verdict(jurisdictions, classes)
    if len(policy.verdicts) * len(policy.regions) >= _KEPT_REGION_VERDICTS:
        policy.verdicts.clear()
    policy.verdicts[key] = verdict
    return verdict


class _Bench:
    """All that a verdict is found by, but for the place and the data."""

    def __init__(  # noqa: PLR0913, PLR0917 - all that a verdict depends on
        self,
        policy: PolicyTables,
        epoch: Epoch,
        tenant: Tenant,
        model: ModelId,
        orders: tuple[Suspension, ...],
        unfit: tuple[Unfit, ...],
    ) -> None:
        entry = policy.models.get(model)
        if entry is None:
            raise Undecided(Refusal.UNKNOWN_MODEL)
        self._policy = policy
        self._epoch = epoch
        self._tenant = tenant
        self._model = model
        self._serving = entry.serving
        self._unfit = {each.region: each for each in unfit}
        # The first order about something is the one that is recorded.
        self._suspended = {(order.kind, order.name): order.id for order in reversed(orders)}

    def verdict(self, jurisdictions: Jurisdictions, classes: tuple[DataClass, ...]) -> Verdict:
        policy, epoch = self._policy, self._epoch
        rulings = [
            ruling_for(epoch.profiles[self._tenant.profile], data_class, jurisdiction)
            for data_class in classes
            if data_class not in policy.unregulated
            for jurisdiction in jurisdictions.names
        ]
        reach = self._reach(jurisdictions)
        regions = tuple(self._region(rulings, i, reach) for i in range(len(policy.regions)))
        ingress = policy.index.get(policy.ingress_region)
        return Verdict(
            jurisdictions=jurisdictions,
            classes=classes,
            regimes=tuple(dict.fromkeys(regime for ruling in rulings for regime in ruling.regimes)),
            obligations=tuple(dict.fromkeys(duty for ruling in rulings for duty in ruling.obligations)),
            permitted=RegionMask(sum(1 << i for i, each in enumerate(regions) if each.exclusion is None)),
            regions=regions,
            ingress=ingress is not None and not isinstance(self._law(rulings, ingress), _Excluded),
        )

    def _region(self, rulings: list[Ruling], i: int, reach: RegionMask | None) -> RegionVerdict:
        """Judge the region at index `i`. The strongest ground is named first: the law, then an order, then choice."""
        region = self._policy.regions[i].id
        law = self._law(rulings, i)
        if isinstance(law, _Excluded):
            return RegionVerdict(region=region, permits=(), exclusion=law.why, excluded_by=law.by)
        excluded = self._besides_law(region, i, reach)
        if excluded is not None:
            return RegionVerdict(region=region, permits=law, exclusion=excluded.why, excluded_by=excluded.by)
        return RegionVerdict(region=region, permits=law)

    def _law(self, rulings: list[Ruling], i: int) -> "tuple[Permit, ...] | _Excluded":
        """Give the permits on which the region rests, or the exclusion by the first regime that has none."""
        permits: dict[Permit, None] = {}
        for ruling in rulings:
            for grant in ruling.grants[i]:
                standing = self._standing(grant)
                if isinstance(standing, _Excluded):
                    return standing
                permits[standing] = None
        return tuple(permits)

    def _standing(self, grant: Grant) -> "Permit | _Excluded":
        """Give the first permit of a grant that no order suspends."""
        if not grant.permits:
            return _Excluded(grant.lacking or Exclusion.NO_PERMIT, grant.regime)
        orders = [self._suspended.get((TargetKind.PERMIT, permit.name)) for permit in grant.permits]
        for permit, order in zip(grant.permits, orders, strict=True):
            if order is None:
                return permit
        return _Excluded(Exclusion.PERMIT_SUSPENDED, orders[0])

    def _besides_law(self, region: RegionId, i: int, reach: RegionMask | None) -> "_Excluded | None":
        """Give what else removes the region, if anything does."""
        for kind, name, why in (
            (TargetKind.REGION, region, Exclusion.SUSPENDED),
            (TargetKind.MODEL, self._model, Exclusion.MODEL_SUSPENDED),
        ):
            order = self._suspended.get((kind, name))
            if order is not None:
                return _Excluded(why, order)
        residency = self._epoch.residency.get(self._model)
        for mask, why in (
            (self._tenant.allowed, Exclusion.TENANT),
            (residency, Exclusion.RESIDENCY),
            (self._serving, Exclusion.MODEL),
            (reach, Exclusion.DEPLOYMENT),
        ):
            if mask is not None and not mask >> i & 1:
                return _Excluded(why)
        unfit = self._unfit.get(region)
        return None if unfit is None else _Excluded(unfit.why, unfit.by)

    def _reach(self, jurisdictions: Jurisdictions) -> RegionMask | None:
        """Give the regions that the deployment leaves for all of the jurisdictions; None where it leaves any."""
        table = self._epoch.reach
        if table is None:
            return None
        reach = -1
        for name in jurisdictions.names:
            reach &= table.get(name, table.get(Jurisdiction(name[:2]), 0))
        return RegionMask(reach)


@dataclass(frozen=True, slots=True)
class _Excluded:
    why: Exclusion
    by: RegimeId | OverrideId | DependencyId | None = None


def ruling_for(rulings: Rulings, data_class: DataClass, jurisdiction: Jurisdiction) -> Ruling:
    """Look one ruling up; a subdivision that the policy does not single out is judged as its country.

    Raises Undecided where no regime governs.
    """
    by_jurisdiction = rulings[data_class]
    ruling = by_jurisdiction.get(jurisdiction) or by_jurisdiction.get(Jurisdiction(jurisdiction[:2]))
    if ruling is None:
        raise Undecided(Refusal.UNGOVERNED_JURISDICTION)
    return ruling
