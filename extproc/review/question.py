"""One question to a policy: what tier 1 would answer to this request at this time."""

from datetime import UTC, datetime, time

from extproc.core.decide import Permitted, Refused, rule
from extproc.core.facts import Binding, ClassSignal, ClassSource, RequestFacts, Signal, Source, Tier
from extproc.core.ids import DataClass
from extproc.policy.compile import CompiledPolicy
from extproc.policy.document import AnonymousMatch, CaseInput, HostMatch, SpiffeMatch


def ask(
    compiled: CompiledPolicy, given: CaseInput, now_s: float, classes: tuple[DataClass, ...] = ()
) -> Permitted | Refused:
    """Ask tier 1, as a request with these facts at `now_s` (Unix seconds) would; `classes` as in `facts_of`."""
    return rule(facts_of(compiled, given, classes), compiled.tables, compiled.suspensions, now_s=now_s)


def facts_of(compiled: CompiledPolicy, given: CaseInput, classes: tuple[DataClass, ...] = ()) -> RequestFacts:
    """Give the facts that the edge would make of such a request. What the policy does not read is not in them.

    `classes` are declared beside the one that the case declares; all of them count.
    """
    reading = compiled.reading
    signals: list[Signal] = []
    subjects = reading.bindings.subjects.get(given.tenant)
    if subjects is not None:
        signals.append(Signal(source=Source.TENANT, tier=Tier.TENANT_BINDING, jurisdiction=subjects))
    if reading.residency_claim is not None and given.jwt is not None:
        signals.append(Signal(source=Source.JWT, tier=Tier.VERIFIED_CLAIM, jurisdiction=given.jwt))
    if reading.geo is not None:
        # A request without an address that is known has one that is not.
        detail = "" if given.geoip is not None else "not_found"
        signals.append(Signal(source=Source.GEOIP, tier=Tier.TRUSTED_EDGE, jurisdiction=given.geoip, detail=detail))
    if reading.jurisdiction_header is not None and given.header is not None:
        signals.append(Signal(source=Source.HEADER, tier=Tier.UNAUTHENTICATED, jurisdiction=given.header))
    return RequestFacts(
        tenant=given.tenant,
        binding=_binding(compiled, given),
        model=given.model,
        classes=tuple(
            ClassSignal(source=ClassSource.HEADER, data_class=name) for name in declared_classes(given, classes)
        ),
        signals=tuple(signals),
    )


def declared_classes(given: CaseInput, classes: tuple[DataClass, ...] = ()) -> tuple[DataClass, ...]:
    """List the classes that a request declares, each once: the case's own, and `classes` beside it."""
    return tuple(dict.fromkeys(name for name in (given.data_class, *classes) if name is not None))


def moment_s(compiled: CompiledPolicy, now: datetime | None) -> float:
    """Give Unix seconds; the beginning of the policy where no time is given."""
    return (now or datetime.combine(compiled.document.identity.as_of, time(), UTC)).timestamp()


def _binding(compiled: CompiledPolicy, given: CaseInput) -> Binding:
    match compiled.document.tenants[given.tenant].match:
        case AnonymousMatch():
            return Binding.ANONYMOUS
        case HostMatch():
            return Binding.HOST
        case SpiffeMatch():
            return Binding.SPIFFE
        case _:
            return Binding.CLAIM
