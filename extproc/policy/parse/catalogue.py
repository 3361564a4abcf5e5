"""Parsing the places: `zones:`, `regions:` and `models:`."""

from collections.abc import Callable
from typing import Final

from extproc.core.ids import Country, Jurisdiction, ModelId, RegionId
from extproc.policy.document import (
    ModelEntry,
    Operator,
    RegionEntry,
    ServedModel,
    Zone,
    ZoneId,
    ZoneMember,
)
from extproc.policy.parse.dates import validity
from extproc.policy.parse.scalars import (
    parse_cluster,
    parse_country,
    parse_digest,
    parse_id,
    parse_jurisdiction,
    parse_model,
    parse_region_id,
    parse_subdivision,
    parse_zone,
)
from extproc.policy.parse.service import in_flight, latency_ms, needs, recovery
from extproc.policy.parse.vocabulary import Vocabulary, territory
from extproc.policy.zones import BUILTIN_ZONES
from extproc.strict_yaml import (
    Field,
    Kind,
    Reader,
    Table,
    UnfitError,
    Value,
    entries_of,
    list_of,
    nearest,
    number,
    parsed,
    table_of,
    text,
)

MAX_RTT_MS: Final = 60_000.0


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
        region = table_of(_region(name, vocabulary))(value)
        if region.cluster in taken:
            message = f"the regions '{taken[region.cluster]}' and '{name}' share the cluster '{region.cluster}'"
            value.refuse(message, "give each region a cluster of its own")
        taken[region.cluster] = name
        return region

    return entries_of(declare, entry, minimum=1)


def _region(name: RegionId, vocabulary: Vocabulary) -> Callable[[Table], RegionEntry]:
    def model(written: str) -> ModelId:
        id_ = ModelId(parse_model(written))
        vocabulary.models.add(id_)
        return id_

    def read(table: Table) -> RegionEntry:
        country = table.required("country", parsed(parse_country))
        subdivision = table.optional("subdivision", parsed(_inside(country)), default=None)
        operator = table.optional("operator", table_of(_operator), default=None)
        certs = table.optional("certs", list_of(parsed(parse_id)), default=())
        cluster = table.optional("cluster", parsed(parse_cluster), default=None)
        models = table.required("models", entries_of(model, _served_model))
        rtt_ms = table.optional("rtt_ms", number(minimum=0, maximum=MAX_RTT_MS), default=None)
        capacity = table.optional("capacity", in_flight, default=None)
        quota = table.optional("quota", in_flight, default=None)
        slo_ms = table.optional("slo_ms", latency_ms, default=None)
        needed = table.optional("needs", needs, default=None)
        target = table.optional("recovery", recovery, default=None)
        return RegionEntry(
            country=country.value,
            subdivision=subdivision.value,
            operator=operator.value,
            certs=tuple(sorted(set(certs.value))),
            cluster=cluster.value or name,
            models=models.value,
            rtt_ms=rtt_ms.value,
            capacity=capacity.value,
            quota=quota.value,
            slo_ms=slo_ms.value,
            needs=needed.value or {},
            recovery=target.value,
        )

    return read


def _operator(table: Table) -> Operator:
    name = table.required("name", text)
    seat = table.required("hq", parsed(parse_country))
    admin_from = table.optional("admin_from", list_of(parsed(parse_country), minimum=1), default=None)
    return Operator(name=name.value, hq=seat.value, admin_from=tuple(sorted(set(admin_from.value or (seat.value,)))))


def _served_model(_: ModelId, value: Value) -> ServedModel:
    if value.kind is Kind.EMPTY:
        value.refuse("the model's entry is empty", 'write {} for any version, or {version: "3"}')

    def read(table: Table) -> ServedModel:
        version = table.optional("version", text, default=None)
        digest = table.optional("digest", parsed(parse_digest), default=None)
        slo_ms = table.optional("slo_ms", latency_ms, default=None)
        return ServedModel(version=version.value, digest=digest.value, slo_ms=slo_ms.value)

    return table_of(read)(value)


def _inside(country: Field[Country]) -> Callable[[str], Jurisdiction]:
    def parse(written: str) -> Jurisdiction:
        code = parse_subdivision(written)
        if country.is_sound and code[:2] != country.value:
            raise UnfitError(f"{code} is not inside {country.value}", f"write a subdivision of {country.value}")
        return code

    return parse


def models(vocabulary: Vocabulary) -> Reader[dict[ModelId, ModelEntry]]:
    """Make the reader of `models:`. It comes after the regions, which are approved for them."""

    def read(table: Table) -> ModelEntry:
        resident_in = table.optional("resident_in", territory(vocabulary), default=None)
        cite = table.optional("cite", text, default="")
        data_class = table.optional("class", parsed(vocabulary.data_class), default=None)
        if resident_in.is_sound and cite.is_sound and resident_in.value is not None and not cite.value:
            table.value.complain("nothing says by what the model is bound there", "add 'cite:'")
        return ModelEntry(resident_in=resident_in.value, cite=cite.value, data_class=data_class.value)

    return entries_of(vocabulary.model, lambda _, value: table_of(read)(value))
