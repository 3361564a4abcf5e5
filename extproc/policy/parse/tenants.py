"""Parsing `tenants:`: how a request is bound to each, and the legal facts of each."""

from collections.abc import Callable

from extproc.core.ids import MechanismId, TenantId
from extproc.policy.document import AnonymousMatch, ClaimMatch, Match, Mechanism, TenantEntry
from extproc.policy.parse.scalars import parse_claim, parse_id, parse_jurisdiction
from extproc.policy.parse.vocabulary import Vocabulary
from extproc.strict_yaml import (
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

_CLAIM = "jwt."
_MEND_OF_MATCH = "write {jwt.CLAIM: VALUE}, or anonymous"


def tenants(vocabulary: Vocabulary) -> Reader[dict[TenantId, TenantEntry]]:
    """Make the reader of `tenants:`. It comes after the regimes, which declare the mechanisms."""
    bound: dict[Match, TenantId] = {}

    def entry(name: TenantId, value: Value) -> TenantEntry:
        return table_of(_tenant(vocabulary, _match(name, bound)))(value)

    return entries_of(lambda written: TenantId(parse_id(written)), entry, minimum=1)


def _tenant(vocabulary: Vocabulary, match: Reader[Match]) -> Callable[[Table], TenantEntry]:
    def read(table: Table) -> TenantEntry:
        matched = table.required("match", match)
        data_class = table.required("class", parsed(vocabulary.data_class))
        exporter = table.optional("exporter", parsed(parse_jurisdiction), default=None)
        mechanisms = table.optional("mechanisms", entries_of(_mechanism_id(vocabulary), _mechanism), default=None)
        allow = table.optional("allow", list_of(parsed(vocabulary.region_pattern), minimum=1), default=None)
        patterns = allow.value
        return TenantEntry(
            match=matched.value,
            data_class=data_class.value,
            exporter=exporter.value,
            mechanisms=mechanisms.value or {},
            allow=None if patterns is None else tuple(sorted(set(patterns))),
        )

    return read


def _match(tenant: TenantId, bound: dict[Match, TenantId]) -> Reader[Match]:
    def read(value: Value) -> Match:
        match = _claim_match(value) if value.kind is Kind.TABLE else _anonymous(value)
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


def _claim_match(value: Value) -> Match:
    def claim(key: str) -> str:
        if not key.startswith(_CLAIM):
            raise UnfitError(f"'{key[:60]}' is no claim", _MEND_OF_MATCH)
        return parse_claim(key.removeprefix(_CLAIM))

    found = entries_of(claim, lambda _, wanted: text(wanted))(value)
    if len(found) != 1:
        value.refuse(f"a match names one claim, and {len(found)} are given", _MEND_OF_MATCH)
    ((name, equals),) = found.items()
    return ClaimMatch(claim=name, equals=equals)


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
        return Mechanism(reference=table.required("reference", text).value)

    if value.kind is not Kind.TABLE:
        value.refuse("a mechanism is neither true nor a table", 'write true, or {reference: "…"}')
    return table_of(read)(value)
