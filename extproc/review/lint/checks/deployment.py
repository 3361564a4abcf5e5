# ruff: noqa: D401 - the docstring of a check says why it matters
"""How regions share the work: entries that change nothing, and plans that take nothing over."""

from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import assert_never

from extproc.core.tables import Pattern
from extproc.review.lint.check import Found, check
from extproc.review.lint.finding import Level
from extproc.review.lint.matter import Matter


@check("shard-shadowed", Level.WARNING, "a shard is the first for no place")
def shard_shadowed(matter: Matter) -> Iterator[Found]:
    """The first shard that holds a place counts, and earlier ones hold all of this one's: its region serves nobody."""
    shards = matter.document.deployment.shards
    for i, shard in enumerate(shards):
        first = any(
            day.contains(shard.subjects, place)
            and not any(day.contains(earlier.subjects, place) for earlier in shards[:i])
            for day in matter.days
            for place in matter.all_places
        )
        if not first:
            yield Found(
                matter.places("deployment", "shards", i),
                f"the shard in {shard.region} is the first for no place",
                "put it before the wider ones, or remove it",
            )


@check("pattern-idle", Level.NOTE, "the deployment's pattern sets no region apart")
def pattern_idle(matter: Matter) -> Iterator[Found]:
    """All regions are active, or all are hubs: that is active-active under another name."""
    deployment = matter.document.deployment
    regions = matter.document.regions
    match deployment.pattern:
        case Pattern.ACTIVE_PASSIVE:
            idle = all(any(fnmatchcase(id_, each) for each in deployment.active) for id_ in regions)
        case Pattern.HUB_AND_SPOKE:
            idle = set(deployment.hubs) == set(regions)
        case Pattern.ACTIVE_ACTIVE | Pattern.REGIONAL_SHARDING:
            idle = False
        case _:
            assert_never(deployment.pattern)
    if idle:
        yield Found(
            matter.places("deployment", "pattern"),
            f"every region is the same to the pattern {deployment.pattern.value}",
            "name the regions that come first, or write active-active",
        )


@check("plan-without-fallback", Level.WARNING, "requests are tried in one region, and others could take over")
def plan_without_fallback(matter: Matter) -> Iterator[Found]:
    """A request that its region fails is lost, though the next request would be sent elsewhere.

    With a second region in the plan Envoy tries that one before the client hears of it. Not looked at under
    regional-sharding, which knows no other region.
    """
    sharded = matter.document.deployment.pattern is Pattern.REGIONAL_SHARDING
    if matter.document.plan_length == 1 and len(matter.document.regions) > 1 and not sharded:
        yield Found(
            matter.places("plan", "length"),
            "each request is tried in one region, and none takes over when that one fails",
            "write 'plan: {length: 2}', and render Envoy's configuration anew",
        )
