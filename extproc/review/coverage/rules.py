"""The rules of a policy that a test can depend on, each with what the policy is without it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from enum import StrEnum

from extproc.core.ids import TenantId
from extproc.core.tables import ConflictMode, OnMismatch, Pattern, Profile
from extproc.policy.document import Deployment, PolicyDocument, Regime, TenantEntry


class RuleKind(StrEnum):
    """What kind of rule it is."""

    PROFILE = "profile"
    REGIME = "regime"
    PERMIT = "permit"
    CLASS_RULE = "class_rule"
    OBLIGATION = "obligation"
    TENANT = "tenant"
    TENANT_FACT = "tenant_fact"
    """What an entry of a tenant says besides: its mechanisms, exporter, subjects, attributes and own list."""
    MODEL = "model"
    SIGNAL = "signal"
    CONFLICT = "conflict"
    DEPLOYMENT = "deployment"
    INGRESS = "ingress"
    UNREGULATED = "unregulated"
    ORDER = "order"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule: `name` for people, `path` where it is written.

    `without` gives the policy without it; None where that is not how the rule is tried: a permit and an order are
    tried by orders, a tenant and an obligation by whether a test meets them.
    """

    kind: RuleKind
    name: str
    path: tuple[str, ...]
    without: Callable[[PolicyDocument], PolicyDocument] | None = None
    tenant: TenantId | None = None
    """The only tenant whose requests it bears on; None for all."""


def rules_of(document: PolicyDocument) -> tuple[Rule, ...]:
    """List the rules, in the order of the language's sections."""
    return (
        _profile(document),
        *_ingress(document),
        *_classes(document),
        *_models(document),
        *(rule for regime in document.regimes for rule in _regime(regime)),
        *(rule for id_, entry in document.tenants.items() for rule in _tenant(id_, entry)),
        *_signals(document),
        _conflict(document),
        *_deployment(document),
        *(Rule(kind=RuleKind.ORDER, name=str(each.id), path=("overrides", each.id)) for each in document.overrides),
    )


def _profile(document: PolicyDocument) -> Rule:
    def other(policy: PolicyDocument) -> PolicyDocument:
        legal_first = policy.identity.profile is Profile.LEGAL_FIRST
        profile = Profile.HYBRID if legal_first else Profile.LEGAL_FIRST
        return replace(policy, identity=replace(policy.identity, profile=profile), unregulated=())

    name = str(document.identity.profile)
    return Rule(kind=RuleKind.PROFILE, name=name, path=("policy", "profile"), without=other)


def _ingress(document: PolicyDocument) -> Iterator[Rule]:
    def observing(policy: PolicyDocument) -> PolicyDocument:
        return replace(policy, ingress=replace(policy.ingress, on_mismatch=OnMismatch.OBSERVE))

    def without_host(place: str) -> Callable[[PolicyDocument], PolicyDocument]:
        def change(policy: PolicyDocument) -> PolicyDocument:
            hosts = {name: host for name, host in policy.ingress.redirect_hosts.items() if name != place}
            return replace(policy, ingress=replace(policy.ingress, redirect_hosts=hosts))

        return change

    mode = document.ingress.on_mismatch
    if mode is not OnMismatch.OBSERVE:
        name, path = f"on_mismatch {mode}", ("ingress", "on_mismatch")
        yield Rule(kind=RuleKind.INGRESS, name=name, path=path, without=observing)
    for place in document.ingress.redirect_hosts:
        where = ("ingress", "redirect_hosts", place)
        yield Rule(kind=RuleKind.INGRESS, name=f"redirect of {place}", path=where, without=without_host(place))


def _classes(document: PolicyDocument) -> Iterator[Rule]:
    def regulated(name: str) -> Callable[[PolicyDocument], PolicyDocument]:
        return lambda policy: replace(policy, unregulated=tuple(each for each in policy.unregulated if each != name))

    for name in document.unregulated:
        path = ("classes", name)
        yield Rule(kind=RuleKind.UNREGULATED, name=f"{name} unregulated", path=path, without=regulated(name))


def _models(document: PolicyDocument) -> Iterator[Rule]:
    for id_, entry in document.models.items():
        free, plain = replace(entry, resident_in=None), replace(entry, data_class=None)
        for is_written, what, other in (
            (entry.resident_in is not None, "resident_in", free),
            (entry.data_class is not None, "class", plain),
        ):
            if is_written:

                def change(policy: PolicyDocument, id_: str = id_, other: object = other) -> PolicyDocument:
                    return replace(policy, models={**policy.models, id_: other})  # type: ignore[dict-item]

                yield Rule(kind=RuleKind.MODEL, name=f"{id_}.{what}", path=("models", id_, what), without=change)


def _regime(regime: Regime) -> Iterator[Rule]:
    path = ("regimes", regime.id)
    yield Rule(kind=RuleKind.REGIME, name=regime.id, path=path, without=_without_regime(regime.id))
    for permit in regime.permits:
        yield Rule(kind=RuleKind.PERMIT, name=f"{regime.id}.{permit.id}", path=(*path, "permits", permit.id))
    for duty in regime.obligations:
        yield Rule(kind=RuleKind.OBLIGATION, name=f"{regime.id}.{duty.id}", path=(*path, "obligations", duty.id))
    for name in regime.class_rules:
        without = _without_class_rule(regime.id, name)
        yield Rule(
            kind=RuleKind.CLASS_RULE, name=f"{regime.id} class {name}", path=(*path, "class", name), without=without
        )


def _without_regime(id_: str) -> Callable[[PolicyDocument], PolicyDocument]:
    return lambda policy: replace(policy, regimes=tuple(each for each in policy.regimes if each.id != id_))


def _without_class_rule(id_: str, name: str) -> Callable[[PolicyDocument], PolicyDocument]:
    def loosened(regime: Regime) -> Regime:
        rules = {each: rule for each, rule in regime.class_rules.items() if each != name}
        return replace(regime, class_rules=rules) if regime.id == id_ else regime

    return lambda policy: replace(policy, regimes=tuple(map(loosened, policy.regimes)))


def _tenant(id_: TenantId, entry: TenantEntry) -> Iterator[Rule]:
    yield Rule(kind=RuleKind.TENANT, name=str(id_), path=("tenants", id_), tenant=id_)
    facts: list[tuple[str, TenantEntry]] = []
    for name in entry.mechanisms:
        left = {each: declared for each, declared in entry.mechanisms.items() if each != name}
        facts.append((f"mechanisms.{name}", replace(entry, mechanisms=left)))
    facts += [
        (f"attributes.{name}", replace(entry, attributes=tuple(each for each in entry.attributes if each != name)))
        for name in entry.attributes
    ]
    if entry.exporter is not None:
        facts.append(("exporter", replace(entry, exporter=None)))
    if entry.subjects is not None:
        facts.append(("subjects", replace(entry, subjects=None)))
    if entry.allow is not None:
        facts.append(("allow", replace(entry, allow=None)))
    for what, other in facts:

        def change(policy: PolicyDocument, other: TenantEntry = other) -> PolicyDocument:
            return replace(policy, tenants={**policy.tenants, id_: other})

        path = ("tenants", id_, *what.split(".", 1))
        yield Rule(kind=RuleKind.TENANT_FACT, name=f"{id_}.{what}", path=path, without=change, tenant=id_)


def _signals(document: PolicyDocument) -> Iterator[Rule]:
    """List what is read. A signal's own entry and what it may replace are rules of their own."""
    written = document.signals
    without = {
        "geoip": replace(written, geoip=None),
        "jwt": replace(written, jwt=None),
        "header": replace(written, header=None),
    }
    others = {name: other for name, other in without.items() if other != written}
    if written.geoip is not None and written.geoip.assume:
        others["geoip.unknown"] = replace(written, geoip=replace(written.geoip, assume=()))
    if written.jwt is not None and written.jwt.may_replace:
        others["jwt.may_replace"] = replace(written, jwt=replace(written.jwt, may_replace=()))
    if written.tenant is not None and written.tenant.may_replace:
        others["tenant.may_replace"] = replace(written, tenant=replace(written.tenant, may_replace=()))
    for name, signals in others.items():

        def change(policy: PolicyDocument, signals: object = signals) -> PolicyDocument:
            return replace(policy, signals=signals)  # type: ignore[arg-type]

        yield Rule(kind=RuleKind.SIGNAL, name=name, path=("signals", *name.split(".")), without=change)


def _conflict(document: PolicyDocument) -> Rule:
    """Give the mode for signals that differ; what the policy is without it is the one most unlike it."""
    mode = document.conflict
    other = ConflictMode.DENY if mode is ConflictMode.INTERSECT else ConflictMode.INTERSECT
    return Rule(
        kind=RuleKind.CONFLICT,
        name=str(mode),
        path=("conflict", "mode"),
        without=lambda policy: replace(policy, conflict=other),
    )


def _deployment(document: PolicyDocument) -> Iterator[Rule]:
    """List what the pattern decides about the set of regions; which of them come first is tier 2's."""
    written = document.deployment
    if written.pattern is Pattern.REGIONAL_SHARDING:
        for i, shard in enumerate(written.shards):
            others = (*written.shards[:i], *written.shards[i + 1 :])

            def change(policy: PolicyDocument, others: object = others) -> PolicyDocument:
                return replace(policy, deployment=replace(written, shards=others))  # type: ignore[arg-type]

            name, path = f"shard of {' '.join(shard.subjects)}", ("deployment", "shards", str(i))
            yield Rule(kind=RuleKind.DEPLOYMENT, name=name, path=path, without=change)
    if written.pattern is Pattern.HUB_AND_SPOKE:
        yield Rule(
            kind=RuleKind.DEPLOYMENT,
            name="hub-and-spoke",
            path=("deployment", "pattern"),
            without=lambda policy: replace(policy, deployment=Deployment()),
        )
