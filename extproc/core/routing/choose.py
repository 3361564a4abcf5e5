"""Tier 2: which of the permitted regions serves the request best now.

Chooses only among the bits that tier 1 set; whatever is down, it never adds one. The estimates of this moment are
recorded (:mod:`extproc.core.routing.estimate`), and the plan is made of them and of the policy, and of nothing else
(:mod:`extproc.core.routing.order`).

Between two requests little changes but their numbers in flight, so what the standings alone say is worked out once and
kept until they change, or until time alone would change it. What is kept never shows in a choice.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import inf
from typing import Final, TypeAlias

from extproc.core.ids import RegionId, RegionMask
from extproc.core.routing.estimate import UNCOUNTED, Estimate, Moment, believe
from extproc.core.routing.health import HealthState
from extproc.core.routing.order import Ranking, order, plan_of, rank, weights_of
from extproc.core.routing.standing import Standing
from extproc.core.tables import Deployment, Region

__all__ = ["UNCOUNTED", "Choice", "Estimate", "Moment", "believe", "choose", "order"]

_VIEWS_KEPT: Final = 1024
"""Most sets of permitted regions that one outlook is kept for; then all are dropped and made anew."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """The ordered plan, empty when no permitted region can serve, and the estimates that led to it."""

    plan: tuple[int, ...]
    """Indices into the policy's catalogue: the primary, then its fallbacks."""
    estimates: tuple[Estimate, ...]
    is_full: bool = field(default=False, compare=False)
    """Whether regions could serve and none has room. Not recorded: the refusal says it."""


def choose(  # noqa: PLR0913 - the facts of tier 2, each by name
    *,
    permitted: RegionMask,
    regions: tuple[Region, ...],
    standings: tuple[Standing, ...],
    deployment: Deployment,
    plan_length: int,
    now_s: float,
    moment: Moment = UNCOUNTED,
) -> Choice:
    """Believe what is known at this moment of the permitted regions, and order them."""
    outlook = _outlook(regions, standings, deployment, now_s, is_counted=bool(moment.in_flight))
    view = outlook.view(permitted)
    in_flight = moment.in_flight or outlook.zeros
    preference = moment.preference or outlook.nones
    # Not through the constructor, which takes three times as long. The fields are those of Estimate, in their order.
    estimates = tuple(
        [
            _new(
                Estimate, (region, state, latency_s, at_s and now_s - at_s, in_flight[i], budget, preference[i], misses)
            )
            for i, region, state, latency_s, at_s, budget, misses in view.drafts
        ]
    )
    plan = plan_of(view.ranking, estimates, quotas=view.quotas, weights=view.weights, plan_length=plan_length)
    return Choice(
        plan=tuple([view.drafts[n][0] for n in plan]),
        estimates=estimates,
        is_full=not plan and bool(view.ranking.positions),
    )


_new: Final = tuple.__new__

_Draft: TypeAlias = tuple[int, RegionId, HealthState, float | None, float | None, int | None, bool]
"""Of one region: index, name, state, latency, when it was observed, budget, and whether it misses its promise."""


@dataclass(frozen=True, slots=True)
class _View:
    """An outlook on the regions that are permitted; `ranking` has positions in the other three."""

    drafts: Sequence[_Draft]
    quotas: Sequence[int | None]
    weights: Sequence[int]
    ranking: Ranking


class _Outlook:
    """What standings say by themselves from `from_s` until `until_s`."""

    __slots__ = (
        "_views",
        "deployment",
        "from_s",
        "is_counted",
        "nones",
        "regions",
        "standings",
        "until_s",
        "zeros",
    )

    def __init__(
        self,
        regions: tuple[Region, ...],
        standings: tuple[Standing, ...],
        deployment: Deployment,
        now_s: float,
        *,
        is_counted: bool,
    ) -> None:
        self.regions = regions
        self.standings = standings
        self.deployment = deployment
        self.is_counted = is_counted
        self.from_s = now_s
        self.until_s = min((each.same_until_s(now_s) for each in standings), default=inf)
        self.zeros = (0,) * len(regions)
        self.nones = (None,) * len(regions)
        self._views: dict[RegionMask, _View] = {}

    def view(self, permitted: RegionMask) -> _View:
        """Give the outlook on these regions."""
        view = self._views.get(permitted)
        if view is None:
            if len(self._views) >= _VIEWS_KEPT:
                self._views.clear()
            view = self._views[permitted] = self._make(permitted)
        return view

    def _make(self, permitted: RegionMask) -> _View:
        indices = [i for i in range(len(self.regions)) if permitted >> i & 1]
        moment = Moment(in_flight=self.zeros) if self.is_counted else UNCOUNTED
        believed = [believe(self.regions[i], self.standings[i], i, now_s=self.from_s, moment=moment) for i in indices]
        drafts = [
            (i, each.region, each.state, each.latency_s, at_s or None, each.budget, each.missing_slo)
            for i, each in zip(indices, believed, strict=True)
            for at_s in (self.standings[i].observed_at_s,)
        ]
        return _View(
            drafts,
            [self.regions[i].quota for i in indices],
            weights_of(indices, self.deployment),
            rank(indices, believed, self.deployment),
        )


_kept: dict[bool, _Outlook] = {}
"""The latest outlook with requests counted, and without."""


def _outlook(
    regions: tuple[Region, ...],
    standings: tuple[Standing, ...],
    deployment: Deployment,
    now_s: float,
    *,
    is_counted: bool,
) -> _Outlook:
    """Give what these standings say at `now_s`: what is kept, if it is of these objects and still holds."""
    kept = _kept.get(is_counted)
    if (
        kept is not None
        and kept.standings is standings
        and kept.regions is regions
        and kept.deployment is deployment
        and kept.from_s <= now_s < kept.until_s
    ):
        return kept
    kept = _kept[is_counted] = _Outlook(regions, standings, deployment, now_s, is_counted=is_counted)
    return kept
