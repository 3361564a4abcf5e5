"""Tier 1's answers of one policy at many moments, each distinct question asked once.

Two policies of the same operator mostly say the same at most times, in most places, for most tenants. So a question is
known by all that its answer depends on: what the law says (the rulings that count, and the permits that are suspended),
and what the tenant, the model, the deployment and the orders leave of that. Rulings are known by what they grant,
because each epoch has its own copies. Tier 1 is asked for the law; all that is done here is to leave regions out of it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias, TypeVar

from extproc.core.ids import DataClass, Jurisdiction, ModelId, RegionId, RegionMask, TenantId
from extproc.core.jurisdiction import Jurisdictions, Undecided, Verdict, judge
from extproc.core.overrides import Suspension, TargetKind
from extproc.core.reasons import Exclusion, Refusal
from extproc.core.tables import Basis, Epoch, Grant, OnMismatch, Permit, Ruling, Tenant
from extproc.policy.compile import CompiledPolicy

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True, order=True, kw_only=True)
class Ground:
    """A permit on which a region rests, by its name (`eu-gdpr.dpf`)."""

    permit: str
    basis: Basis


@dataclass(frozen=True, slots=True, kw_only=True)
class Stand:
    """A permitted region, and on what it rests; on nothing where no regime governs."""

    region: RegionId
    grounds: tuple[Ground, ...]

    @property
    def is_transfer(self) -> bool:
        """Tell whether sending a request there is a transfer."""
        return any(ground.basis.is_transfer for ground in self.grounds)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What tier 1 answers. `stands` are the permitted regions by id, none if and only if there is a refusal.

    `elsewhere` is set where the law does not permit the region in which the request arrived and the policy does not let
    that pass: the host to which the client is sent, empty where it is refused (421).
    """

    stands: tuple[Stand, ...] = ()
    refusal: Refusal | None = None
    elsewhere: str | None = None

    @property
    def regions(self) -> frozenset[RegionId]:
        """The permitted regions."""
        return frozenset(stand.region for stand in self.stands)


Timeline: TypeAlias = tuple[Answer, ...]
"""One answer for each moment."""

_Law: TypeAlias = tuple[tuple[int, ...], ...]
"""For each moment, the names of the rulings that count."""

_Reaches: TypeAlias = tuple[int | None, ...]
_Hosts: TypeAlias = tuple[str | None, ...]

_OF_LAW: Final = frozenset({Exclusion.NO_PERMIT, Exclusion.CLASS_RULE, Exclusion.PROFILE, Exclusion.PERMIT_SUSPENDED})


class Shared:
    """Answers and their parts, equal ones as one object: those of two askers are compared by what they are."""

    def __init__(self) -> None:
        self._stands: dict[Stand, Stand] = {}
        self._answers: dict[tuple[tuple[int, ...], Refusal | None, str | None], Answer] = {}

    def stand(self, region: RegionId, permits: tuple[Permit, ...]) -> Stand:
        """Give the stand of a region on these permits."""
        grounds = tuple(sorted(Ground(permit=permit.name, basis=permit.basis) for permit in permits))
        made = Stand(region=region, grounds=grounds)
        return self._stands.setdefault(made, made)

    def answer(self, stands: tuple[Stand, ...], elsewhere: str | None) -> Answer:
        """Give the answer of these stands, which came from here."""
        if not stands:
            return self.refusal(Refusal.NO_PERMITTED_REGION)
        key = (tuple(map(id, stands)), None, elsewhere)
        if key not in self._answers:
            self._answers[key] = Answer(stands=stands, elsewhere=elsewhere)
        return self._answers[key]

    def refusal(self, refusal: Refusal) -> Answer:
        """Give the answer that is this refusal."""
        return self._answers.setdefault(((), refusal, None), Answer(refusal=refusal))


@dataclass(frozen=True, slots=True)
class _Lawful:
    """What the law leaves: a stand for each region by its index, None where it excludes it."""

    stands: tuple[Stand | None, ...]
    permitted: RegionMask
    ingress: bool


class Asker:
    """Asks one policy at some moments (Unix seconds)."""

    def __init__(self, compiled: CompiledPolicy, moments: Sequence[float], shared: Shared) -> None:
        self._compiled = compiled
        self._tables = compiled.tables
        self._moments = moments
        self._shared = shared
        self._epochs = [self._tables.epoch_at(at_s) for at_s in moments]
        self._orders = [tuple(o for o in compiled.suspensions if o.in_force(at_s)) for at_s in moments]
        self._standing = [self._not_suspended(orders) for orders in self._orders]
        self._known_grants: dict[int, int] = {}
        self._granted: dict[object, int] = {}
        self._known_rulings: dict[int, int] = {}
        self._ruled: dict[object, int] = {}
        self._laws: dict[tuple[int, tuple[DataClass, ...], Jurisdiction], _Law] = {}
        self._same_law: dict[_Law, _Law] = {}
        self._lawful: dict[object, _Lawful | Refusal] = {}
        self._timelines: dict[object, Timeline] = {}
        self._besides: dict[Jurisdiction, tuple[_Reaches, _Hosts]] = {}
        self._reaches: dict[_Reaches, _Reaches] = {}
        self._hosts: dict[_Hosts, _Hosts] = {}

    def sight(self, place: Jurisdiction) -> tuple[object, ...]:
        """Give all by which any answer can depend on the place."""
        seen: list[object] = []
        for epoch in {id(epoch): epoch for epoch in self._epochs if epoch is not None}.values():
            for rulings in epoch.profiles:
                seen += [id(_of_place(by_place, place)) for by_place in rulings.values()]
            seen.append(self._reach(epoch, place))
            seen.append(_of_place(epoch.redirects, place))
        return tuple(seen)

    def timeline(self, tenant: TenantId, model: ModelId, declared: DataClass | None, place: Jurisdiction) -> Timeline:
        """Answer at every moment; the policy has the tenant, the model and the class."""
        entry = self._tables.tenants[tenant]
        others = {declared, self._tables.models[model].data_class} - {None, entry.data_class}
        classes = (entry.data_class, *sorted(name for name in others if name is not None))
        law = self._law(entry.profile, classes, place)
        reaches, hosts = self._besides_law(place)
        key = (id(law), id(reaches), id(hosts), entry.allowed, model)
        if key not in self._timelines:
            masks = [self._mask(n, entry, model, reach) for n, reach in enumerate(reaches)]

            def answer(n: int) -> Answer:
                lawful = self._ask_law(n, law[n], entry, model, classes, place)
                return self._answer(lawful, masks[n], hosts[n])

            self._timelines[key] = tuple(map(answer, range(len(self._moments))))
        return self._timelines[key]

    def _besides_law(self, place: Jurisdiction) -> tuple[_Reaches, _Hosts]:
        """Give what the pattern leaves and where requests are sent, at each moment; equal ones as one object."""
        if place not in self._besides:
            reaches = tuple(None if epoch is None else self._reach(epoch, place) for epoch in self._epochs)
            hosts = tuple(None if epoch is None else _of_place(epoch.redirects, place) for epoch in self._epochs)
            self._besides[place] = self._reaches.setdefault(reaches, reaches), self._hosts.setdefault(hosts, hosts)
        return self._besides[place]

    def _mask(self, moment: int, tenant: Tenant, model: ModelId, reach: int | None) -> RegionMask:
        """Give the regions that everything but the law leaves."""
        epoch = self._epochs[moment]
        if epoch is None or any(o.kind is TargetKind.MODEL and o.name == model for o in self._orders[moment]):
            return RegionMask(0)
        mask = tenant.allowed & self._tables.models[model].serving & self._standing[moment]
        return RegionMask(mask & epoch.residency.get(model, mask) & (mask if reach is None else reach))

    def _not_suspended(self, orders: tuple[Suspension, ...]) -> int:
        suspended = {order.name for order in orders if order.kind is TargetKind.REGION}
        return sum(1 << i for i, region in enumerate(self._tables.regions) if region.id not in suspended)

    def _law(self, profile: int, classes: tuple[DataClass, ...], place: Jurisdiction) -> _Law:
        """Name the rulings that count at each moment; equal ones give the same object."""
        key = (profile, classes, place)
        if key not in self._laws:
            regulated = [name for name in classes if name not in self._tables.unregulated]
            law = tuple(
                ()
                if epoch is None
                else tuple(sorted({self._name(_of_place(epoch.profiles[profile][name], place)) for name in regulated}))
                for epoch in self._epochs
            )
            self._laws[key] = self._same_law.setdefault(law, law)
        return self._laws[key]

    def _name(self, ruling: Ruling | None) -> int:
        """Give a number that rulings have in common if and only if they grant the same."""
        if ruling is None:
            return -1
        name = self._known_rulings.get(id(ruling))
        if name is None:
            grants = tuple(tuple(self._name_grant(grant) for grant in row) for row in ruling.grants)
            name = self._known_rulings[id(ruling)] = self._ruled.setdefault(grants, len(self._ruled))
        return name

    def _name_grant(self, grant: Grant) -> int:
        name = self._known_grants.get(id(grant))
        if name is None:
            name = self._known_grants[id(grant)] = self._granted.setdefault(grant, len(self._granted))
        return name

    def _ask_law(  # noqa: PLR0913, PLR0917 - one question, and by what it is known
        self,
        moment: int,
        rulings: tuple[int, ...],
        tenant: Tenant,
        model: ModelId,
        classes: tuple[DataClass, ...],
        place: Jurisdiction,
    ) -> _Lawful | Refusal:
        epoch, orders = self._epochs[moment], self._orders[moment]
        if epoch is None:
            return Refusal.POLICY_NOT_IN_FORCE
        # Of the orders, those about permits are what the law depends on.
        key = (rulings, tuple(order.name for order in orders if order.kind is TargetKind.PERMIT))
        if key not in self._lawful:
            try:
                verdict = judge(
                    policy=self._tables,
                    epoch=epoch,
                    tenant=tenant,
                    model=model,
                    jurisdictions=Jurisdictions(names=(place,)),
                    classes=classes,
                    suspensions=orders,
                    now_s=self._moments[moment],
                )
            except Undecided as undecided:
                self._lawful[key] = undecided.refusal
            else:
                self._lawful[key] = self._read(verdict)
        return self._lawful[key]

    def _read(self, verdict: Verdict) -> _Lawful:
        stands = tuple(
            None if each.exclusion in _OF_LAW else self._shared.stand(each.region, each.permits)
            for each in verdict.regions
        )
        permitted = sum(1 << i for i, stand in enumerate(stands) if stand is not None)
        return _Lawful(stands=stands, permitted=RegionMask(permitted), ingress=verdict.ingress)

    def _answer(self, lawful: _Lawful | Refusal, mask: RegionMask, host: str | None) -> Answer:
        if isinstance(lawful, Refusal):
            return self._shared.refusal(lawful)
        left = mask & lawful.permitted
        elsewhere = None
        if not lawful.ingress and self._tables.on_mismatch is not OnMismatch.OBSERVE:
            elsewhere = host or "" if self._tables.on_mismatch is OnMismatch.REDIRECT else ""
        stands = tuple(stand for i, stand in enumerate(lawful.stands) if left >> i & 1 and stand is not None)
        return self._shared.answer(stands, elsewhere)

    def _reach(self, epoch: Epoch, place: Jurisdiction) -> int | None:
        if epoch.reach is None:
            return None
        return epoch.reach.get(place, epoch.reach.get(Jurisdiction(place[:2]), 0))


def _of_place(table: Mapping[Jurisdiction, _T], place: Jurisdiction) -> _T | None:
    """Look a place up as tier 1 does: a subdivision that is not singled out is its country."""
    return table.get(place) or table.get(Jurisdiction(place[:2]))
