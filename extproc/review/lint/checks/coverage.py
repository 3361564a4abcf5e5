# ruff: noqa: D401 - the docstring of a check says why it matters
"""Who gets an answer at all: the places that tenants expect, for the models that they can reach, now and later.

A tenant without `expects` states nothing that could be held against the rules.
"""

from collections.abc import Iterator

from extproc.core.tables import OnMismatch, Pattern
from extproc.policy.compile.rulings import mask_of
from extproc.review.lint.check import Found, check
from extproc.review.lint.finding import Level
from extproc.review.lint.holes import Hole, holes
from extproc.review.lint.matter import Matter
from extproc.review.lint.survey import Answer
from extproc.review.lint.words import listed


@check("empty-set", Level.ERROR, "expected requests have no permitted region")
def empty_set(matter: Matter) -> Iterator[Found]:
    """Every such request is refused with 451. The tenant says that they come; the rules leave them nowhere to go."""
    for hole in _own(matter):
        if hole.at_s == matter.now_s:
            mend = "let a regime permit a region there, or take the places out of 'expects'"
            yield Found(hole.place(matter), _nowhere(matter, hole), mend)


@check("empty-set-later", Level.WARNING, "expected requests will have no permitted region")
def empty_set_later(matter: Matter) -> Iterator[Found]:
    """A permit or a zone's member ends on that day, and with it the last region: at midnight the tenant goes dark."""
    for hole in _own(matter):
        if hole.at_s > matter.now_s:
            yield Found(hole.place(matter), _nowhere(matter, hole), "see what ends then, and what shall take its place")


@check("empty-set-by-order", Level.WARNING, "an order leaves expected requests no permitted region")
def empty_set_by_order(matter: Matter) -> Iterator[Found]:
    """The order does what it says. That nothing else is left is worth knowing before the customers say so."""
    for id_, tenant in matter.document.tenants.items():
        for hole in holes(matter, id_, tenant.data_class, matter.moments, _is_emptied):
            grounds = listed(hole.grounds)
            message = f"{hole.words(matter)} have no permitted region because of an order ({grounds})"
            yield Found(hole.place(matter), message, "find another region that the law permits, or tell the tenant")


@check("empty-set-declared", Level.NOTE, "a class that may be declared or found leaves no permitted region")
def empty_set_declared(matter: Matter) -> Iterator[Found]:
    """A request that bears the class beside its tenant's own is refused. It may well be meant: the class is held tight.

    Looked at is today.
    """
    today = matter.moments[:1]
    for id_, tenant in matter.document.tenants.items():
        own = holes(matter, id_, tenant.data_class, today, _is_empty)
        already = frozenset(one for hole in own for one in hole.asked)
        for name in sorted(matter.classes_of(id_) - {tenant.data_class}):
            for hole in holes(matter, id_, name, today, _is_empty, but=already):
                yield Found(
                    hole.place(matter), _nowhere(matter, hole), "nothing, if it shall not be processed for them"
                )


@check("single-region", Level.WARNING, "expected requests have one permitted region, so no failover")
def single_region(matter: Matter) -> Iterator[Found]:
    """When that region fails, the requests fail: nothing else may serve them, and nothing else will.

    Not looked at under regional-sharding, which means it so.
    """
    if matter.document.deployment.pattern is Pattern.REGIONAL_SHARDING:
        return
    for id_, tenant in matter.document.tenants.items():
        for hole in holes(matter, id_, tenant.data_class, matter.moments, _is_single):
            region = listed(matter.names(hole.lawful.permitted))
            message = f"{hole.words(matter)} may be served in {region} alone: nothing takes over when it fails"
            yield Found(hole.place(matter), message, "add a second region that the law permits there")


@check("drained-out", Level.ERROR, "expected requests are permitted in drained regions alone")
def drained_out(matter: Matter) -> Iterator[Found]:
    """Each of them is refused with 503: nothing else may take them, however empty it is.

    A region of weight 0 takes as little as one that is drained. Looked at is today: a drain is not for ever.
    """
    deployment = matter.compiled.tables.deployment
    idle = mask_of([weight == 0 for weight in deployment.weights])
    closed = deployment.drained | idle

    def is_closed(_: Answer, ordered: Answer) -> bool:
        return bool(ordered.permitted) and not ordered.permitted & ~closed

    for id_, tenant in matter.document.tenants.items() if closed else ():
        for hole in holes(matter, id_, tenant.data_class, matter.moments[:1], is_closed):
            regions = listed(matter.names(hole.lawful.permitted))
            message = f"{hole.words(matter)} may be served in {regions}, where nothing new goes"
            field = "drain" if hole.lawful.permitted & deployment.drained else "weights"
            mend = "end the drain, or let a regime permit a region that takes requests"
            yield Found(matter.places("deployment", field), message, mend)


@check("redirect-without-host", Level.WARNING, "expected requests arrive in the wrong place and no host is given")
def redirect_without_host(matter: Matter) -> Iterator[Found]:
    """`on_mismatch: redirect` sends a client to the right host; where there is none, it refuses with 421."""
    if matter.document.ingress.on_mismatch is not OnMismatch.REDIRECT:
        return
    hosts = matter.epochs[0].redirects
    region = matter.document.ingress.region
    for id_, tenant in matter.document.tenants.items():
        hosted = frozenset((model, place) for model in matter.models_of(id_) for place in hosts)
        for hole in holes(matter, id_, tenant.data_class, matter.moments[:1], _is_misplaced, but=hosted):
            yield Found(
                matter.places("ingress", "redirect_hosts"),
                f"{hole.words(matter)} may not arrive in {region}, and no host is given for them",
                "add their hosts, or refuse them in words with 'on_mismatch: refuse'",
            )


@check("tenant-without-expects", Level.NOTE, "tenants do not say where requests are expected from")
def tenant_without_expects(matter: Matter) -> Iterator[Found]:
    """Then nothing can be checked for them: not whether their customers are served, nor whether anything fails over.

    No decision reads `expects`.
    """
    tenants = [id_ for id_, tenant in matter.document.tenants.items() if tenant.expects is None]
    if tenants:
        yield Found(
            matter.places("tenants", tenants[0]),
            f"nothing says where requests of {listed(tenants)} are expected from, so what they get is not checked",
            "add 'expects:' with the zones or countries of their customers",
        )


def _own(matter: Matter) -> Iterator[Hole]:
    """Find what the rules leave nowhere to go, with each tenant's own class."""
    for id_, tenant in matter.document.tenants.items():
        yield from holes(matter, id_, tenant.data_class, matter.moments, _is_empty)


def _nowhere(matter: Matter, hole: Hole) -> str:
    return f"{hole.words(matter)} have no permitted region ({listed(hole.grounds)})"


def _is_empty(lawful: Answer, _: Answer) -> bool:
    return not lawful.permitted


def _is_emptied(lawful: Answer, ordered: Answer) -> bool:
    return bool(lawful.permitted) and not ordered.permitted


def _is_single(lawful: Answer, _: Answer) -> bool:
    return lawful.permitted.bit_count() == 1


def _is_misplaced(lawful: Answer, _: Answer) -> bool:
    return bool(lawful.permitted) and not lawful.ingress
