"""`situs policy what-if`: what a change would do, asked of everything that can be asked.

Only sets are compared: which permitted regions are left. The order in which tier 2 would try them is not asked for.
"""

from extproc.review.what_if.asking import Supposition, SuppositionError, expected_places, what_if
from extproc.review.what_if.effects import (
    Difference,
    Effect,
    Group,
    Who,
    difference_of,
    group_in_words,
    summary_in_words,
    who_in_words,
)
from extproc.review.what_if.sweep import Asked, Standing, State, sweep

__all__ = [
    "Asked",
    "Difference",
    "Effect",
    "Group",
    "Standing",
    "State",
    "Supposition",
    "SuppositionError",
    "Who",
    "difference_of",
    "expected_places",
    "group_in_words",
    "summary_in_words",
    "sweep",
    "what_if",
    "who_in_words",
]
