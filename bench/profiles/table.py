"""The comparison that operators ask for: one row for each profile, words that hold always and figures of one run."""

from collections.abc import Mapping
from typing import Final

from bench.profiles.evidence import Crossing
from bench.profiles.figures import Figures, Group
from bench.profiles.story import Phase
from extproc.core.tables import Profile

BEGIN: Final = "<!-- profiles-table -->"
END: Final = "<!-- /profiles-table -->"

_COLUMNS: Final = (
    "profile",
    "residency guarantee",
    "cross-border risk",
    "audit trail",
    "failover trigger",
    "measured latency, p50 / p99",
)

_GUARANTEE: Final = {
    Profile.LEGAL_FIRST: "no transfer, ever: only regions that every governing law permits without one",
    Profile.HYBRID: "the same, and regions that a transfer permit covers whose mechanism the tenant has declared",
    Profile.PERFORMANCE_FIRST: "as hybrid; none for a class marked `unregulated`, though its place must be known",
}
_RISK: Final = {
    Profile.LEGAL_FIRST: "only what a law leaves unrestricted",
    Profile.HYBRID: "also each transfer, which is as good as its basis",
    Profile.PERFORMANCE_FIRST: "also whatever a tenant labels with an unregulated class",
}
_RISK_TAKEN: Final = {
    Profile.LEGAL_FIRST: Crossing.UNRESTRICTED,
    Profile.HYBRID: Crossing.TRANSFER,
    Profile.PERFORMANCE_FIRST: Crossing.UNREGULATED,
}
_TRAIL: Final = {
    Profile.LEGAL_FIRST: "every decision and every attempt, signed; no transfer",
    Profile.HYBRID: "the same; a decision whose plan may transfer names importer, permit and mechanism",
    Profile.PERFORMANCE_FIRST: "as hybrid; an unregulated request is recorded as governed by no regime",
}
_FAILOVER: Final = {
    Profile.LEGAL_FIRST: "a region fails: the next one permitted without a transfer; none up: 503",
    Profile.HYBRID: "the same, then by transfer; none up: 503",
    Profile.PERFORMANCE_FIRST: "as hybrid; unregulated: the nearest of all regions that are up",
}


class MarkerError(Exception):
    """The file has no place for the table; the message says how to make one."""


def render_table(figures: Mapping[Profile, Figures], caption: str) -> str:
    """Write the table and what the figures in it are figures of."""
    rows = [
        (
            f"`{profile.value}`",
            _GUARANTEE[profile],
            f"{_RISK[profile]} ({each.crossed(_RISK_TAKEN[profile]):.0%} of what was served)",
            f"{_TRAIL[profile]}{_recorded(profile, each)}",
            _FAILOVER[profile],
            _latency(each),
        )
        for profile, each in figures.items()
    ]
    lines = [_COLUMNS, ("---",) * len(_COLUMNS), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines) + f"\n{caption}\n"


def updated(readme: str, table: str) -> str:
    """Give a document with `table` between its markers. Raises MarkerError."""
    before, after = _around(readme)
    return f"{before}{BEGIN}\n\n{table}\n{END}{after}"


def table_in(document: str) -> str:
    """Give the table between a document's markers, as :func:`updated` put it there. Raises MarkerError."""
    before, after = _around(document)
    return document[len(before) + len(BEGIN) : len(document) - len(after) - len(END)].strip("\n") + "\n"


def _around(document: str) -> tuple[str, str]:
    before, begin, rest = document.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise MarkerError(f"the table has no place. Mend: write {BEGIN} and {END} on lines of their own")
    return before, after


def _recorded(profile: Profile, figures: Figures) -> str:
    if profile is Profile.LEGAL_FIRST and not figures.transfers_recorded:
        return ""
    return f" ({figures.transfers_recorded:,} recorded, {figures.transferred:,} took place)"


def _latency(figures: Figures) -> str:
    calm, lost = (figures.by_phase.get(phase.value) for phase in (Phase.CALM, Phase.BOTH_LOST))
    public = figures.by_class_in_calm.get("public")
    return (
        f"all regions up: {_times(calm)}, {_unserved(calm)}; public alone: {_times(public)}"
        f"<br>two nearest lost: {_times(lost)}, {_unserved(lost)}"
    )


def _times(group: Group | None) -> str:
    if group is None or group.latency is None:
        return "nothing served"
    return f"{group.latency.p50_ms:.0f} / {group.latency.p99_ms:.0f} ms"


def _unserved(group: Group | None) -> str:
    return "" if group is None else f"{group.unserved_share:.0%} not served"
