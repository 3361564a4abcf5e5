"""What a lookup says about an address, whichever vendor made the database.

Owns the statuses, the result and their shared instances. Equal results are one object, so that a cache of them
holds pointers and a record of a decision can be built from prepared parts.
"""

from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

from extproc.geo.network import NetworkKind


class GeoStatus(StrEnum):
    """Why a result has a country or has none. Everything but LOCATED is an unknown country."""

    LOCATED = "located"
    """The database gives an ISO 3166-1 country."""

    NOT_FOUND = "not_found"
    """The database holds no network with this address."""

    NOT_LOCATABLE = "not_locatable"
    """The address has no place: private, loopback, documentation, 6to4 and the like."""

    UNPARSABLE = "unparsable"
    """The text is not an address."""

    NO_COUNTRY = "no_country"
    """The record has no country (a continent only, say), or has a shape that nobody documents."""

    NOT_A_COUNTRY = "not_a_country"
    """The record has a code that ISO 3166-1 does not assign, such as EU, AP, A1, T1 or XK."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GeoResult:
    """A geographic fact, at database precision. It is never a jurisdiction: policy makes that of it.

    The three countries mean different things. `country` is where the address is used, `registered_country` where
    its network is registered, `represented_country` whom its users represent (a military base, an embassy). Only
    the first locates; the other two are there to narrow.
    """

    status: GeoStatus
    country: str | None = None
    """ISO 3166-1 alpha-2; set if and only if `status` is LOCATED."""

    subdivision: str | None = None
    """ISO 3166-2 of the largest subdivision, such as `CA-QC`, where the database has it."""

    registered_country: str | None = None
    represented_country: str | None = None

    network: NetworkKind | None = None
    """How the database itself marks the network, if it does: the country may then be where the network surfaces, and
    not where its user is."""


# Bounded, because a damaged database could name any combination; a sound one has a few thousand.
@lru_cache(maxsize=16_384)
def shared_result(  # noqa: PLR0913 - the fields of a result
    *,
    status: GeoStatus,
    country: str | None = None,
    subdivision: str | None = None,
    registered_country: str | None = None,
    represented_country: str | None = None,
    network: NetworkKind | None = None,
) -> GeoResult:
    """Return the one instance with these fields."""
    return GeoResult(
        status=status,
        country=country,
        subdivision=subdivision,
        registered_country=registered_country,
        represented_country=represented_country,
        network=network,
    )


NOT_FOUND = shared_result(status=GeoStatus.NOT_FOUND)
NOT_LOCATABLE = shared_result(status=GeoStatus.NOT_LOCATABLE)
UNPARSABLE = shared_result(status=GeoStatus.UNPARSABLE)
NO_COUNTRY = shared_result(status=GeoStatus.NO_COUNTRY)
