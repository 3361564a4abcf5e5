"""Parsing `tests:`: what the author expects of the policy."""

from collections.abc import Callable
from typing import Final

from extproc.core.ids import Jurisdiction, RegionId
from extproc.core.reasons import Refusal
from extproc.policy.document import Case, CaseInput, Expectation
from extproc.policy.parse.scalars import parse_host, parse_jurisdiction, parse_start
from extproc.policy.parse.vocabulary import N, Vocabulary
from extproc.strict_yaml import Reader, Table, Value, choice, list_of, parsed, table_of, text

_UNKNOWN: Final = "unknown"


def cases(vocabulary: Vocabulary) -> Reader[tuple[Case, ...]]:
    """Make the reader of `tests:`."""
    names: set[str] = set()

    def name(value: Value) -> str:
        written = text(value)
        if written in names:
            value.refuse(f"the test '{written[:60]}' is written twice", "give each test a name of its own")
        names.add(written)
        return written

    def read(table: Table) -> Case:
        named = table.required("name", name)
        now = table.optional("now", parsed(parse_start), default=None)
        given = table.required("in", table_of(_input(vocabulary)))
        expect = table.required("expect", table_of(_expectation(vocabulary)))
        return Case(
            name=named.value, line=table.value.place.line, given=given.value, expect=expect.value, now=now.value
        )

    return list_of(table_of(read), minimum=1)


def _input(vocabulary: Vocabulary) -> Callable[[Table], CaseInput]:
    def read(table: Table) -> CaseInput:
        tenant = table.optional("tenant", parsed(vocabulary.tenant), default=None)
        model = table.optional("model", parsed(vocabulary.model), default=None)
        data_class = table.optional("class", parsed(vocabulary.data_class), default=None)
        geoip = table.optional("geoip", parsed(_place_or_unknown), default=None)
        country = table.optional("country", parsed(parse_jurisdiction), default=None)
        jwt = table.optional("jwt", parsed(parse_jurisdiction), default=None)
        header = table.optional("header", parsed(parse_jurisdiction), default=None)
        if geoip.value is not None and country.value is not None:
            table.value.refuse("'country' is short for 'geoip', and both are given", "remove one of the two")
        located = geoip.value or country.value
        return CaseInput(
            tenant=_only(table, tenant.value, vocabulary.tenants, "tenant"),
            model=_only(table, model.value, vocabulary.models, "model"),
            data_class=data_class.value,
            geoip=None if located == _UNKNOWN or located is None else Jurisdiction(located),
            geoip_unknown=located == _UNKNOWN,
            jwt=jwt.value,
            header=header.value,
        )

    return read


def _only(table: Table, given: N | None, known: set[N], what: str) -> N:
    """Give what was written, or the only one there is."""
    if given is not None:
        return given
    if len(known) != 1:
        table.value.refuse(f"the policy has {len(known)} {what}s, and the test names none", f"add '{what}:'")
    return next(iter(known))


def _place_or_unknown(written: str) -> str:
    return written if written == _UNKNOWN else parse_jurisdiction(written)


def _expectation(vocabulary: Vocabulary) -> Callable[[Table], Expectation]:
    regions = list_of(parsed(vocabulary.region))

    def permitted(value: Value) -> tuple[RegionId, ...]:
        found = regions(value)
        if not found:
            value.refuse("no region is expected", "write 'refused: no_permitted_region'")
        return found

    def read(table: Table) -> Expectation:
        is_permitted = table.optional("permitted", permitted, default=None)
        transfers = table.optional("transfers", regions, default=None)
        refused = table.optional("refused", choice(Refusal), default=None)
        redirect = table.optional("redirect", parsed(parse_host), default=None)
        answers = [field.value for field in (is_permitted, refused, redirect) if field.value is not None]
        if len(answers) != 1:
            message = f"a test expects one answer, and {len(answers)} are given"
            table.value.refuse(message, "write one of 'permitted:', 'refused:' and 'redirect:'")
        if transfers.value is not None and is_permitted.value is None:
            table.value.refuse("transfers are expected without permitted regions", "add 'permitted:'")
        return Expectation(
            permitted=_sorted(is_permitted.value),
            transfers=_sorted(transfers.value),
            refused=refused.value,
            redirect=redirect.value,
        )

    return read


def _sorted(names: "tuple[N, ...] | None") -> "tuple[N, ...] | None":
    return None if names is None else tuple(sorted(set(names)))
