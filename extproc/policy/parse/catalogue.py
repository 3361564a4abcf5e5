"""Parsing what a policy declares first: itself, its ingress, classes, zones and regions."""

from collections.abc import Callable
from datetime import date
from typing import Final

from extproc.core.ids import Country, DataClass, Jurisdiction, ModelId, RegionId
from extproc.policy.document import Identity, Ingress, RegionEntry, ServedModel, Zone, ZoneId, ZoneMember
from extproc.policy.parse.scalars import (
    parse_cluster,
    parse_country,
    parse_day,
    parse_id,
    parse_jurisdiction,
    parse_model,
    parse_region_id,
    parse_subdivision,
    parse_zone,
)
from extproc.policy.parse.vocabulary import Vocabulary
from extproc.policy.zones import BUILTIN_ZONES
from extproc.strict_yaml import (
    Field,
    Kind,
    Reader,
    Table,
    UnfitError,
    Value,
    entries_of,
    integer,
    list_of,
    nearest,
    number,
    parsed,
    table_of,
    text,
)

MAX_TRUSTED_HOPS: Final = 16
MAX_RTT_MS: Final = 60_000.0


def identity(table: Table) -> Identity:
    """Read `policy:`."""
    id_ = table.required("id", parsed(parse_id))
    version = table.required("version", integer(minimum=1))
    as_of = table.required("as_of", parsed(parse_day))
    review_by = table.required("review_by", parsed(_not_before("as_of", as_of)))
    return Identity(id=id_.value, version=version.value, as_of=as_of.value, review_by=review_by.value)


def validity(table: Table) -> tuple[Field[date | None], Field[date | None]]:
    """Read `valid_from:` and `valid_until:`, which are both optional and in order."""
    valid_from = table.optional("valid_from", parsed(parse_day), default=None)
    return valid_from, table.optional("valid_until", parsed(_not_before("valid_from", valid_from)), default=None)


def ingress(vocabulary: Vocabulary) -> Reader[Ingress]:
    """Make the reader of `ingress:`."""

    def read(table: Table) -> Ingress:
        region = table.required("region", parsed(vocabulary.region))
        trusted_hops = table.required("edge", _edge)
        return Ingress(region=region.value, trusted_hops=trusted_hops.value)

    return table_of(read)


def _edge(value: Value) -> int:
    if value.kind is not Kind.TABLE:
        if text(value) != "direct":
            value.refuse("the edge is neither direct nor a number of hops", "write direct, or {trusted_hops: 1}")
        return 0

    def read(table: Table) -> int:
        return table.required("trusted_hops", integer(minimum=1, maximum=MAX_TRUSTED_HOPS)).value

    return table_of(read)(value)


def classes(vocabulary: Vocabulary) -> Reader[tuple[DataClass, ...]]:
    """Make the reader of `classes:`."""

    def item(value: Value) -> DataClass:
        name = DataClass(parsed(parse_id)(value))
        if name in vocabulary.classes:
            value.refuse(f"the class '{name}' is listed twice", "keep one of the two")
        vocabulary.classes.add(name)
        return name

    def read(value: Value) -> tuple[DataClass, ...]:
        return tuple(sorted(list_of(item, minimum=1)(value)))

    return read


def zones(vocabulary: Vocabulary) -> Reader[dict[ZoneId, Zone]]:
    """Make the reader of `zones:`."""

    def declare(written: str) -> ZoneId:
        name = ZoneId(parse_zone(written))
        vocabulary.zones.add(name)
        return name

    return entries_of(declare, _zone)


def _zone(name: ZoneId, value: Value) -> Zone:
    if value.kind is Kind.TEXT:
        if text(value) != "builtin":
            value.refuse("a zone is neither builtin nor a list of its members", "write builtin, or [DE, FR]")
        zone = BUILTIN_ZONES.get(name)
        if zone is None:
            known = ", ".join(BUILTIN_ZONES)
            guess = nearest(name, BUILTIN_ZONES)
            hint = f"did you mean '{guess}'? " if guess else ""
            value.refuse(f"no zone '{name}' is built in", f"{hint}the built-in zones are {known}; or list its members")
        return zone

    seen: set[Jurisdiction] = set()

    def member(item: Value) -> ZoneMember:
        found = table_of(_zone_member)(item) if item.kind is Kind.TABLE else _plain_member(item)
        if found.code in seen:
            item.refuse(f"{found.code} is listed twice", "keep one of the two")
        seen.add(found.code)
        return found

    return Zone(members=tuple(sorted(list_of(member, minimum=1)(value), key=lambda found: found.code)))


def _plain_member(value: Value) -> ZoneMember:
    return ZoneMember(code=parsed(parse_jurisdiction)(value))


def _zone_member(table: Table) -> ZoneMember:
    country = table.optional("country", parsed(parse_country), default=None)
    subdivision = table.optional("subdivision", parsed(parse_subdivision), default=None)
    cite = table.optional("cite", text, default="")
    valid_from, valid_until = validity(table)
    if (country.value is None) == (subdivision.value is None):
        table.value.refuse("a member is one country or one subdivision", "write 'country: BR' or 'subdivision: CA-QC'")
    return ZoneMember(
        code=Jurisdiction(country.value or subdivision.value or ""),
        cite=cite.value,
        valid_from=valid_from.value,
        valid_until=valid_until.value,
    )


def regions(vocabulary: Vocabulary) -> Reader[dict[RegionId, RegionEntry]]:
    """Make the reader of `regions:`."""
    taken: dict[str, RegionId] = {}

    def declare(written: str) -> RegionId:
        name = RegionId(parse_region_id(written))
        vocabulary.regions.add(name)
        return name

    def entry(name: RegionId, value: Value) -> RegionEntry:
        region = table_of(_region(name))(value)
        if region.cluster in taken:
            message = f"the regions '{taken[region.cluster]}' and '{name}' share the cluster '{region.cluster}'"
            value.refuse(message, "give each region a cluster of its own")
        taken[region.cluster] = name
        return region

    return entries_of(declare, entry, minimum=1)


def _region(name: RegionId) -> Callable[[Table], RegionEntry]:
    def read(table: Table) -> RegionEntry:
        country = table.required("country", parsed(parse_country))
        subdivision = table.optional("subdivision", parsed(_inside(country)), default=None)
        certs = table.optional("certs", list_of(parsed(parse_id)), default=())
        cluster = table.optional("cluster", parsed(parse_cluster), default=None)
        models = table.required("models", entries_of(_model_id, _served_model))
        rtt_ms = table.optional("rtt_ms", number(minimum=0, maximum=MAX_RTT_MS), default=None)
        return RegionEntry(
            country=country.value,
            subdivision=subdivision.value,
            certs=tuple(sorted(set(certs.value))),
            cluster=cluster.value or name,
            models=models.value,
            rtt_ms=rtt_ms.value,
        )

    return read


def _model_id(written: str) -> ModelId:
    return ModelId(parse_model(written))


def _served_model(_: ModelId, value: Value) -> ServedModel:
    if value.kind is Kind.EMPTY:
        value.refuse("the model's entry is empty", 'write {} for any version, or {version: "3"}')

    def read(table: Table) -> ServedModel:
        return ServedModel(version=table.optional("version", text, default=None).value)

    return table_of(read)(value)


def _inside(country: Field[Country]) -> Callable[[str], Jurisdiction]:
    def parse(written: str) -> Jurisdiction:
        code = parse_subdivision(written)
        if country.is_sound and code[:2] != country.value:
            raise UnfitError(f"{code} is not inside {country.value}", f"write a subdivision of {country.value}")
        return code

    return parse


def _not_before(name: str, earliest: Field[date | None]) -> Callable[[str], date]:
    def parse(written: str) -> date:
        day = parse_day(written)
        first = earliest.value if earliest.is_sound else None
        if first is not None and day < first:
            raise UnfitError(f"{day} is before {name}, which is {first}", "exchange the two days, or mend one")
        return day

    return parse
