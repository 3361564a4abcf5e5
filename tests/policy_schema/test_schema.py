"""The schema and the parser know the same language: the same tables, fields and required fields, and the same texts."""

import json
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from jsonschema import Draft202012Validator
from policy.random_laws import Written
from policy.strategies import as_yaml, policies, read_plain

from extproc.policy import parse_policy
from extproc.policy.document import Regime
from extproc.policy.schema import format_schema, policy_schema, read_schema
from extproc.policy.schema.manual import manual_of
from extproc.strict_yaml import DocumentError, Field, Table

HERE = Path(__file__).parent
EXAMPLES = Path(str(resources.files("extproc.policy") / "examples"))
SHIPPED = [HERE / "whole.yaml", HERE.parent / "review" / "lint" / "clean.yaml", *sorted(EXAMPLES.glob("*.yaml"))]
SCHEMA = policy_schema()
VALIDATOR = Draft202012Validator(SCHEMA)

# Texts that the parser refuses and whose form alone shows it.
REFUSED = [
    ("apiVersion: situs/v1", "apiVersion: situs/v2"),
    ("profile: performance-first", "profile: fast"),
    ("version: 1, as_of", "version: 0, as_of"),
    ("as_of: 2026-11-21, review_by", "as_of: 21.11.2026, review_by"),
    ("{trusted_hops: 1}", "{trusted_hops: 17}"),
    ("redirect_hosts: {EEA: eu.api.example", "redirect_hosts: {EEA: 'eu.api.example:443'"),
    ("EEA: builtin", "EEA: built-in"),
    ("{subdivision: CA-QC}, DE]", "{subdivision: CA-QC, country: CA}, DE]"),
    ("country: US, models", "country: UK, models"),
    ("hq: DE, admin_from: [DE, NL]", "hq: DE, admin_from: []"),
    ("rtt_ms: 8.5", "rtt_ms: -1"),
    ("fraud: {resident_in: EEA, cite: licence, class", "fraud: {resident_in: EEA, class"),
    ("class_in: personal", "class_in: []"),
    ("to: {zone: EEA, country: DE, subdivision: DE-HE, in: [EEA, NEAR], not_in", "to: {not_in"),
    ("basis: safeguards", "basis: clauses"),
    ("enabled_by: tenant.mechanisms.scc", "enabled_by: scc"),
    ("confidence: low", "confidence: none"),
    ("match: {jwt.tenant: acme}", "match: {jwt.tenant: acme, host: a.example}"),
    ("match: {jwt.tenant: acme}", "match: {tenant: acme}"),
    ("mechanisms: {scc: true}", "mechanisms: {scc: false}"),
    ("unknown: {assume: [DE]}", "unknown: allow"),
    ("geoip: {tier: 2,", "geoip: {may_replace: [jwt], tier: 2,"),
    ("geoip: {tier: 2,", "geoip: {tier: 1,"),
    ("max_age_days: 45", "max_age_days: 0"),
    ("name: x-data-jurisdiction", "name: X-Data-Jurisdiction"),
    ("limit_kib: 64", "limit_kib: 2048"),
    ("detectors: {email: personal}", "detectors: {phone: personal}"),
    ("mode: prefer_verified", "mode: prefer"),
    ("pattern: regional-sharding", "pattern: active-active"),
    ("model: fraud, reason", "model: fraud, region: eu-fra, reason"),
    ("approved_by: [a, b]", "approved_by: [a, a]"),
    ("until: 2027-01-01,", "until: soon,"),
    ("plan: {length: 3}", "plan: {length: 4}"),
    ("default: page", "default: observe"),
    ("{public: observe}", "{public: sync}"),
    ("{fraud: fsync}", "{fraud: observe}"),
    ("subject: {claim: sub}", "subject: {claim: a b}"),
    ("  subject: {claim: sub}\n", ""),
    ("sealed: [subject,", "sealed: [name,"),
    ("expect: {permitted: [eu-fra], transfers: []}", "expect: {permitted: [eu-fra], refused: no_permitted_region}"),
    ("expect: {permitted: [eu-fra], transfers: []}", "expect: {permitted: []}"),
]


def _tables(schema: object) -> Iterator[dict[str, Any]]:
    """List the tables with known fields."""
    if isinstance(schema, dict):
        if schema.get("additionalProperties") is False and "patternProperties" not in schema:
            yield schema
        for part in schema.values():
            yield from _tables(part)
    elif isinstance(schema, list):
        for part in schema:
            yield from _tables(part)


class _Observer:
    """Sees what the parser asks of each table."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.seen: set[tuple[frozenset[str], frozenset[str]]] = set()
        self._required: dict[int, set[str]] = {}
        required, close = Table.required, Table.close

        def asked(table: Table, name: str, read: Any) -> Field[Any]:  # noqa: ANN401 - whatever is read
            self._required.setdefault(id(table), set()).add(name)
            return required(table, name, read)

        def closed(table: Table) -> None:
            self.seen.add((frozenset(table._known), frozenset(self._required.pop(id(table), set()))))
            close(table)

        patch.setattr(Table, "required", asked)
        patch.setattr(Table, "close", closed)


def test_the_shipped_schema_is_what_is_built() -> None:
    assert read_schema() == format_schema(), "write format_schema() to the file"
    assert json.loads(read_schema()) == SCHEMA


def test_it_is_a_schema() -> None:
    Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.name)
def test_shipped_policies_are_valid(path: Path) -> None:
    parse_policy(path.read_text())
    assert [error.message for error in VALIDATOR.iter_errors(read_plain(path))] == []


@pytest.mark.slow
@settings(max_examples=200)
@given(policy=policies())
def test_random_policies_are_valid(policy: Written) -> None:
    parse_policy(as_yaml(policy))
    assert [error.message for error in VALIDATOR.iter_errors(policy)] == []


def test_the_parser_asks_for_what_the_schema_lists(monkeypatch: pytest.MonkeyPatch) -> None:
    observer = _Observer(monkeypatch)
    parse_policy((HERE / "whole.yaml").read_text())
    listed = {(frozenset(each["properties"]), frozenset(each["required"])) for each in _tables(SCHEMA)}
    assert observer.seen == listed


def test_every_field_is_described() -> None:
    for each in _tables(SCHEMA):
        for name, field in each["properties"].items():
            assert field.get("description"), name


def test_a_description_is_the_docstring_on_one_line() -> None:
    assert manual_of(Regime, "verified").startswith("`false` marks a regime of which its author could not verify all:")
    assert "\n" not in manual_of(Regime)
    with pytest.raises(KeyError):
        manual_of(Regime, "nothing")


@pytest.mark.slow
def test_unknown_fields_are_refused_by_both() -> None:
    """In every table that there is, at whatever depth."""
    whole = read_plain(HERE / "whole.yaml")
    places: list[tuple[str | int, ...]] = []

    def walk(value: object, path: tuple[str | int, ...]) -> None:
        if isinstance(value, dict):
            places.append(path)
            for key, part in value.items():
                walk(part, (*path, key))
        elif isinstance(value, list):
            for i, part in enumerate(value):
                walk(part, (*path, i))

    walk(whole, ())
    assert len(places) > 50
    for path in places:
        changed = json.loads(json.dumps(whole))
        table = changed
        for step in path:
            table = table[step]
        table["no such field"] = "x"
        assert not VALIDATOR.is_valid(changed), path
        with pytest.raises(DocumentError):
            parse_policy(as_yaml(changed))


@pytest.mark.parametrize(("old", "new"), REFUSED)
def test_what_the_schema_refuses_the_parser_refuses(old: str, new: str, tmp_path: Path) -> None:
    whole = (HERE / "whole.yaml").read_text()
    assert old in whole
    path = tmp_path / "faulty.yaml"
    path.write_text(whole.replace(old, new, 1))
    assert not VALIDATOR.is_valid(read_plain(path))
    with pytest.raises(DocumentError):
        parse_policy(path.read_text())
