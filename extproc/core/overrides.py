"""Legal overrides: what a legal trigger takes out of service, from when until when, and who approved it."""

from dataclasses import dataclass

from extproc.core.ids import OverrideId, RegionId


@dataclass(frozen=True, slots=True, kw_only=True)
class Suspension:
    """A region may not be named by any decision in `[from_s, until_s)`; times are Unix seconds.

    `until_s` is None for a suspension without an end, which stays until somebody resumes the region.
    """

    id: OverrideId
    region: RegionId
    reason: str
    from_s: float
    until_s: float | None
    approved_by: tuple[str, ...]

    def in_force(self, now_s: float) -> bool:
        """Tell whether the suspension holds at `now_s`."""
        return self.from_s <= now_s and (self.until_s is None or now_s < self.until_s)
