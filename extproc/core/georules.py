"""What the policy makes of a geolocation, beyond the country that an address is in.

Compiled from the policy's `signals.geoip`; every default is the strictest reading. Which signals follow from it is for
:mod:`extproc.geo.signal`.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class GeoRules:
    """How a geolocation becomes signals. Without any rule only a country that nothing casts doubt on counts."""

    locate_anonymous: bool = False
    """Believe the country of an address even where its network hides the place of its users (a VPN, say). Off, such an
    address is an unknown one."""

    registered: bool = False
    """The country in which the network is registered counts beside the located one, so it can only narrow."""

    represented: bool = False
    """The country that the network's users represent (an embassy, a military base) counts beside the located one."""

    max_age_s: float | None = None
    """A database that was built longer ago than this, in seconds, places nobody. None sets no limit."""
