"""`overrides:`: legal orders."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from extproc.core.ids import OverrideId
from extproc.core.overrides import TargetKind


class Effect(StrEnum):
    """What an override does."""

    SUSPEND = "suspend"
    """No decision names the region, rests on the permit or serves the model while the override is in force."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OverrideEntry:
    """One entry of `overrides:` a legal order that takes effect whatever the rules say."""

    id: OverrideId
    """Unique; stands in the record of what it removes."""

    effect: Effect

    target: TargetKind
    """`region:`, `permit:` or `model:`, of which one is written."""

    name: str
    """The region's or the model's name, or the permit's with its regime's (`eu-gdpr.dpf`)."""

    reason: str
    """Why, in words that may be recorded and shown."""

    from_at: datetime
    """`from:` a moment with its offset (`2026-11-21T09:00:00Z`), or a day, from its midnight UTC."""

    until_at: datetime | None = None
    """`until:` a moment, which no longer counts, or a day, which still counts to its end. Default: until it is
    removed."""

    approved_by: tuple[str, ...]
    """Who approved it, sorted; at least one. Two are better."""
