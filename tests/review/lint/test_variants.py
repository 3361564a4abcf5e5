"""The other ways in which a check can find something, and what its message then says."""

from datetime import date
from pathlib import Path

import pytest

from extproc.policy import compile_policy, parse_policy
from extproc.review.lint import lint, places_of_text

CLEAN = (Path(__file__).parent / "clean.yaml").read_text()
_ACME = "match: {jwt.tenant: acme}"
_ORDER = "permit: eu-gdpr.dpf, reason"

VARIANTS = [
    ("class-rule-idle", "class: {special: {only: [eea]}}", "class: {public: {only: [eea]}}", "never governs the class"),
    ("pattern-idle", "conflict:", ("deployment: {pattern: hub-and-spoke, hubs: [ca-mtl, ca-yqb, eu-ams, eu-fra, "
     "us-iad, us-pdx]}\nconflict:"), "hub-and-spoke"),
    ("tenant-unmatchable", _ACME, "match: {spiffe: 'spiffe://acme.example/ns/../sa'}", "a segment of dots"),
    ("tenant-unmatchable", _ACME, f"match: {{host: {'a' * 60}.{'b' * 60}.{'c' * 60}.{'d' * 60}.{'e' * 60}}}",
     "at most 253 characters"),
    ("bindings-compete", _ACME, "match: {spiffe: 'spiffe://acme.example/*'}", "jwt.tenant, spiffe"),
    ("empty-set-by-order", _ORDER, "model: fraud, reason", "model_suspended of LT-1"),
    ("empty-set-by-order", _ORDER, "permit: ca.ca, reason", "permit_suspended of LT-1"),
    ("zone-differs-from-builtin", "EEA: builtin", "EEA: [{country: DE, valid_until: 2030-01-01}, NL]",
     "has other dates for DE"),
    ("permit-unchecked", "as_of: 2026-11-21, review_by", "as_of: 2025-11-20, review_by", ""),
    ("model-resident-nowhere", "fraud: {resident_in: EEA", "fraud: {resident_in: LATER", "from 2027-01-01 on"),
    ("unknown-subdivision", "subject_in: CA-QC", "subject_in: [CA-QC, CA-QX]", "CA-QX"),
    ("unknown-subdivision", "to: CA-QC", "to: {in: CA-QC, not_in: VA-1}", "VA-1"),
    ("unknown-subdivision", "SERVED: [CA,", "SERVED: [CA, DE-XX,", "DE-XX"),
    ("unknown-subdivision", "unknown: deny", "unknown: {assume: [DE-XX]}", "DE-XX"),
    ("unknown-subdivision", "country: DE}, expect", "country: DE, jwt: DE-XX}, expect", "DE-XX"),
    ("unknown-subdivision", "edge: {trusted_hops: 1}}", ("edge: {trusted_hops: 1}, on_mismatch: redirect, "
     "redirect_hosts: {US-XX: us.example}}"), "US-XX"),
    ("unknown-subdivision", "conflict:", ("deployment: {pattern: regional-sharding, shards: [{subjects: US-XX, region: "
     "us-iad}]}\nconflict:"), "US-XX"),
    ("unknown-subdivision", "us-iad: {country: US,", "us-iad: {country: US, subdivision: US-XX,", "US-XX"),
    ("slo-below-rtt", 'eu-ams: {country: NL, models: {digits: {version: "1"}',
     'eu-ams: {country: NL, rtt_ms: 20, slo_ms: 300, models: {digits: {version: "1", slo_ms: 15}', "in 15 ms"),
    ("drained-out", "conflict:", "deployment: {pattern: active-active, weights: {ca-mtl: 0, ca-yqb: 0}}\nconflict:",
     "requests of maple from CA-QC"),
    ("drained-out", "conflict:", "deployment: {pattern: active-active, drain: [eu-*]}\nconflict:", "model fraud"),
    ("durability-idle", "conflict:", ("evidence: {durability: {default: page, models: {fraud: page}}}\nconflict:"),
     "waits for page anyway"),
]  # fmt: skip
_IDS = [f"{row[0]} {row[2][:30]}" for row in VARIANTS]


@pytest.mark.parametrize(("id_", "old", "new", "message"), VARIANTS, ids=_IDS)
def test_a_variant_is_found(id_: str, old: str, new: str, message: str) -> None:
    assert old in CLEAN
    text = CLEAN.replace(old, new, 1)
    if "LATER" in new:
        text = text.replace("zones:\n", "zones:\n  LATER: [{country: DE, valid_until: 2026-12-31}]\n")
    if id_ == "permit-unchecked":
        text = text.replace("cite: PIPEDA, as_of: 2026-09-01", "cite: PIPEDA")
    found = lint(compile_policy(parse_policy(text)), places_of_text(text, file="p.yaml"), today=date(2026, 11, 21))
    assert any(message in each.message for each in found if each.id == id_), [str(each) for each in found]
    code = message if id_ == "unknown-subdivision" else ""
    if code:
        (finding,) = [each for each in found if each.id == id_]
        line = text.splitlines()[finding.place.line - 1]
        assert line[finding.place.column - 1 :].startswith(code)
