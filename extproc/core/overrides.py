"""Legal overrides: what a legal trigger takes out of service, from when until when, and who approved it."""

from dataclasses import dataclass
from enum import StrEnum

from extproc.core.ids import OverrideId


class TargetKind(StrEnum):
    """What an override is about."""

    REGION = "region"
    PERMIT = "permit"
    """Named with its regime, `eu-gdpr.dpf`: what it lets through must then rest on another permit, or on none."""
    MODEL = "model"


@dataclass(frozen=True, slots=True, kw_only=True)
class Suspension:
    """No decision uses what `kind` and `name` say in `[from_s, until_s)`; times are Unix seconds.

    `until_s` is None for a suspension without an end, which stays until somebody resumes it.
    """

    id: OverrideId
    kind: TargetKind
    name: str
    reason: str
    from_s: float
    until_s: float | None
    approved_by: tuple[str, ...]

    def in_force(self, now_s: float) -> bool:
        """Tell whether the suspension holds at `now_s`."""
        return self.from_s <= now_s and (self.until_s is None or now_s < self.until_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class Resumption:
    """Why a suspension ended before its time, and who approved that; `at_s` in Unix seconds."""

    order: OverrideId
    reason: str
    approved_by: tuple[str, ...]
    at_s: float
