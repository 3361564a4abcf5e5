"""A comparison of two policies as data."""

from dataclasses import dataclass
from enum import StrEnum
from math import inf

from extproc.core.ids import DataClass, Jurisdiction, ModelId, PolicyRevision, RegionId, TenantId
from extproc.core.tables import Profile
from extproc.review.difference.answers import Answer, Stand
from extproc.review.difference.edits import Edit


class Effect(StrEnum):
    """What becomes of an answer, by the permitted regions first."""

    WIDENED = "widened"
    """Regions are added and none is lost, or what was refused is permitted."""
    NARROWED = "narrowed"
    """Regions are lost and none is added, or what was permitted is refused."""
    MOVED = "moved"
    """Some are added and some are lost."""
    BASIS = "basis"
    """The same regions, but one of them rests on other permits: a transfer may begin or end."""
    INGRESS = "ingress"
    """The same regions, but whether the request may arrive here, or where it is sent instead, is another."""
    REFUSAL = "refusal"
    """Refused as before, for another reason."""


@dataclass(frozen=True, slots=True, order=True, kw_only=True)
class Span:
    """Times `[from_s, until_s)` in Unix seconds; infinite where the difference has no end."""

    from_s: float
    until_s: float = inf


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """Answers that change alike: for each of the tenants and each of the places, at each of `moments` of the span.

    `declared` is the class that the request declares beside the tenant's own, None where it declares none.
    """

    tenants: tuple[TenantId, ...]
    model: ModelId
    declared: DataClass | None
    places: tuple[Jurisdiction, ...]
    span: Span
    moments: int
    before: Answer
    after: Answer
    effect: Effect
    """What it is, by its most important part."""

    @property
    def cells(self) -> int:
        """The number of single answers."""
        return len(self.tenants) * len(self.places) * self.moments

    @property
    def lost(self) -> tuple[RegionId, ...]:
        """Regions that are permitted no more."""
        return tuple(sorted(self.before.regions - self.after.regions))

    @property
    def gained(self) -> tuple[Stand, ...]:
        """Regions that were not permitted before."""
        before = self.before.regions
        return tuple(stand for stand in self.after.stands if stand.region not in before)

    @property
    def regrounded(self) -> tuple[tuple[Stand, Stand], ...]:
        """Regions that stay permitted and rest on other permits, before and after."""
        before = {stand.region: stand for stand in self.before.stands}
        kept = ((before[stand.region], stand) for stand in self.after.stands if stand.region in before)
        return tuple((one, other) for one, other in kept if one != other)

    @property
    def widens(self) -> bool:
        """Tell whether data may go where it might not before, or stay where it arrived."""
        return bool(self.gained) or (
            bool(self.after.stands) and self.before.elsewhere is not None and self.after.elsewhere is None
        )


def effect_of(before: Answer, after: Answer) -> Effect:
    """Name what becomes of an answer that is another one now."""
    was, is_ = before.regions, after.regions
    if is_ - was:
        return Effect.MOVED if was - is_ else Effect.WIDENED
    if was - is_:
        return Effect.NARROWED
    if before.stands != after.stands:
        return Effect.BASIS
    return Effect.REFUSAL if before.refusal is not after.refusal else Effect.INGRESS


@dataclass(frozen=True, slots=True, kw_only=True)
class Inventory:
    """Names of a policy that another has not."""

    tenants: tuple[TenantId, ...] = ()
    models: tuple[ModelId, ...] = ()
    classes: tuple[DataClass, ...] = ()
    regions: tuple[RegionId, ...] = ()
    places: tuple[Jurisdiction, ...] = ()
    """Subdivisions that it singles out."""

    @property
    def serves(self) -> bool:
        """Tell whether requests that another policy refuses may be served because of them."""
        return bool(self.tenants or self.models or self.classes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """Which policy it is."""

    id: str
    version: int
    revision: PolicyRevision
    profile: Profile
    starts_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """All that differs between two policies.

    `moments` are the times that were asked about (Unix seconds): each answer holds until the next one, and the last one
    from then on. With `at_s` it is the only one, and nothing is said of the time after it. Answers are compared for the
    tenants, models and classes that both have, `asked` in number, each tenant and moment counted; `added` and `removed`
    are the others, and `alone_before` and `alone_after` count the answers that only the one or the other policy has, so
    that nothing could be compared with them. A request whose signals name several places has what all of them leave, so
    what widens no answer here widens none of those.
    """

    before: Side
    after: Side
    moments: tuple[float, ...]
    at_s: float | None
    asked: int
    shared_tenants: int
    shared_models: int
    alone_before: int
    alone_after: int
    changes: tuple[Change, ...]
    added: Inventory
    removed: Inventory
    edits: tuple[Edit, ...]

    def count(self, effect: Effect) -> int:
        """Give how many answers change so."""
        return sum(change.cells for change in self.changes if change.effect is effect)

    @property
    def changed(self) -> int:
        """Give how many answers change."""
        return sum(change.cells for change in self.changes)

    @property
    def differs(self) -> bool:
        """Tell whether anything does."""
        return bool(self.changes or self.edits or self.added != Inventory() or self.removed != Inventory())

    @property
    def widens(self) -> bool:
        """Tell whether any data may go where it might not before, or a request be served that was refused.

        Where policies that differ have no question in common, nobody can tell, and that counts as if it did.
        """
        if not self.asked and self.differs:
            return True
        return self.added.serves or any(c.widens for c in self.changes) or any(e.may_widen for e in self.edits)
