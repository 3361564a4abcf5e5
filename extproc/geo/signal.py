"""What geolocation contributes to a decision: one signal, the main one, and those that only add to it.

An address gives a country with a trusted edge's word for it, so the tier is TRUSTED_EDGE. A subdivision is given where
the database has one; tier 1 falls back to its country where the policy does not single it out.

The main signal comes first and is always there: without a jurisdiction it states that geolocation does not know, and
its `detail` is the code of the reason. The others state a further country beside it, so they can only narrow.
"""

from functools import lru_cache
from typing import Final

from extproc.core.facts import Signal, Source, Tier
from extproc.core.georules import GeoRules
from extproc.core.ids import Jurisdiction
from extproc.geo.anonymity import AnonymityDatabase
from extproc.geo.database import GeoDatabase
from extproc.geo.network import NetworkKind, strongest
from extproc.geo.result import GeoResult

NOT_CONFIGURED: Final = "not_configured"
DATABASE_TOO_OLD: Final = "database_too_old"
ANONYMITY_TOO_OLD: Final = "anonymity_database_too_old"
"""Details of the main signal, beside those of `GeoStatus` and `DETAILS`."""

DETAILS: Final = {
    NetworkKind.UNREADABLE: "anonymity_unreadable",
    NetworkKind.TOR: "anonymous_tor",
    NetworkKind.VPN: "anonymous_vpn",
    NetworkKind.RESIDENTIAL_PROXY: "anonymous_residential_proxy",
    NetworkKind.PROXY: "anonymous_proxy",
    NetworkKind.RELAY: "anonymous_relay",
    NetworkKind.ANONYMOUS: "anonymous",
    NetworkKind.SATELLITE: "satellite",
    NetworkKind.ANYCAST: "anycast",
    NetworkKind.HOSTING: "hosting",
}
"""The codes by which a record tells the kind of network, whether its country was believed or not."""


def geolocate(
    address: str, *, now_s: float, rules: GeoRules, database: GeoDatabase | None, anonymity: AnonymityDatabase | None
) -> tuple[Signal, ...]:
    """Give the signals of Envoy's `source.address` at `now_s`, in seconds since 1970. Never raises.

    `anonymity` is None where none is configured. One that is too old marks nobody reliably, so nobody is placed then,
    as with a database of places that is too old; a policy that believes anonymous addresses does not need it.
    """
    if database is None:
        return (_unknown(NOT_CONFIGURED),)
    if rules.max_age_s is not None:
        if database.age_s(now_s) > rules.max_age_s:
            return (_unknown(DATABASE_TOO_OLD),)
        if anonymity is not None and not rules.locate_anonymous and anonymity.age_s(now_s) > rules.max_age_s:
            return (_unknown(ANONYMITY_TOO_OLD),)
    network = None if anonymity is None else anonymity.marks(address)
    return signals_of(database.locate(address), rules=rules, network=network)


# The same few thousand over and over; building them costs more than finding them.
@lru_cache(maxsize=4_096)
def signals_of(result: GeoResult, *, rules: GeoRules, network: NetworkKind | None = None) -> tuple[Signal, ...]:
    """Give the signals of one lookup, the main one first.

    `network` is what a database of anonymous networks says; the mark of the database of places itself is in `result`,
    and the stronger of both counts. How old either may be is for :func:`geolocate`.
    """
    main = _main(result, strongest(result.network, network), rules)
    if not (rules.registered or rules.represented):
        return (main,)
    further = [
        Signal(source=source, tier=Tier.TRUSTED_EDGE, jurisdiction=Jurisdiction(country))
        for wanted, source, country in (
            (rules.registered, Source.GEOIP_REGISTERED, result.registered_country),
            (rules.represented, Source.GEOIP_REPRESENTED, result.represented_country),
        )
        if wanted and country is not None and country != result.country
    ]
    return (main, *further)


def _main(result: GeoResult, network: NetworkKind | None, rules: GeoRules) -> Signal:
    place = result.subdivision or result.country
    if place is None:
        return _unknown(result.status.value)
    if network is None:
        return Signal(source=Source.GEOIP, tier=Tier.TRUSTED_EDGE, jurisdiction=Jurisdiction(place))
    detail = DETAILS[network]
    if network.hides_place and not rules.locate_anonymous:
        return _unknown(detail)
    return Signal(source=Source.GEOIP, tier=Tier.TRUSTED_EDGE, jurisdiction=Jurisdiction(place), detail=detail)


def _unknown(detail: str) -> Signal:
    return Signal(source=Source.GEOIP, tier=Tier.TRUSTED_EDGE, jurisdiction=None, detail=detail)
