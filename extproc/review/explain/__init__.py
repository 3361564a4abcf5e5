"""`situs policy explain`: one question, and everything that led to its answer, for the person who must stand by it.

The answer is tier 1's own. What is said besides (conditions, citations, near misses) is read from the written policy;
tests hold the two against each other. What would change the answer is found by asking again.
"""

from extproc.review.explain.explaining import explain
from extproc.review.explain.model import (
    Change,
    ChangeKind,
    ClassNote,
    DutyNote,
    Explanation,
    GoverningNote,
    Ground,
    IngressNote,
    NearMiss,
    PermitNote,
    Proviso,
    RegionNote,
    SignalNote,
)
from extproc.review.explain.text import format_explanation

__all__ = [
    "Change",
    "ChangeKind",
    "ClassNote",
    "DutyNote",
    "Explanation",
    "GoverningNote",
    "Ground",
    "IngressNote",
    "NearMiss",
    "PermitNote",
    "Proviso",
    "RegionNote",
    "SignalNote",
    "explain",
    "format_explanation",
]
