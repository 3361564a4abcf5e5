"""An explanation as text: sections in the order of the law's own questions, wrapped at a width."""

from collections.abc import Iterable, Iterator
from itertools import groupby
from textwrap import fill
from typing import Final

from extproc.review.explain.answers import lacking_in_words
from extproc.review.explain.model import Change, Explanation, Ground, PermitNote, RegionNote, SignalNote
from extproc.review.words import basis_in_words, joined, name_of, place_in_words, profile_in_words

_LEAST: Final = 40
"""Columns below which wrapping would make the text unreadable."""


def format_explanation(explanation: Explanation, width: int = 100) -> str:
    """Write it for a person, at most `width` columns wide but for words that are longer."""
    page = _Page(max(width, _LEAST))
    _head(page, explanation)
    _facts(page, explanation)
    _governing(page, explanation)
    if explanation.regions:
        _regions(page, explanation.regions)
        _permits(page, explanation.regions)
    if explanation.provisos:
        page.section("WHAT ELSE COUNTS WHEN THE REQUEST COMES")
        page.items(f"{joined(each.regions)}: {each.words}." for each in explanation.provisos)
    if explanation.remedies:
        page.section("WHAT WOULD CHANGE THE ANSWER")
        page.items(change.words for change in explanation.remedies)
    elif explanation.refusal is not None and not explanation.regions:
        page.section("WHAT WOULD CHANGE THE ANSWER")
        page.say("No single change that was tried: the policy itself would have to say something else.")
    if explanation.duties:
        page.section("OBLIGATIONS OF THE EXPORTER, apart from where processing may run")
        page.items(f"{each.name}: {each.duty} ({each.cite})" for each in explanation.duties)
    page.section("WHERE THE REQUEST ARRIVES")
    page.say(explanation.ingress.words)
    page.section("")
    page.say("This is what the policy says, not legal advice: whether it is lawful is not for the program to tell.", 0)
    return page.text()


class _Page:
    """Lines that are wrapped as they are written."""

    def __init__(self, width: int) -> None:
        self._width = width
        self._lines: list[str] = []

    def section(self, title: str) -> None:
        self._lines.append("")
        if title:
            self._lines.append(title)

    def say(self, words: str, indent: int = 2, hang: int = 0) -> None:
        first, later = " " * indent, " " * (indent + hang)
        self._lines.append(
            fill(
                words,
                self._width,
                initial_indent=first,
                subsequent_indent=later,
                break_long_words=False,
                break_on_hyphens=False,
            )
        )

    def items(self, words: Iterable[str], indent: int = 2) -> None:
        for each in words:
            self.say(f"- {each}", indent, 2)

    def text(self) -> str:
        return "\n".join(self._lines).strip("\n") + "\n"


def _head(page: _Page, explanation: Explanation) -> None:
    page.say(f"{explanation.policy}, version {explanation.version}, as it stands at {explanation.at}", 0)
    page.say(f"{explanation.revision}", 0)
    page.say(f"Profile {explanation.profile}: {profile_in_words(explanation.profile)}.", 0)
    if explanation.overdue:
        page.say(f"REVIEW OVERDUE: somebody had to look at this policy again by {explanation.review_by}.", 0)
    page.section("THE ANSWER")
    for words in _told(explanation):
        page.say(words, 2, 2)
    page.say(explanation.answer)


def _facts(page: _Page, explanation: Explanation) -> None:
    page.section("WHO ASKS")
    exporter = "none stated" if explanation.exporter is None else place_in_words(explanation.exporter)
    page.say(f"Tenant {explanation.tenant}, bound by {explanation.bound_by}; exporter: {exporter}.")
    page.say(f"Model {explanation.model}.")
    page.section("WHOSE LAW CLAIMS IT")
    page.items(map(_signal, explanation.signals))
    if not explanation.signals:
        page.say("The request says nothing that the policy reads.")
    if explanation.jurisdictions:
        page.say(f"So it is claimed for {joined(map(place_in_words, explanation.jurisdictions))}.")
    page.section("WHAT DATA IT IS")
    page.items(f"{each.data_class}: {each.words}" for each in explanation.classes)


def _signal(note: SignalNote) -> str:
    place = "unknown" if note.jurisdiction is None else name_of(note.jurisdiction)
    counts = "" if note.counts else ", NOT COUNTED"
    return f"{place} ({note.source}, tier {note.tier}){counts}: {note.words}"


def _governing(page: _Page, explanation: Explanation) -> None:
    page.section("WHICH LAW GOVERNS")
    for each in explanation.governing:
        mark = "" if each.verified else " (NOT VERIFIED by its author)"
        page.say(f"{each.regime}{mark}, because", 2, 2)
        page.items(each.because, 4)
        if each.note:
            page.say(f"Note: {each.note}", 4, 2)
    if not explanation.governing:
        page.say("No regime of the policy.")
    elif explanation.silent:
        page.say(f"Not governing: {joined(explanation.silent)}.", 2, 2)
    for words in explanation.unconsidered:
        page.say(words, 2, 2)


def _regions(page: _Page, regions: tuple[RegionNote, ...]) -> None:
    """Write the regions, those together of which everything is equal."""
    page.section("REGION BY REGION")
    ordered = sorted(regions, key=lambda each: (not each.permitted, each.transfer, _alike(each), each.region))
    for _, same in groupby(ordered, key=lambda each: (each.permitted, _alike(each))):
        group = list(same)
        first = group[0]
        names = _by_place(group)
        page.say(f"{names}: {_verdict(first)}", 2, 2)
        page.say(f"Because {first.words}.", 4, 2)
        for ground in first.grounds:
            page.items(_ground(ground), 4)
        _changes(page, first)


def _told(explanation: Explanation) -> Iterator[str]:
    """Answer for the regions that were asked about, with what the regime that excludes them has against them."""
    alike: dict[str, list[RegionNote]] = {}
    for note in explanation.regions if explanation.asked_about else ():
        because = ": ".join(filter(None, (note.words, "; ".join(lacking_in_words(note)))))
        alike.setdefault(f"{_verdict(note)} because {because}.", []).append(note)
    yield from (f"{_by_place(notes)}: {words}" for words, notes in alike.items())
    if explanation.asked_about and not explanation.regions:
        names = joined(explanation.asked_about)
        yield f"{names}: not decided, because the request is refused before any region is looked at."


def _verdict(note: RegionNote) -> str:
    verdict = "PERMITTED" if note.permitted else f"EXCLUDED ({note.exclusion})"
    return f"{verdict} by transfer" if note.transfer else verdict


def _by_place(group: list[RegionNote]) -> str:
    """List regions with where they stand: `br-gig and br-gru in Brazil; jp-nrt in Japan`."""
    places: dict[str, list[str]] = {}
    for each in group:
        places.setdefault(place_in_words(each.place), []).append(each.region)
    return "; ".join(f"{joined(regions)} in {place}" for place, regions in places.items())


def _alike(note: RegionNote) -> str:
    changes = tuple((change.kinds, change.words.replace(note.region, "{region}"), change.on) for change in note.changes)
    return repr((note.exclusion, note.excluded_by, note.words, note.grounds, note.transfer, changes))


def _ground(ground: Ground) -> Iterator[str]:
    classes = joined(ground.classes)
    if ground.permit is not None:
        basis = basis_in_words(ground.permit.basis)
        belongs = "".join(f"; {each}" for each in ground.belongs)
        yield f"{ground.permit.name} permits it for {classes}: {basis}. {ground.permit.cite}{belongs}"
        return
    order = "" if ground.order is None else f" ({ground.order})"
    yield f"{ground.regime} does not permit it for {classes}: {ground.words}{order}"
    for miss in ground.near:
        yield f"{miss.permit.name} reaches there, but {miss.words}"


def _changes(page: _Page, note: RegionNote) -> None:
    if note.permitted:
        if note.changes:
            page.say("What would take it away:", 4)
            page.items((each.words for each in note.changes), 6)
        return
    if note.changes:
        page.say("What would permit it:" if not _paired(note.changes) else "What would permit it, together:", 4)
        page.items((each.words for each in note.changes), 6)
    else:
        page.say("No change that was tried would permit it, neither alone nor two together.", 4, 2)


def _paired(changes: tuple[Change, ...]) -> bool:
    return all(len(each.kinds) > 1 for each in changes)


def _permits(page: _Page, regions: tuple[RegionNote, ...]) -> None:
    """Write once all that is known of each permit that was named."""
    grounds = [ground for each in regions for ground in each.grounds]
    permits = {each.permit.name: each.permit for each in grounds if each.permit is not None}
    permits |= {miss.permit.name: miss.permit for each in grounds for miss in each.near}
    if permits:
        page.section("THE PERMITS NAMED ABOVE")
    for name in sorted(permits):
        page.say(f"{name}: {permits[name].cite}", 2, 2)
        page.say("; ".join(_known(permits[name])) + ".", 4, 2)


def _known(permit: PermitNote) -> Iterator[str]:
    yield f"basis {permit.basis}: {basis_in_words(permit.basis)}"
    if permit.mechanism is not None:
        declared = "declared by the tenant" if permit.declared else "NOT declared by the tenant"
        reference = f", its reference {permit.reference}" if permit.reference else ""
        yield f"mechanism {permit.mechanism}, {declared}{reference}"
    if permit.valid_from is not None:
        yield f"valid from {permit.valid_from}"
    if permit.valid_until is not None:
        yield f"valid until {permit.valid_until}"
    yield f"citation checked {permit.as_of}, to be reviewed by {permit.review_by}"
    yield f"confidence {permit.confidence or 'not stated'}"
    if permit.risk:
        yield f"risk: {permit.risk}"
