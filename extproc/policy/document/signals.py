"""`signals:`: what is read of a request, and how far it is trusted."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from extproc.core.facts import Source
from extproc.core.ids import DataClass, Jurisdiction
from extproc.core.payload import Detector, FieldRule, PatternRule


@dataclass(frozen=True, slots=True, kw_only=True)
class TenantSignal:
    """`tenant:` the jurisdiction is where the bound tenant's data subjects are (tier 0)."""

    may_replace: tuple[Source, ...] = ()
    """Signals that do not count for a tenant with `subjects`, sorted. Default: none, both count."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JwtSignal:
    """`jwt:` the jurisdiction is a claim of a verified token (tier 1)."""

    claim: str
    """The claim that holds an ISO 3166 code."""

    may_replace: tuple[Source, ...] = ()
    """Signals that do not count when the claim knows a jurisdiction, sorted. Default: none, both count."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GeoipSignal:
    """`geoip:` the jurisdiction is where the client's address is (tier 2)."""

    assume: tuple[Jurisdiction, ...] = ()
    """`unknown: {assume: [DE]}` counts an address that is not known as all of these places, and every record of such a
    decision says so. Default, also written `unknown: deny`: the request is refused."""

    locate_anonymous: bool = False
    """`anonymous: locate` takes the place of an anonymising network for its user's. Default, also written `anonymous:
    unknown`: its users are nowhere known."""

    registered: bool = False
    """`also: [registered]`: the country in which the network is registered counts beside, so it can only narrow."""

    represented: bool = False
    """`also: [represented]`: the country that the network's users represent (an embassy, a base) counts beside."""

    max_age_days: int | None = None
    """A database that was built longer ago places nobody. Default: no limit; the linter warns of old ones."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HeaderSignal:
    """`header:` the client declares a jurisdiction (tier 3). Nobody has checked it, so it can only narrow."""

    name: str
    """The header's name in lower case."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PayloadSignal:
    """`body:` what is looked for in a payload. What is found is judged beside the other classes, so it only narrows.

    Envoy holds the payload back until it is decided, up to the limit. Nothing that matches is ever recorded: a record
    names the class and the rule.
    """

    limit_kib: int
    """How much of the payload is looked at, 1 to 256 KiB."""

    unreadable: DataClass
    """The class of a payload that is longer than the limit, compressed, or not JSON."""

    fields: tuple[FieldRule, ...] = ()
    """`fields:` JSON fields whose presence tells the class, and `values:` those whose value does."""

    detectors: Mapping[Detector, DataClass] = field(default_factory=dict)
    """The class of a payload in which a built-in detector finds something. Default: none is used."""

    patterns: tuple[PatternRule, ...] = ()
    """The operator's own regular expressions (RE2 syntax, so they take linear time). Default: none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Signals:
    """`signals:` what the policy reads of a request.

    At least one of `geoip` and `jwt` is needed, or a tenant with `subjects`. How far each source can be trusted is
    fixed; `tier:` may say it for the reader, and must then say it right.
    """

    tenant: TenantSignal | None = None
    """Default: what `subjects` of a tenant says replaces nothing."""

    geoip: GeoipSignal | None = None
    """Default: addresses are not looked at."""

    jwt: JwtSignal | None = None
    """Default: no claim states a jurisdiction."""

    header: HeaderSignal | None = None
    """Default: no declared jurisdiction is read."""

    class_header: str | None = None
    """`class: {header: NAME}`: the header in which a client declares a data class. Default: none is read."""

    payload: PayloadSignal | None = None
    """`class: {body: …}`: what is looked for in payloads to tell their class. Default: payloads are not looked at, and
    Envoy does not send them."""
