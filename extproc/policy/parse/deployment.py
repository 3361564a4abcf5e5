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
        if drain.is_sound and weights.is_sound and weights.value is not None:
            left = _undrained(vocabulary, drain.value)
            if left and not any(weights.value.get(id_) for id_ in left):
                message = "every region is drained or has the weight 0, so every request would be refused"
                table.value.complain(message, "leave one that takes requests")
        return Deployment(
            pattern=pattern.value,
            active=tuple(sorted(set(active.value))),
            shards=shards.value,
            hubs=tuple(sorted(set(hubs.value))),
            drain=drain.value,
            weights=weights.value or {},
        )

    return table_of(read)


def _drain(vocabulary: Vocabulary) -> Reader[tuple[str, ...]]:
    """Make the reader of `drain:`. To drain every region is to refuse every request, which has other words."""
    patterns = list_of(parsed(vocabulary.region_pattern), minimum=1)

    def read(value: Value) -> tuple[str, ...]:
        drained = tuple(sorted(set(patterns(value))))
        if vocabulary.regions and not _undrained(vocabulary, drained):
            value.refuse("every region is drained, so every request would be refused", "leave one that takes requests")
        return drained

    return read


def _weights(vocabulary: Vocabulary) -> Reader[dict[RegionId, int]]:
    """Make the reader of `weights:`. Once one is written there is one for every region, so that 1 need not be said."""
    weight = integer(minimum=0, maximum=MAX_WEIGHT)
    written = entries_of(vocabulary.region, lambda _, value: weight(value), minimum=1)

    def read(value: Value) -> dict[RegionId, int]:
        weights = {**dict.fromkeys(vocabulary.regions, 1), **written(value)}
        if vocabulary.regions and not any(weights.values()):
            value.refuse("every region has the weight 0, so every request would be refused", "give one a weight of 1")
        return weights

    return read


def _undrained(vocabulary: Vocabulary, drained: tuple[str, ...]) -> set[RegionId]:
    """Give the regions that no pattern drains."""
    return {id_ for id_ in vocabulary.regions if not any(fnmatchcase(id_, pattern) for pattern in drained)}
