"""Whether a region is fit to serve a model: what its cells have shown, and what it depends on.

An unfit region is *not permitted*, so this belongs to tier 1: nothing of tier 2 may choose it. Fitness says nothing of
whether the region can be reached, which is health. What a sidecar has seen enters as values with their times.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import inf
from typing import Final, TypeAlias

from extproc.core.ids import DependencyId, ModelId, RegionId
from extproc.core.reasons import Exclusion
from extproc.core.tables import Approval, Region

SHOWN_FOR_S: Final = 15.0
"""For how long a cell that does not answer any more is believed to serve what it has shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unfit:
    """That a region may not serve a model now. `by` names the dependency; None where the model itself is the reason."""

    region: RegionId
    why: Exclusion
    by: DependencyId | None = None


Fitness: TypeAlias = Mapping[ModelId, tuple[Unfit, ...]]
"""The unfit regions of each model, in the catalogue's order; a model without an entry has none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What one cell of a region has said, at `at_s`, of the model that it serves by default.

    `version` and `digest` are None where it did not say; with `has_model` false it serves no such model.
    """

    at_s: float
    has_model: bool = True
    version: str | None = None
    digest: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Freshness:
    """Of when a dependency's data is, as its latest good probe told at `told_at_s`; Unix seconds.

    No data is of later than it was told of: a clock that is ahead, there or here, must not make it fresh for ever.
    """

    as_of_s: float
    told_at_s: float = inf


def fitness_of(
    regions: Iterable[Region],
    shown: Mapping[RegionId, Mapping[ModelId, tuple[Shown, ...]]],
    dependencies: Mapping[RegionId, Mapping[DependencyId, Freshness]],
    *,
    now_s: float,
) -> dict[ModelId, tuple[Unfit, ...]]:
    """Tell which regions are unfit for which of their models at `now_s`.

    `shown[region][model]` holds the latest word of each cell. The first reason found is the one that is recorded.
    """
    unfit: dict[ModelId, list[Unfit]] = {}
    for region in regions:
        stale = _stale(region, dependencies.get(region.id, {}), now_s)
        by_model = shown.get(region.id, {})
        for model, approval in region.models.items():
            why = _unapproved(approval, by_model.get(model, ()), now_s)
            if why is not None:
                unfit.setdefault(model, []).append(Unfit(region=region.id, why=why))
            elif stale is not None:
                unfit.setdefault(model, []).append(Unfit(region=region.id, why=Exclusion.DEPENDENCY_STALE, by=stale))
    return {model: tuple(found) for model, found in unfit.items()}


def held(fitness: Fitness, of: Sequence[Region], regions: Sequence[Region]) -> Fitness:
    """Give what may be believed for the catalogue `regions` of a fitness that was found for another one, `of`.

    What was found unfit stays so. What must now show something else, or more, than it was held to is unfit until it
    was looked at: it is not known to have shown that.
    """
    found = {(each.region, model): each for model, unfit in fitness.items() for each in unfit}
    before = {region.id: region for region in of}
    unfit: dict[ModelId, list[Unfit]] = {}
    for region in regions:
        known = before.get(region.id)
        for model, approval in region.models.items():
            each = found.get((region.id, model)) or _unlooked(region, known, model, approval)
            if each is not None:
                unfit.setdefault(model, []).append(each)
    return {model: tuple(each) for model, each in unfit.items()}


def _unlooked(region: Region, known: Region | None, model: ModelId, approval: Approval) -> Unfit | None:
    """Tell why a model that was not unfit in a region, as that was `known`, cannot be taken for fit there now."""
    held_to = None if known is None else known.models.get(model)
    if approval.is_bound and not (
        held_to is not None
        and approval.version in (None, held_to.version)
        and approval.digest in (None, held_to.digest)
    ):
        return Unfit(region=region.id, why=Exclusion.MODEL_UNVERIFIED)
    for name, max_age_s in region.needs.items():
        # For a model that is new there, nobody has looked at what the region depends on.
        if known is None or held_to is None or max_age_s < known.needs.get(name, inf):
            return Unfit(region=region.id, why=Exclusion.DEPENDENCY_STALE, by=name)
    return None


def _stale(region: Region, seen: Mapping[DependencyId, Freshness], now_s: float) -> DependencyId | None:
    """Give the first dependency that is older than it may be, or of which nothing was heard."""
    for name, max_age_s in region.needs.items():
        freshness = seen.get(name)
        if freshness is None or not _is_within(min(freshness.as_of_s, freshness.told_at_s), max_age_s, now_s):
            return name
    return None


def _is_within(at_s: float, limit_s: float, now_s: float) -> bool:
    """Tell whether a time is no longer ago than the limit.

    One that is later than now counts as now, since a clock may have been set back; but not for longer than the limit.
    """
    return -limit_s <= now_s - at_s <= limit_s


def _unapproved(approval: Approval, shown: tuple[Shown, ...], now_s: float) -> Exclusion | None:
    """Hold what the cells have shown against the approval. One cell that serves something else is enough."""
    if not approval.is_bound:
        return None
    believed = [each for each in shown if _is_within(each.at_s, SHOWN_FOR_S, now_s)]
    if any(not _is_approved(approval, each) for each in believed):
        return Exclusion.MODEL_UNAPPROVED
    return None if believed else Exclusion.MODEL_UNVERIFIED


def _is_approved(approval: Approval, shown: Shown) -> bool:
    return shown.has_model and approval.version in (None, shown.version) and approval.digest in (None, shown.digest)
