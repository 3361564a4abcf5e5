"""A policy's tests are run, and a failing one says which rule did it."""

from review.world import changed, compiled

from extproc.core.reasons import Refusal
from extproc.review.cases import Outcome, run_cases


def _only_failing(*pairs: tuple[str, str]) -> Outcome:
    (failing,) = [each for each in run_cases(compiled(changed(*pairs))) if not each.passed]
    return failing


def test_what_the_author_expects_comes_true() -> None:
    outcomes = run_cases(compiled())
    assert [each.case.name for each in outcomes if each.passed] == [each.case.name for each in outcomes]
    assert len(outcomes) == 5


def test_a_region_too_many_is_named_with_the_permit_that_lets_it_in() -> None:
    failing = _only_failing(
        ("expect: {permitted: [br-gru, eu-ams, eu-fra, us-iad],", "expect: {permitted: [br-gru, eu-ams, eu-fra],")
    )
    assert [(each.region, each.permitted, each.rule) for each in failing.differing] == [("us-iad", True, "gdpr.dpf")]


def test_a_region_too_few_is_named_with_the_regime_that_keeps_it_out() -> None:
    failing = _only_failing(
        (
            "expect: {permitted: [eu-ams, eu-fra]}}\n  - {name: the",
            "expect: {permitted: [eu-ams, eu-fra, us-iad]}}\n  - {name: the",
        )
    )
    assert [(each.region, each.permitted, each.rule) for each in failing.differing] == [("us-iad", False, "gdpr")]


def test_a_transfer_that_was_not_expected_fails() -> None:
    failing = _only_failing(("transfers: [br-gru, us-iad]", "transfers: [br-gru]"))
    assert [each.region for each in failing.differing] == ["us-iad"]


def test_a_redirect_is_no_refusal_and_another_host_is_another_answer() -> None:
    assert (
        _only_failing(("{redirect: ae.api.example}", "{refused: wrong_ingress}")).answered.redirect == "ae.api.example"
    )
    assert not _only_failing(("{redirect: ae.api.example}", "{redirect: eu.api.example}")).passed


def test_another_reason_is_another_answer() -> None:
    failing = _only_failing(("{refused: unknown_jurisdiction}", "{refused: unknown_class}"))
    assert failing.answered.refused is Refusal.UNKNOWN_JURISDICTION
    assert failing.regions == ()
