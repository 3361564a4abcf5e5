"""What kind of network an address belongs to, where that says something about the place of its users.

Owns the closed list of kinds, their order and which of them hide a place. Which field of which vendor means what is for
:mod:`extproc.geo.marks`.
"""

from enum import StrEnum


class NetworkKind(StrEnum):
    """The kind of a network that a database marks; most networks bear no mark. The order is of precedence.

    Every kind but HOSTING hides a place: the country of the address is where the network surfaces, and nobody can tell
    from it where the person is. Anycast and satellite networks hide nothing on purpose, and still the country is not
    that of the user.

    HOSTING alone does not. It says whose machine has the address, not that somebody hides behind it: the country is
    where the machine stands, and a machine in a data centre is the usual client of an inference API. Vendors also mark
    the exits of VPNs in this way when they know nothing more of them (MaxMind says so, and counts hosting among the
    anonymous networks), so an unknown VPN is located where it surfaces, here as with any database. If hosting hid a
    place, a policy would have to believe every VPN in order to serve one server. The kind is in the record, so an
    auditor sees how often it was so.
    """

    UNREADABLE = "unreadable"
    """The record of the address could not be read, so nothing rules a hidden place out."""

    TOR = "tor"
    VPN = "vpn"
    RESIDENTIAL_PROXY = "residential_proxy"
    """A household's line through which others go."""

    PROXY = "proxy"
    RELAY = "relay"
    """A privacy relay, such as those of browsers and operating systems."""

    ANONYMOUS = "anonymous"
    """Anonymising, of a kind that the database does not tell."""

    SATELLITE = "satellite"
    """One network for many countries."""

    ANYCAST = "anycast"
    """One address at many places."""

    HOSTING = "hosting"
    """A data centre's."""

    @property
    def hides_place(self) -> bool:
        """Tell whether the country of an address in such a network says nothing about its user."""
        return self is not NetworkKind.HOSTING


_BY_PRECEDENCE = tuple(NetworkKind)


def strongest(*kinds: NetworkKind | None) -> NetworkKind | None:
    """Give the first of `kinds` by precedence, so that no mark is weakened by another; None where there is none."""
    found = [kind for kind in kinds if kind is not None]
    return min(found, key=_BY_PRECEDENCE.index) if found else None
