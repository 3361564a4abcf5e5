"""Counting how decisions would have differed: groups of equal differences, and never the decisions themselves.

A log holds millions of decisions over a closed vocabulary, so the groups are few.
"""

from dataclasses import dataclass, field
from enum import StrEnum

from extproc.core.decide import Decision
from extproc.core.ids import DataClass, DecisionId, Jurisdiction, ModelId, RegionId, TenantId
from extproc.core.jurisdiction import Verdict
from extproc.core.reasons import Refusal
from extproc.review.words import joined, refusal_in_words


class Move(StrEnum):
    """What would have become of a decision, by the regions that it permits."""

    SERVED = "served now"
    """Refused by the one and permitted by the other."""
    WIDER = "wider"
    OTHER = "other"
    """Some regions are lost and others come."""
    REFUSED = "refused now"
    """Permitted by the one and refused by the other."""
    NARROWER = "narrower"
    SAME = "same"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What one policy says: the regions to which it lets a request go, those of them by transfer, or its refusal."""

    permitted: frozenset[RegionId]
    transfers: frozenset[RegionId]
    refusal: Refusal | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Decisions that would have differed alike. `tenant` and `model` are None where the record has none.

    `transfers_begin` are regions that both permit and that only the other policy reaches by a transfer.
    """

    tenant: TenantId | None
    classes: tuple[DataClass, ...]
    jurisdictions: tuple[Jurisdiction, ...]
    model: ModelId | None
    move: Move
    lost: tuple[RegionId, ...]
    gained: tuple[RegionId, ...]
    transfers_begin: tuple[RegionId, ...]
    transfers_end: tuple[RegionId, ...]
    refused_before: Refusal | None
    refused_after: Refusal | None

    @property
    def is_same(self) -> bool:
        """Tell whether nothing differs at all, neither a basis nor a reason."""
        return (
            self.move is Move.SAME
            and not (self.transfers_begin or self.transfers_end)
            and self.refused_before is self.refused_after
        )


@dataclass(slots=True, kw_only=True)
class Entry:
    """How often, from when to when (Unix seconds), and one decision for an example: the first."""

    count: int
    first_s: float
    last_s: float
    example: DecisionId


@dataclass(slots=True)
class Tally:
    """Counts by group. What does not differ is counted and not grouped."""

    decisions: int = 0
    moves: dict[Move, int] = field(default_factory=lambda: dict.fromkeys(Move, 0))
    groups: dict[Group, Entry] = field(default_factory=dict)
    first_s: float | None = None
    last_s: float | None = None

    def add(self, decision: Decision, before: Outcome, after: Outcome, verdict: Verdict | None) -> Move:
        """Count a decision. `verdict` tells its classes and jurisdictions where the recorded one cannot."""
        at_s = decision.decided_at_s
        self.decisions += 1
        self.first_s = at_s if self.first_s is None else min(self.first_s, at_s)
        self.last_s = at_s if self.last_s is None else max(self.last_s, at_s)
        move = move_of(before.permitted, after.permitted)
        self.moves[move] += 1
        if move is Move.SAME and before == after:
            return move
        group = _group(decision, before, after, verdict, move=move)
        entry = self.groups.get(group)
        if entry is None:
            self.groups[group] = Entry(count=1, first_s=at_s, last_s=at_s, example=decision.id)
        else:
            entry.count += 1
            entry.first_s, entry.last_s = min(entry.first_s, at_s), max(entry.last_s, at_s)
        return move

    def sorted(self) -> list[tuple[Group, Entry]]:
        """Give the groups, by move and then the largest first."""
        order = list(Move)
        return sorted(self.groups.items(), key=lambda each: (order.index(each[0].move), -each[1].count, str(each[0])))


def move_of(before: frozenset[RegionId], after: frozenset[RegionId]) -> Move:
    """Name the difference of two sets of permitted regions."""
    if before == after:
        return Move.SAME
    if not before:
        return Move.SERVED
    if not after:
        return Move.REFUSED
    if after < before:
        return Move.NARROWER
    return Move.WIDER if before < after else Move.OTHER


def outcome_of(verdict: Verdict | None, refusal: Refusal | None) -> Outcome:
    """Read what a policy says. That none of the permitted regions can serve is no refusal of tier 1's."""
    if verdict is None or (refusal is not None and not refusal.is_of_service):
        return Outcome(permitted=frozenset(), transfers=frozenset(), refusal=refusal)
    left = [each for each in verdict.regions if each.exclusion is None]
    return Outcome(
        permitted=frozenset(each.region for each in left),
        transfers=frozenset(each.region for each in left if any(permit.basis.is_transfer for permit in each.permits)),
        refusal=None,
    )


def _group(decision: Decision, before: Outcome, after: Outcome, verdict: Verdict | None, *, move: Move) -> Group:
    facts = decision.facts
    known = decision.verdict or verdict
    if known is None:
        stated = {signal.jurisdiction for signal in facts.signals if signal.jurisdiction is not None}
        jurisdictions = tuple(sorted(stated))
        classes = tuple(sorted({signal.data_class for signal in facts.classes}))
    else:
        jurisdictions, classes = known.jurisdictions.names, known.classes
    both = before.permitted & after.permitted
    return Group(
        tenant=facts.tenant,
        classes=classes,
        jurisdictions=jurisdictions,
        model=facts.model,
        move=move,
        lost=tuple(sorted(before.permitted - after.permitted)),
        gained=tuple(sorted(after.permitted - before.permitted)),
        transfers_begin=tuple(sorted((after.transfers - before.transfers) & both)),
        transfers_end=tuple(sorted((before.transfers - after.transfers) & both)),
        refused_before=before.refusal,
        refused_after=after.refusal,
    )


def group_in_words(group: Group) -> str:
    """Say whose requests these are, and what would become of them."""
    data = f"{' and '.join(group.classes)} data" if group.classes else "data"
    tenant = f"tenant {group.tenant}" if group.tenant is not None else "no known tenant"
    model = f"model {group.model}" if group.model is not None else "no known model"
    return f"{data} from {'+'.join(group.jurisdictions) or 'an unknown place'}, {tenant}, {model}: {_change(group)}"


def _change(group: Group) -> str:
    if group.move is Move.REFUSED and group.refused_after is not None:
        why = f"{group.refused_after}, {refusal_in_words(group.refused_after)}"
        return f"would be refused: {why} (permitted: {joined(group.lost)})"
    if group.move is Move.SERVED:
        return f"would be permitted in {joined(group.gained)} (refused: {group.refused_before})"
    if group.move is Move.SAME and group.refused_after is not None:
        return f"would be refused as well, but for {group.refused_after} (refused: {group.refused_before})"
    parts = []
    if group.lost:
        parts.append(f"could no longer go to {joined(group.lost, last='or')}")
    if group.gained:
        parts.append(f"could also go to {joined(group.gained, last='or')}")
    if group.transfers_begin:
        parts.append(f"would be a transfer to {joined(group.transfers_begin, last='or')}")
    if group.transfers_end:
        parts.append(f"would be no transfer to {joined(group.transfers_end, last='or')}")
    return joined(parts)
