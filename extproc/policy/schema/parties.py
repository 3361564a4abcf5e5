"""`tenants:` and `tests:`."""

from extproc.core.reasons import Refusal
from extproc.policy.document import (
    AnonymousMatch,
    Case,
    CaseInput,
    ClaimMatch,
    Expectation,
    HostMatch,
    Mechanism,
    PolicyDocument,
    SpiffeMatch,
    TenantEntry,
)
from extproc.policy.schema import names
from extproc.policy.schema.manual import manual_of
from extproc.policy.schema.shapes import Schema, described, entries, list_of, one_of, only, table, text


def tenants() -> Schema:
    """Shape `tenants:`."""

    def said(field: str, shape: Schema) -> Schema:
        return described(shape, manual_of(TenantEntry, field))

    tenant = table(
        manual_of(TenantEntry),
        {"match": said("match", _match()), "class": said("data_class", names.ID)},
        {
            "exporter": said("exporter", names.JURISDICTION),
            "subjects": said("subjects", names.JURISDICTION),
            "attributes": said("attributes", list_of(names.ID, minimum=1)),
            "mechanisms": entries(manual_of(TenantEntry, "mechanisms"), names.ID, _mechanism()),
            "allow": said("allow", list_of(names.PATTERN, minimum=1)),
            "expects": said("expects", names.TERRITORY),
        },
    )
    return entries(manual_of(PolicyDocument, "tenants"), names.ID, tenant, minProperties=1)


def tests() -> Schema:
    """Shape `tests:`."""

    def given(field: str, shape: Schema) -> Schema:
        return described(shape, manual_of(CaseInput, field))

    def expected(field: str, shape: Schema) -> Schema:
        return described(shape, manual_of(Expectation, field))

    request = table(
        manual_of(CaseInput),
        optional={
            "tenant": given("tenant", names.ID),
            "model": given("model", names.MODEL),
            "class": given("data_class", names.ID),
            "geoip": given("geoip", {"anyOf": [names.JURISDICTION, only("unknown")]}),
            "country": given("geoip", names.JURISDICTION),
            "jwt": given("jwt", names.JURISDICTION),
            "header": given("header", names.JURISDICTION),
        },
    )
    answer = table(
        manual_of(Expectation),
        optional={
            "permitted": expected("permitted", list_of(names.REGION, minimum=1)),
            "transfers": expected("transfers", list_of(names.REGION)),
            "refused": expected("refused", one_of(Refusal)),
            "redirect": expected("redirect", names.HOST),
        },
        oneOf=[{"required": [name]} for name in ("permitted", "refused", "redirect")],
        dependentRequired={"transfers": ["permitted"]},
    )
    case = table(
        manual_of(Case),
        {
            "name": described(text(), manual_of(Case, "name")),
            "in": described(request, manual_of(CaseInput)),
            "expect": described(answer, manual_of(Expectation)),
        },
        {"now": described(names.MOMENT, manual_of(Case, "now"))},
    )
    return described(list_of(case, minimum=1), manual_of(PolicyDocument, "tests"))


def _match() -> Schema:
    bound: Schema = {
        "type": "object",
        "properties": {
            "spiffe": described(names.SPIFFE, manual_of(SpiffeMatch)),
            "host": described(names.HOST, manual_of(HostMatch)),
        },
        "patternProperties": {
            r"^jwt\.[A-Za-z0-9_][A-Za-z0-9_.:/-]{0,127}$": described(text(), manual_of(ClaimMatch)),
        },
        "additionalProperties": False,
        "minProperties": 1,
        "maxProperties": 1,
    }
    return {"anyOf": [described(only("anonymous"), manual_of(AnonymousMatch)), bound]}


def _mechanism() -> Schema:
    declared = table(manual_of(Mechanism), {"reference": described(text(), manual_of(Mechanism, "reference"))})
    return {"anyOf": [only(value=True), declared], "description": manual_of(Mechanism)}
