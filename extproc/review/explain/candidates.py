"""Single changes that are worth trying: facts about the tenant, the regions, the request and the orders.

Each is a function from a world to a changed one. None is made up: every one takes up a word of the policy itself.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from extproc.core.ids import Country, DataClass, MechanismId
from extproc.core.overrides import Suspension, TargetKind
from extproc.core.tables import Pattern, Profile
from extproc.policy.document import (
    Deployment,
    Mechanism,
    Operator,
    RegionEntry,
    ServedModel,
)
from extproc.review.explain.model import ChangeKind
from extproc.review.explain.world import World
from extproc.review.question import declared_classes
from extproc.review.what_if.trial import suspending
from extproc.review.words import format_moment, place_in_words


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A change to try. `words` follow "if"; `{region}` in them stands for the region that it is about."""

    kind: ChangeKind
    words: str
    change: Callable[[World], World]


def remedies(world: World) -> Iterator[Candidate]:
    """List what could add regions, the likeliest first."""
    permits = [permit for regime in world.document.regimes for permit in regime.permits]
    for name in sorted({each.enabled_by for each in permits if each.enabled_by is not None}):
        if name not in world.tenant.mechanisms:
            words = f"the tenant had the mechanism {name} and declared it"
            yield Candidate(kind=ChangeKind.MECHANISM, words=words, change=_declaring(name))
    for cert in sorted({cert for each in permits for cert in each.to.certs}):
        words = f"the operator of {{region}} held the certification {cert}"
        yield Candidate(kind=ChangeKind.CERTIFICATION, words=words, change=_certified(cert))
    if any(each.to.operator_in is not None or each.to.operator_not_in for each in permits):
        words = "{region} were operated, and administered, from the country in which it stands"
        yield Candidate(kind=ChangeKind.OPERATOR, words=words, change=_operated)
    if world.document.identity.profile is Profile.LEGAL_FIRST:
        words = "the profile of the policy were hybrid"
        yield Candidate(kind=ChangeKind.PROFILE, words=words, change=_hybrid)
    for order in world.orders:
        if order.in_force(world.now_s):
            until = "without an end" if order.until_s is None else f"until {format_moment(order.until_s)}"
            words = f"the legal order {order.id} ({order.reason}; {until}) were lifted"
            yield Candidate(kind=ChangeKind.ORDER, words=words, change=_lifted(order))
    yield from _of_request(world)
    yield from _of_operator(world)


def losses(world: World, permits: tuple[tuple[str, str], ...]) -> Iterator[Candidate]:
    """List what could take regions away; `permits` are the names and risks of those that may fall."""
    for name, risk in permits:
        words = f"{name} fell" + (f" (its risk: {risk})" if risk else "")
        yield Candidate(kind=ChangeKind.PERMIT, words=words, change=_fallen(name))
    for mechanism in sorted(world.tenant.mechanisms):
        words = f"the tenant no longer had the mechanism {mechanism}"
        yield Candidate(kind=ChangeKind.MECHANISM, words=words, change=_withdrawn(mechanism))
    if world.document.identity.profile is not Profile.LEGAL_FIRST:
        words = "the profile of the policy were legal-first"
        yield Candidate(kind=ChangeKind.PROFILE, words=words, change=_legal_first)
    declared = declared_classes(world.given, world.beside)
    for name in world.document.classes:
        if not declared and name != world.tenant.data_class:
            words = f"the request declared the class {name}"
            yield Candidate(kind=ChangeKind.DATA_CLASS, words=words, change=_declared(name))


def _of_request(world: World) -> Iterator[Candidate]:
    given = world.given
    for name in declared_classes(given, world.beside):
        words = f"the data were not of the class {name}, and the request did not declare it"
        yield Candidate(kind=ChangeKind.DATA_CLASS, words=words, change=_undeclared(name))
    if given.header is not None:
        words = f"the request declared no jurisdiction (it declares {place_in_words(given.header)})"
        yield Candidate(kind=ChangeKind.SIGNAL, words=words, change=_without_header)
    if given.jwt is not None:
        words = f"the token bore no claim of residency (it claims {place_in_words(given.jwt)})"
        yield Candidate(kind=ChangeKind.SIGNAL, words=words, change=_without_claim)


def _of_operator(world: World) -> Iterator[Candidate]:
    """List what the operator of the policy decides. What a tenant is (its attributes) is no choice."""
    if world.tenant.allow is not None:
        words = "the tenant's own list held {region}"
        yield Candidate(kind=ChangeKind.ALLOW, words=words, change=_allowed)
    if any(world.given.model not in entry.models for entry in world.document.regions.values()):
        words = f"{{region}} were approved to serve {world.given.model}"
        yield Candidate(kind=ChangeKind.MODEL, words=words, change=_approved)
    entry = world.document.models.get(world.given.model)
    if entry is not None and entry.resident_in is not None:
        words = f"{world.given.model} were not bound to its territory ({entry.cite})"
        yield Candidate(kind=ChangeKind.RESIDENCY, words=words, change=_unbound)
    if world.document.deployment.pattern in (Pattern.REGIONAL_SHARDING, Pattern.HUB_AND_SPOKE):
        words = f"the deployment were active-active instead of {world.document.deployment.pattern}"
        yield Candidate(kind=ChangeKind.DEPLOYMENT, words=words, change=_active)


def _regions(world: World, change: Callable[[RegionEntry], RegionEntry]) -> World:
    """Change each region: what one region is decides nothing about another, so one look tries them all."""
    regions = {id_: change(entry) for id_, entry in world.document.regions.items()}
    return replace(world, document=replace(world.document, regions=regions))


def _declaring(name: MechanismId) -> Callable[[World], World]:
    return lambda world: world.with_tenant(
        replace(world.tenant, mechanisms={**world.tenant.mechanisms, name: Mechanism()})
    )


def _withdrawn(name: MechanismId) -> Callable[[World], World]:
    def change(world: World) -> World:
        left = {each: entry for each, entry in world.tenant.mechanisms.items() if each != name}
        return world.with_tenant(replace(world.tenant, mechanisms=left))

    return change


def _certified(cert: str) -> Callable[[World], World]:
    return lambda world: _regions(world, lambda entry: replace(entry, certs=tuple(sorted({*entry.certs, cert}))))


def _operated(world: World) -> World:
    def local(country: Country) -> Operator:
        return Operator(name="local", hq=country, admin_from=(country,))

    return _regions(world, lambda entry: replace(entry, operator=local(entry.country)))


def _approved(world: World) -> World:
    model = world.given.model
    return _regions(world, lambda entry: replace(entry, models={model: ServedModel(), **entry.models}))


def _hybrid(world: World) -> World:
    return _profile(world, Profile.HYBRID)


def _legal_first(world: World) -> World:
    # Under this profile nothing is unregulated, and only the compiler's reader would say so.
    document = replace(_profile(world, Profile.LEGAL_FIRST).document, unregulated=())
    return replace(world, document=document)


def _profile(world: World, profile: Profile) -> World:
    identity = replace(world.document.identity, profile=profile)
    return replace(world, document=replace(world.document, identity=identity))


def _lifted(order: Suspension) -> Callable[[World], World]:
    return lambda world: replace(world, orders=tuple(each for each in world.orders if each.id != order.id))


def _fallen(name: str) -> Callable[[World], World]:
    return lambda world: replace(world, orders=(*world.orders, suspending(TargetKind.PERMIT, name)))


def _allowed(world: World) -> World:
    return world.with_tenant(replace(world.tenant, allow=None))


def _undeclared(name: DataClass) -> Callable[[World], World]:
    def change(world: World) -> World:
        left = tuple(each for each in declared_classes(world.given, world.beside) if each != name)
        return replace(world, given=replace(world.given, data_class=None), beside=left)

    return change


def _declared(name: DataClass) -> Callable[[World], World]:
    return lambda world: replace(world, given=replace(world.given, data_class=name))


def _without_header(world: World) -> World:
    return replace(world, given=replace(world.given, header=None))


def _without_claim(world: World) -> World:
    return replace(world, given=replace(world.given, jwt=None))


def _unbound(world: World) -> World:
    entry = world.document.models[world.given.model]
    models = {**world.document.models, world.given.model: replace(entry, resident_in=None)}
    return replace(world, document=replace(world.document, models=models))


def _active(world: World) -> World:
    return replace(world, document=replace(world.document, deployment=Deployment()))
