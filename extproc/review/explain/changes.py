"""What would change an answer, found by asking again under one change at a time, and two where one does not do.

Nothing is inferred from the rules: a change is named only if tier 1, asked under it, answered otherwise for the region.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import combinations
from typing import Final

from extproc.core.decide import Permitted, Refused
from extproc.core.ids import DataClass, RegionId
from extproc.core.reasons import Refusal
from extproc.policy.compile import CompiledPolicy
from extproc.policy.document import AnonymousMatch, CaseInput
from extproc.review.domain import moments_of, places_of
from extproc.review.expiries.dated import Event, dated_in
from extproc.review.explain.candidates import Candidate, losses, remedies
from extproc.review.explain.model import Change, ChangeKind
from extproc.review.explain.world import World, permitted_of, regimes_in_question, world_of
from extproc.review.question import ask, declared_classes
from extproc.review.words import day_of, format_moment, joined

_PAIRED: Final = 8
"""So many single changes at most are tried in pairs: 28 questions."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """What would permit each excluded region, what would take each permitted one away, and what would answer at all."""

    gains: Mapping[RegionId, tuple[Change, ...]] = field(default_factory=dict)
    losses: Mapping[RegionId, tuple[Change, ...]] = field(default_factory=dict)
    remedies: tuple[Change, ...] = ()


def changes_of(  # noqa: PLR0913, PLR0917 - the question and its answer, each by name
    compiled: CompiledPolicy,
    given: CaseInput,
    now_s: float,
    ruled: Permitted | Refused,
    permits: tuple[tuple[str, str], ...],
    beside: tuple[DataClass, ...] = (),
) -> Changes:
    """Try all changes. `permits` are the names and risks of those whose fall is to be tried, `beside` more classes."""
    gains: dict[RegionId, list[Change]] = {region: [] for region in compiled.tables.index}
    lost: dict[RegionId, list[Change]] = {region: [] for region in compiled.tables.index}
    before = permitted_of(ruled)
    answers: list[Change] = []
    if compiled.tables.epoch_at(now_s) is not None:
        regimes = regimes_in_question(compiled, given, now_s)
        world = replace(world_of(compiled, given, now_s, regimes, _classes(compiled, given, beside)), beside=beside)
        candidates = list(remedies(world))
        for candidate, after in ((each, each.change(world).ask()) for each in candidates):
            _note(gains, after - before, (candidate,))
            if ruled.verdict is None and after:
                answers.append(_answering(candidate.kind, f"if {candidate.words}", after))
        short = {region for region in gains if not gains[region]} - before
        if short and ruled.verdict is not None:
            for pair, after in _pairs(world, candidates):
                _note(gains, (after - before) & short, pair)
        whole = replace(world_of(compiled, given, now_s, regimes), beside=beside)
        for candidate in losses(whole, permits) if before else ():
            _note(lost, before - candidate.change(whole).ask(), (candidate,))
        if isinstance(ruled, Refused) and ruled.deny.refusal is Refusal.UNKNOWN_JURISDICTION:
            answers.extend(_if_known(compiled, given, now_s, beside))
    _note_moments(compiled, (given, beside), now_s, before, (gains, lost))
    if ruled.verdict is None:
        answers.extend(_first_moment(gains))
    return Changes(
        gains={region: tuple(found) for region, found in gains.items()},
        losses={region: tuple(found) for region, found in lost.items()},
        remedies=tuple(answers),
    )


def _classes(compiled: CompiledPolicy, given: CaseInput, beside: tuple[DataClass, ...]) -> tuple[DataClass, ...]:
    """List the classes that the request bears, or may cease to bear."""
    model = compiled.tables.models.get(given.model)
    borne = {compiled.tables.tenants[given.tenant].data_class, *declared_classes(given, beside)}
    return tuple(borne if model is None or model.data_class is None else {*borne, model.data_class})


def _pairs(
    world: World, candidates: list[Candidate]
) -> Iterator[tuple[tuple[Candidate, Candidate], frozenset[RegionId]]]:
    for first, second in combinations(candidates[:_PAIRED], 2):
        yield (first, second), second.change(first.change(world)).ask()


def _note(
    found: Mapping[RegionId, list[Change]], regions: Iterable[RegionId], candidates: tuple[Candidate, ...]
) -> None:
    kinds = tuple(each.kind for each in candidates)
    for region in sorted(regions):
        words = "; and if ".join(each.words.format(region=region) for each in candidates)
        found[region].append(Change(kinds=kinds, words=f"if {words}"))


def _note_moments(
    compiled: CompiledPolicy,
    asked: tuple[CaseInput, tuple[DataClass, ...]],
    now_s: float,
    before: frozenset[RegionId],
    found: tuple[Mapping[RegionId, list[Change]], Mapping[RegionId, list[Change]]],
) -> None:
    """Note the first moment to come at which each region is gained or lost, all else staying as it is."""
    (given, beside), (gains, lost) = asked, found
    seen: set[RegionId] = set()
    for at_s in moments_of(compiled):
        if at_s <= now_s:
            continue
        after = permitted_of(ask(compiled, given, at_s, beside))
        change = _at(compiled, at_s)
        for region in sorted((after ^ before) - seen):
            (gains if region in after else lost)[region].append(change)
            seen.add(region)


def _at(compiled: CompiledPolicy, at_s: float) -> Change:
    events = [each for each in dated_in(compiled.document) if each.at_s == at_s]
    words = [each.words for each in events if each.event in (Event.BEGINS, Event.ENDS)]
    why = f": {'; '.join(words)}" if words else ""
    return Change(kinds=(ChangeKind.TIME,), words=f"from {format_moment(at_s)} on{why}", on=day_of(at_s))


def _first_moment(gains: Mapping[RegionId, list[Change]]) -> Iterator[Change]:
    """Give the first moment at which anything is permitted, with all that is permitted then."""
    timed = [
        (change.on, region, change) for region, found in gains.items() for change in found if change.on is not None
    ]
    if timed:
        first = min(on for on, _, _ in timed)
        change = next(each for on, _, each in timed if on == first)
        regions = frozenset(region for on, region, _ in timed if on == first)
        yield replace(_answering(ChangeKind.TIME, change.words, regions), on=first)


def _if_known(
    compiled: CompiledPolicy, given: CaseInput, now_s: float, beside: tuple[DataClass, ...]
) -> Iterator[Change]:
    """Say what would have to be known, where knowing it would answer: never that the client be anywhere else."""
    reading = compiled.reading
    bearer = not isinstance(compiled.document.tenants[given.tenant].match, AnonymousMatch)
    known: list[tuple[str, list[CaseInput]]] = []
    if reading.residency_claim is not None and given.jwt is None and bearer:
        words = "if the token bore a verified claim of residency: what it claims decides then"
        known.append((words, [replace(given, jwt=place) for place in places_of(compiled)]))
    if reading.geo is not None and given.geoip is None:
        words = "if it were known where the address is: that place decides then"
        known.append((words, [replace(given, geoip=place, geoip_unknown=False) for place in places_of(compiled)]))
    for words, questions in known:
        if any(permitted_of(ask(compiled, question, now_s, beside)) for question in questions):
            yield Change(kinds=(ChangeKind.SIGNAL,), words=words)


def _answering(kind: ChangeKind, words: str, regions: frozenset[RegionId]) -> Change:
    return Change(kinds=(kind,), words=f"{words}; permitted then: {joined(sorted(regions))}")
