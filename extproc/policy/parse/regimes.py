"""Parsing `regimes:`: when each governs, what it permits, and its rules for data classes."""

from collections.abc import Callable
from typing import Final

from extproc.core.ids import DataClass, Jurisdiction, MechanismId, PermitId, RegimeId
from extproc.core.tables import Basis
from extproc.policy.document import (
    AllOf,
    AnyOf,
    ClassIn,
    ClassNot,
    ClassRule,
    Condition,
    Confidence,
    Destination,
    ExporterIn,
    ObligationEntry,
    PermitEntry,
    Regime,
    SubjectIn,
    TenantHas,
    TenantHasNot,
    Territory,
)
from extproc.policy.parse.dates import validity
from extproc.policy.parse.scalars import bounded, parse_country, parse_day, parse_id, parse_subdivision
from extproc.policy.parse.vocabulary import Vocabulary, declared, territory
from extproc.strict_yaml import (
    Field,
    Kind,
    Reader,
    Table,
    UnfitError,
    Value,
    boolean,
    choice,
    entries_of,
    list_of,
    one_or_list_of,
    parsed,
    table_of,
    text,
)

# A record holds the citation of each permit that a decision rests on, and an entry of the log holds 65,535 bytes.
LONGEST_CITE: Final = 300
_MECHANISM: Final = "tenant.mechanisms."


def regimes(vocabulary: Vocabulary) -> Reader[tuple[Regime, ...]]:
    """Make the reader of `regimes:`."""
    seen: set[str] = set()

    def read(table: Table) -> Regime:
        id_ = table.required("id", parsed(unique(seen, "regime")))
        when = table.required("when", condition(vocabulary))
        ids: set[str] = set()
        permits = table.required("permits", list_of(table_of(_permit(vocabulary, ids))))
        if id_.is_sound:
            vocabulary.permits.update(f"{id_.value}.{permit}" for permit in ids)
        duties = table.optional("obligations", list_of(table_of(_obligation(vocabulary, set())), minimum=1), default=())
        verified = table.optional("verified", boolean, default=True)
        note = table.optional("note", text, default="")
        rules = table.optional("class", entries_of(vocabulary.data_class, _class_rule(ids)), default=None)
        return Regime(
            id=RegimeId(id_.value),
            when=when.value,
            permits=permits.value,
            class_rules=rules.value or {},
            obligations=duties.value,
            verified=verified.value,
            note=note.value,
        )

    return list_of(table_of(read), minimum=1)


def unique(seen: set[str], what: str) -> Callable[[str], str]:
    """Make a parser of ids of which none may come twice; it adds each to `seen`."""

    def parse(written: str) -> str:
        name = parse_id(written)
        if name in seen:
            raise UnfitError(f"the {what} id '{name}' is used twice", f"give each {what} an id of its own")
        seen.add(name)
        return name

    return parse


def condition(vocabulary: Vocabulary) -> Reader[Condition]:
    """Make the reader of one table of conditions, all of which must hold."""
    places = territory(vocabulary)
    names = one_or_list_of(parsed(vocabulary.data_class))

    def attributes(value: Value) -> tuple[str, ...]:
        found = tuple(sorted(set(one_or_list_of(parsed(parse_id))(value))))
        vocabulary.attributes.update(found)
        return found

    def classes(value: Value) -> tuple[DataClass, ...]:
        return tuple(sorted(set(names(value))))

    def nested(value: Value) -> tuple[Condition, ...]:
        return list_of(table_of(read), minimum=1)(value)

    def read(table: Table) -> Condition:
        found: list[Field[Condition | None]] = [
            table.optional("subject_in", lambda v: SubjectIn(subject_in=places(v)), default=None),
            table.optional("exporter_in", lambda v: ExporterIn(exporter_in=places(v)), default=None),
            table.optional("class_in", lambda v: ClassIn(class_in=classes(v)), default=None),
            table.optional("class_not", lambda v: ClassNot(class_not=classes(v)), default=None),
            table.optional("tenant_has", lambda v: TenantHas(tenant_has=attributes(v)), default=None),
            table.optional("tenant_has_not", lambda v: TenantHasNot(tenant_has_not=attributes(v)), default=None),
            table.optional("any", lambda v: AnyOf(any=nested(v)), default=None),
            table.optional("all", lambda v: AllOf(all=nested(v)), default=None),
        ]
        parts = [part.value for part in found]
        conditions = tuple(part for part in parts if part is not None)
        if not conditions:
            table.value.refuse("no condition is given", "write one; 'subject_in: anywhere' governs every request")
        return conditions[0] if len(conditions) == 1 else AllOf(all=conditions)

    return table_of(read)


def _permit(vocabulary: Vocabulary, ids: set[str]) -> Callable[[Table], PermitEntry]:
    def mechanism(written: str) -> MechanismId:
        if not written.startswith(_MECHANISM):
            raise UnfitError(f"'{written[:60]}' names no mechanism", f"write {_MECHANISM}NAME, such as {_MECHANISM}scc")
        name = MechanismId(parse_id(written.removeprefix(_MECHANISM)))
        vocabulary.mechanisms.add(name)
        return name

    def read(table: Table) -> PermitEntry:
        id_ = table.required("id", parsed(unique(ids, "permit")))
        to = table.required("to", _destination(vocabulary))
        basis = table.required("basis", choice(Basis))
        cite = table.required("cite", parsed(bounded("a citation", LONGEST_CITE)))
        as_of = table.optional("as_of", parsed(parse_day), default=None)
        valid_from, valid_until = validity(table)
        review_by = table.optional("review_by", parsed(parse_day), default=None)
        confidence = table.optional("confidence", choice(Confidence), default=None)
        risk = table.optional("risk", text, default="")
        enabled_by = table.optional("enabled_by", parsed(mechanism), default=None)
        return PermitEntry(
            id=PermitId(id_.value),
            to=to.value,
            basis=basis.value,
            cite=cite.value,
            as_of=as_of.value,
            valid_from=valid_from.value,
            valid_until=valid_until.value,
            review_by=review_by.value,
            confidence=confidence.value,
            risk=risk.value,
            enabled_by=enabled_by.value,
        )

    return read


def _destination(vocabulary: Vocabulary) -> Reader[Destination]:
    places = territory(vocabulary)

    def code(read_code: Callable[[str], str]) -> Reader[Territory]:
        return lambda value: (str(Jurisdiction(parsed(read_code)(value))),)

    def read(table: Table) -> Destination:
        found: list[Field[Territory | None]] = [
            table.optional("zone", lambda v: (parsed(vocabulary.zone)(v),), default=None),
            table.optional("country", code(parse_country), default=None),
            table.optional("subdivision", code(parse_subdivision), default=None),
            table.optional("in", places, default=None),
        ]
        not_in = table.optional("not_in", places, default=())
        operator_in = table.optional("operator_in", places, default=None)
        operator_not_in = table.optional("operator_not_in", places, default=())
        certs = table.optional("cert", one_or_list_of(parsed(parse_id)), default=())
        territories = [part.value for part in found]
        within = tuple(sorted({names for names in territories if names is not None}))
        if not within:
            mend = "add 'zone:', 'country:' or 'in:'; 'in: anywhere' covers every region"
            table.value.refuse("the destination names no place", mend)
        return Destination(
            within=within,
            not_in=not_in.value,
            operator_in=operator_in.value,
            operator_not_in=operator_not_in.value,
            certs=tuple(sorted(set(certs.value))),
        )

    def either(value: Value) -> Destination:
        if value.kind is Kind.TABLE:
            return table_of(read)(value)
        return Destination(within=(places(value),))

    return either


def _obligation(vocabulary: Vocabulary, ids: set[str]) -> Callable[[Table], ObligationEntry]:
    def read(table: Table) -> ObligationEntry:
        id_ = table.required("id", parsed(unique(ids, "obligation")))
        duty = table.required("duty", text)
        cite = table.required("cite", text)
        classes = table.optional("classes", list_of(parsed(vocabulary.data_class), minimum=1), default=None)
        found = classes.value
        return ObligationEntry(
            id=id_.value,
            duty=duty.value,
            cite=cite.value,
            classes=None if found is None else tuple(sorted(set(found))),
        )

    return read


def _class_rule(ids: set[str]) -> Callable[[DataClass, Value], ClassRule]:
    def permit(written: str) -> PermitId:
        return declared(written, {PermitId(id_) for id_ in ids}, "permit", PermitId)

    def read(table: Table) -> ClassRule:
        only = table.required("only", list_of(parsed(permit)))
        cite = table.optional("cite", parsed(bounded("a citation", LONGEST_CITE)), default="")
        return ClassRule(only=tuple(sorted(set(only.value))), cite=cite.value)

    def rule(_: DataClass, value: Value) -> ClassRule:
        return table_of(read)(value)

    return rule
