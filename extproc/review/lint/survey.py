"""What tier 1 permits over the whole domain of a policy.

Places for which the same rulings count are one group, and a ruling's mask already says which regions every governing
regime permits, so an answer is a few operations on bits: sixty regimes over sixty regions for fifty tenants are
hundreds of thousands of questions. That the masks say what tier 1 says is held by a test over random policies; where an
order suspends a permit, and wherever reasons are wanted, tier 1 itself is asked.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from extproc.core.ids import DataClass, Jurisdiction, ModelId, RegionMask, TenantId
from extproc.core.jurisdiction import Verdict
from extproc.core.overrides import Suspension, TargetKind
from extproc.core.reasons import Refusal
from extproc.core.tables import Epoch, Ruling
from extproc.policy.compile import CompiledPolicy
from extproc.review.domain import Cell, Kind, answer, kinds_of, places_of

_EVERY = RegionMask(-1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What is permitted, and whether the law permits the region in which requests arrive."""

    permitted: RegionMask
    ingress: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class _Group:
    """Places alike. `law` are the regions that every governing regime permits; None where no regime governs."""

    places: tuple[Jurisdiction, ...]
    law: RegionMask | None
    reach: RegionMask


class Survey:
    """Answers for every place, and keeps what it worked out."""

    def __init__(self, compiled: CompiledPolicy, *, orders: bool = True) -> None:
        self._compiled = compiled if orders else replace(compiled, suspensions=())
        self._places = places_of(compiled)
        self.kinds = kinds_of(compiled.tables)
        """The kinds of tenants, each once."""
        self._kinds = {tenant: kind for kind in self.kinds for tenant in kind.tenants}
        self._index = {str(id_): i for id_, i in compiled.tables.index.items()}
        self._groups: dict[object, list[_Group]] = {}
        self._rows: dict[object, tuple[Ruling | None, ...]] = {}
        self._grounds: dict[object, tuple[str, ...]] = {}

    def kind_of(self, tenant: TenantId) -> Kind:
        """Give the kind of one tenant."""
        return self._kinds[tenant]

    def answers(
        self, kind: Kind, model: ModelId, data_class: DataClass, at_s: float
    ) -> list[tuple[tuple[Jurisdiction, ...], Answer]]:
        """Answer for every place at a time that the policy covers; `data_class` counts beside the tenant's own.

        Which places stand together depends on the policy alone, and never on orders.
        """
        tables = self._compiled.tables
        epoch = tables.epoch_at(at_s)
        if epoch is None:
            return []
        orders = [order for order in self._compiled.suspensions if order.in_force(at_s)]
        groups = self._grouped(epoch, kind.tenant.profile, self._classes(kind, model, data_class))
        if any(order.kind is TargetKind.PERMIT for order in orders):
            return [(each.places, self._ask(kind, model, data_class, each.places[0], at_s)) for each in groups]
        left = self._left(kind, model, epoch, orders)
        ingress = tables.index[tables.ingress_region]
        return [
            (
                each.places,
                Answer(permitted=RegionMask(0), ingress=False)
                if each.law is None
                else Answer(permitted=RegionMask(each.law & each.reach & left), ingress=bool(each.law >> ingress & 1)),
            )
            for each in groups
        ]

    def rulings(self, epoch: Epoch, profile: int, data_class: DataClass) -> tuple[Ruling | None, ...]:
        """Give the ruling for each place that there is, in their order; None where no regime governs it."""
        key = (epoch.starts_s, profile, data_class)
        if key not in self._rows:
            table = epoch.profiles[profile][data_class]
            self._rows[key] = tuple([table.get(each) or table.get(Jurisdiction(each[:2])) for each in self._places])
        return self._rows[key]

    def grounds(
        self, kind: Kind, model: ModelId, data_class: DataClass, place: Jurisdiction, at_s: float
    ) -> tuple[str, ...]:
        """Say what removed regions for one place, in tier 1's words, or why there is no answer."""
        tables = self._compiled.tables
        epoch = tables.epoch_at(at_s)
        rulings = [] if epoch is None else self._rulings(epoch, kind, model, data_class, place)
        # Where the law leaves nothing, nobody else's reasons are looked at.
        lawless = bool(rulings) and _law(rulings) == 0
        besides = None if lawless else (kind.tenant.allowed, model, data_class, place)
        orders = tuple(order.id for order in self._compiled.suspensions if order.in_force(at_s))
        key = (None if epoch is None else epoch.starts_s, tuple(map(id, rulings)), orders, besides)
        if key not in self._grounds:
            self._grounds[key] = self._why(kind, model, data_class, place, at_s)
        return self._grounds[key]

    def _why(
        self, kind: Kind, model: ModelId, data_class: DataClass, place: Jurisdiction, at_s: float
    ) -> tuple[str, ...]:
        found = answer(self._compiled, Cell(kind=kind, model=model, data_class=data_class, place=place), at_s)
        if isinstance(found, Refusal):
            return (found.value,)
        grounds = {
            f"{each.exclusion.value} of {each.excluded_by}" if each.excluded_by else each.exclusion.value
            for each in found.regions
            if each.exclusion is not None
        }
        return tuple(sorted(grounds))

    def _classes(self, kind: Kind, model: ModelId, data_class: DataClass) -> frozenset[DataClass]:
        of_model = self._compiled.tables.models[model].data_class
        own = kind.tenant.data_class
        return frozenset({own, data_class} if of_model is None else {own, data_class, of_model})

    def _rulings(
        self, epoch: Epoch, kind: Kind, model: ModelId, data_class: DataClass, place: Jurisdiction
    ) -> list[Ruling | None]:
        regulated = sorted(self._classes(kind, model, data_class) - self._compiled.tables.unregulated)
        by_class = [epoch.profiles[kind.tenant.profile][name] for name in regulated]
        return [table.get(place) or table.get(Jurisdiction(place[:2])) for table in by_class]

    def _ask(self, kind: Kind, model: ModelId, data_class: DataClass, place: Jurisdiction, at_s: float) -> Answer:
        found = answer(self._compiled, Cell(kind=kind, model=model, data_class=data_class, place=place), at_s)
        if isinstance(found, Verdict):
            return Answer(permitted=found.permitted, ingress=found.ingress)
        return Answer(permitted=RegionMask(0), ingress=False)

    def _left(self, kind: Kind, model: ModelId, epoch: Epoch, orders: list[Suspension]) -> RegionMask:
        """Give the regions that all but the law leave: the tenant, the model, and orders about regions and models."""
        tables = self._compiled.tables
        left = kind.tenant.allowed & tables.models[model].serving & epoch.residency.get(model, _EVERY)
        for order in orders:
            if order.kind is TargetKind.MODEL and order.name == model:
                left = 0
            elif order.kind is TargetKind.REGION and order.name in self._index:
                left &= ~(1 << self._index[order.name])
        return RegionMask(left)

    def _grouped(self, epoch: Epoch, profile: int, classes: frozenset[DataClass]) -> list[_Group]:
        """Group the places for which the same rulings count and to which the same regions are left."""
        key = (epoch.starts_s, profile, classes)
        if key not in self._groups:
            regulated = sorted(classes - self._compiled.tables.unregulated)
            rows = [self.rulings(epoch, profile, name) for name in regulated]
            groups: dict[tuple[tuple[int, ...], int], tuple[tuple[Ruling | None, ...], list[Jurisdiction]]] = {}
            for i, place in enumerate(self._places):
                rulings = tuple([row[i] for row in rows])
                country = Jurisdiction(place[:2])
                reach = _EVERY if epoch.reach is None else epoch.reach.get(place, epoch.reach.get(country, 0))
                # Rulings are shared: the same answer is the same object, which the tables keep alive.
                _, places = groups.setdefault((tuple(map(id, rulings)), reach), (rulings, []))
                places.append(place)
            self._groups[key] = [
                _Group(places=tuple(places), law=_law(rulings), reach=RegionMask(reach))
                for (_, reach), (rulings, places) in groups.items()
            ]
        return self._groups[key]


def _law(rulings: Iterable[Ruling | None]) -> RegionMask | None:
    """Intersect what the rulings permit; None where one class is governed by none."""
    law = int(_EVERY)
    for ruling in rulings:
        if ruling is None:
            return None
        law &= ruling.permitted
    return RegionMask(law)
