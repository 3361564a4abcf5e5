"""`tenants:`: on whose behalf data is processed."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from extproc.core.ids import DataClass, Jurisdiction, MechanismId
from extproc.policy.document.names import Territory


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimMatch:
    """`match: {jwt.CLAIM: VALUE}` the verified token's claim has this value."""

    claim: str
    equals: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SpiffeMatch:
    """`match: {spiffe: ID}` the client's certificate, which the listener has verified, bears this SPIFFE id.

    An id that ends in `/*` takes everything below; the longest one that matches counts.
    """

    id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HostMatch:
    """`match: {host: NAME}` the request is for this host, and presents no credentials that bind it elsewhere.

    Whoever connects chooses the host: a tenant that is matched by it gets what anybody may have.
    """

    host: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AnonymousMatch:
    """`match: anonymous` the request presents no verified token at all. One tenant at most."""


Match: TypeAlias = ClaimMatch | SpiffeMatch | HostMatch | AnonymousMatch


@dataclass(frozen=True, slots=True, kw_only=True)
class Mechanism:
    """One entry of `mechanisms:` a fact that the exporter declares about itself."""

    reference: str = ""
    """The exporter's own reference, such as a certification number; stands in the record of each transfer. Default,
    also written `true`: none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TenantEntry:
    """One entry of `tenants:` on whose behalf data is processed."""

    match: Match
    """How a request is bound to the tenant. A request that matches none is refused."""

    data_class: DataClass
    """`class:` the class of the tenant's data. A request may declare another one beside it, which can only narrow."""

    exporter: Jurisdiction | None = None
    """Country or subdivision in which the party that exports the data is established, for conditions on
    `exporter_in`. Default: none, and only the data subjects' law governs."""

    subjects: Jurisdiction | None = None
    """Where this tenant's data subjects are: a signal of tier 0, because the tenant's own verified identity says it.
    Not with a host or `anonymous`, which anybody can be. Default: no such signal."""

    attributes: tuple[str, ...] = ()
    """Facts about the tenant that no address reveals, such as a free zone, sorted; conditions ask for them with
    `tenant_has`. Default: none."""

    mechanisms: Mapping[MechanismId, Mechanism]
    """The transfer mechanisms that the exporter has. Default: none, so every permit that needs one is off."""

    allow: tuple[str, ...] | None = None
    """Patterns over region ids (`eu-*`), sorted: the tenant's own restriction, which never adds a region. Default:
    all regions that the law leaves."""

    expects: Territory | None = None
    """Where its requests are expected from. No decision reads it: the linter and the matrix do. Default: not stated,
    and then nothing is checked for the places it serves."""
