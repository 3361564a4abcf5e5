"""What a change does to the answers, grouped as a person would tell it."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from extproc.core.ids import DataClass, Jurisdiction, ModelId, TenantId
from extproc.policy.document import PolicyDocument
from extproc.review.what_if.sweep import Asked, Standing
from extproc.review.words import counted, describe_places, joined, refusal_in_words


class Effect(StrEnum):
    """What becomes of a question; the worst comes first."""

    REFUSED = "refused"
    """It was answered with regions, and now has none."""
    TRANSFER = "transfer_begins"
    """Every region that is left is reached by a transfer, and before one was not."""
    NO_FAILOVER = "failover_lost"
    """One region is left, and there were several."""
    MOVED = "moved"
    """Regions are lost, and others are left or come in their place."""
    WIDENED = "widened"
    """Regions are added and none is lost, or a request that was refused is answered."""
    OTHER_BASIS = "other_basis"
    """The same regions, but other ones of them are reached by a transfer."""
    OTHER_REFUSAL = "other_refusal"
    """Refused as before, with another reason code."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Who:
    """The questions of a group that differ in nothing but the place."""

    tenants: tuple[TenantId, ...]
    models: tuple[ModelId, ...]
    classes: tuple[DataClass, ...]
    places: tuple[Jurisdiction, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Everything that the change does alike: `count` questions."""

    effects: tuple[Effect, ...]
    before: Standing
    after: Standing
    who: tuple[Who, ...]
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """What a change does, worst first, of how many questions that were asked."""

    asked: int
    groups: tuple[Group, ...]

    @property
    def changed(self) -> int:
        """Give how many questions are answered differently."""
        return sum(group.count for group in self.groups)

    def count(self, effect: Effect) -> int:
        """Give how many questions have this effect."""
        return sum(group.count for group in self.groups if effect in group.effects)


def difference_of(questions: Iterable[Asked]) -> Difference:
    """Group what is answered differently."""
    total = 0
    found: dict[tuple[Standing, Standing], list[Asked]] = {}
    for each in questions:
        total += each.count
        if each.before != each.after:
            found.setdefault((each.before, each.after), []).append(each)
    groups = [
        Group(
            effects=effects_of(before, after),
            before=before,
            after=after,
            who=_who(same),
            count=sum(each.count for each in same),
        )
        for (before, after), same in found.items()
    ]
    order = list(Effect)
    groups.sort(
        key=lambda group: (order.index(group.effects[0]), -group.count, group.before.permitted, group.who[0].places)
    )
    return Difference(asked=total, groups=tuple(groups))


def effects_of(before: Standing, after: Standing) -> tuple[Effect, ...]:
    """Name everything that a question's new answer means; nothing for an equal one."""
    if before == after:
        return ()
    if not before.permitted:
        return (Effect.WIDENED,) if after.permitted else (Effect.OTHER_REFUSAL,)
    if not after.permitted:
        return (Effect.REFUSED,)
    found: list[Effect] = []
    at_home = set(before.permitted) - set(before.transfers)
    if at_home and set(after.permitted) == set(after.transfers):
        found.append(Effect.TRANSFER)
    lost, gained = set(before.permitted) - set(after.permitted), set(after.permitted) - set(before.permitted)
    if len(after.permitted) == 1 < len(before.permitted):
        found.append(Effect.NO_FAILOVER)
    elif lost:
        found.append(Effect.MOVED)
    elif gained:
        found.append(Effect.WIDENED)
    elif not found:
        found.append(Effect.OTHER_BASIS)
    return tuple(found)


def group_in_words(group: Group) -> str:
    """Say in one sentence what becomes of the group's requests."""
    before, after = group.before, group.after
    if not after.permitted and after.refusal is not None:
        was = joined(before.permitted) if before.permitted else f"refused, {before.refusal}"
        return f"refused, {after.refusal}: {refusal_in_words(after.refusal)} (before: {was})"
    if not before.permitted:
        return f"permitted {_regions(after)} (before: refused, {before.refusal})"
    words, was = _regions(after), f"before: {_regions(before)}"
    if Effect.NO_FAILOVER in group.effects:
        return f"only {words} is left, so there is no failover ({was})"
    if Effect.MOVED in group.effects:
        gone = joined(sorted(set(before.permitted) - set(after.permitted)))
        return f"no longer {gone}; left: {words}"
    return f"{words} ({was})"


def who_in_words(who: Who, document: PolicyDocument, day: date) -> str:
    """Say whose requests these are."""
    tenants = f"{'tenant' if len(who.tenants) == 1 else 'tenants'} {joined(who.tenants)}"
    models = f"{'model' if len(who.models) == 1 else 'models'} {joined(who.models)}"
    classes = f"{'class' if len(who.classes) == 1 else 'classes'} {joined(who.classes)}"
    return f"{tenants}, {models}, {classes}, from {describe_places(who.places, document, day)}"


def summary_in_words(difference: Difference) -> str:
    """Say it with counts."""
    if not difference.groups:
        return f"no answer changes, of {counted(difference.asked, 'question')}"
    names = {
        Effect.REFUSED: "refused",
        Effect.TRANSFER: "go by transfer that did not have to",
        Effect.NO_FAILOVER: "lose their failover",
        Effect.MOVED: "lose regions and keep several",
        Effect.WIDENED: "gain regions",
        Effect.OTHER_BASIS: "keep their regions on another basis",
        Effect.OTHER_REFUSAL: "are refused for another reason",
    }
    parts = [f"{difference.count(each):,} {names[each]}" for each in Effect if difference.count(each)]
    return f"{difference.changed:,} of {counted(difference.asked, 'question')} change: {', '.join(parts)}"


def _regions(standing: Standing) -> str:
    """List the regions, those that are reached by a transfer apart."""
    home = [region for region in standing.permitted if region not in standing.transfers]
    if not standing.transfers:
        return joined(home)
    by_transfer = f"by transfer {joined(standing.transfers)}"
    return f"{joined(home)}, and {by_transfer}" if home else by_transfer


def _who(same: list[Asked]) -> tuple[Who, ...]:
    """Join the questions that are asked from the same places, first over tenants, then classes, then models."""
    places: dict[tuple[tuple[TenantId, ...], ModelId, DataClass], list[Jurisdiction]] = {}
    for each in same:
        places.setdefault((each.tenants, each.model, each.data_class), []).extend(each.places)
    rows = [
        Who(tenants=tenants, models=(model,), classes=(name,), places=tuple(sorted(found)))
        for (tenants, model, name), found in places.items()
    ]
    for key in (_but_tenants, _but_classes, _but_models):
        alike: dict[tuple[object, ...], list[Who]] = {}
        for row in rows:
            alike.setdefault(key(row), []).append(row)
        rows = [_merge(group) for group in alike.values()]
    return tuple(rows)


def _but_tenants(who: Who) -> tuple[object, ...]:
    return who.models, who.classes, who.places


def _but_classes(who: Who) -> tuple[object, ...]:
    return who.models, who.tenants, who.places


def _but_models(who: Who) -> tuple[object, ...]:
    return who.tenants, who.classes, who.places


def _merge(rows: list[Who]) -> Who:
    return Who(
        tenants=tuple(sorted({each for row in rows for each in row.tenants})),
        models=tuple(sorted({each for row in rows for each in row.models})),
        classes=tuple(sorted({each for row in rows for each in row.classes})),
        places=rows[0].places,
    )
