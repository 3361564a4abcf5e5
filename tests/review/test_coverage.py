"""A rule is covered if a test notices that it is gone."""

from review.world import POLICY, changed, compiled

from extproc.core.ids import TenantId
from extproc.review.coverage import Coverage, Lines, coverage_of, rules_of


def _uncovered(text: str = POLICY) -> set[str]:
    return {each.rule.name for each in coverage_of(compiled(text)).rules if each.test is None}


def test_what_no_test_notices_is_listed() -> None:
    # No test asks for public data, with a claim, while the order is in force, or for what a mode would change.
    assert _uncovered() == {"open", "open.anywhere", "jwt", "jwt.may_replace", "intersect", "LT-1"}


def test_a_test_that_would_pass_anyway_covers_nothing() -> None:
    """A permit that another one stands in for is not covered by the region that it permits."""
    doubled = changed(
        (
            "      - {id: near, to: NEAR",
            "      - {id: twin, to: [DE, NL], basis: internal, cite: x}\n      - {id: near, to: NEAR",
        ),
        ("only: [eea]", "only: [eea, twin]"),
    )
    assert {"gdpr.eea", "gdpr.twin"} <= _uncovered(doubled)


def test_tests_for_the_rest_cover_the_rest() -> None:
    whole = POLICY + (
        "  - {name: public, in: {tenant: open-data, geoip: ZA},\n"
        "     expect: {permitted: [br-gru, eu-ams, eu-fra, me-dxb, us-iad]}}\n"
        "  - {name: claim, in: {tenant: shop, geoip: ZA, jwt: DE}, expect: {permitted: [eu-ams, eu-fra]}}\n"
        "  - {name: suspended, now: 2027-01-15, in: {tenant: walk-in, geoip: DE},\n"
        "     expect: {permitted: [eu-ams, eu-fra]}}\n"
    )
    whole = whole.replace(
        "  walk-in: {match", "  open-data: {match: {jwt.tenant: open}, class: public}\n  walk-in: {match"
    )
    assert _uncovered(whole) == {"intersect"}


def test_a_test_that_fails_covers_nothing() -> None:
    broken = changed(("{redirect: ae.api.example}", "{redirect: eu.api.example}"))
    coverage = coverage_of(compiled(broken))
    assert coverage.failing == ("the Emirates go to their own host",)
    assert {"uae", "redirect of AE", "redirect"} & _uncovered(broken) == {"uae", "redirect of AE"}
    assert {each.rule.name for each in coverage.rules if each.test is None} > _uncovered()


def test_every_rule_of_every_section_is_counted_once() -> None:
    rules = rules_of(compiled().document)
    names = [(rule.kind, rule.name) for rule in rules]
    assert len(set(names)) == len(names)
    assert {rule.name for rule in rules if rule.tenant == TenantId("bank")} == {"bank", "bank.mechanisms.dpf"}
    assert {"hybrid", "gdpr", "gdpr.dpf", "gdpr.register", "gdpr class special", "shop.allow", "geoip"} <= {
        rule.name for rule in rules
    }


def test_the_share_is_of_all_rules() -> None:
    coverage: Coverage = coverage_of(compiled())
    assert coverage.covered == len(coverage.rules) - 6
    assert coverage.percent == 100 * coverage.covered / len(coverage.rules)


def test_each_rule_is_found_on_its_line() -> None:
    lines = Lines(POLICY.encode(), "policy.yaml")
    text = POLICY.splitlines()
    assert "id: dpf" in text[lines.of("regimes", "gdpr", "permits", "dpf") - 1]
    assert "id: uae" in text[lines.of("regimes", "uae") - 1]
    assert "allow" in text[lines.of("tenants", "shop", "allow") - 1]
    assert "LT-1" in text[lines.of("overrides", "LT-1") - 1]
    assert lines.of("conflict", "mode") == 1  # not written, so the document itself
