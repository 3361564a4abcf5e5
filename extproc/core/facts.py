"""The facts of one request, as far as a decision reads them.

They hold what may be recorded: never an address, a header value outside a closed vocabulary, a path or a payload.
"""

from dataclasses import dataclass
from enum import IntEnum, StrEnum

from extproc.core.ids import DataClass, Jurisdiction, ModelId, TenantId
from extproc.core.reasons import Fault


class Tier(IntEnum):
    """How far a signal is to be trusted; lower is stronger. Only the first two may replace geolocation."""

    TENANT_BINDING = 0
    VERIFIED_CLAIM = 1
    TRUSTED_EDGE = 2
    UNAUTHENTICATED = 3


class Source(StrEnum):
    """Where a signal comes from."""

    TENANT = "tenant"
    """The tenant's own statement of where its data subjects are; its identity is verified."""
    JWT = "jwt"
    GEOIP = "geoip"
    GEOIP_REGISTERED = "geoip_registered"
    """Where the address's network is registered."""
    GEOIP_REPRESENTED = "geoip_represented"
    """Which country the network's users represent (an embassy, a base)."""
    HEADER = "header"

    @property
    def is_geolocation(self) -> bool:
        """Tell whether it comes from the client's address; what replaces geolocation replaces all of these."""
        return self in (Source.GEOIP, Source.GEOIP_REGISTERED, Source.GEOIP_REPRESENTED)

    @property
    def stands_alone(self) -> bool:
        """Tell whether it may say by itself whose law claims the data; the others only add to one that does."""
        return self in (Source.TENANT, Source.JWT, Source.GEOIP)


class Binding(StrEnum):
    """By what a request was bound to its tenant."""

    CLAIM = "claim"
    SPIFFE = "spiffe"
    """The client's verified certificate."""
    HOST = "host"
    """The host that the request is for, which whoever connects may choose."""
    ANONYMOUS = "anonymous"
    """No verified token was presented, and the policy names a tenant for that case."""
    NONE = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Signal:
    """One source's statement of whose law claims the data.

    `jurisdiction` is None when the source was consulted and does not know, which is different from a source that
    said nothing (then there is no signal). `detail` is a code that tells why, for the record (`not_found`).
    """

    source: Source
    tier: Tier
    jurisdiction: Jurisdiction | None
    detail: str = ""


class ClassSource(StrEnum):
    """Where a data class beside the tenant's own comes from."""

    HEADER = "header"
    """The client declared it."""
    PAYLOAD = "payload"
    """It was told from the payload."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassSignal:
    """One statement of what data it is. `detail` names the rule that told it (`detector:iban`)."""

    source: ClassSource
    data_class: DataClass
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestFacts:
    """What is known of a request when its decision is made.

    `tenant` is None when nothing bound the request to a tenant of the policy. `classes` are
    considered beside the tenant's own class, so they can only narrow.
    """

    tenant: TenantId | None
    binding: Binding
    model: ModelId | None
    classes: tuple[ClassSignal, ...]
    signals: tuple[Signal, ...]
    faults: tuple[Fault, ...] = ()
