"""The simulated world: regions, ways, subjects and what befalls the regions. All times in seconds."""

from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final

from extproc.core.ids import RegionMask
from extproc.core.tables import Profile

REGIONS: Final = ("eu-fra", "eu-ams", "us-iad", "ap-tyo")
EU_FRA, EU_AMS, US_IAD, AP_TYO = range(4)
_EEA, _ALL = 0b0011, 0b1111

SERVICE_S: Final = 0.2
"""Mean time that a cell works on a request."""
SPREAD: Final = 0.5
"""Standard deviation of the logarithm of the service time."""
SLO_S: Final = 1.0
PATIENCE_S: Final = 15.0
"""After so long a request is given up: Envoy's route timeout."""
FLUSH_S: Final = 0.1
"""How often Envoy sends its access log."""
PROBE_S: Final = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """Whose data a request has: its share of each site's requests, and what each profile permits, a bit a region."""

    name: str
    shares: tuple[float, ...]
    legal_first: int
    hybrid: int

    def permitted(self, profile: Profile) -> RegionMask:
        """Give what a profile permits. Performance-first is taken at its word here: all regions, whatever the law."""
        match profile:
            case Profile.LEGAL_FIRST:
                return RegionMask(self.legal_first)
            case Profile.HYBRID:
                return RegionMask(self.hybrid)
            case Profile.PERFORMANCE_FIRST:
                return RegionMask(_ALL)


SUBJECTS: Final = (
    # Sites are the regions' own places: a sidecar in Frankfurt, Amsterdam, Virginia, Tokyo.
    Subject(name="EU, special category", shares=(0.30, 0.30, 0.05, 0.05), legal_first=_EEA, hybrid=_EEA),
    Subject(name="EU, adequacy (Japan)", shares=(0.25, 0.25, 0.05, 0.05), legal_first=_EEA, hybrid=_EEA | 0b1000),
    Subject(name="EU, adequacy and DPF", shares=(0.30, 0.30, 0.10, 0.05), legal_first=_EEA, hybrid=_ALL),
    Subject(name="US", shares=(0.15, 0.15, 0.75, 0.05), legal_first=_ALL, hybrid=_ALL),
    Subject(name="Japan", shares=(0.00, 0.00, 0.05, 0.80), legal_first=0b1000, hybrid=0b1011),
)
"""Simplified from the demo's policy: what is stated is which regions a subject's data may reach, and by what."""

NEAR: Final = (
    (0.004, 0.012, 0.090, 0.240),
    (0.012, 0.004, 0.084, 0.236),
    (0.090, 0.084, 0.004, 0.160),
    (0.240, 0.236, 0.160, 0.004),
)
"""Round trips from each site to each region."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spell:
    """Something that befalls a region for a while: it works `slowness` times slower; None where it is down."""

    name: str
    region: int
    from_s: float
    until_s: float
    slowness: float | None


BROWN_OUT: Final = Spell(name="brown-out", region=EU_FRA, from_s=25.0, until_s=55.0, slowness=5.0)
OUTAGE: Final = Spell(name="outage", region=EU_AMS, from_s=75.0, until_s=95.0, slowness=None)
COLD: Final = (
    Spell(name="cold recovery", region=EU_AMS, from_s=95.0, until_s=101.0, slowness=4.0),
    Spell(name="cold recovery", region=EU_AMS, from_s=101.0, until_s=107.0, slowness=2.0),
)
"""A region that comes back has cold caches."""


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """One setting. `load` is the work that arrives over the work that all servers can do.

    `telemetry_s` is the period of the load reports, of which `lost` is the share that never arrives. `declared` is what
    the declared capacity of each region is multiplied with, and 1 where it is right.
    """

    seed: int = 1
    sidecars: int = 30
    load: float = 0.7
    servers: tuple[int, ...] = (40, 40, 70, 50)
    rtt_s: tuple[tuple[float, ...], ...] = NEAR
    sites: tuple[float, ...] = (0.25, 0.2, 0.35, 0.2)
    """How much of the demand comes from each site."""
    spells: tuple[Spell, ...] = (BROWN_OUT, OUTAGE, *COLD)
    until_s: float = 125.0
    warm_s: float = 5.0
    """What arrives before is not judged."""
    telemetry_s: float = 2.0
    lost: float = 0.0
    declared: tuple[float, ...] = (1.0, 1.0, 1.0, 1.0)
    profile: Profile = Profile.HYBRID
    service_s: float = SERVICE_S
    masks: tuple[RegionMask, ...] = field(init=False, default=())
    """What each of the subjects may reach under the profile."""

    def __post_init__(self) -> None:
        """Look the masks up once."""
        object.__setattr__(self, "masks", tuple(each.permitted(self.profile) for each in SUBJECTS))

    @property
    def rate_per_s(self) -> float:
        """How many requests arrive a second."""
        return self.load * sum(self.servers) / self.service_s

    def site_of(self, sidecar: int) -> int:
        """Give the site at which a sidecar stands: sites take turns."""
        return sidecar % len(self.sites)

    def slowness_of(self, region: int) -> list[tuple[float, float | None]]:
        """Give the times at which a region's slowness changes, from 0 on; None while it is down."""
        changes: list[tuple[float, float | None]] = [(0.0, 1.0)]
        mine = sorted((each for each in self.spells if each.region == region), key=lambda each: each.from_s)
        for each in mine:
            if changes[-1][0] == each.from_s:
                changes.pop()
            changes += [(each.from_s, each.slowness), (each.until_s, 1.0)]
        if any(after[0] <= before[0] for before, after in pairwise(changes)):
            raise ValueError(f"the spells of {REGIONS[region]} overlap")
        return changes
