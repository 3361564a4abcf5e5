# ruff: noqa: D401 - the docstring of a check says why it matters
"""Rules that do nothing: they look like protection, or like a way out, and are neither."""

from collections.abc import Iterator

from extproc.core.ids import DataClass, PermitId, RegimeId
from extproc.core.tables import Profile
from extproc.policy.document import ANYWHERE, PermitEntry, Regime
from extproc.review.lint.check import Found, check
from extproc.review.lint.finding import Level
from extproc.review.lint.matter import Matter
from extproc.review.lint.words import listed


@check("regime-governs-nothing", Level.WARNING, "a regime governs no request that can come")
def regime_governs_nothing(matter: Matter) -> Iterator[Found]:
    """Its author believes that a law is heeded, and it never is: a class nobody bears, an attribute nobody has.

    Looked at are all places, all tenants as they are, and the classes that their requests can bear.
    """
    governing = {regime for regime, _ in _governed(matter)}
    for regime in matter.document.regimes:
        if regime.id not in governing:
            yield Found(
                matter.places("regimes", regime.id, "when"),
                f"no request that can come is governed by {regime.id}",
                "mend its 'when', or remove the regime",
            )


@check("regime-for-unregulated", Level.NOTE, "a regime governs only classes that are marked unregulated")
def regime_for_unregulated(matter: Matter) -> Iterator[Found]:
    """The profile performance-first lets no regime govern such a class, so this one does nothing."""
    free = frozenset(matter.document.unregulated)
    governed = _governed(matter)
    for regime in matter.document.regimes:
        classes = {name for of, name in governed if of == regime.id}
        if classes and classes <= free:
            yield Found(
                matter.places("regimes", regime.id, "when"),
                f"{regime.id} governs {listed(classes)} alone, and that is unregulated here",
                "remove the regime, or the mark 'unregulated'",
            )


@check("permit-covers-nothing", Level.NOTE, "a permit covers no region that there is")
def permit_covers_nothing(matter: Matter) -> Iterator[Found]:
    """It permits nothing today. A region that is added later may come under it without anybody thinking of it."""
    for regime, permit in matter.permits:
        ended = permit.valid_until is not None and permit.valid_until < matter.today
        if not ended and not any(matter.covered(regime, permit)):
            yield Found(
                matter.places("regimes", regime.id, "permits", permit.id),
                f"the permit {regime.id}.{permit.id} covers no region of this policy",
                "mend its 'to', or keep it for regions to come",
            )


@check("permit-shadowed", Level.WARNING, "a permit is never the first: earlier ones cover all of its regions")
def permit_shadowed(matter: Matter) -> Iterator[Found]:
    """Records name the first permit that covers a region, so this one is never what a decision rests on.

    Its dates, its risk and its mechanism then say nothing about any request. It counts only while an order suspends the
    permits before it.
    """
    for regime in matter.document.regimes:
        first, before = _firsts(matter, regime)
        for permit in regime.permits:
            if permit.id not in first and permit.id in before:
                yield Found(
                    matter.places("regimes", regime.id, "permits", permit.id),
                    f"no decision rests on the permit {regime.id}.{permit.id}: what it covers is covered before, by "
                    f"{listed(before[permit.id])}",
                    "put it before them, or remove it",
                )


@check("class-rule-idle", Level.WARNING, "a class rule changes nothing")
def class_rule_idle(matter: Matter) -> Iterator[Found]:
    """It reads as if the class were held more tightly, and it is not: every permit counts, or none is ever asked."""
    governed = frozenset().union(*matter.governed.values())
    for regime in matter.document.regimes:
        for name, rule in regime.class_rules.items():
            place = matter.places("regimes", regime.id, "class", name)
            if (regime.id, name) not in governed:
                message = f"{regime.id} never governs the class {name}, so its rule for it changes nothing"
                yield Found(place, message, "remove the rule, or mend the regime's 'when'")
            elif {permit.id for permit in regime.permits} <= set(rule.only):
                message = f"the rule of {regime.id} for {name} lists every permit, so it changes nothing"
                yield Found(place, message, "remove the rule, or the permits that shall not count for the class")


@check("default-regime", Level.WARNING, "a regime governs every request and permits every region")
def default_regime(matter: Matter) -> Iterator[Found]:
    """With it nothing is undefined any more: a place whose law nobody has thought of is served from anywhere.

    A request that no regime governs is refused, and that is what keeps a policy honest about what it does not know.
    """
    for regime, permit in _open_permits(matter):
        if _governs_all(matter, regime):
            yield Found(
                matter.places("regimes", regime.id, "permits", permit.id),
                f"{regime.id} governs every place and every class, and {permit.id} permits every region",
                "say for which places or classes it is meant, or name the regions' countries",
            )


@check("default-permit", Level.WARNING, "a permit lets every class go anywhere, whatever region is added")
def default_permit(matter: Matter) -> Iterator[Found]:
    """`to: anywhere` takes in regions that do not exist yet: whoever adds one decides for this law without knowing it.

    Not meant are permits that ask something of the region (`not_in`, an operator, a certificate), that a tenant must
    enable, or that count for some of the classes only.
    """
    for regime, permit in _open_permits(matter):
        if not _governs_all(matter, regime):
            yield Found(
                matter.places("regimes", regime.id, "permits", permit.id),
                f"{regime.id}.{permit.id} permits every region for every class, and every region that will be added",
                "name a zone of the countries that were thought of, or ask something of the region",
            )


@check("obligation-for-all", Level.NOTE, "an obligation holds for every class, public data among them")
def obligation_for_all(matter: Matter) -> Iterator[Found]:
    """It stands in the record of each decision that the regime governs; a duty that holds for all is soon read by none.

    Not meant are regimes that leave a class out by their own condition.
    """
    governed = frozenset().union(*matter.governed.values())
    for regime in matter.document.regimes:
        classes = {name for of, name in governed if of == regime.id}
        for duty in regime.obligations:
            if duty.classes is None and classes == set(matter.document.classes) and len(classes) > 1:
                yield Found(
                    matter.places("regimes", regime.id, "obligations", duty.id),
                    f"the obligation {regime.id}.{duty.id} holds for every class of the policy",
                    "add 'classes:' with those that the duty is about",
                )


@check("regime-unverified", Level.NOTE, "a regime's author could not verify it")
def regime_unverified(matter: Matter) -> Iterator[Found]:
    """`verified: false` is a debt: decisions rest on the regime all the same."""
    for regime in matter.document.regimes:
        if not regime.verified:
            because = f": {regime.note}" if regime.note else ""
            yield Found(
                matter.places("regimes", regime.id, "verified"),
                f"{regime.id} is not verified{because}",
                "have somebody verify it, and remove 'verified: false'",
            )


def _governed(matter: Matter) -> frozenset[tuple[RegimeId, DataClass]]:
    """Give the regimes that govern a request that can come, each with the classes of such requests."""
    tables = matter.compiled.tables
    return frozenset(
        (regime, name)
        for id_, tenant in tables.tenants.items()
        for regime, name in matter.governed[tenant.profile]
        if name in matter.classes_of(id_)
    )


def _firsts(matter: Matter, regime: Regime) -> tuple[set[PermitId], dict[PermitId, set[PermitId]]]:
    """Give the permits that are the first for some region, and for others that count which ones stand before them."""
    legal_first = matter.document.identity.profile is Profile.LEGAL_FIRST
    first: set[PermitId] = set()
    before: dict[PermitId, set[PermitId]] = {}
    for profile, governed in matter.governed.items():
        usable = [
            permit
            for permit in regime.permits
            if (permit.enabled_by is None or permit.enabled_by in matter.mechanisms[profile])
            and not (legal_first and permit.basis.is_transfer)
        ]
        rules = {regime.class_rules.get(name) for of, name in governed if of == regime.id}
        for rule in rules:
            counting = [permit for permit in usable if rule is None or permit.id in rule.only]
            for day in range(len(matter.days)):
                taken = 0
                for i, permit in enumerate(counting):
                    covered = matter.covered(regime, permit)[day]
                    if covered & ~taken:
                        first.add(permit.id)
                    elif covered:
                        earlier = (one.id for one in counting[:i] if matter.covered(regime, one)[day] & covered)
                        before.setdefault(permit.id, set()).update(earlier)
                    taken |= covered
    return first, before


def _open_permits(matter: Matter) -> Iterator[tuple[Regime, PermitEntry]]:
    """List the permits that cover every region there could be, for every class."""
    governed = frozenset().union(*matter.governed.values())
    every = set(matter.document.classes)
    for regime, permit in matter.permits:
        to = permit.to
        asks = to.not_in or to.operator_in is not None or to.operator_not_in or to.certs or permit.enabled_by
        counts = {
            name
            for name in every
            if (regime.id, name) in governed
            and (name not in regime.class_rules or permit.id in regime.class_rules[name].only)
        }
        if to.within == ((ANYWHERE,),) and not asks and counts == every:
            yield regime, permit


def _governs_all(matter: Matter, regime: Regime) -> bool:
    """Tell whether a regime governs every place and class today, at least for some tenants."""
    return any(
        all(
            (ruling := by_place.get(place)) is not None and regime.id in ruling.regimes
            for by_place in profile.values()
            for place in matter.all_places
        )
        for profile in matter.epochs[0].profiles
    )
