"""Geolocation: from the client's address to a geographic fact with provenance.

Owns the text form of addresses, the networks that have no place, the vendors' record shapes, the databases in memory,
and the signals that they give. Does not own what a country means in law (policy), how a signal is weighed against
claims and headers (the decision), or when a database is loaded again (a watcher).

The fact is never a guess: whatever cannot be said with an ISO 3166 code is an unknown country with its reason.

SPEC: MaxMind DB File Format Specification 2.0; ISO 3166; the IANA special-purpose address registries.
"""

from extproc.geo.anonymity import AnonymityDatabase
from extproc.geo.database import GeoDatabase
from extproc.geo.errors import GeoDatabaseError
from extproc.geo.loading import GeoIdentity
from extproc.geo.network import NetworkKind
from extproc.geo.result import GeoResult, GeoStatus
from extproc.geo.signal import geolocate, signals_of

__all__ = [
    "AnonymityDatabase",
    "GeoDatabase",
    "GeoDatabaseError",
    "GeoIdentity",
    "GeoResult",
    "GeoStatus",
    "NetworkKind",
    "geolocate",
    "signals_of",
]
