"""The written policy, field by field: this is the manual of the language, one module for each part of the document.

Everything here is what the operator wrote, checked but not yet compiled. Names that a field takes from the document
(zones, regions, classes, permits, mechanisms) are known to exist. Where the order of a list means nothing, the
parser sorts it, so that documents that mean the same are equal.

A default never changes within one `apiVersion`: the revision of a policy leaves out what has its default.
"""

from extproc.policy.document.cases import Case, CaseInput, Expectation
from extproc.policy.document.deployment import Deployment, Shard
from extproc.policy.document.evidence import DurabilityRules, EvidenceEntry
from extproc.policy.document.identity import Identity, Ingress
from extproc.policy.document.law import (
    AllOf,
    AnyOf,
    ClassIn,
    ClassNot,
    ClassRule,
    Condition,
    Confidence,
    Destination,
    ExporterIn,
    ObligationEntry,
    PermitEntry,
    Regime,
    SubjectIn,
    TenantHas,
    TenantHasNot,
)
from extproc.policy.document.names import ANYWHERE, API_VERSION, Territory, ZoneId
from extproc.policy.document.orders import Effect, OverrideEntry
from extproc.policy.document.parties import (
    AnonymousMatch,
    ClaimMatch,
    HostMatch,
    Match,
    Mechanism,
    SpiffeMatch,
    TenantEntry,
)
from extproc.policy.document.places import (
    ModelEntry,
    Need,
    Operator,
    RecoveryTarget,
    RegionEntry,
    ServedModel,
    Zone,
    ZoneMember,
)
from extproc.policy.document.root import PolicyDocument
from extproc.policy.document.signals import GeoipSignal, HeaderSignal, JwtSignal, PayloadSignal, Signals, TenantSignal

__all__ = [
    "ANYWHERE",
    "API_VERSION",
    "AllOf",
    "AnonymousMatch",
    "AnyOf",
    "Case",
    "CaseInput",
    "ClaimMatch",
    "ClassIn",
    "ClassNot",
    "ClassRule",
    "Condition",
    "Confidence",
    "Deployment",
    "Destination",
    "DurabilityRules",
    "Effect",
    "EvidenceEntry",
    "Expectation",
    "ExporterIn",
    "GeoipSignal",
    "HeaderSignal",
    "HostMatch",
    "Identity",
    "Ingress",
    "JwtSignal",
    "Match",
    "Mechanism",
    "ModelEntry",
    "Need",
    "ObligationEntry",
    "Operator",
    "OverrideEntry",
    "PayloadSignal",
    "PermitEntry",
    "PolicyDocument",
    "RecoveryTarget",
    "Regime",
    "RegionEntry",
    "ServedModel",
    "Shard",
    "Signals",
    "SpiffeMatch",
    "SubjectIn",
    "TenantEntry",
    "TenantHas",
    "TenantHasNot",
    "TenantSignal",
    "Territory",
    "Zone",
    "ZoneId",
    "ZoneMember",
]
