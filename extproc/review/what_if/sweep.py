"""All questions to two states of affairs, and where they are answered differently.

The two may differ in the policy, in the orders, in time and in what is out of service. Places that neither can tell
apart are asked about once, which is what makes it exhaustive in little time.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from extproc.core.ids import DataClass, Jurisdiction, ModelId, RegionId, TenantId
from extproc.core.jurisdiction import Jurisdictions, Undecided, Verdict, judge
from extproc.core.reasons import Refusal
from extproc.core.tables import PolicyTables, Tenant
from extproc.policy.compile import CompiledPolicy
from extproc.review.domain import places_of

PlacesOf: TypeAlias = Callable[[TenantId], frozenset[Jurisdiction]]
"""The places from which a tenant's requests come."""


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """A policy at one moment (Unix seconds), with the regions that are out of service."""

    compiled: CompiledPolicy
    now_s: float
    down: frozenset[RegionId] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What a state answers: the regions that are permitted and in service, sorted, and those of them by transfer.

    `refusal` is set where there are none.
    """

    permitted: tuple[RegionId, ...] = ()
    transfers: tuple[RegionId, ...] = ()
    refusal: Refusal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Equal questions: all tenants and all places of them are answered alike, before and after.

    `data_class` is declared beside the tenants' own; it is their own where nothing is declared.
    """

    tenants: tuple[TenantId, ...]
    model: ModelId
    data_class: DataClass
    places: tuple[Jurisdiction, ...]
    before: Standing
    after: Standing

    @property
    def count(self) -> int:
        """Give how many questions these are: tenants that are alike count once."""
        return len(self.places)


def sweep(before: State, after: State, places: PlacesOf) -> Iterator[Asked]:
    """Ask everything of both. Only what both have (tenants, models, classes) is asked about."""
    one, other = before.compiled.tables, after.compiled.tables
    known = sorted({*places_of(before.compiled), *places_of(after.compiled)})
    for tenants in _kinds(one, other, places):
        here = [place for place in known if place in places(tenants[0])]
        for model in sorted(set(one.models) & set(other.models)):
            for data_class in sorted(one.classes & other.classes):
                sides = (_Side(before, tenants[0], model, data_class), _Side(after, tenants[0], model, data_class))
                for alike in _alike(here, sides):
                    yield Asked(
                        tenants=tenants,
                        model=model,
                        data_class=data_class,
                        places=tuple(alike),
                        before=sides[0].standing(alike[0]),
                        after=sides[1].standing(alike[0]),
                    )


def _kinds(one: PolicyTables, other: PolicyTables, places: PlacesOf) -> list[tuple[TenantId, ...]]:
    """Group the tenants that neither state can tell apart, and whose requests come from the same places."""
    found: dict[tuple[object, ...], list[TenantId]] = {}
    for id_ in sorted(set(one.tenants) & set(other.tenants)):
        key = (_legal(one.tenants[id_]), _legal(other.tenants[id_]), places(id_))
        found.setdefault(key, []).append(id_)
    return [tuple(group) for group in found.values()]


def _legal(tenant: Tenant) -> tuple[object, ...]:
    return tenant.data_class, tenant.profile, tenant.allowed


def _alike(places: Iterable[Jurisdiction], sides: "tuple[_Side, _Side]") -> list[list[Jurisdiction]]:
    groups: dict[tuple[object, ...], list[Jurisdiction]] = {}
    for place in places:
        groups.setdefault((sides[0].sight(place), sides[1].sight(place)), []).append(place)
    return list(groups.values())


class _Side:
    """One state, asked on behalf of one tenant for one model and class."""

    def __init__(self, state: State, tenant: TenantId, model: ModelId, data_class: DataClass) -> None:
        tables = state.compiled.tables
        self._state = state
        self._tables = tables
        self._epoch = tables.epoch_at(state.now_s)
        self._tenant = tables.tenants[tenant]
        self._model = model
        own = self._tenant.data_class
        others = {data_class, tables.models[model].data_class} - {own, None}
        self._classes = (own, *sorted(name for name in others if name is not None))

    def sight(self, place: Jurisdiction) -> tuple[object, ...]:
        """Give all by which an answer can depend on the place: which rulings apply, and what the pattern leaves."""
        if self._epoch is None:
            return ()
        rulings = self._epoch.profiles[self._tenant.profile]
        governed = [name for name in self._classes if name not in self._tables.unregulated]
        seen = tuple(id(_of_place(rulings[name], place)) for name in governed)
        return seen, None if self._epoch.reach is None else _of_place(self._epoch.reach, place)

    def standing(self, place: Jurisdiction) -> Standing:
        """Ask."""
        if self._epoch is None:
            return Standing(refusal=Refusal.POLICY_NOT_IN_FORCE)
        try:
            verdict = judge(
                policy=self._tables,
                epoch=self._epoch,
                tenant=self._tenant,
                model=self._model,
                jurisdictions=Jurisdictions(names=(place,)),
                classes=self._classes,
                suspensions=self._state.compiled.suspensions,
                now_s=self._state.now_s,
            )
        except Undecided as undecided:
            return Standing(refusal=undecided.refusal)
        return _standing(verdict, self._state.down)


def _standing(verdict: Verdict, down: frozenset[RegionId]) -> Standing:
    left = [each for each in verdict.regions if each.exclusion is None and each.region not in down]
    if not left:
        return Standing(refusal=Refusal.NO_SERVING_REGION if verdict.permitted else Refusal.NO_PERMITTED_REGION)
    return Standing(
        permitted=tuple(each.region for each in left),
        transfers=tuple(each.region for each in left if any(permit.basis.is_transfer for permit in each.permits)),
    )


def _of_place(table: Mapping[Jurisdiction, object], place: Jurisdiction) -> object:
    """Look a place up as tier 1 does: a subdivision that is not singled out is its country."""
    return table.get(place) or table.get(Jurisdiction(place[:2]))
