"""`situs policy coverage`: which rules of a policy its tests depend on.

A rule that a test merely passes by is not covered: the rule is taken away, and a test must notice.
"""

from extproc.review.coverage.lines import Lines
from extproc.review.coverage.measure import Coverage, Covered, coverage_of, uncovered
from extproc.review.coverage.rules import Rule, RuleKind, rules_of

__all__ = ["Coverage", "Covered", "Lines", "Rule", "RuleKind", "coverage_of", "rules_of", "uncovered"]
