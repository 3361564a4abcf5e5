"""How a shadow policy's answer differs from the live one, by what each would have permitted."""

from enum import StrEnum

from extproc.core.decide import Decision
from extproc.core.ids import RegionId
from extproc.core.jurisdiction import Verdict
from extproc.core.steering import Deny


class ShadowDifference(StrEnum):
    """What putting the shadow policy in force would have changed for a request."""

    SAME = "same"
    NARROWER = "narrower"
    """It permits only some of the regions that the live policy permits, or refuses."""
    WIDER = "wider"
    """It permits all of them and more."""
    OTHER = "other"
    """It permits regions that the live policy does not, and not all that it does."""


def difference(decision: Decision) -> ShadowDifference | None:
    """Compare the two answers; None where no shadow policy was evaluated."""
    if decision.shadow is None:
        return None
    live, shadow = permitted_live(decision), permitted_in_shadow(decision)
    if live == shadow:
        return ShadowDifference.SAME
    if shadow < live:
        return ShadowDifference.NARROWER
    return ShadowDifference.WIDER if live < shadow else ShadowDifference.OTHER


def permitted_live(decision: Decision) -> frozenset[RegionId]:
    """Give the regions to which the live policy would let the request go."""
    steering = decision.steering
    if isinstance(steering, Deny) and not steering.refusal.is_of_service:
        return frozenset()
    return _permitted(decision.verdict)


def permitted_in_shadow(decision: Decision) -> frozenset[RegionId]:
    """Give the regions to which the shadow policy would let the request go; none where none was evaluated."""
    shadow = decision.shadow
    return frozenset() if shadow is None or shadow.refusal is not None else _permitted(shadow.verdict)


def _permitted(verdict: Verdict | None) -> frozenset[RegionId]:
    return frozenset(each.region for each in verdict.regions if each.exclusion is None) if verdict else frozenset()
