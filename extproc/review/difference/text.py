"""A difference in sentences: "special data of subjects in France may no longer go to us-iad"."""

from collections.abc import Iterator
from math import inf
from typing import Final, assert_never

from extproc.core.ids import ModelId, TenantId
from extproc.policy.compile import CompiledPolicy
from extproc.review.difference.answers import Ground, Stand
from extproc.review.difference.edit_words import edits_in_words
from extproc.review.difference.model import Difference, Effect, Inventory, Side, Span
from extproc.review.difference.telling import Access, Arrival, Basis, Group, Who, groups_of
from extproc.review.words import (
    counted,
    day_of,
    describe_places,
    format_moment,
    joined,
    place_in_words,
    refusal_in_words,
)

_LISTED: Final = 6
_TITLES: Final = {
    Effect.WIDENED: "Widened: permitted in more regions, or no longer refused",
    Effect.NARROWED: "Narrowed: permitted in fewer regions, or refused now",
    Effect.MOVED: "Moved: regions are lost and others come",
    Effect.BASIS: "Other basis: the same regions, resting on other permits",
    Effect.INGRESS: "Other ingress: the same regions, but not from the same place of arrival",
    Effect.REFUSAL: "Refused as before, for another reason",
}


def difference_in_words(difference: Difference, a: CompiledPolicy, b: CompiledPolicy) -> Iterator[str]:
    """Tell the difference in lines of text: headings, and beneath them sentences that are indented by two."""
    words = _Words(difference, a, b)
    yield f"before: {_side(difference.before)}"
    yield f"after:  {_side(difference.after)}"
    if not difference.differs:
        yield "No difference: not in any answer, nor in what is read of requests, nor in any other part of the text."
        return
    if difference.before.id == difference.after.id and difference.before.version == difference.after.version:
        yield f"The texts differ, though both are version {difference.after.version}."
    yield summary_in_words(difference)
    yield from _alone(difference)
    yield from _inventories(difference)
    groups = groups_of(difference)
    yield from edits_in_words(difference, told=bool(groups))
    for effect in Effect:
        these = [group for group in groups if group.what.effect is effect]
        if these:
            yield _TITLES[effect]
            for group in these:
                yield from words.sentences(group)


def summary_in_words(difference: Difference) -> str:
    """Say it with counts."""
    if not difference.asked:
        kinds = [
            kind
            for kind, shared in (("tenant", difference.shared_tenants), ("model", difference.shared_models))
            if not shared
        ]
        return f"0 answers could be compared: the policies share no {joined(kinds, last='and no')}."
    asked = counted(difference.asked, "answer")
    if difference.at_s is not None:
        when = f"on {format_moment(difference.at_s)}"
    else:
        first, *later = difference.moments
        dates = ", ".join(map(format_moment, later[:_LISTED]))
        more = f" and {len(later) - _LISTED} more" if len(later) > _LISTED else ""
        when = f"from {format_moment(first)} on"
        when += f", with a rule or order that begins or ends at {dates}{more}" if later else ""
    counts = ", ".join(f"{difference.count(effect):,} {effect.value}" for effect in Effect if difference.count(effect))
    changed = f"{difference.changed:,} of {asked} change ({counts})" if counts else f"no answer changes, of {asked}"
    return f"{changed[0].upper()}{changed[1:]}, {when}."


class _Words:
    """What the sentences of one difference have in common."""

    def __init__(self, difference: Difference, a: CompiledPolicy, b: CompiledPolicy) -> None:
        self._first_s = difference.moments[0]
        self._only = difference.at_s is not None
        self._document = b.document
        one, other = a.tables, b.tables
        self._tenants = set(one.tenants) & set(other.tenants)
        self._models = set(one.models) & set(other.models)
        self._classes = one.classes & other.classes
        self._own = {id_: other.tenants[id_].data_class for id_ in self._tenants}
        self._same_class = {id_ for id_ in self._tenants if one.tenants[id_].data_class == self._own[id_]}
        self._places: dict[tuple[object, ...], str] = {}

    def sentences(self, group: Group) -> Iterator[str]:
        """Tell a group in one sentence, or in one with a list of those that it is about."""
        what = _what(group.what.happens) + self._span(group.what.span)
        # Tenants of other classes of their own may be told in the same words, and then it is said once.
        alike: dict[tuple[str, str, tuple[ModelId, ...]], set[TenantId]] = {}
        for who in group.who:
            key = self._data(who), self._place(who, group.what.span), who.models
            alike.setdefault(key, set()).update(who.tenants)
        told = [self._who(tenants, *key) for key, tenants in alike.items()]
        if len(told) == 1:
            yield f"  {told[0]} {what}"
            return
        yield f"  The following {what}:"
        yield from (f"    - {each}" for each in told)

    def _who(self, tenants: set[TenantId], data: str, place: str, models: tuple[ModelId, ...]) -> str:
        where = place if place.startswith("everywhere") else f"in {place}"
        whose = after = ""
        if tenants != self._tenants:
            names = sorted(tenants)
            if len(names) == 1:
                whose = f"tenant {names[0]}'s "
            else:
                after = f" for tenants {joined(names)}"
        if set(models) != self._models:
            after += f"{', with' if after else ' for'} {'model' if len(models) == 1 else 'models'} {joined(models)}"
        return f"{data} of {whose}subjects {where}{after}"

    def _data(self, who: Who) -> str:
        """Name the data: by the tenant's own class where that is one and the same, else by what is declared."""
        named: set[str] = {name for name in who.declared if name is not None}
        if None in who.declared:
            own = {self._own[id_] for id_ in who.tenants if id_ in self._same_class}
            if len(own) != 1 or not self._same_class.issuperset(who.tenants):
                return (
                    f"data that is declared {joined(sorted(named), last='or')}, or not," if named else "undeclared data"
                )
            named |= own
        if named >= self._classes and len(named) > 1:
            return "data of every class"
        return f"{joined(sorted(named))} data"

    def _place(self, who: Who, span: Span) -> str:
        key = (who.places, span.from_s)
        if key not in self._places:
            at_s = max(span.from_s, self._first_s)
            self._places[key] = describe_places(who.places, self._document, day_of(at_s))
        return self._places[key]

    def _span(self, span: Span) -> str:
        if self._only:
            return ""
        begins = f", from {format_moment(span.from_s)}" if span.from_s > self._first_s else ""
        ends = f", until {format_moment(span.until_s)}" if span.until_s != inf else ""
        return begins + ends


def _what(happens: Access | Basis | Arrival) -> str:
    match happens:
        case Access():
            return _access(happens)
        case Basis():
            return _basis(happens)
        case Arrival(before=before, after=after):
            return f"{_sent(after)} when it arrives here (before: {_sent(before)})"
    assert_never(happens)


def _access(access: Access) -> str:
    if access.refused_after is not None:
        reason = f"{access.refused_after}: {refusal_in_words(access.refused_after)}"
        if access.refused_before is not None:
            return f"is refused as before ({access.refused_before}), but now {reason}"
        return f"may no longer go anywhere (before: {joined(access.lost)}); refused, {reason}"
    if access.refused_before is not None:
        return f"may now go to {_stands(access.gained)} (before: refused, {access.refused_before})"
    lost = f"may no longer go to {joined(access.lost, last='or')}" if access.lost else ""
    gained = f"may now go to {_stands(access.gained)}" if access.gained else ""
    return " and ".join(part for part in (lost, gained) if part)


def _basis(basis: Basis) -> str:
    """Say on what regions rest now; whether that is a transfer first."""
    to = joined(basis.regions)
    on = f"rests on {_grounds(basis.added)}" if basis.added else "rests on less"
    off = f", no longer on {_grounds(basis.dropped)}" if basis.dropped else ""
    if basis.transfer_after and not basis.transfer_before:
        return f"becomes a transfer to {to}: it {on}{off}"
    if basis.transfer_before and not basis.transfer_after:
        return f"is no longer a transfer to {to}: it {on}{off}"
    return f"{on}{off} when it goes to {to}"


def _stands(stands: tuple[Stand, ...]) -> str:
    """Name regions with what they rest on, those that rest on the same together."""
    alike: dict[str, list[str]] = {}
    for stand in stands:
        by = f"by {_grounds(stand.grounds)}" if stand.grounds else "where no regime governs"
        alike.setdefault(by, []).append(stand.region)
    # With commas inside, and there are, only a stronger mark tells where one ends.
    return "; and to ".join(f"{joined(regions)}, {by}" for by, regions in alike.items())


def _grounds(grounds: tuple[Ground, ...]) -> str:
    return joined(f"{each.permit} ({each.basis}{', a transfer' if each.basis.is_transfer else ''})" for each in grounds)


def _sent(elsewhere: str | None) -> str:
    if elsewhere is None:
        return "is taken"
    return f"is sent to {elsewhere}" if elsewhere else "is refused, wrong_ingress"


def _side(side: Side) -> str:
    begins = format_moment(side.starts_s)
    return f"{side.id} version {side.version}, {side.profile}, in force from {begins}, {side.revision}"


def _inventories(difference: Difference) -> Iterator[str]:
    for verb, names in (("Added", difference.added), ("Removed", difference.removed)):
        if names != Inventory():
            yield f"{verb}"
            for kind, listed in (
                ("tenant", names.tenants),
                ("model", names.models),
                ("class", names.classes),
                ("region", names.regions),
            ):
                if listed:
                    plural = "classes" if kind == "class" else f"{kind}s"
                    yield f"  {kind if len(listed) == 1 else plural} {joined(listed)}"
            if names.places:
                yield f"  told apart from their countries: {joined(map(place_in_words, names.places))}"


def _alone(difference: Difference) -> Iterator[str]:
    """Say how many answers have no other to be compared with."""
    before, after = difference.alone_before, difference.alone_after
    lacks = "lacks the tenant, the model or the class"
    if before:
        yield f"{counted(before, 'answer')} of the policy before could not be compared: the one after {lacks}."
    if after:
        yield f"{counted(after, 'answer')} of the policy after could not be compared: the one before {lacks}."
