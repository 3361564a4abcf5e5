"""What the policy reads of a request: the only inputs that the edge may turn into facts.

Compiled from the policy beside the tables, so that parsing, the Envoy configuration (which headers and attributes are
sent at all) and the decision agree on one list.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from extproc.core.ids import DataClass, Jurisdiction, ModelId, TenantId


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """The inputs of one policy. Header names are lower case; a None means that the policy does not read it.

    `trusted_hops` is the operator's declaration of the edge: 0 when clients connect directly, else the number of
    proxies of the operator's own in front, each of which appends to `x-forwarded-for`.

    `tenant_by_claim[claim][value]` binds a verified token to its tenant. `anonymous_tenant` takes requests that present
    no verified token at all; None refuses them. `classes` and `models` are the vocabularies: a value outside them was
    chosen by a client and must reach neither a decision nor a record. `models[model]` are the versions that a request
    may name, None for any: where regions are approved for different versions there are none, because a region would be
    asked for one that it is not approved for. `subdivisions` are those that the policy singles out; any other is its
    country.
    """

    trusted_hops: int = 0
    geoip: bool = False
    residency_claim: str | None = None
    jurisdiction_header: str | None = None
    class_header: str | None = None
    classes: frozenset[DataClass] = frozenset()
    models: Mapping[ModelId, frozenset[str] | None] = field(default_factory=dict)
    subdivisions: frozenset[Jurisdiction] = frozenset()
    tenant_by_claim: Mapping[str, Mapping[str, TenantId]] = field(default_factory=dict)
    anonymous_tenant: TenantId | None = None

    @property
    def headers(self) -> tuple[str, ...]:
        """The request headers that the policy reads, sorted: Envoy is told to send these and no others."""
        named = {self.jurisdiction_header, self.class_header} - {None}
        return tuple(sorted(name for name in named if name is not None))
