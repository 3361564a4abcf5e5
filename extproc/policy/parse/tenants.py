"""Parsing `tenants:`: how a request is bound to each, and the legal facts of each."""

from collections.abc import Callable

from extproc.core.ids import Jurisdiction, MechanismId, TenantId
from extproc.policy.document import (
    AnonymousMatch,
    ClaimMatch,
    HostMatch,
    Match,
    Mechanism,
    SpiffeMatch,
    TenantEntry,
)
from extproc.policy.parse.scalars import bounded, parse_claim, parse_host, parse_id, parse_jurisdiction, parse_spiffe
from extproc.policy.parse.vocabulary import Vocabulary, territory
from extproc.strict_yaml import (
    Field,
    Kind,
    Reader,
    Table,
    UnfitError,
    Value,
    entries_of,
    list_of,
    nearest,
    parsed,
    table_of,
    text,
)

LONGEST_REFERENCE = 200
_CLAIM = "jwt."
_MEND_OF_MATCH = "write {jwt.CLAIM: VALUE}, {spiffe: ID}, {host: NAME}, or anonymous"


def tenants(vocabulary: Vocabulary) -> Reader[dict[TenantId, TenantEntry]]:
    """Make the reader of `tenants:`. It comes after the regimes, which declare the mechanisms."""
    bound: dict[Match, TenantId] = {}

    def declare(written: str) -> TenantId:
        name = TenantId(parse_id(written))
        vocabulary.tenants.add(name)
        return name

    def entry(name: TenantId, value: Value) -> TenantEntry:
        return table_of(_tenant(vocabulary, _match(name, bound)))(value)

    return entries_of(declare, entry, minimum=1)


def _tenant(vocabulary: Vocabulary, match: Reader[Match]) -> Callable[[Table], TenantEntry]:
    def read(table: Table) -> TenantEntry:
        matched = table.required("match", match)
        data_class = table.required("class", parsed(vocabulary.data_class))
        exporter = table.optional("exporter", parsed(parse_jurisdiction), default=None)
        subjects = table.optional("subjects", _subjects(matched), default=None)
        attributes = table.optional("attributes", list_of(parsed(_attribute(vocabulary)), minimum=1), default=())
        mechanisms = table.optional("mechanisms", entries_of(_mechanism_id(vocabulary), _mechanism), default=None)
        allow = table.optional("allow", list_of(parsed(vocabulary.region_pattern), minimum=1), default=None)
        expects = table.optional("expects", territory(vocabulary), default=None)
        patterns = allow.value
        return TenantEntry(
            match=matched.value,
            data_class=data_class.value,
            exporter=exporter.value,
            subjects=subjects.value,
            attributes=tuple(sorted(set(attributes.value))),
            mechanisms=mechanisms.value or {},
            allow=None if patterns is None else tuple(sorted(set(patterns))),
            expects=expects.value,
        )

    return read


def _match(tenant: TenantId, bound: dict[Match, TenantId]) -> Reader[Match]:
    def read(value: Value) -> Match:
        match = _written_match(value) if value.kind is Kind.TABLE else _anonymous(value)
        if match in bound:
            message = f"the tenants '{bound[match]}' and '{tenant}' match the same requests"
            value.refuse(message, "give each tenant a match of its own; one tenant at most is anonymous")
        bound[match] = tenant
        return match

    return read


def _anonymous(value: Value) -> Match:
    if text(value) != "anonymous":
        value.refuse("the match is neither a claim nor anonymous", _MEND_OF_MATCH)
    return AnonymousMatch()


def _written_match(value: Value) -> Match:
    def kind(key: str) -> str:
        if key in ("spiffe", "host"):
            return key
        if not key.startswith(_CLAIM):
            raise UnfitError(f"'{key[:60]}' binds to no tenant", _MEND_OF_MATCH)
        return _CLAIM + parse_claim(key.removeprefix(_CLAIM))

    found = entries_of(kind, _match_of)(value)
    if len(found) != 1:
        value.refuse(f"a match names one thing, and {len(found)} are given", _MEND_OF_MATCH)
    ((_, match),) = found.items()
    return match


def _match_of(kind: str, value: Value) -> Match:
    if kind == "spiffe":
        return SpiffeMatch(id=parsed(parse_spiffe)(value))
    if kind == "host":
        return HostMatch(host=parsed(parse_host)(value))
    return ClaimMatch(claim=kind.removeprefix(_CLAIM), equals=text(value))


def _subjects(matched: Field[Match]) -> Reader[Jurisdiction]:
    """Make the reader of `subjects:`, which only a verified identity can say."""

    def read(value: Value) -> Jurisdiction:
        if matched.is_sound and isinstance(matched.value, HostMatch | AnonymousMatch):
            message = "anybody can be this tenant, so its word on where its subjects are is worth nothing"
            value.refuse(message, "remove 'subjects', or match the tenant by a claim or a SPIFFE id")
        return parsed(parse_jurisdiction)(value)

    return read


def _attribute(vocabulary: Vocabulary) -> Callable[[str], str]:
    def parse(written: str) -> str:
        name = parse_id(written)
        if name not in vocabulary.attributes:
            known = ", ".join(sorted(vocabulary.attributes))
            guess = nearest(name, vocabulary.attributes)
            hint = f"did you mean '{guess}'? " if guess else "remove it, or add 'tenant_has'; "
            raise UnfitError(
                f"no condition asks for the attribute '{name}'", f"{hint}conditions ask for {known or 'none'}"
            )
        return name

    return parse


def _mechanism_id(vocabulary: Vocabulary) -> Callable[[str], MechanismId]:
    def parse(written: str) -> MechanismId:
        name = MechanismId(parse_id(written))
        if name not in vocabulary.mechanisms:
            known = ", ".join(sorted(vocabulary.mechanisms))
            guess = nearest(name, vocabulary.mechanisms)
            hint = f"did you mean '{guess}'? " if guess else "remove it, or name it in the 'enabled_by' of a permit; "
            raise UnfitError(f"no permit is enabled by the mechanism '{name}'", f"{hint}permits name {known or 'none'}")
        return name

    return parse


def _mechanism(_: MechanismId, value: Value) -> Mechanism:
    if value.kind is Kind.BOOLEAN:
        if value.scalar(Kind.BOOLEAN).lower() != "true":
            value.refuse("a mechanism is off unless it is declared", "remove this line")
        return Mechanism()

    def read(table: Table) -> Mechanism:
        return Mechanism(reference=table.required("reference", parsed(bounded("a reference", LONGEST_REFERENCE))).value)

    if value.kind is not Kind.TABLE:
        value.refuse("a mechanism is neither true nor a table", 'write true, or {reference: "…"}')
    return table_of(read)(value)
