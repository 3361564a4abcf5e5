"""Orders that nobody has given, to see what they would do."""

from extproc.core.ids import OverrideId
from extproc.core.overrides import Suspension, TargetKind


def suspending(kind: TargetKind, name: str) -> Suspension:
    """Make an order that always was in force and has no end; it stands in no record."""
    return Suspension(
        id=OverrideId("what-if"), kind=kind, name=name, reason="what if", from_s=0.0, until_s=None, approved_by=()
    )
