"""`deployment:`: how the regions share the work."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from extproc.core.ids import RegionId
from extproc.core.tables import Pattern
from extproc.policy.document.names import Territory


@dataclass(frozen=True, slots=True, kw_only=True)
class Shard:
    """One entry of `shards:` the one region that serves the data of some places."""

    subjects: Territory
    region: RegionId


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """`deployment:` which of the permitted regions share the work, and which wait."""

    pattern: Pattern = Pattern.ACTIVE_ACTIVE
    """`active-active`: all permitted regions. `active-passive`: those listed first, the others only when none of them
    can serve. `regional-sharding`: one region for each place, and no failover across regions. `hub-and-spoke`: a region
    in the request's own country, else a hub, and hubs rank alike. Default: `active-active`."""

    active: tuple[str, ...] = ()
    """Patterns over region ids, sorted; for `active-passive`."""

    shards: tuple[Shard, ...] = ()
    """In order: the first one that holds a place counts; for `regional-sharding`. A place in none is served nowhere."""

    hubs: tuple[RegionId, ...] = ()
    """Sorted; for `hub-and-spoke`."""

    drain: tuple[str, ...] = ()
    """Patterns over region ids, sorted: nothing new goes there, and what is there ends in its time. Such a region stays
    permitted, because it is no law that empties it. One region at least is left. Default: none is drained."""

    weights: Mapping[RegionId, int] = field(default_factory=dict)
    """Shares, 0 to 1000, among regions that are as good as one another at the moment: with `{eu-fra: 3, eu-ams: 1}`, of
    four sessions three go to Frankfurt. A region that is not listed has 1, and one of 0 gets nothing, as if drained.
    Default: no weights, and the nearest region serves while it has room."""
