"""Parsing `signals:` and `conflict:`: what is read of a request, and how far it is trusted."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from extproc.core.facts import Source, Tier
from extproc.core.ids import Jurisdiction
from extproc.core.tables import ConflictMode
from extproc.policy.document import GeoipSignal, HeaderSignal, JwtSignal, PayloadSignal, Signals, TenantSignal
from extproc.policy.parse.payload import payload
from extproc.policy.parse.scalars import parse_claim, parse_header, parse_jurisdiction
from extproc.policy.parse.vocabulary import Vocabulary
from extproc.strict_yaml import (
    Field,
    Kind,
    Reader,
    Table,
    Value,
    choice,
    integer,
    list_of,
    parsed,
    table_of,
    text,
)

MAX_AGE_DAYS: Final = 3650

_TIERS: Final = {
    Source.TENANT: Tier.TENANT_BINDING,
    Source.GEOIP: Tier.TRUSTED_EDGE,
    Source.JWT: Tier.VERIFIED_CLAIM,
    Source.HEADER: Tier.UNAUTHENTICATED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Classed:
    """What `class:` says."""

    header: str | None = None
    payload: PayloadSignal | None = None


def signals(vocabulary: Vocabulary, *, tenants_say: bool) -> Reader[Signals]:
    """Make the reader of `signals:`. `tenants_say` tells whether some tenant says where its subjects are."""

    def read(table: Table) -> Signals:
        geoip = table.optional("geoip", table_of(_geoip), default=None)
        header = table.optional("header", table_of(_header), default=None)
        others = {source for source, field in ((Source.GEOIP, geoip), (Source.HEADER, header)) if _is_given(field)}
        jwt = table.optional("jwt", table_of(_jwt(others)), default=None)
        if _is_given(jwt):
            others.add(Source.JWT)
        tenant = table.optional("tenant", table_of(_tenant(others)), default=None)
        declared = header.value.name if header.is_sound and header.value is not None else None
        classed = table.optional("class", table_of(_class(declared, vocabulary)), default=_Classed())
        if not (_is_given(geoip) or _is_given(jwt) or tenants_say):
            message = "no authenticated signal states a jurisdiction, so every request would be refused"
            table.value.complain(message, "add 'geoip: {}', or 'jwt: {claim: …}'")
        if _is_given(tenant) and not tenants_say:
            table.value.complain("no tenant says where its subjects are", "remove 'tenant:', or add 'subjects:'")
        return Signals(
            tenant=tenant.value,
            geoip=geoip.value,
            jwt=jwt.value,
            header=header.value,
            class_header=classed.value.header,
            payload=classed.value.payload,
        )

    return table_of(read)


def conflict(table: Table) -> ConflictMode:
    """Read `conflict:`."""
    return table.required("mode", choice(ConflictMode)).value


def _is_given(field: Field[object]) -> bool:
    """Tell whether the signal was written, even if wrongly."""
    return not field.is_sound or field.value is not None


def _tier(source: Source) -> Callable[[Value], int]:
    fixed = _TIERS[source]

    def read(value: Value) -> int:
        tier = integer()(value)
        if tier != fixed:
            value.refuse(
                f"the tier of {source.value} is {fixed.value}, not {tier}", f"write {fixed.value}, or leave it out"
            )
        return tier

    return read


class _Anonymous(StrEnum):
    UNKNOWN = "unknown"
    LOCATE = "locate"


class _Also(StrEnum):
    REGISTERED = "registered"
    REPRESENTED = "represented"


def _geoip(table: Table) -> GeoipSignal:
    tier = table.optional("tier", _tier(Source.GEOIP), default=None)
    assume = table.optional("unknown", _unknown, default=())
    anonymous = table.optional("anonymous", choice(_Anonymous), default=_Anonymous.UNKNOWN)
    also = table.optional("also", list_of(choice(_Also), minimum=1), default=())
    max_age_days = table.optional("max_age_days", integer(minimum=1, maximum=MAX_AGE_DAYS), default=None)
    _refuse_replacement(table, Source.GEOIP)
    _ = tier.value
    return GeoipSignal(
        assume=assume.value,
        locate_anonymous=anonymous.value is _Anonymous.LOCATE,
        registered=_Also.REGISTERED in also.value,
        represented=_Also.REPRESENTED in also.value,
        max_age_days=max_age_days.value,
    )


def _unknown(value: Value) -> tuple[Jurisdiction, ...]:
    """Read `unknown:`, where anything but a refusal must be written out."""
    if value.kind is not Kind.TABLE:
        if text(value) != "deny":
            value.refuse("an unknown address is neither denied nor assumed", "write deny, or {assume: [DE]}")
        return ()

    def read(table: Table) -> tuple[Jurisdiction, ...]:
        return table.required("assume", list_of(parsed(parse_jurisdiction), minimum=1)).value

    return tuple(sorted(set(table_of(read)(value))))


def _replaced(own: Source, others: set[Source]) -> Callable[[Table], Field[tuple[Source, ...]]]:
    """Make a reader of `may_replace:`."""

    def source(value: Value) -> Source:
        name = choice(_Replaceable)(value)
        found = Source(name.value)
        if found is own:
            value.refuse("a signal cannot replace itself", "remove it")
        if found not in others:
            value.refuse(f"the signal '{found.value}' is not read by this policy", "remove it, or add that signal")
        return found

    def read(table: Table) -> Field[tuple[Source, ...]]:
        return table.optional("may_replace", list_of(source), default=())

    return read


class _Replaceable(StrEnum):
    JWT = Source.JWT.value
    GEOIP = Source.GEOIP.value
    HEADER = Source.HEADER.value


def _tenant(others: set[Source]) -> Callable[[Table], TenantSignal]:
    def read(table: Table) -> TenantSignal:
        tier = table.optional("tier", _tier(Source.TENANT), default=None)
        may_replace = _replaced(Source.TENANT, others)(table)
        _ = tier.value
        return TenantSignal(may_replace=tuple(sorted(set(may_replace.value))))

    return read


def _jwt(others: set[Source]) -> Callable[[Table], JwtSignal]:
    def read(table: Table) -> JwtSignal:
        tier = table.optional("tier", _tier(Source.JWT), default=None)
        claim = table.required("claim", parsed(parse_claim))
        may_replace = _replaced(Source.JWT, others)(table)
        _ = tier.value
        return JwtSignal(claim=claim.value, may_replace=tuple(sorted(set(may_replace.value))))

    return read


def _header(table: Table) -> HeaderSignal:
    tier = table.optional("tier", _tier(Source.HEADER), default=None)
    name = table.required("name", parsed(parse_header))
    _refuse_replacement(table, Source.HEADER)
    _ = tier.value
    return HeaderSignal(name=name.value)


def _refuse_replacement(table: Table, source: Source) -> None:
    """Refuse `may_replace` where it is most likely to be tried: it would let what is not verified widen."""

    def refuse(value: Value) -> None:
        value.complain(f"{source.value} may not replace a signal: only a verified one can", "remove 'may_replace'")

    table.optional("may_replace", refuse, default=None)


def _class(declared: str | None, vocabulary: Vocabulary) -> Callable[[Table], _Classed]:
    def different(value: Value) -> str:
        name = parsed(parse_header)(value)
        if name == declared:
            value.refuse(f"the header '{name}' declares the jurisdiction already", "choose one such as x-data-class")
        return name

    def read(table: Table) -> _Classed:
        header = table.optional("header", different, default=None)
        body = table.optional("body", payload(vocabulary), default=None)
        if header.value is None and body.value is None:
            table.value.refuse("nothing tells the class", "add 'header:' or 'body:', or remove 'class:'")
        return _Classed(header=header.value, payload=body.value)

    return read
