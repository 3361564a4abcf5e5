"""The program's own reviewers find nothing to mend in a starter policy, and no rule without a test."""

from datetime import date

import pytest
from starter.combinations import COMBINATIONS, compiled

from extproc.policy.starter import compose
from extproc.review.coverage import coverage_of
from extproc.review.lint import Level, lint, places_of_text

pytestmark = pytest.mark.slow

every_combination = pytest.mark.parametrize(("profile", "preset"), COMBINATIONS)

TODAY = date(2026, 11, 21)
"""The day on which the policies begin: on a later one, reviews fall due, and the linter is right to say so."""


@every_combination
def test_the_linter_finds_nothing_to_mend(profile: str, preset: str) -> None:
    policy = compiled(profile, preset)
    places = places_of_text(compose(profile, preset), file=f"{preset}-{profile}")
    graver = [each for each in lint(policy, places, today=TODAY) if each.level is not Level.NOTE]
    # What the profile is for is what the linter warns of.
    meant = {"performance-first"} if profile == "performance-first" else set()
    assert not [str(each) for each in graver if each.id not in meant]


@every_combination
def test_no_rule_is_without_a_test_that_depends_on_it(profile: str, preset: str) -> None:
    coverage = coverage_of(compiled(profile, preset))
    assert not coverage.failing
    missing = {f"{each.rule.kind} {each.rule.name}" for each in coverage.rules if each.test is None}
    # Where no transfer is written, nothing shows that none would count.
    assert missing <= ({"profile legal-first"} if profile == "legal-first" else set())
