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

    GEOIP = "geoip"
    JWT = "jwt"
    HEADER = "header"


class Binding(StrEnum):
    """By what a request was bound to its tenant."""

    CLAIM = "claim"
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


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestFacts:
    """What is known of a request when its decision is made.

    `tenant` is None when nothing bound the request to a tenant of the policy. `declared_class` comes from an
    unauthenticated header, so it is considered beside the tenant's own class and can only narrow.
    """

    tenant: TenantId | None
    binding: Binding
    model: ModelId | None
    declared_class: DataClass | None
    signals: tuple[Signal, ...]
    faults: tuple[Fault, ...] = ()
