"""Changes joined as a person would tell them: what happens, and to whose data."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

from extproc.core.ids import DataClass, Jurisdiction, ModelId, RegionId, TenantId
from extproc.core.reasons import Refusal
from extproc.review.difference.answers import Ground, Stand
from extproc.review.difference.model import Change, Difference, Effect, Span


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """Where data may go, where that changes. The refusals are set where either answer is one."""

    lost: tuple[RegionId, ...]
    gained: tuple[Stand, ...]
    refused_before: Refusal | None
    refused_after: Refusal | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Basis:
    """Regions that stay permitted and no longer rest on some permits, or rest on others besides."""

    regions: tuple[RegionId, ...]
    dropped: tuple[Ground, ...]
    added: tuple[Ground, ...]
    transfer_before: bool
    transfer_after: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """What becomes of a request that arrives here, as in `Answer.elsewhere`."""

    before: str | None
    after: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class What:
    """One thing that happens to answers, over a time."""

    effect: Effect
    happens: Access | Basis | Arrival
    span: Span


@dataclass(frozen=True, slots=True, kw_only=True)
class Who:
    """Answers that differ in nothing but the place. None among `declared` is data of the tenant's own class."""

    tenants: tuple[TenantId, ...]
    models: tuple[ModelId, ...]
    declared: tuple[DataClass | None, ...]
    places: tuple[Jurisdiction, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Everything that changes alike: `cells` answers."""

    what: What
    who: tuple[Who, ...]
    cells: int


def groups_of(difference: Difference) -> tuple[Group, ...]:
    """Join the changes, widening first. A change of several things is in several groups."""
    found: dict[What, list[Change]] = {}
    for change in difference.changes:
        for what in _whats(change):
            found.setdefault(what, []).append(change)
    groups = [
        Group(what=what, who=_who(changes), cells=sum(change.cells for change in changes))
        for what, changes in found.items()
    ]
    order = list(Effect)
    groups.sort(key=lambda each: (order.index(each.what.effect), each.what.span, -each.cells, str(each.who)))
    return tuple(groups)


def _whats(change: Change) -> Iterator[What]:
    was, is_ = change.before, change.after
    if change.effect not in (Effect.BASIS, Effect.INGRESS):
        access = Access(lost=change.lost, gained=change.gained, refused_before=was.refusal, refused_after=is_.refusal)
        yield What(effect=change.effect, happens=access, span=change.span)
    for basis in _bases(change.regrounded):
        yield What(effect=Effect.BASIS, happens=basis, span=change.span)
    # A request that is refused arrives nowhere.
    if was.stands and is_.stands and was.elsewhere != is_.elsewhere:
        yield What(effect=Effect.INGRESS, happens=Arrival(before=was.elsewhere, after=is_.elsewhere), span=change.span)


def _bases(regrounded: tuple[tuple[Stand, Stand], ...]) -> Iterator[Basis]:
    alike: dict[Basis, list[RegionId]] = {}
    for was, is_ in regrounded:
        basis = Basis(
            regions=(),
            dropped=tuple(ground for ground in was.grounds if ground not in is_.grounds),
            added=tuple(ground for ground in is_.grounds if ground not in was.grounds),
            transfer_before=was.is_transfer,
            transfer_after=is_.is_transfer,
        )
        alike.setdefault(basis, []).append(was.region)
    yield from (replace(basis, regions=tuple(regions)) for basis, regions in alike.items())


def _who(changes: Iterable[Change]) -> tuple[Who, ...]:
    """Join over places, then over classes, so that a tenant's data is told whole, and over models and tenants."""
    places: dict[tuple[tuple[TenantId, ...], ModelId, DataClass | None], set[Jurisdiction]] = {}
    for each in changes:
        places.setdefault((each.tenants, each.model, each.declared), set()).update(each.places)
    rows = [
        Who(tenants=tenants, models=(model,), declared=(declared,), places=tuple(sorted(found)))
        for (tenants, model, declared), found in places.items()
    ]
    rows = _join(rows, lambda row: (row.tenants, row.models, row.places))
    rows = _join(rows, lambda row: (row.tenants, row.declared, row.places))
    return tuple(_join(rows, lambda row: (row.models, row.declared, row.places)))


def _join(rows: list[Who], alike: Callable[[Who], object]) -> list[Who]:
    groups: dict[object, list[Who]] = {}
    for row in rows:
        groups.setdefault(alike(row), []).append(row)
    return [
        replace(
            group[0],
            tenants=tuple(sorted({each for row in group for each in row.tenants})),
            models=tuple(sorted({each for row in group for each in row.models})),
            declared=tuple(sorted({each for row in group for each in row.declared}, key=lambda each: each or "")),
        )
        for group in groups.values()
    ]
