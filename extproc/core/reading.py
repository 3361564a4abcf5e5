"""What the policy reads of a request: the only inputs that the edge may turn into facts.

Compiled from the policy beside the tables, so that parsing, the Envoy configuration (which headers and attributes are
sent at all) and the decision agree on one list.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from extproc.core.evidence import Evidence, SealedField
from extproc.core.georules import GeoRules
from extproc.core.ids import DataClass, Jurisdiction, ModelId, TenantId
from extproc.core.payload import PayloadReading

AUTHORITY: Final = ":authority"
"""The host that a request is for, as HTTP/2 names it."""
REQUEST_ID: Final = "x-request-id"
"""ENVOY: the id that Envoy gives a request, and by which its own logs know it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TenantBindings:
    """By what a request is bound to its tenant, strongest first.

    `by_claim[claim][value]` for verified tokens. `by_spiffe[id]` for verified certificates, and `below_spiffe[prefix]`
    for all ids that begin with the prefix, which ends in a slash. `by_host[host]`, in lower case and without a port,
    for requests whose credentials bind them nowhere else. `anonymous` takes requests without any credentials; None
    refuses them. `subjects[tenant]` is where the data subjects of a tenant are, for those that say it.
    """

    by_claim: Mapping[str, Mapping[str, TenantId]] = field(default_factory=dict)
    by_spiffe: Mapping[str, TenantId] = field(default_factory=dict)
    below_spiffe: Mapping[str, TenantId] = field(default_factory=dict)
    by_host: Mapping[str, TenantId] = field(default_factory=dict)
    anonymous: TenantId | None = None
    subjects: Mapping[TenantId, Jurisdiction] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """The inputs of one policy. Header names are lower case; a None means that the policy does not read it.

    `trusted_hops` is the operator's declaration of the edge: 0 when clients connect directly, else the number of
    proxies of the operator's own in front, each of which appends to `x-forwarded-for`.

    `classes` and `models` are the vocabularies: a value outside them was chosen by a client and must reach neither a
    decision nor a record. `models[model]` are the versions that a request may name, None for any: where regions are
    approved for different versions there are none, because a region would be asked for one that it is not approved
    for. `subdivisions` are those that the policy singles out; any other is its country. `evidence` tells what is read
    for the record alone, and never for the decision.
    """

    trusted_hops: int = 0
    geo: GeoRules | None = None
    residency_claim: str | None = None
    jurisdiction_header: str | None = None
    class_header: str | None = None
    payload: PayloadReading | None = None
    classes: frozenset[DataClass] = frozenset()
    models: Mapping[ModelId, frozenset[str] | None] = field(default_factory=dict)
    subdivisions: frozenset[Jurisdiction] = frozenset()
    bindings: TenantBindings = field(default_factory=TenantBindings)
    evidence: Evidence = field(default_factory=Evidence)
    session_header: str | None = None
    """Names the session of a request, which tier 2 keeps in one region. Never a fact, and never recorded."""

    @property
    def headers(self) -> tuple[str, ...]:
        """The request headers that the policy reads, sorted: Envoy is told to send these and no others."""
        recorded = (REQUEST_ID,) if SealedField.REQUEST_ID in self.evidence.sealed else ()
        session = () if self.session_header is None else (self.session_header,)
        return tuple(sorted({*self.declarations, *recorded, *session}))

    @property
    def declarations(self) -> tuple[str, ...]:
        """Those of them that a decision depends on, sorted: one that comes twice and differs is a fault."""
        host = AUTHORITY if self.bindings.by_host else None
        named = (self.jurisdiction_header, self.class_header, host)
        return tuple(sorted(name for name in named if name is not None))

    @property
    def certificates(self) -> bool:
        """Tell whether the policy reads the client's certificate."""
        return bool(self.bindings.by_spiffe or self.bindings.below_spiffe)

    @property
    def claims(self) -> bool:
        """Tell whether the policy reads verified claims."""
        return bool(self.bindings.by_claim or self.residency_claim or self.evidence.subject_claim)
