"""What geolocation contributes to a decision: one signal, or the statement that it does not know.

An address gives a country with a trusted edge's word for it, so the tier is TRUSTED_EDGE. A subdivision is given where
the database has one; tier 1 falls back to its country where the policy does not single it out.
"""

from extproc.core.facts import Signal, Source, Tier
from extproc.core.ids import Jurisdiction
from extproc.geo.result import GeoResult


def signal_of(result: GeoResult) -> Signal:
    """Give the signal of one lookup; `detail` holds the status where there is no country."""
    place = result.subdivision or result.country
    return Signal(
        source=Source.GEOIP,
        tier=Tier.TRUSTED_EDGE,
        jurisdiction=None if place is None else Jurisdiction(place),
        detail="" if place is not None else result.status.value,
    )
