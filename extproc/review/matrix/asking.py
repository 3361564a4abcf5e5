"""Asking tier 1 for the matrix."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from extproc.core.ids import DataClass, Jurisdiction, ModelId, RegimeId, TenantId
from extproc.core.jurisdiction import RegionVerdict, Verdict
from extproc.core.reasons import Exclusion, Refusal
from extproc.core.tables import Basis, Tenant
from extproc.policy.compile import CompiledPolicy
from extproc.policy.compile.day import RulesOfDay
from extproc.review.domain import Cell as Question
from extproc.review.domain import Kind, answer, places_of
from extproc.review.matrix.model import ABROAD, EXCLUSIONS, PERMITTED, TRANSFERS, Cell, Matrix, Region, Row, Section
from extproc.review.words import day_of, describe_places, joined, place_in_words

_OF_LAW = (Exclusion.NO_PERMIT, Exclusion.CLASS_RULE, Exclusion.PROFILE)


class MatrixError(Exception):
    """Something is asked for that the policy does not have; the message has the mend."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What the matrix is about. Empty tenants and models are all of them.

    `classes` are declared by requests beside the tenant's own; empty asks for the own alone. `everywhere` asks for all
    places, whatever tenants expect. `grouped` joins the places that are answered alike.
    """

    tenants: tuple[TenantId, ...] = ()
    models: tuple[ModelId, ...] = ()
    classes: tuple[DataClass, ...] = ()
    everywhere: bool = False
    grouped: bool = True


def matrix_of(compiled: CompiledPolicy, at_s: float, wanted: Wanted | None = None) -> Matrix:
    """Ask for every tenant, class, model and place that is wanted. Raises MatrixError."""
    wanted = wanted or Wanted()
    tables = compiled.tables
    _check(wanted.tenants, tables.tenants, "tenant")
    _check(wanted.models, tables.models, "model")
    _check(wanted.classes, tables.classes, "class")
    return Matrix(
        policy=tables.id,
        version=tables.version,
        revision=tables.revision,
        profile=tables.profile,
        at_s=at_s,
        regions=tuple(
            Region(id=region.id, place=region.subdivision or Jurisdiction(region.country)) for region in tables.regions
        ),
        sections=tuple(_Asking(compiled, at_s, wanted).sections()),
    )


def _check(asked: Iterable[str], known: Iterable[str], what: str) -> None:
    for name in asked:
        if name not in set(known):
            raise MatrixError(f"the policy has no {what} {name}. Mend: name one of {joined(sorted(known), last='or')}")


class _Asking:
    def __init__(self, compiled: CompiledPolicy, at_s: float, wanted: Wanted) -> None:
        self._compiled = compiled
        self._at_s = at_s
        self._wanted = wanted
        self._places = places_of(compiled)
        self._rules = RulesOfDay(compiled.document, day_of(at_s))
        self._names: dict[tuple[Jurisdiction, ...], str] = {}
        self._countries = {region.id: region.country for region in compiled.tables.regions}
        self._unverified = {regime.id for regime in compiled.document.regimes if not regime.verified}

    def sections(self) -> Iterator[Section]:
        """Ask, and join the tenants whose rows are alike."""
        tables = self._compiled.tables
        alike: dict[tuple[ModelId, DataClass | None, tuple[DataClass, ...], tuple[Row, ...]], list[TenantId]] = {}
        for id_ in self._wanted.tenants or sorted(tables.tenants):
            tenant = tables.tenants[id_]
            for model in self._wanted.models or sorted(tables.models):
                for declared in self._wanted.classes or (None,):
                    rows = tuple(self._rows(tenant, model, declared))
                    key = (model, declared, self._data(tenant, model, declared), rows)
                    alike.setdefault(key, []).append(id_)
        for (model, declared, data, rows), tenants in alike.items():
            yield Section(tenants=tuple(tenants), model=model, declared=declared, data=data, rows=rows)

    def _data(self, tenant: Tenant, model: ModelId, declared: DataClass | None) -> tuple[DataClass, ...]:
        others = {declared, self._compiled.tables.models[model].data_class} - {None, tenant.data_class}
        return (tenant.data_class, *sorted(name for name in others if name is not None))

    def _places_of(self, tenant: TenantId) -> tuple[Jurisdiction, ...]:
        """Give the places that the tenant expects; those that any tenant does, or all, where that is not stated."""
        if self._wanted.everywhere:
            return self._places
        tenants = self._compiled.document.tenants
        expected = tenants[tenant].expects
        stated = [expected] if expected is not None else [t.expects for t in tenants.values() if t.expects is not None]
        if not stated:
            return self._places
        return tuple(
            place for place in self._places if any(self._rules.contains(territory, place) for territory in stated)
        )

    def _rows(self, tenant: Tenant, model: ModelId, declared: DataClass | None) -> Iterator[Row]:
        kind = Kind(tenants=(tenant.id,), tenant=tenant)
        found: dict[tuple[Refusal | None, tuple[Cell, ...]], list[Jurisdiction]] = {}
        for place in self._places_of(tenant.id):
            asked = Question(kind=kind, model=model, data_class=declared or tenant.data_class, place=place)
            said = answer(self._compiled, asked, self._at_s)
            if isinstance(said, Refusal):
                read: tuple[Refusal | None, tuple[Cell, ...]] = (said, ())
            else:
                read = self._read(said, model, place)
            found.setdefault(read, []).append(place)
        for (refusal, cells), places in found.items():
            groups = [tuple(places)] if self._wanted.grouped else [(place,) for place in places]
            for group in groups:
                yield Row(places=group, words=self._name(group), refusal=refusal, cells=cells)

    def _name(self, places: tuple[Jurisdiction, ...]) -> str:
        if places not in self._names:
            alone = len(places) == 1 and not any(other.startswith(f"{places[0]}-") for other in self._places)
            self._names[places] = (
                place_in_words(places[0])
                if alone
                else describe_places(places, self._compiled.document, day_of(self._at_s))
            )
        return self._names[places]

    def _read(self, verdict: Verdict, model: ModelId, place: Jurisdiction) -> tuple[Refusal | None, tuple[Cell, ...]]:
        cells = tuple(self._cell(each, model, place) for each in verdict.regions)
        return None if verdict.permitted else Refusal.NO_PERMITTED_REGION, cells

    def _cell(self, verdict: RegionVerdict, model: ModelId, place: Jurisdiction) -> Cell:
        if verdict.exclusion is None:
            bases = {permit.basis for permit in verdict.permits}
            # Where no regime governs there is no permit, and so no restriction either.
            abroad = self._countries[verdict.region] != place[:2] and (Basis.UNRESTRICTED in bases or not bases)
            mark = next((mark for basis, mark in TRANSFERS.items() if basis in bases), ABROAD if abroad else PERMITTED)
            rule = "; ".join(f"{permit.name} ({permit.basis})" for permit in verdict.permits)
            cites = dict.fromkeys(permit.cite for permit in verdict.permits)
            return Cell(
                mark=mark,
                verdict="transfer" if mark in TRANSFERS.values() else "permitted_abroad" if abroad else "permitted",
                rule=rule or "unregulated",
                cite="; ".join(cites),
                unverified=self._doubtful(permit.regime for permit in verdict.permits),
            )
        by = verdict.excluded_by
        return Cell(
            mark=EXCLUSIONS[verdict.exclusion],
            verdict="excluded",
            rule=f"{verdict.exclusion} of {by}" if by else verdict.exclusion.value,
            cite=self._why(verdict, model),
            unverified=self._doubtful((RegimeId(by),)) if by and verdict.exclusion in _OF_LAW else (),
        )

    def _doubtful(self, regimes: Iterable[RegimeId]) -> tuple[RegimeId, ...]:
        return tuple(sorted({regime for regime in regimes if regime in self._unverified}))

    def _why(self, verdict: RegionVerdict, model: ModelId) -> str:
        """Give the text on which an exclusion rests, where there is one: a permit that is missing has none."""
        document = self._compiled.document
        if verdict.exclusion is Exclusion.RESIDENCY:
            return document.models[model].cite
        if verdict.exclusion in _OF_LAW:
            return ""
        return next((o.reason for o in document.overrides if o.id == verdict.excluded_by), "")
