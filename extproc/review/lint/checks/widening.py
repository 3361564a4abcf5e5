# ruff: noqa: D401 - the docstring of a check says why it matters
"""What lets input that nobody has authenticated widen the permitted set, or a guess stand in for a fact."""

from collections.abc import Iterator

from extproc.core.ids import DataClass, Jurisdiction, ModelId, TenantId
from extproc.core.tables import ConflictMode, Profile
from extproc.policy.document import AnonymousMatch, HostMatch, TenantEntry
from extproc.review.domain import Kind
from extproc.review.lint.check import Found, check
from extproc.review.lint.finding import Level
from extproc.review.lint.matter import Matter
from extproc.review.lint.words import listed


@check(
    "unverified-tenant-transfers", Level.WARNING, "a tenant that anybody can be has mechanisms that enable transfers"
)
def unverified_tenant_transfers(matter: Matter) -> Iterator[Found]:
    """A host or the lack of a token proves nothing: whoever connects gets the transfers of this tenant.

    A mechanism is a fact about one exporter. Declared here, it is claimed for everybody.
    """
    for id_, tenant in _unverified(matter):
        names = {
            permit.enabled_by
            for _, permit in matter.permits
            if permit.basis.is_transfer and permit.enabled_by in tenant.mechanisms
        }
        if names:
            yield Found(
                matter.places("tenants", id_, "mechanisms"),
                f"anybody can be {id_}, and its mechanisms ({listed(str(name) for name in names)}) enable transfers",
                "match it by a claim or a SPIFFE id, or remove the mechanisms",
            )


@check("unverified-tenant-unregulated", Level.WARNING, "a tenant that anybody can be has an unregulated class")
def unverified_tenant_unregulated(matter: Matter) -> Iterator[Found]:
    """Whoever presents nothing is then judged by no law at all, and only declares a stricter class if he likes."""
    for id_, tenant in _unverified(matter):
        if tenant.data_class in matter.document.unregulated:
            yield Found(
                matter.places("tenants", id_, "class"),
                f"anybody can be {id_}, and no regime governs its class, {tenant.data_class}",
                "give it a class that regimes govern, or match it by a claim or a SPIFFE id",
            )


@check("host-widens", Level.WARNING, "by naming a host, a client gets a region that it would not get without")
def host_widens(matter: Matter) -> Iterator[Found]:
    """The host is chosen by whoever connects. A tenant that is matched by it must get no more than anybody does.

    Each place, class, model and time is compared with what the anonymous tenant gets.
    """
    anonymous = [id_ for id_, tenant in matter.document.tenants.items() if isinstance(tenant.match, AnonymousMatch)]
    for id_, tenant in _unverified(matter):
        if not anonymous or not isinstance(tenant.match, HostMatch):
            continue
        wider = _wider(matter, matter.survey.kind_of(id_), matter.survey.kind_of(anonymous[0]))
        if wider:
            regions = listed(name for mask in wider.values() for name in matter.names(mask))
            yield Found(
                matter.places("tenants", id_, "match"),
                f"by naming the host of {id_}, anybody gets {regions} for requests from "
                f"{listed(place for place, _ in wider)}, which {anonymous[0]} does not",
                "hold it as tightly as the anonymous tenant, or match it by a claim or a SPIFFE id",
            )


@check("unknown-assumed", Level.WARNING, "an address that is not known counts as of some place")
def unknown_assumed(matter: Matter) -> Iterator[Found]:
    """A guess stands where a refusal would: whoever hides the address is served as if it were there.

    Each record of such a decision says so. It is worth it only where the strictest of your laws is assumed.
    """
    geoip = matter.document.signals.geoip
    if geoip is not None and geoip.assume:
        yield Found(
            matter.places("signals", "geoip", "unknown"),
            f"an address that is not known counts as {listed(geoip.assume)}",
            "write 'unknown: deny', or see that no other law of this policy is stricter",
        )


@check("anonymous-located", Level.WARNING, "the place of an anonymising network counts as its user's")
def anonymous_located(matter: Matter) -> Iterator[Found]:
    """Whoever rents an exit in the right country then chooses the law: that is unauthenticated input that widens."""
    geoip = matter.document.signals.geoip
    if geoip is not None and geoip.locate_anonymous:
        yield Found(
            matter.places("signals", "geoip", "anonymous"),
            "the place of a VPN's or a proxy's exit is taken for that of its user",
            "write 'anonymous: unknown'",
        )


@check("prefers-verified", Level.NOTE, "a verified signal stands against where the address is")
def prefers_verified(matter: Matter) -> Iterator[Found]:
    """The law of the place from which a request really comes does not govern then. Whoever issues the tokens answers.

    `intersect` lets both govern.
    """
    if matter.document.conflict is ConflictMode.PREFER_VERIFIED:
        yield Found(
            matter.places("conflict", "mode"),
            "where a token and an address differ, the law of the address does not govern",
            "nothing, if whoever issues the tokens answers for their claims",
        )


@check("signal-replaced", Level.NOTE, "a verified signal replaces others")
def signal_replaced(matter: Matter) -> Iterator[Found]:
    """What it replaces is not looked at, so the law of the place where the client sits does not govern.

    Only verified signals can, and only if they name a place; whoever issues them answers for it.
    """
    signals = matter.document.signals
    for name, signal in (("tenant", signals.tenant), ("jwt", signals.jwt)):
        if signal is not None and signal.may_replace:
            yield Found(
                matter.places("signals", name, "may_replace"),
                f"what {name} says replaces {listed(signal.may_replace)}",
                "nothing, if whoever issues it answers for it",
            )


@check("performance-first", Level.WARNING, "classes are marked unregulated, and go wherever they are served fastest")
def performance_first(matter: Matter) -> Iterator[Found]:
    """No regime governs them, so no law of this policy is asked. That a class is nobody's data is the operator's word.

    A tenant whose own class is marked is judged by that word for every request that declares nothing stricter.
    """
    free = matter.document.unregulated
    if matter.document.identity.profile is Profile.PERFORMANCE_FIRST and free:
        tenants = [id_ for id_, tenant in matter.document.tenants.items() if tenant.data_class in free]
        whose = f"; it is the class of {listed(tenants)}" if tenants else ""
        yield Found(
            matter.places("policy", "profile"),
            f"no law is asked for the class {listed(free)}{whose}",
            "choose the profile hybrid, unless somebody answers for the class holding no personal data",
        )


@check("performance-first-idle", Level.NOTE, "the profile is performance-first and no class is marked unregulated")
def performance_first_idle(matter: Matter) -> Iterator[Found]:
    """It is then no different from hybrid, and says the worse of the policy."""
    if matter.document.identity.profile is Profile.PERFORMANCE_FIRST and not matter.document.unregulated:
        yield Found(
            matter.places("policy", "profile"),
            "the profile is performance-first, and no class is unregulated",
            "write 'profile: hybrid', which is the same",
        )


@check("class-only-declared", Level.NOTE, "nothing but the client's own word tells a class")
def class_only_declared(matter: Matter) -> Iterator[Found]:
    """A client that says nothing is judged by its tenant's class. Data of the stricter class goes along unnoticed.

    Looked at are classes that take a region away from some request, and that no tenant bears, no model brings and no
    rule over payloads finds.
    """
    if matter.document.signals.class_header is None:
        return
    found = matter.detected | {tenant.data_class for tenant in matter.document.tenants.values()}
    declared = {name for name in set(matter.document.classes) - found if _narrows(matter, name)}
    if declared:
        yield Found(
            matter.places("signals", "class"),
            f"only the client's own declaration tells the class {listed(declared)}",
            "look for it in payloads with 'body:', or nothing, if clients are bound to declare it",
        )


@check("class-unused", Level.NOTE, "no request can bear a class")
def class_unused(matter: Matter) -> Iterator[Found]:
    """No tenant has it, no model brings it, and nothing declares or finds it: rules for it are never asked."""
    borne = matter.told | {tenant.data_class for tenant in matter.document.tenants.values()}
    for name in matter.document.classes:
        if name not in borne:
            yield Found(
                matter.places("classes", name),
                f"no request can bear the class {name}",
                "remove it, or add what tells it: a tenant, a model, a header, or a look at payloads",
            )


def _unverified(matter: Matter) -> Iterator[tuple[TenantId, TenantEntry]]:
    """List the tenants that anybody can be."""
    for id_, tenant in matter.document.tenants.items():
        if isinstance(tenant.match, HostMatch | AnonymousMatch):
            yield id_, tenant


def _narrows(matter: Matter, data_class: DataClass) -> bool:
    """Tell whether a request that bears the class beside its tenant's own gets less today."""
    survey = matter.without_orders
    for kind in survey.kinds:
        for model in matter.compiled.tables.models:
            own: dict[Jurisdiction, int] = {}
            for places, answer in survey.answers(kind, model, kind.tenant.data_class, matter.now_s):
                own.update(dict.fromkeys(places, answer.permitted))
            for places, answer in survey.answers(kind, model, data_class, matter.now_s):
                if any(own[place] & ~answer.permitted for place in places):
                    return True
    return False


def _wider(matter: Matter, one: Kind, other: Kind) -> dict[tuple[Jurisdiction, ModelId], int]:
    """Give the regions that one kind of tenants gets and the other does not, by place and model."""
    survey = matter.without_orders
    found: dict[tuple[Jurisdiction, ModelId], int] = {}
    for epoch in matter.epochs:
        at_s = max(epoch.starts_s, matter.now_s)
        for model in matter.compiled.tables.models:
            # A request declares a class, or it declares none: its tenant's own stands for that.
            for name in (None, *sorted(matter.told)):
                narrow: dict[Jurisdiction, int] = {}
                for places, answer in survey.answers(other, model, name or other.tenant.data_class, at_s):
                    narrow.update(dict.fromkeys(places, answer.permitted))
                for places, answer in survey.answers(one, model, name or one.tenant.data_class, at_s):
                    for place in places:
                        more = answer.permitted & ~narrow[place]
                        if more:
                            found[place, model] = found.get((place, model), 0) | more
    return found
