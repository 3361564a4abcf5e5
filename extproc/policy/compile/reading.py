"""What the policy reads of a request."""

from extproc.core.evidence import Evidence
from extproc.core.georules import GeoRules
from extproc.core.ids import Jurisdiction, ModelId, TenantId
from extproc.core.payload import PayloadReading
from extproc.core.reading import Reading, TenantBindings
from extproc.core.tables import PolicyTables, Region
from extproc.policy.compile.epochs import is_subdivision
from extproc.policy.document import (
    AnonymousMatch,
    ClaimMatch,
    GeoipSignal,
    HostMatch,
    PayloadSignal,
    PolicyDocument,
    SpiffeMatch,
)

_DAY_S = 86_400.0
_BELOW = "/*"


def reading_of(document: PolicyDocument, tables: PolicyTables, places: list[Jurisdiction]) -> Reading:
    """Compile the inputs."""
    signals = document.signals
    return Reading(
        trusted_hops=document.ingress.trusted_hops,
        geo=None if signals.geoip is None else _geo_rules(signals.geoip),
        residency_claim=signals.jwt.claim if signals.jwt is not None else None,
        jurisdiction_header=signals.header.name if signals.header is not None else None,
        class_header=signals.class_header,
        payload=None if signals.payload is None else _payload(signals.payload),
        classes=tables.classes,
        models={model: _versions(tables.regions, model) for model in tables.models},
        subdivisions=frozenset(filter(is_subdivision, places)),
        bindings=_bindings(document),
        evidence=_evidence(document),
        session_header=document.session_header,
    )


def _bindings(document: PolicyDocument) -> TenantBindings:
    by_claim: dict[str, dict[str, TenantId]] = {}
    by_spiffe: dict[str, TenantId] = {}
    below_spiffe: dict[str, TenantId] = {}
    by_host: dict[str, TenantId] = {}
    anonymous: TenantId | None = None
    for id_, entry in sorted(document.tenants.items()):
        match entry.match:
            case ClaimMatch(claim=claim, equals=equals):
                by_claim.setdefault(claim, {})[equals] = id_
            case SpiffeMatch(id=spiffe) if spiffe.endswith(_BELOW):
                below_spiffe[spiffe.removesuffix("*")] = id_
            case SpiffeMatch(id=spiffe):
                by_spiffe[spiffe] = id_
            case HostMatch(host=host):
                by_host[host] = id_
            case AnonymousMatch():
                anonymous = id_
    return TenantBindings(
        by_claim=by_claim,
        by_spiffe=by_spiffe,
        below_spiffe=below_spiffe,
        by_host=by_host,
        anonymous=anonymous,
        subjects={id_: entry.subjects for id_, entry in sorted(document.tenants.items()) if entry.subjects},
    )


def _evidence(document: PolicyDocument) -> Evidence:
    written = document.evidence
    return Evidence(
        default=written.durability.default,
        by_class=dict(sorted(written.durability.classes.items())),
        by_model=dict(sorted(written.durability.models.items())),
        unregulated=frozenset(document.unregulated),
        subject_claim=written.subject,
        sealed=frozenset(written.sealed),
    )


def _geo_rules(signal: GeoipSignal) -> GeoRules:
    return GeoRules(
        locate_anonymous=signal.locate_anonymous,
        registered=signal.registered,
        represented=signal.represented,
        max_age_s=None if signal.max_age_days is None else signal.max_age_days * _DAY_S,
    )


def _payload(signal: PayloadSignal) -> PayloadReading:
    return PayloadReading(
        limit_bytes=signal.limit_kib * 1024,
        unreadable=signal.unreadable,
        fields=signal.fields,
        detectors=dict(sorted(signal.detectors.items())),
        patterns=signal.patterns,
    )


def _versions(regions: tuple[Region, ...], model: ModelId) -> frozenset[str] | None:
    """Give the versions that a request may name: those that every region which is bound to one is approved for.

    A region that is bound by a digest alone is approved for none by name: it has shown what it serves unless asked for
    another version, and nothing of the others.
    """
    approvals = [region.models[model] for region in regions if model in region.models]
    if any(approval.digest is not None and approval.version is None for approval in approvals):
        return frozenset()
    bound = {approval.version for approval in approvals if approval.version is not None}
    if not bound:
        return None
    return frozenset(bound) if len(bound) == 1 else frozenset()
