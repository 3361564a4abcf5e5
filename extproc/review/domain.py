"""The finite domain of a policy: everything that tier 1 can be asked, each thing once.

Tenants that tier 1 cannot tell apart are one kind, and only the moments at which something begins or ends are asked
about, so that lint, comparison and coverage can go through all of it.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from extproc.core.ids import DataClass, Jurisdiction, ModelId, TenantId
from extproc.core.jurisdiction import Jurisdictions, Undecided, Verdict, judge
from extproc.core.reasons import Refusal
from extproc.core.tables import PolicyTables, Tenant
from extproc.policy.compile import CompiledPolicy
from extproc.policy.compile.epochs import jurisdictions_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """Tenants with equal answers, sorted by id. The first stands for all."""

    tenants: tuple[TenantId, ...]
    tenant: Tenant


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One question: data of a class, of subjects in one place, for one model, on behalf of one kind of tenants."""

    kind: Kind
    model: ModelId
    data_class: DataClass
    place: Jurisdiction


def kinds_of(tables: PolicyTables) -> tuple[Kind, ...]:
    """Group the tenants."""
    found: dict[tuple[object, ...], list[Tenant]] = {}
    for id_ in sorted(tables.tenants):
        tenant = tables.tenants[id_]
        found.setdefault((tenant.data_class, tenant.profile, tenant.allowed), []).append(tenant)
    return tuple(Kind(tenants=tuple(each.id for each in group), tenant=group[0]) for group in found.values())


def moments_of(compiled: CompiledPolicy) -> tuple[float, ...]:
    """List the Unix seconds at which answers may change, in order: each epoch's begin, each order's begin and end."""
    starts = [epoch.starts_s for epoch in compiled.tables.epochs]
    orders = [at for order in compiled.suspensions for at in (order.from_s, order.until_s) if at is not None]
    return tuple(sorted({*starts, *(at for at in orders if at > starts[0])}))


def places_of(compiled: CompiledPolicy) -> tuple[Jurisdiction, ...]:
    """List every country, and every subdivision that the policy singles out."""
    return tuple(jurisdictions_of(compiled.document))


def cells_of(compiled: CompiledPolicy) -> Iterator[Cell]:
    """Go through all questions: each kind with its own class and with every other class declared beside."""
    tables = compiled.tables
    for kind in kinds_of(tables):
        for model in tables.models:
            for data_class in sorted(tables.classes):
                for place in places_of(compiled):
                    yield Cell(kind=kind, model=model, data_class=data_class, place=place)


def answer(compiled: CompiledPolicy, cell: Cell, now_s: float) -> Verdict | Refusal:
    """Give tier 1's verdict for one cell, or why there is none. An empty verdict is `no_permitted_region` to a request.

    The class of the cell counts beside the tenant's own and the model's, as it does for a request that declares it.
    """
    tables = compiled.tables
    epoch = tables.epoch_at(now_s)
    if epoch is None:
        return Refusal.POLICY_NOT_IN_FORCE
    tenant, model = cell.kind.tenant, tables.models[cell.model]
    beside = {cell.data_class} if model.data_class is None else {cell.data_class, model.data_class}
    try:
        return judge(
            policy=tables,
            epoch=epoch,
            tenant=tenant,
            model=cell.model,
            jurisdictions=Jurisdictions(names=(cell.place,)),
            classes=(tenant.data_class, *sorted(beside - {tenant.data_class})),
            suspensions=compiled.suspensions,
            now_s=now_s,
        )
    except Undecided as undecided:
        return undecided.refusal
