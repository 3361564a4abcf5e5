"""Parsing `deployment:`: how the regions share the work."""

from fnmatch import fnmatchcase
from typing import Final

from extproc.core.ids import RegionId
from extproc.core.tables import Pattern
from extproc.policy.document import Deployment, Shard
from extproc.policy.parse.vocabulary import Vocabulary, territory
from extproc.strict_yaml import Field, Reader, Table, Value, choice, entries_of, integer, list_of, parsed, table_of

_FIELD_OF: Final = {
    Pattern.ACTIVE_PASSIVE: "active",
    Pattern.REGIONAL_SHARDING: "shards",
    Pattern.HUB_AND_SPOKE: "hubs",
}

MAX_WEIGHT: Final = 1000
_LEAVE_ONE: Final = "leave one region that takes requests, or remove 'deployment' to let all of them"


def deployment(vocabulary: Vocabulary) -> Reader[Deployment]:
    """Make the reader of `deployment:`."""

    def shard(table: Table) -> Shard:
        subjects = table.required("subjects", territory(vocabulary))
        region = table.required("region", parsed(vocabulary.region))
        return Shard(subjects=subjects.value, region=region.value)

    drained = _drain(vocabulary)
    shares = _weights(vocabulary)

    def read(table: Table) -> Deployment:
        pattern = table.required("pattern", choice(Pattern))
        active = table.optional("active", list_of(parsed(vocabulary.region_pattern), minimum=1), default=())
        shards = table.optional("shards", list_of(table_of(shard), minimum=1), default=())
        hubs = table.optional("hubs", list_of(parsed(vocabulary.region), minimum=1), default=())
        drain = table.optional("drain", drained, default=())
        weights = table.optional("weights", shares, default=None)
        given: dict[str, Field[tuple[object, ...]]] = {"active": active, "shards": shards, "hubs": hubs}
        wanted = _FIELD_OF.get(pattern.value)
        for name, field in given.items():
            if name != wanted and field.is_sound and field.value:
                table.value.complain(f"'{name}' means nothing to the pattern {pattern.value.value}", "remove it")
        if wanted is not None and given[wanted].is_sound and not given[wanted].value:
            table.value.refuse(f"the pattern {pattern.value.value} needs '{wanted}'", f"add '{wanted}:'")
        return Deployment(
            pattern=pattern.value,
            active=tuple(sorted(set(active.value))),
            shards=shards.value,
            hubs=tuple(sorted(set(hubs.value))),
            drain=drain.value,
            weights=weights.value or {},
        )

    return table_of(read)
