"""The answer in a few sentences: what is permitted and how it is reached, or what stands in the way."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from extproc.core.decide import Permitted, Refused
from extproc.core.ids import Jurisdiction, RegionId
from extproc.core.jurisdiction import RegionVerdict
from extproc.core.reasons import Refusal
from extproc.core.tables import Basis
from extproc.policy.document import PolicyDocument
from extproc.review.explain.model import RegionNote
from extproc.review.words import counted, joined, refusal_in_words, some_of

_MOST: Final = 12
"""So many regions are named; the others are counted."""


def answer_in_words(
    ruled: Permitted | Refused,
    document: PolicyDocument,
    places: Sequence[Jurisdiction],
    regions: Sequence[RegionNote],
) -> str:
    """Say the answer to a request that is claimed for `places`; `regions` are the notes on all regions."""
    if isinstance(ruled, Refused):
        refusal = ruled.deny.refusal
        words = f"Refused ({refusal}), because {refusal_in_words(refusal)}."
        if refusal is Refusal.NO_PERMITTED_REGION:
            words += f" {_blockers(regions)}."
        host = ruled.deny.redirect_host
        return words if host is None else f"{words} The client is sent to {host}."
    left = [each for each in ruled.verdict.regions if each.exclusion is None]
    words = f"{counted(len(left), 'permitted region')}: {joined(each.region for each in left)}."
    at_home = {place[:2] for place in places}
    abroad = sum(_unrestricted(each) and document.regions[each.region].country not in at_home for each in left)
    if abroad:
        them = "1 of them is" if abroad == 1 else f"{abroad} of them are"
        words += f" {them} abroad, which the regimes do not restrict."
    transfers = [each.region for each in left if is_transfer(each)]
    return f"{words} Reaching {joined(transfers)} is a transfer." if transfers else words


def is_transfer(verdict: RegionVerdict) -> bool:
    """Tell whether any regime permits the region by a transfer only."""
    return any(permit.basis.is_transfer for permit in verdict.permits)


def _unrestricted(verdict: RegionVerdict) -> bool:
    return bool(verdict.permits) and all(permit.basis is Basis.UNRESTRICTED for permit in verdict.permits)


def _blockers(regions: Sequence[RegionNote]) -> str:
    """Say which regions each regime permits, what they share, and what stands in the way of that."""
    by_regime = _permitted_by_regime(regions)
    shared = [each for each in regions if all(ground.permit is not None for ground in each.grounds)]
    parts: list[str] = []
    for regime, permitted in by_regime.items():
        if len(permitted) < len(regions):
            only = "no region" if not permitted else f"only {some_of(permitted, _MOST)}"
            parts.append(f"{regime} {'permits ' if not parts or not permitted else ''}{only}")
    if len(by_regime) > 1 and not shared and all(by_regime.values()):
        parts.append("they share none")
    parts += _standing_in_the_way(shared)
    return "; ".join(parts)


def _permitted_by_regime(regions: Sequence[RegionNote]) -> Mapping[str, list[RegionId]]:
    found: dict[str, list[RegionId]] = {}
    for each in regions:
        refusing = {ground.regime for ground in each.grounds if ground.permit is None}
        for regime in dict.fromkeys(ground.regime for ground in each.grounds):
            permitted = found.setdefault(regime, [])
            if regime not in refusing:
                permitted.append(each.region)
    return found


def _standing_in_the_way(shared: Iterable[RegionNote]) -> Iterator[str]:
    """Say of what every regime permits why it is excluded all the same."""
    why: dict[str, list[RegionId]] = {}
    for each in shared:
        why.setdefault(each.words, []).append(each.region)
    for words, names in why.items():
        are = "is" if len(names) == 1 else "are"
        yield f"{some_of(names, _MOST)}, which every regime permits, {are} excluded: {words}"


def lacking_in_words(note: RegionNote) -> Iterator[str]:
    """Say of an excluded region what the regime that excludes it has against it, near misses included."""
    for ground in note.grounds:
        if ground.lacking is not None and ground.regime == note.excluded_by:
            yield ground.words
            yield from (f"{miss.permit.name} reaches there, but {miss.words}" for miss in ground.near)
