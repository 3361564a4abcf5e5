"""Asking both policies everything, and joining what changes alike."""

from collections.abc import Iterable
from math import inf
from typing import TypeAlias

from extproc.core.ids import DataClass, Jurisdiction, ModelId, RegionId, TenantId
from extproc.core.tables import PolicyTables, Tenant
from extproc.policy.compile import CompiledPolicy
from extproc.policy.compile.epochs import is_subdivision
from extproc.review.difference.answers import Answer, Asker, Shared, Timeline
from extproc.review.difference.edits import edits_of
from extproc.review.difference.model import Change, Difference, Inventory, Side, Span, effect_of
from extproc.review.domain import moments_of, places_of
from extproc.review.words import format_moment

_Places: TypeAlias = tuple[Jurisdiction, ...]
_Run: TypeAlias = tuple[int, int]
"""The first and the last of moments in a row."""


class NotInForceError(ValueError):
    """A comparison is asked for at a moment at which a policy is not in force; the message has the mend."""


def compare(a: CompiledPolicy, b: CompiledPolicy, *, at_s: float | None = None) -> Difference:
    """Compare two policies from the first moment on at which both are in force, or at `at_s` alone (Unix seconds).

    Places that neither can tell apart are asked about once, and so are tenants. Raises NotInForceError where one of
    them is not in force at `at_s`: with refusals alone on a side there is nothing to compare.
    """
    one, other = a.tables, b.tables
    if at_s is not None:
        _check_in_force(a, b, at_s)
    moments = _common_moments(a, b) if at_s is None else (at_s,)
    places = tuple(sorted({*places_of(a), *places_of(b)}))
    shared = Shared()
    askers = Asker(a, moments, shared), Asker(b, moments, shared)
    alike = _alike(places, askers)
    changes: list[Change] = []
    asked = 0
    for tenants in _kinds(one, other):
        for model in sorted(set(one.models) & set(other.models)):
            for declared in _declarable(one, other, tenants[0]):
                asked += len(tenants) * len(places) * len(moments)
                changes += _changes(
                    tenants, model, declared, alike=alike, askers=askers, moments=moments, only=at_s is not None
                )
    names = _names(a), _names(b)
    return Difference(
        before=_side(a),
        after=_side(b),
        moments=moments,
        at_s=at_s,
        asked=asked,
        shared_tenants=len(set(one.tenants) & set(other.tenants)),
        shared_models=len(set(one.models) & set(other.models)),
        alone_before=_alone(one, other) * len(places) * len(moments),
        alone_after=_alone(other, one) * len(places) * len(moments),
        changes=tuple(changes),
        added=_missing(names[1], names[0]),
        removed=_missing(names[0], names[1]),
        edits=edits_of(a.document, b.document),
    )


def _check_in_force(a: CompiledPolicy, b: CompiledPolicy, at_s: float) -> None:
    starts_s = max(a.tables.epochs[0].starts_s, b.tables.epochs[0].starts_s)
    if at_s < starts_s:
        raise NotInForceError(
            f"the two policies are not both in force on {format_moment(at_s)}. Mend: name a day from "
            f"{format_moment(starts_s)} on"
        )


def _alone(those: PolicyTables, these: PolicyTables) -> int:
    """Count what can be asked of `those` and not of `these`, in one place at one moment."""
    found = 0
    for id_, tenant in those.tenants.items():
        declarable = those.classes - {tenant.data_class}
        common = len(set(those.models) & set(these.models)) if id_ in these.tenants else 0
        found += (len(those.models) - common) * (1 + len(declarable)) + common * len(declarable - these.classes)
    return found


def _common_moments(a: CompiledPolicy, b: CompiledPolicy) -> tuple[float, ...]:
    first = max(a.tables.epochs[0].starts_s, b.tables.epochs[0].starts_s)
    return tuple(sorted({first, *(at for at in (*moments_of(a), *moments_of(b)) if at > first)}))


def _kinds(one: PolicyTables, other: PolicyTables) -> list[tuple[TenantId, ...]]:
    """Group the tenants that neither policy can tell apart."""
    found: dict[tuple[object, ...], list[TenantId]] = {}
    for id_ in sorted(set(one.tenants) & set(other.tenants)):
        found.setdefault((*_legal(one.tenants[id_]), *_legal(other.tenants[id_])), []).append(id_)
    return [tuple(group) for group in found.values()]


def _legal(tenant: Tenant) -> tuple[object, ...]:
    return tenant.data_class, tenant.profile, tenant.allowed


def _declarable(one: PolicyTables, other: PolicyTables, tenant: TenantId) -> list[DataClass | None]:
    """List what a request may declare beside the tenant's own class; declaring that one is declaring nothing."""
    own = {one.tenants[tenant].data_class, other.tenants[tenant].data_class}
    without = own if len(own) == 1 else set()
    return [None, *sorted((one.classes & other.classes) - without)]


def _alike(places: _Places, askers: tuple[Asker, Asker]) -> list[_Places]:
    groups: dict[object, list[Jurisdiction]] = {}
    for place in places:
        groups.setdefault((askers[0].sight(place), askers[1].sight(place)), []).append(place)
    return [tuple(group) for group in groups.values()]


def _changes(  # noqa: PLR0913 - one column of questions
    tenants: tuple[TenantId, ...],
    model: ModelId,
    declared: DataClass | None,
    *,
    alike: list[_Places],
    askers: tuple[Asker, Asker],
    moments: tuple[float, ...],
    only: bool,
) -> Iterable[Change]:
    """Ask for every place at every moment, and join moments in a row and places with the same change."""
    found: dict[tuple[_Run, int, int], tuple[_Run, Answer, Answer, list[Jurisdiction]]] = {}
    for group in alike:
        before, after = (asker.timeline(tenants[0], model, declared, group[0]) for asker in askers)
        for run in _runs(before, after):
            was, is_ = before[run[0]], after[run[0]]
            found.setdefault((run, id(was), id(is_)), (run, was, is_, []))[3].extend(group)
    for (first, last), was, is_, places in sorted(found.values(), key=lambda each: (each[0], each[3])):
        # A comparison at one moment says nothing of the time after it, so its span is not read.
        until_s = inf if only or last + 1 == len(moments) else moments[last + 1]
        yield Change(
            tenants=tenants,
            model=model,
            declared=declared,
            places=tuple(sorted(places)),
            span=Span(from_s=moments[first], until_s=until_s),
            moments=last - first + 1,
            before=was,
            after=is_,
            effect=effect_of(was, is_),
        )


def _runs(before: Timeline, after: Timeline) -> Iterable[_Run]:
    """Give each run of moments over which the same answers differ. Equal answers are one object."""
    first = None
    for n, (was, is_) in enumerate(zip(before, after, strict=True)):
        if first is not None and (was is not before[first] or is_ is not after[first]):
            yield first, n - 1
            first = None
        if first is None and was is not is_:
            first = n
    if first is not None:
        yield first, len(before) - 1


def _side(compiled: CompiledPolicy) -> Side:
    tables = compiled.tables
    return Side(
        id=tables.id,
        version=tables.version,
        revision=tables.revision,
        profile=tables.profile,
        starts_s=tables.epochs[0].starts_s,
    )


def _names(compiled: CompiledPolicy) -> Inventory:
    tables = compiled.tables
    regions: list[RegionId] = sorted(tables.index)
    return Inventory(
        tenants=tuple(sorted(tables.tenants)),
        models=tuple(sorted(tables.models)),
        classes=tuple(sorted(tables.classes)),
        regions=tuple(regions),
        places=tuple(place for place in places_of(compiled) if is_subdivision(place)),
    )


def _missing(those: Inventory, these: Inventory) -> Inventory:
    """Give what is in `those` and not in `these`."""
    return Inventory(
        tenants=tuple(each for each in those.tenants if each not in these.tenants),
        models=tuple(each for each in those.models if each not in these.models),
        classes=tuple(each for each in those.classes if each not in these.classes),
        regions=tuple(each for each in those.regions if each not in these.regions),
        places=tuple(each for each in those.places if each not in these.places),
    )
