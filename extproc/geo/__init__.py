"""Geolocation: from the client's address to a geographic fact with provenance.

Owns the text form of addresses, the networks that have no place, the vendors' record shapes, and the database in
memory. Does not own what a country means in law (policy), how a fact is weighed against claims and headers (the
decision), or when a database is loaded again (a watcher).

The fact is never a guess: whatever cannot be said with an ISO 3166 code is an unknown country with its reason.

SPEC: MaxMind DB File Format Specification 2.0; ISO 3166; the IANA special-purpose address registries.
"""

from extproc.geo.database import GeoDatabase, GeoIdentity
from extproc.geo.errors import GeoDatabaseError
from extproc.geo.result import GeoResult, GeoStatus

__all__ = ["GeoDatabase", "GeoDatabaseError", "GeoIdentity", "GeoResult", "GeoStatus"]
