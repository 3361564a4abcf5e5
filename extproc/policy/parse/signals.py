"""Parsing `signals:` and `conflict:`: what is read of a request, and how far it is trusted."""

from collections.abc import Callable
from typing import Final

from extproc.core.facts import Source, Tier
from extproc.core.tables import ConflictMode
from extproc.policy.document import GeoipSignal, HeaderSignal, JwtSignal, Signals, WhenUnknown
from extproc.policy.parse.scalars import parse_claim, parse_header
from extproc.strict_yaml import Field, Table, Value, choice, integer, list_of, parsed, table_of

_TIERS: Final = {
    Source.GEOIP: Tier.TRUSTED_EDGE,
    Source.JWT: Tier.VERIFIED_CLAIM,
    Source.HEADER: Tier.UNAUTHENTICATED,
}


def signals(table: Table) -> Signals:
    """Read `signals:`."""
    geoip = table.optional("geoip", table_of(_geoip), default=None)
    header = table.optional("header", table_of(_header), default=None)
    sources = {Source.GEOIP: geoip, Source.HEADER: header}
    jwt = table.optional(
        "jwt", table_of(_jwt({source for source, field in sources.items() if _is_given(field)})), default=None
    )
    declared = header.value.name if header.is_sound and header.value is not None else None
    class_header = table.optional("class", table_of(_class_header(declared)), default=None)
    if not _is_given(geoip) and not _is_given(jwt):
        message = "no authenticated signal states a jurisdiction, so every request would be refused"
        table.value.complain(message, "add 'geoip: {}', or 'jwt: {claim: …}'")
    return Signals(geoip=geoip.value, jwt=jwt.value, header=header.value, class_header=class_header.value)


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


def _geoip(table: Table) -> GeoipSignal:
    tier = table.optional("tier", _tier(Source.GEOIP), default=None)
    unknown = table.optional("unknown", choice(WhenUnknown), default=WhenUnknown.DENY)
    _refuse_replacement(table, Source.GEOIP)
    _ = tier.value
    return GeoipSignal(unknown=unknown.value)


def _jwt(others: set[Source]) -> Callable[[Table], JwtSignal]:
    def replaced(value: Value) -> Source:
        source = choice(Source)(value)
        if source is Source.JWT:
            value.refuse("a signal cannot replace itself", "remove it")
        if source not in others:
            value.refuse(f"the signal '{source.value}' is not read by this policy", "remove it, or add that signal")
        return source

    def read(table: Table) -> JwtSignal:
        tier = table.optional("tier", _tier(Source.JWT), default=None)
        claim = table.required("claim", parsed(parse_claim))
        may_replace = table.optional("may_replace", list_of(replaced), default=())
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


def _class_header(declared: str | None) -> Callable[[Table], str]:
    def different(value: Value) -> str:
        name = parsed(parse_header)(value)
        if name == declared:
            value.refuse(f"the header '{name}' declares the jurisdiction already", "choose one such as x-data-class")
        return name

    def read(table: Table) -> str:
        return table.required("header", different).value

    return read
