# ruff: noqa: D401 - the docstring of a check says why it matters
"""What the author expects of the policy, kept with it."""

from collections.abc import Iterator

from extproc.review.lint.check import Found, check
from extproc.review.lint.finding import Level
from extproc.review.lint.matter import Matter


@check("policy-without-tests", Level.NOTE, "nothing says what the policy is expected to answer")
def policy_without_tests(matter: Matter) -> Iterator[Found]:
    """A rule can be changed by mistake as easily as on purpose; an expectation that is written tells the two apart."""
    if not matter.document.tests:
        yield Found(
            matter.places("policy"),
            "the policy has no tests",
            "add 'tests:' with a few requests and what must come of them",
        )
