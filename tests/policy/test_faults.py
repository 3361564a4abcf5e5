"""Planted faults: each is found at its place, is reported with its mend, and brings no other report."""

from pathlib import Path

import pytest

from extproc.policy import PolicyDocument, load_policy, parse_policy
from extproc.strict_yaml import DocumentError

FULL = (Path(__file__).parent / "full.yaml").read_text()

# What is replaced in full.yaml, by what (`§` marks where the fault must be reported), words of the message, and words
# of the mend.
FAULTS = [
    # The document and its identity.
    ("apiVersion: situs/v1", "apiVersion: §situs/v2", "not a version", "write situs/v1"),
    ("apiVersion: situs/v1", "§apiversion: situs/v1", "unknown field 'apiversion'", "did you mean 'apiVersion'"),
    ("plan: {length: 3}", "plan: {length: §4}", "4 is more than 3", "3 or less"),
    ("plan: {length: 3}", "plan: {length: §0}", "0 is less than 1", "1 or more"),
    ("plan: {length: 3}", "plan: {§len: 3, length: 3}", "unknown field 'len'", "did you mean 'length'"),
    ("plan: {length: 3}", "plan: {length: 3}\n§plan: {length: 2}", "already given at line 61", "keep one"),
    ("plan: {length: 3}", "plan: {length: §three}", "expected a whole number", "write a whole number"),
    ("plan: {length: 3}", "plan: {length: §03}", "'03' is not a plain whole number", "leading zeros"),
    ("plan: {length: 3}", "§profile: legal-first", "unknown field 'profile'", "the fields here are apiVersion, policy"),
    ("conflict: {mode: deny}", "conflict: {mode: §den}", "'den' is none of", "did you mean 'deny'"),
    ("conflict: {mode: deny}", "conflict: §{}", "'mode' is missing", "add 'mode:'"),
    ("version: 7", "version: §0", "0 is less than 1", "1 or more"),
    ("version: 7", 'version: §"7"', "expected a whole number, not '7'", "write a whole number"),
    ("version: 7", "version:§ ", "the value is empty", "or remove the field"),
    ("id: acme-prod", "id: §acme prod", "not a usable name", "letters, digits"),
    ("id: acme-prod", "id: §3", "expected text, and 3 is a whole number", 'in quotes: "3"'),
    ("as_of: 2026-01-10", "as_of: §2026-1-10", "is not a day", "YYYY-MM-DD"),
    ("as_of: 2026-01-10", "as_of: §2026-02-29", "does not exist", "check the month"),
    ("as_of: 2026-01-10", "as_of: §0026-01-10", "year 26 is out of range", "write a year from 1971"),
    ("review_by: 2027-02-21", "review_by: §2025-02-21", "is before as_of", "exchange the two"),
    # Ingress.
    ("region: eu-fra, edge", "region: §eu-fr, edge", "'eu-fr' is no region", "did you mean 'eu-fra'"),
    ("edge: {trusted_hops: 1}", "edge: {trusted_hops: §0}", "0 is less than 1", "1 or more"),
    ("edge: {trusted_hops: 1}", "edge: §indirect", "neither direct nor", "write direct"),
    ("ingress: {region: eu-fra, edge: {trusted_hops: 1}}", "ingress: §{region: eu-fra}", "'edge' is missing", "add"),
    # Classes and zones.
    ("[public, personal, special]", "[public, personal, special, §public]", "listed twice", "keep one"),
    ("EEA: builtin", "EEA: §builtins", "neither builtin nor a list", "write builtin"),
    ("EEA: builtin", "EEA: builtin\n  EAA: §builtin", "no zone 'EAA' is built in", "did you mean 'EEA'"),
    ("EEA: builtin", "EEA: builtin\n  §FR: [FR]", "already has a meaning", "FR_ZONE"),
    ("EEA: builtin", "EEA: builtin\n  §anywhere: [FR]", "already has a meaning", "call the zone something else"),
    ("    - CH", "    - §EL", "'EL' is neither", "write GR"),
    ("    - CH", "    - §UK", "'UK' is neither", "write GB"),
    ("    - CH", "    - §ch", "'ch' is neither", "write CH"),
    ("    - CH", "    - §XX", "'XX' is neither", "ISO 3166-1 such as DE"),
    ("    - CH", "    - §BR", "BR is listed twice", "keep one"),
    ("    - CH", "    - §null", "the value is empty", "or remove"),
    ("{country: BR, cite", "{country: §BRA, cite", "'BRA' is not an assigned", "such as DE"),
    ("{subdivision: CA-QC}]", "§{cite: x}]", "one country or one subdivision", "write 'country: BR'"),
    ("{subdivision: CA-QC}]", "{subdivision: §CA}]", "'CA' is a country", "or use 'country'"),
    ("valid_until: 2027-12-27", "valid_from: 2028-01-01, valid_until: §2027-12-27", "is before valid_from", "exchange"),
    # Regions.
    ("  br-gru: {country: BR", "  br-gru: {country: §UK", "'UK' is not an assigned", "write GB"),
    ("  br-gru: {country: BR", "  §br>gru: {country: BR", "not a usable name", "lower-case letters"),
    ("  br-gru: {country: BR", "  §situs_x: {country: BR", "Situs's own clusters", "does not start with situs_"),
    ("subdivision: DE-HE", "subdivision: §FR-IDF", "FR-IDF is not inside DE", "a subdivision of DE"),
    ("outbound|443||eu-ams.example", "§a>b", "not a usable name", "letter or digit"),
    (
        "    country: NL\n    cluster: outbound|443||eu-ams.example",
        "    §country: NL\n    cluster: eu-fra",
        "share the cluster 'eu-fra'",
        "of its own",
    ),
    ("rtt_ms: 80.5", "rtt_ms: §-1", "-1 is less than 0", "0 or more"),
    ("rtt_ms: 80.5", "rtt_ms: §.inf", "not a plain number", "write it like 8"),
    ("rtt_ms: 80.5", "rtt_ms: §80ms", "expected a number, not '80ms'", "write a number"),
    ('{version: "1"}', "{version: §1}", "expected text, and 1 is a whole number", 'in quotes: "1"'),
    ("{digits: {}, fraud: {}}", "{digits: {}, fraud:§ }", "entry is empty", "write {} for any version"),
    ("  br-gru: {country: BR, models: {}}", "  br-gru: §{country: BR}", "'models' is missing", "add 'models:'"),
    ("  br-gru: {country: BR, models", "  br-gru: {§contry: DE, country: BR, models", "unknown", "mean 'country'"),
    # Regimes.
    ("id: quebec", "id: §eu-gdpr", "the regime id 'eu-gdpr' is used twice", "an id of its own"),
    ("any: [{subject_in: EEA}", "any: [{subject_in: §EAA}", "'EAA' is neither a zone", "did you mean 'EEA'"),
    ("any: [{subject_in: EEA}", "any: [{subject_in: §EU}", "'EU' is neither", "'EEA: builtin'"),
    ("any: [{subject_in: EEA}", "any: [{§subjects_in: EEA, subject_in: EEA}", "unknown", "did you mean 'subject_in'"),
    ("when: {subject_in: anywhere, class_in: public}", "when: §{}", "no condition is given", "'subject_in: anywhere'"),
    ("when: {subject_in: anywhere, class_in: public}", "when: {any: §[]}", "has 0 items and needs 1", "add what is"),
    ("class_in: public}", "class_in: §publik}", "'publik' is no class", "did you mean 'public'"),
    ("class_not: [public]", "class_not: §{}", "expected text, not a table", "write text"),
    ("to: ADEQUATE", "to: [CH, §adequat]", "neither a zone", "did you mean 'ADEQUATE'"),
    ("to: ADEQUATE", "to: {zone: §BR}", "'BR' is no zone", "the zones are ADEQUATE, EEA, QUEBEC"),
    ("to: {country: US, cert: dpf}", "to: §{cert: dpf}", "names no place", "'in: anywhere'"),
    ("to: {country: US, cert: dpf}", "to: {country: §UK, cert: dpf}", "'UK' is not an assigned", "write GB"),
    ("to: EEA, basis: internal", "to: EEA, basis: §intern", "'intern' is none of", "did you mean 'internal'"),
    ("{id: eea, to: EEA, basis: internal,", "§{id: eea, to: EEA,", "'basis' is missing", "add 'basis:'"),
    (
        "{id: all, to: anywhere, basis: unrestricted, cite: operator}",
        "§{id: all, to: EEA, basis: internal}",
        "the field 'cite' is missing",
        "add 'cite:'",
    ),
    ("cite: operator", "cite: §'  '", "the text is empty", "write a text"),
    ("cite: operator", 'cite: §"a\\u202eb"', "invisible character U+202E", "remove it"),
    ("id: adequate,", "id: §eea,", "the permit id 'eea' is used twice", "an id of its own"),
    ("valid_until: 2026-12-31", "valid_until: §2026-01-31", "is before valid_from", "exchange the two days"),
    ("confidence: high", "confidence: §hig", "'hig' is none of high, medium, low", "did you mean 'high'"),
    ("enabled_by: tenant.mechanisms.dpf", "enabled_by: §dpf", "names no mechanism", "write tenant.mechanisms.NAME"),
    ("only: [eea]", "only: [eea, §eeaa]", "'eeaa' is no permit", "did you mean 'eea'"),
    ("class: {special: {only", "class: {§secial: {only", "'secial' is no class", "did you mean 'special'"),
    # Tenants.
    ("match: {jwt.tenant: clinic}", "match: §{jwt.tenant: acme}", "match the same requests", "a match of its own"),
    (
        "{match: anonymous, class: p",
        "{match: §{jwt.tenant: clinic}, class: p",
        "match the same",
        "one tenant at most is anonymous",
    ),
    ("match: {jwt.tenant: clinic}", "match: §{}", "names one claim, and 0 are given", "write {jwt.CLAIM: VALUE}"),
    ("match: {jwt.tenant: clinic}", "match: §all", "neither a claim nor anonymous", "write {jwt.CLAIM: VALUE}"),
    ("match: {jwt.tenant: clinic}", "match: {§tenant: clinic}", "'tenant' is no claim", "write {jwt.CLAIM: VALUE}"),
    ("class: special}\n", "class: §specials}\n", "'specials' is no class", "did you mean 'special'"),
    ("exporter: DE", "exporter: §EL", "'EL' is neither", "write GR"),
    ("allow: [eu-*]", "allow: [§ap-*]", "matches no region", "the regions are br-gru, ca-mtl"),
    ("allow: [eu-*]", "allow: §[]", "has 0 items and needs 1", "add what is missing"),
    ("mechanisms: {dpf: {reference: DPF-1}}", "mechanisms: {§dfp: true}", "no permit is enabled", "did you mean 'dpf'"),
    ("mechanisms: {dpf: {reference: DPF-1}}", "mechanisms: {dpf: §false}", "off unless", "remove this line"),
    ("mechanisms: {dpf: {reference: DPF-1}}", "mechanisms: {dpf: §yes}", "neither true nor a table", "write true"),
    # Signals.
    ("geoip: {tier: 2", "geoip: {tier: §1", "the tier of geoip is 2, not 1", "write 2, or leave it out"),
    ("geoip: {tier: 2", "geoip: {may_replace: §[jwt], tier: 2", "only a verified one can", "remove 'may_replace'"),
    ("header: {tier: 3", "header: {may_replace: §[jwt], tier: 3", "only a verified one can", "remove 'may_replace'"),
    ("unknown: deny", "unknown: §allow", "'allow' is none of deny", "write one of deny"),
    ("may_replace: [geoip]", "may_replace: [§jwt]", "cannot replace itself", "remove it"),
    (
        "  geoip: {tier: 2, unknown: deny}\n  jwt: {tier: 1, claim: residency, may_replace: [",
        "  jwt: {claim: c, may_replace: [§",
        "is not read",
        "add that signal",
    ),
    ("may_replace: [geoip]", "may_replace: [§geo]", "'geo' is none of", "did you mean 'geoip'"),
    ("name: x-data-jurisdiction", "name: §X-Data-Jurisdiction", "not a usable name", "in lower case"),
    ("name: x-data-jurisdiction", "name: §x-situs-route", "serves another purpose", "choose one"),
    ("name: x-data-jurisdiction", "name: §authorization", "serves another purpose", "choose one"),
    ("name: x-data-jurisdiction", 'name: §":path"', "not a usable name", "in lower case"),
    ("header: x-data-class", "header: §x-data-jurisdiction", "declares the jurisdiction already", "x-data-class"),
    # Overrides.
    ("effect: suspend", "effect: §suspended", "'suspended' is none of suspend", "did you mean 'suspend'"),
    ("region: us-iad", "region: §us-idd", "'us-idd' is no region", "did you mean 'us-iad'"),
    ("from: 2026-06-01T09:00:00+02:00", "from: §2026-06-01T09:00:00", "is not a moment", "or with an offset"),
    ("from: 2026-06-01T09:00:00+02:00", "from: §2026-06-01T25:00:00Z", "does not exist", "YYYY-MM-DDTHH"),
    ("until: 2026-07-01", "until: §2026-05-01", "before it starts", "exchange the two times"),
    ("approved_by: [bob, alice]", "approved_by: §[bob, bob]", "listed twice", "once"),
    ("approved_by: [bob, alice]", "approved_by: §[]", "has 0 items", "add what is missing"),
    # YAML itself.
    ("cite: operator", "cite: §&c operator", "the anchor &c", "remove it"),
    ("cite: operator", "cite: §!secret operator", "the tag !secret", "remove it"),
    ("plan: {length: 3}\n", "plan: {length: 3}\n§---\na: b\n", "a second document", "one document"),
    ("plan: {length: 3}\n", "plan: {length: 3\n§", "not YAML", "check the indentation and the brackets"),
    ("plan: {length: 3}\n", "plan: {length: 3} # §\x00\n", "U+0000", "remove it"),
]

# Faults that cannot but bring a second report: a misspelt field is also a missing one, and what refers to a faulty
# name refers to nothing.
_BRING_ANOTHER = {"§apiversion: situs/v1", "enabled_by: §dpf"}


def test_the_text_without_faults_is_sound() -> None:
    assert isinstance(parse_policy(FULL), PolicyDocument)


@pytest.mark.parametrize(("old", "new", "message", "mend"), FAULTS, ids=[fault[1] for fault in FAULTS])
def test_a_planted_fault_is_reported_at_its_place_with_its_mend(old: str, new: str, message: str, mend: str) -> None:
    assert old in FULL
    marked = FULL.replace(old, new, 1)
    before = marked[: marked.index("§")].split("\n")
    with pytest.raises(DocumentError) as caught:
        parse_policy(marked.replace("§", ""), file="p.yaml")
    problems = caught.value.problems
    found = [problem for problem in problems if message in problem.message and mend in problem.mend]
    assert [(p.place.line, p.place.column) for p in found] == [(len(before), len(before[-1]) + 1)], str(caught.value)
    assert len(problems) == (2 if new in _BRING_ANOTHER else 1), str(caught.value)
    assert str(caught.value).startswith("p.yaml:")


def test_without_an_authenticated_signal_every_request_would_be_refused() -> None:
    text = FULL.replace("  geoip: {tier: 2, unknown: deny}\n", "")
    text = text.replace("  jwt: {tier: 1, claim: residency, may_replace: [geoip]}\n", "")
    with pytest.raises(DocumentError, match=r"p:48:3: no authenticated signal .* Mend: add 'geoip: \{\}'"):
        parse_policy(text, file="p")


def test_many_faults_are_reported_at_once_in_the_order_of_the_file() -> None:
    text = FULL
    for old, new in [("country: NL", "country: UK"), ("cite: operator", "sight: operator"), ("mode: deny", "mode: x")]:
        text = text.replace(old, new, 1)
    with pytest.raises(DocumentError) as caught:
        parse_policy(text, file="p")
    assert [problem.place.line for problem in caught.value.problems] == [15, 42, 42, 52]
    assert str(caught.value).count("Mend: ") == 4


def test_a_policy_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(DocumentError, match=r"missing.yaml:1:1: the file does not exist. Mend: check the path"):
        load_policy(tmp_path / "missing.yaml")
