"""What is rehearsed, and what counts as served properly while it is."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final

SLOWER: Final = 5.0
"""How many times slower a region answers in a brown-out."""
SHED: Final = 2.5
"""In a brown-out an answer is as it should be that took at most so many times what answers took before."""
ORDER_S: Final = 1.0
"""A legal order holds for every request that is decided later than this after it."""


class Scenario(StrEnum):
    """What fails, or is done to the system, by the name that the command and the record have."""

    REGION_LOSS = "region-loss"
    BROWN_OUT = "brown-out"
    SIDECAR_KILL = "sidecar-kill"
    SUSPENSION = "suspension"
    RELOAD = "reload"
    GEO_LOSS = "geo-loss"


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """How a scenario is judged.

    `share` is how many of the requests of a second must be served properly for service to be there again, and
    `at_first` how many of the first of them. With
    `from_fault` the time to recover begins with the fault, and not with the first failure: what there is to wait for
    is no failure. What `lasts` until it is mended must be recovered from before. With `unnoticed` no request may fail.
    """

    what: str
    share: float = 1.0
    at_first: float = 0.0
    from_fault: bool = False
    lasts: bool = False
    unnoticed: bool = False


TERMS: Final[Mapping[Scenario, Terms]] = MappingProxyType(
    {
        Scenario.REGION_LOSS: Terms(what="the region that serves is lost", lasts=True),
        Scenario.BROWN_OUT: Terms(
            what="the region that serves becomes five times slower",
            # A region that is slow keeps a few requests, by which it is seen when it is fast again.
            share=0.5,
            at_first=0.6,
            from_fault=True,
            lasts=True,
        ),
        Scenario.SIDECAR_KILL: Terms(what="the sidecar dies"),
        Scenario.SUSPENSION: Terms(what="a legal order takes the region that serves out", from_fault=True, lasts=True),
        Scenario.RELOAD: Terms(what="the policy is replaced under load", unnoticed=True),
        Scenario.GEO_LOSS: Terms(what="the geolocation database is damaged, then gone", unnoticed=True),
    }
)
