"""The texts of a policy: names, codes, days and moments, each with one strict form."""

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from typing import Final, TypeVar

from extproc.core.ids import Country, Jurisdiction
from extproc.core.iso3166 import is_country, is_jurisdiction
from extproc.core.reading import REQUEST_ID
from extproc.names import HEADER_PREFIX
from extproc.strict_yaml import UnfitError

N = TypeVar("N", bound=str)

_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
# SPEC: RFC 3339 section 5.6, date-time in capitals; fractions down to what a datetime holds.
_MOMENT: Final = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,6})?(?:Z|[+-][0-9]{2}:[0-9]{2})",
)
_YEARS: Final = range(1971, 2900)
"""Years that no slip of the pen produces, and that leave room for sums."""

_ID: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,61}[A-Za-z0-9])?")
_REGION: Final = re.compile(r"[a-z0-9](?:[a-z0-9._-]{0,61}[a-z0-9])?")
_PATTERN: Final = re.compile(r"[a-z0-9._*?-]{1,63}")
# ENVOY: a cluster's name travels in a header and in the names of statistics, so: no blanks, no commas, and no `>`,
# which joins the clusters of a plan. `|` and `:` stand in Istio's names.
_CLUSTER: Final = re.compile(r"[a-z0-9](?:[a-z0-9._|:-]{0,251}[a-z0-9])?")
_MODEL: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/-]{0,127}")
_ZONE: Final = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,62}")
_CLAIM: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:/-]{0,127}")
# SPEC: OCI image-spec, descriptor.md#digests: the registered algorithm sha256, in lower case.
_DIGEST: Final = re.compile(r"sha256:[0-9a-f]{64}")
# SPEC: RFC 9110 section 5.1, the token of a field name, here in lower case as HTTP/2 has it.
_HEADER: Final = re.compile(r"[a-z0-9!#$%&'*+.^_`|~-]{1,128}")

_INTENDED: Final = {
    "EL": "write GR, the code of Greece",
    "UK": "write GB, the code of the United Kingdom",
    "EU": "declare a zone, such as 'EEA: builtin', and name it",
    "XK": "no code is assigned to Kosovo: requests from there have an unknown jurisdiction",
}
"""Codes that people write and ISO 3166-1 does not assign, with the mend."""

# SPEC: RFC 1123 section 2.1.
_HOST: Final = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)(?:\.(?!-)[a-z0-9-]{1,63}(?<!-))*")
# SPEC: SPIFFE-ID section 2: a trust domain in lower case and path segments; the last may be the wildcard of ours.
_SPIFFE: Final = re.compile(r"spiffe://[a-z0-9._-]{1,255}(?:/[A-Za-z0-9._-]+)*(?:/\*)?")

_RESERVED_HEADERS: Final = frozenset(
    ["authorization", "connection", "cookie", "host", "proxy-authorization", "set-cookie", "x-forwarded-for"],
)

_NO_SESSION: Final = {
    **dict.fromkeys(
        [*_RESERVED_HEADERS, "api-key", "x-api-key", "x-auth-token", "x-forwarded-client-cert"],
        "is Envoy's own or carries credentials, which the sidecar is never sent",
    ),
    # SPEC: RFC 9110 section 7.6.1, and RFC 9113 section 8.2.2.
    **dict.fromkeys(
        ["connection", "keep-alive", "proxy-authenticate", "proxy-connection", "te", "trailer", "transfer-encoding"],
        "is about one connection, and not about a session",
    ),
    "upgrade": "is about one connection, and not about a session",
    # ENVOY: made anew for each request at the edge.
    REQUEST_ID: "names one request, and not a session",
}
"""Headers that can name no session, with why."""


def name_in(pattern: re.Pattern[str], kind: Callable[[str], N], allowed: str) -> Callable[[str], N]:
    """Make a parser of names of one kind; `allowed` says in a mend what its pattern takes."""

    def parse(written: str) -> N:
        if not pattern.fullmatch(written):
            raise UnfitError(f"'{written[:60]}' is not a usable name", f"use {allowed}")
        return kind(written)

    return parse


_ENDS: Final = "that starts and ends with a letter or digit"
_LOWER: Final = "lower-case letters, digits"


def parse_id(written: str) -> str:
    """Parse the name of a policy, tenant, regime, permit, class, mechanism, certification or override."""
    return name_in(_ID, str, f"up to 63 letters, digits and . _ - in a name {_ENDS}")(written)


def parse_region_id(written: str) -> str:
    """Parse a region's id, which is its cluster's name too where no other is given."""
    return _not_ours(name_in(_REGION, str, f"up to 63 {_LOWER} and . _ - in a name {_ENDS}")(written))


def parse_region_pattern(written: str) -> str:
    """Parse a pattern over region ids: `*` for any characters, `?` for one."""
    return name_in(_PATTERN, str, f"{_LOWER}, . _ - and the wildcards * and ?")(written)


def parse_cluster(written: str) -> str:
    """Parse the name of an Envoy cluster. Never with `>`, and not one of our own (`situs_…`)."""
    return _not_ours(name_in(_CLUSTER, str, f"up to 253 {_LOWER} and . _ - | : in a name {_ENDS}")(written))


def _not_ours(name: str) -> str:
    if name.startswith("situs_"):
        raise UnfitError(f"'{name}' is a name of Situs's own clusters", "choose a name that does not start with situs_")
    return name


def parse_model(written: str) -> str:
    """Parse a model's name."""
    return name_in(_MODEL, str, "letters, digits and . _ : / -")(written)


def parse_zone(written: str) -> str:
    """Parse the name of a zone, which may not look like a code or a word of the language."""
    name = name_in(_ZONE, str, "letters, digits and _ in a name that starts with a letter")(written)
    # EU is a zone that is built in; the others that people take for countries would be misread.
    misread = name in _INTENDED and name != "EU"
    if is_country(name) or misread or name.lower() in ("anywhere", "builtin"):
        raise UnfitError(f"'{name}' already has a meaning", f"call the zone something else, such as {name}_ZONE")
    return name


def parse_claim(written: str) -> str:
    """Parse the name of a token's claim."""
    return name_in(_CLAIM, str, "letters, digits and _ . : / -")(written)


def parse_header(written: str) -> str:
    """Parse the name of a header that a client may use to declare something."""
    name = name_in(_HEADER, str, "a header name in lower case, such as x-data-jurisdiction")(written)
    if name in _RESERVED_HEADERS or name.startswith((HEADER_PREFIX, "x-envoy-")):
        raise UnfitError(f"the header '{name}' serves another purpose", "choose one such as x-data-jurisdiction")
    return name


def parse_session_header(written: str) -> str:
    """Parse the name of the header by which a client names a request's session."""
    name = name_in(_HEADER, str, "a header name in lower case, such as x-session-id")(written)
    why = _NO_SESSION.get(name)
    if why is None and name.startswith((HEADER_PREFIX, "x-envoy-")):
        why = "is Envoy's own or ours"
    if why is not None:
        raise UnfitError(f"the header '{name}' {why}", "choose one that the client sets, such as x-session-id")
    return name


def parse_digest(written: str) -> str:
    """Parse the digest of a model's bytes."""
    if not _DIGEST.fullmatch(written):
        raise UnfitError(f"'{written[:60]}' is no digest", "write sha256: and 64 hex digits in lower case")
    return written


def parse_host(written: str) -> str:
    """Parse a host name in lower case, without a port."""
    return name_in(_HOST, str, "a host name in lower case without a port, such as eu.api.example")(written)


def parse_spiffe(written: str) -> str:
    """Parse a SPIFFE id, or one that ends in `/*`."""
    mend = "an id such as spiffe://example.org/ns/ml/sa/scorer, or spiffe://example.org/ns/ml/* for all below"
    if len(written) > 2048:  # noqa: PLR2004 - SPEC: SPIFFE-ID section 2.3
        raise UnfitError("the SPIFFE id is longer than 2048 bytes", "shorten it")
    return name_in(_SPIFFE, str, mend)(written)


def bounded(what: str, longest: int) -> Callable[[str], str]:
    """Make a parser of texts that fit into a record."""

    def parse(written: str) -> str:
        if len(written) > longest:
            raise UnfitError(f"{what} of {len(written)} characters does not fit", f"write at most {longest}")
        return written

    return parse


def parse_country(written: str) -> Country:
    """Parse an assigned ISO 3166-1 alpha-2 code in upper case."""
    if not is_country(written):
        code = written.upper()
        mend = f"write {code[:2]}" if is_jurisdiction(code) else _mend_of_code(written)
        raise UnfitError(f"'{written[:60]}' is not an assigned ISO 3166-1 code", mend)
    return Country(written)


def parse_jurisdiction(written: str) -> Jurisdiction:
    """Parse the code of a country or of a subdivision (`CA-QC`) in upper case."""
    if not is_jurisdiction(written):
        message = f"'{written[:60]}' is neither a country's nor a subdivision's ISO 3166 code"
        raise UnfitError(message, _mend_of_code(written))
    return Jurisdiction(written)


def parse_subdivision(written: str) -> Jurisdiction:
    """Parse the code of a subdivision (`CA-QC`)."""
    code = parse_jurisdiction(written)
    if is_country(code):
        raise UnfitError(f"'{code}' is a country", "write a subdivision such as CA-QC, or use 'country'")
    return code


def _mend_of_code(written: str) -> str:
    upper = written.upper()
    if upper in _INTENDED:
        return _INTENDED[upper]
    if is_jurisdiction(upper):
        return f"write {upper}"
    return "write a code of ISO 3166-1 such as DE, or of ISO 3166-2 such as CA-QC, in upper case"


def parse_day(written: str) -> date:
    """Parse a day as YYYY-MM-DD."""
    if not _DAY.fullmatch(written):
        raise UnfitError(f"'{written[:60]}' is not a day", "write it as YYYY-MM-DD")
    try:
        day = date.fromisoformat(written)
    except ValueError:
        raise UnfitError(f"the day {written} does not exist", "check the month and the day") from None
    if day.year not in _YEARS:
        message = f"the year {day.year} is out of range"
        raise UnfitError(message, f"write a year from {_YEARS.start} to {_YEARS.stop - 1}")
    return day


def parse_start(written: str) -> datetime:
    """Parse the moment at which something begins: with its offset, or a day, from its midnight UTC."""
    return _midnight(parse_day(written)) if _DAY.fullmatch(written) else _parse_moment(written)


def parse_end(written: str) -> datetime:
    """Parse the first moment that no longer counts: with its offset, or a day, which counts to its end in UTC."""
    return _midnight(parse_day(written) + timedelta(days=1)) if _DAY.fullmatch(written) else _parse_moment(written)


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


def _parse_moment(written: str) -> datetime:
    mend = "write it as YYYY-MM-DDTHH:MM:SSZ, or with an offset such as +01:00, or as a day"
    if not _MOMENT.fullmatch(written):
        raise UnfitError(f"'{written[:60]}' is not a moment", mend)
    parse_day(written[:10])
    try:
        return datetime.fromisoformat(written).astimezone(UTC)
    except ValueError:
        raise UnfitError(f"the moment {written} does not exist", mend) from None
