"""Where the linter has to keep silent, and what it says of the policies that are shipped."""

from datetime import date
from importlib import resources
from pathlib import Path

import pytest

from extproc.policy import compile_policy, parse_policy
from extproc.policy.starter import PRESETS, compose
from extproc.review.lint import CHECK_OF, Finding, Level, lint, places_of_text

CLEAN = (Path(__file__).parent / "clean.yaml").read_text()
EXAMPLES = Path(str(resources.files("extproc.policy") / "examples"))
TODAY = date(2026, 11, 21)
PUBLIC = "when: {subject_in: anywhere, class_in: public}"


def _lint(text: str, today: date = TODAY) -> tuple[Finding, ...]:
    return lint(compile_policy(parse_policy(text)), places_of_text(text, file="p.yaml"), today=today)


def _edited(*edits: tuple[str, str]) -> set[str]:
    text = CLEAN
    for old, new in edits:
        assert old in text
        text = text.replace(old, new, 1)
    return {finding.id for finding in _lint(text)}


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.yaml")), ids=lambda path: path.name)
def test_the_examples_have_notes_at_most(path: Path) -> None:
    assert [str(each) for each in _lint(path.read_text()) if each.level is not Level.NOTE] == []


@pytest.mark.slow
@pytest.mark.parametrize(("preset", "profile"), [(id_, each) for id_, one in PRESETS.items() for each in one.profiles])
def test_the_starters_have_notes_at_most(preset: str, profile: str) -> None:
    text = compose(profile, preset)
    grave = [each for each in _lint(text) if each.level is not Level.NOTE]
    assert {each.id for each in grave} == ({"performance-first"} if profile == "performance-first" else set())


def test_a_single_region_is_meant_so_under_regional_sharding() -> None:
    shards = "deployment: {pattern: regional-sharding, shards: [{subjects: anywhere, region: eu-fra}]}\nconflict:"
    assert "single-region" not in _edited(("conflict:", shards))


def test_one_region_of_a_plan_is_meant_so_under_regional_sharding() -> None:
    assert "plan-without-fallback" in _edited(("conflict:", "plan: {length: 1}\nconflict:"))
    shards = "deployment: {pattern: regional-sharding, shards: [{subjects: anywhere, region: eu-fra}]}\nconflict:"
    assert "plan-without-fallback" not in _edited(("conflict:", f"plan: {{length: 1}}\n{shards}"))


def test_a_drain_that_leaves_a_region_is_no_finding() -> None:
    for deployment in ("drain: [ca-mtl]", "drain: [us-*, ca-yqb]", "weights: {ca-mtl: 0, us-iad: 7}"):
        found = _edited(("conflict:", f"deployment: {{pattern: active-active, {deployment}}}\nconflict:"))
        assert "drained-out" not in found


def test_what_leaves_nothing_without_the_drain_is_not_laid_to_it() -> None:
    order = ("permit: eu-gdpr.dpf, reason: review, from: 2026-12-01", "permit: ca.ca, reason: review, from: 2026-11-01")
    drain = ("conflict:", "deployment: {pattern: active-active, drain: [eu-ams]}\nconflict:")
    found = _edited(order, drain)
    assert "empty-set-by-order" in found
    assert "drained-out" not in found


def test_numbers_that_agree_are_no_finding() -> None:
    said = "ca-yqb: {capacity: 99, quota: 99, rtt_ms: 80.5, slo_ms: 80.6, country: CA,"
    assert not {"quota-below-capacity", "slo-below-rtt"} & _edited(("ca-yqb: {country: CA,", said))
    assert "slo-below-rtt" not in _edited(("ca-yqb: {country: CA,", "ca-yqb: {slo_ms: 1, country: CA,"))


def test_one_digest_everywhere_is_no_finding() -> None:
    edits = [
        (
            f"name: {name}, hq: US}}, models: {{digits: {{",
            f'name: {name}, hq: US}}, models: {{digits: {{digest: "{digest}", ',
        )
        for name, digest in (("One", "sha256:" + "a" * 64), ("Two", "sha256:" + "a" * 64))
    ]
    assert not {"model-digests-differ", "digest-without-version"} & _edited(*edits)


def test_transfers_that_never_count_need_no_mechanism() -> None:
    edits = (("profile: hybrid", "profile: legal-first"), ("        enabled_by: tenant.mechanisms.dpf\n", ""))
    found = _edited(*edits, ("mechanisms: {dpf: true}, ", ""))
    assert "transfer-in-legal-first" in found
    assert "transfer-without-mechanism" not in found


def test_a_permit_to_anywhere_that_asks_something_is_no_default() -> None:
    wide = ("when: {subject_in: CA, class_not: [public]}", "when: {subject_in: CA}")
    for to in ("{in: anywhere, not_in: US_CONCERN}", "{in: anywhere, cert: c5}", "{in: anywhere, operator_in: EEA}"):
        assert not {"default-permit", "default-regime"} & _edited(wide, ("to: CA, basis", f"to: {to}, basis"))
    assert "default-permit" in _edited(wide, ("to: CA, basis", "to: anywhere, basis"))
    # For some of the classes only, it is a judgment about these.
    assert "default-permit" not in _edited(("to: CA, basis", "to: anywhere, basis"))


def test_a_permit_that_is_first_for_one_region_or_tenant_is_not_shadowed() -> None:
    scc = (
        "      - {id: scc, to: US, basis: safeguards, cite: x, as_of: 2026-09-01, review_by: 2027-02-01, "
        "confidence: low, enabled_by: tenant.mechanisms.scc}\n    obligations:"
    )
    both = ("mechanisms: {dpf: true}", "mechanisms: {dpf: true, scc: true}")
    assert "permit-shadowed" in _edited(("    obligations:", scc), both)
    assert "permit-shadowed" not in _edited(
        ("    obligations:", scc), both, ("country: US, certs: [dpf]", "country: US")
    )
    other = (
        "  maple: {match",
        "  other: {match: {jwt.tenant: other}, class: personal, mechanisms: {scc: true}}\n  maple: {match",
    )
    assert "permit-shadowed" not in _edited(("    obligations:", scc), both, other)


def test_a_host_that_gets_no_more_than_the_anonymous_tenant_is_no_finding() -> None:
    tighter = "shop: {match: {host: shop.example}, class: special, expects: [EEA]}\n  walk-in:"
    assert "host-widens" not in _edited(("walk-in:", tighter))
    looser = "shop: {match: {host: shop.example}, class: public, expects: [EEA]}\n  walk-in:"
    assert "host-widens" in _edited(("walk-in:", looser))


def test_bounds_of_days_count_the_day_itself() -> None:
    edit = ("cite: PIPEDA, as_of: 2026-09-01", "cite: PIPEDA, as_of: 2026-09-01, valid_until: 2026-12-21")
    text = CLEAN.replace(*edit)
    assert "permit-due" in {each.id for each in _lint(text)}
    assert "permit-due" not in {each.id for each in _lint(text, date(2026, 11, 20))}
    assert "permit-due" in {each.id for each in _lint(text, date(2026, 12, 21))}
    assert "permit-expired" in {each.id for each in _lint(text, date(2026, 12, 22))}


def test_every_check_says_why_in_whole_sentences() -> None:
    for check in CHECK_OF.values():
        assert len(check.why) > 60
        assert check.why.endswith(".")
        assert not check.title.endswith(".")
        assert check.id == check.id.lower().replace("_", "-")
