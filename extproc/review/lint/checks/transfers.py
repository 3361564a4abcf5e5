# ruff: noqa: D401 - the docstring of a check says why it matters
"""Transfers: permits that let data leave, and the mechanisms that enable them."""

from collections.abc import Iterator

from extproc.core.ids import MechanismId, TenantId
from extproc.core.tables import Basis, Profile
from extproc.policy.document import ANYWHERE, PermitEntry, Regime, TenantEntry
from extproc.review.lint.check import Found, check
from extproc.review.lint.finding import Level
from extproc.review.lint.matter import Matter
from extproc.review.lint.words import listed


@check("transfer-without-mechanism", Level.WARNING, "a transfer permit is on for every tenant")
def transfer_without_mechanism(matter: Matter) -> Iterator[Found]:
    """A transfer rests on something that the exporter did: it signed, certified, assessed, or told its data subjects.

    Without `enabled_by` the permit holds for tenants of which nobody knows whether they did.
    """
    for regime, permit in _transfers(matter):
        if permit.enabled_by is None:
            yield Found(
                matter.places("regimes", regime.id, "permits", permit.id),
                f"{regime.id}.{permit.id} is a transfer ({permit.basis.value}) and is on for every tenant",
                "add 'enabled_by: tenant.mechanisms.NAME', and have the tenants declare it that fulfil it",
            )


@check("transfer-anywhere", Level.WARNING, "a transfer permit asks nothing of the place")
def transfer_anywhere(matter: Matter) -> Iterator[Found]:
    """Clauses bind the recipient and not its state, so each country has to be assessed before data goes there.

    GDPR Art. 46 and CJEU C-311/18 (Schrems II); other laws ask for the like. A permit to `anywhere` holds for
    countries that nobody assessed.
    """
    for regime, permit in _transfers(matter):
        if permit.to.within == ((ANYWHERE,),) and not permit.to.not_in and not permit.to.certs:
            yield Found(
                matter.places("regimes", regime.id, "permits", permit.id, "to"),
                f"{regime.id}.{permit.id} permits transfers to every country there is",
                "name a zone of the countries that were assessed",
            )


@check("transfer-by-derogation", Level.WARNING, "a transfer permit rests on a derogation")
def transfer_by_derogation(matter: Matter) -> Iterator[Found]:
    """Derogations are for single occasions (GDPR Art. 49; EDPB Guidelines 2/2018), and routing is the rule, not that.

    The laws that have them read them narrowly: what happens with every request is hardly occasional.
    """
    for regime, permit in _transfers(matter):
        if permit.basis is Basis.DEROGATION:
            yield Found(
                matter.places("regimes", regime.id, "permits", permit.id, "basis"),
                f"{regime.id}.{permit.id} rests on a derogation, and every request may use it",
                "find another basis, or have a lawyer say why this one carries regular traffic",
            )


@check("transfer-in-legal-first", Level.NOTE, "transfer permits are written, and the profile lets none count")
def transfer_in_legal_first(matter: Matter) -> Iterator[Found]:
    """They do nothing under `legal-first`. Changing that one word puts all of them in force."""
    if matter.document.identity.profile is Profile.LEGAL_FIRST:
        names = [f"{regime.id}.{permit.id}" for regime, permit in matter.permits if permit.basis.is_transfer]
        if names:
            yield Found(
                matter.places("policy", "profile"),
                f"under legal-first no transfer counts, and some are written: {listed(names)}",
                "nothing, if that is meant",
            )


@check("mechanism-undeclared", Level.NOTE, "no tenant declares the mechanism that a permit needs")
def mechanism_undeclared(matter: Matter) -> Iterator[Found]:
    """The permit is off for everybody. It is as it should be until a tenant really has the mechanism."""
    declared = {name for tenant in matter.document.tenants.values() for name in tenant.mechanisms}
    needing: dict[MechanismId, list[tuple[Regime, PermitEntry]]] = {}
    for regime, permit in matter.permits:
        if permit.enabled_by is not None and permit.enabled_by not in declared:
            needing.setdefault(permit.enabled_by, []).append((regime, permit))
    for name, permits in needing.items():
        regime, permit = permits[0]
        named = listed(f"{of.id}.{each.id}" for of, each in permits)
        yield Found(
            matter.places("regimes", regime.id, "permits", permit.id, "enabled_by"),
            f"no tenant declares the mechanism {name}, so nobody can use {named}",
            "nothing, or declare it for a tenant that has it",
        )


@check("mechanism-unused", Level.WARNING, "a tenant declares a mechanism that enables nothing for it")
def mechanism_unused(matter: Matter) -> Iterator[Found]:
    """Somebody took the trouble to certify or to sign, and no request of theirs goes anywhere by it.

    Either a permit is missing, or the declaration says something that nobody checks. Looked at are the permits of
    regimes that govern the tenant's requests, now or later, and the regions that its own list leaves. What the profile
    legal-first leaves out counts here.
    """
    for id_, tenant in matter.document.tenants.items():
        for name in tenant.mechanisms:
            if not any(_applies(matter, id_, tenant, of, permit) for of, permit in _enabled_by(matter, name)):
                yield Found(
                    matter.places("tenants", id_, "mechanisms", name),
                    f"the mechanism {name} enables nothing for {id_}: no permit that needs it covers one of its "
                    "regions under a law that governs its requests",
                    "remove it, or write the permit that it was meant for",
                )


def _transfers(matter: Matter) -> Iterator[tuple[Regime, PermitEntry]]:
    """List the permits by which data is transferred; none where the profile lets none count."""
    if matter.document.identity.profile is not Profile.LEGAL_FIRST:
        yield from ((regime, permit) for regime, permit in matter.permits if permit.basis.is_transfer)


def _enabled_by(matter: Matter, name: MechanismId) -> Iterator[tuple[Regime, PermitEntry]]:
    return ((regime, permit) for regime, permit in matter.permits if permit.enabled_by == name)


def _applies(matter: Matter, id_: TenantId, tenant: TenantEntry, regime: Regime, permit: PermitEntry) -> bool:
    """Tell whether a permit could let some request of a tenant go somewhere."""
    compiled = matter.compiled.tables.tenants[id_]
    governed = matter.governed[compiled.profile]
    # Every class that a request bears must permit, and it bears the tenant's own always.
    own = tenant.data_class
    rule = regime.class_rules.get(own)
    counts = (regime.id, own) in governed and (rule is None or permit.id in rule.only)
    others = any((regime.id, name) in governed for name in matter.classes_of(id_) - {own})
    beside = (regime.id, own) not in governed and others
    return (counts or beside) and any(mask & compiled.allowed for mask in matter.covered(regime, permit))
