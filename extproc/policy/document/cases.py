"""`tests:`: what the author expects of the policy, kept with it."""

from dataclasses import dataclass, field
from datetime import datetime

from extproc.core.ids import DataClass, Jurisdiction, ModelId, RegionId, TenantId
from extproc.core.reasons import Refusal


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseInput:
    """`in:` the request. What is not given is not said by it."""

    tenant: TenantId
    """Default: the only tenant there is."""

    model: ModelId
    """Default: the only model there is."""

    data_class: DataClass | None = None
    """`class:` declared by the request, beside the tenant's own."""

    geoip: Jurisdiction | None = None
    """`geoip:`, or `country:` for short: where the address is."""

    geoip_unknown: bool = False
    """`geoip: unknown`: the address was looked up and is not known."""

    jwt: Jurisdiction | None = None
    """The verified claim."""

    header: Jurisdiction | None = None
    """The declared jurisdiction."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """`expect:` one of `permitted`, `refused` and `redirect`."""

    permitted: tuple[RegionId, ...] | None = None
    """Exactly these regions, sorted."""

    transfers: tuple[RegionId, ...] | None = None
    """Beside `permitted`: exactly these of them are reached by a transfer, sorted. Default: not looked at."""

    refused: Refusal | None = None
    """The reason code."""

    redirect: str | None = None
    """The host to which the client is sent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One entry of `tests:`. Not part of the policy's revision, because it changes no decision."""

    name: str
    """Unique."""

    line: int = field(compare=False)
    """Where it stands in the file, for reports; 0 where it came from no file."""

    given: CaseInput
    """`in:`"""

    expect: Expectation

    now: datetime | None = None
    """When the request comes. Default: the policy's `as_of`."""
