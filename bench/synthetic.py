"""Policies of any size, as an operator with many customers would write them: bigger, and no stranger.

Groups of countries with a law each, three to six dated permits in each law, regions all over the world, and tenants
that differ in what the law asks of them and in what it does not. Equal sizes give equal bytes.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from extproc.core.iso3166 import COUNTRIES
from extproc.policy.document import ZoneId
from extproc.policy.zones import BUILTIN_ZONES

AS_OF: Final = date(2026, 11, 21)
MODELS: Final = ("digits", "chat", "embed", "fraud", "rank", "speech", "triage", "vision")
"""Every region serves the first, and two in three of the others."""
CLASSES: Final = ("financial", "health", "personal", "public", "special")
_ATTRIBUTES: Final = ("adgm", "difc")
_MECHANISMS: Final = ("bcr", "ccc", "dpf", "filing", "scc")

_HOSTS: Final = (
    "DE", "US", "FR", "AE", "NL", "GB", "IE", "JP", "SE", "SG", "CA", "IN", "AU", "BR", "KR", "CH",
    "ZA", "IT", "ES", "PL", "SA", "ID", "MX", "CL", "IL", "NZ", "TR", "KZ", "VN", "TH",
)  # fmt: skip
"""Countries in which clouds have regions, most usual first; the first ten are also where tenants are established."""

_EXPORTERS: Final = 10
_DAYS: Final = 4
"""Days on which permits begin, so there are as many epochs and one."""

_EEA: Final = frozenset(str(member.code) for member in BUILTIN_ZONES[ZoneId("EEA")].members)

_HEAD: Final = """\
apiVersion: situs/v1
policy: {{id: synthetic, version: {version}, as_of: {as_of}, review_by: 2027-02-21, profile: hybrid}}
ingress: {{region: {ingress}, edge: {{trusted_hops: 1}}}}
classes: [{classes}]
zones:
  EEA: builtin
"""

_PUBLIC: Final = """\
  - id: public
    when: {subject_in: anywhere, class_in: public}
    permits:
      - {id: anywhere, to: anywhere, basis: unrestricted, cite: The operator's own judgment}
"""

_SIGNALS: Final = """\
signals:
  jwt: {tier: 1, claim: residency, may_replace: [geoip]}
  geoip: {tier: 2, unknown: deny}
  header: {tier: 3, name: x-data-jurisdiction}
  class: {header: x-data-class}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How large a policy is. One more tenant is whoever presents no token."""

    regions: int = 40
    regimes: int = 20
    tenants: int = 1000


def write_synthetic(size: Size, *, version: int = 1) -> str:
    """Write the policy of a size."""
    return "".join(_parts(size, version))


def region_ids(count: int) -> list[str]:
    """Name the regions: `de-0`, `us-0`, ... `de-1`, ..."""
    return [f"{_HOSTS[i % len(_HOSTS)].lower()}-{i // len(_HOSTS)}" for i in range(count)]


def _parts(size: Size, version: int) -> Iterator[str]:
    laws = max(1, size.regimes - 1)
    yield _HEAD.format(version=version, as_of=AS_OF, ingress=region_ids(1)[0], classes=", ".join(CLASSES))
    for n in range(1, laws):
        yield f"  LAW{n}: [{', '.join(_subjects(n, laws))}]\n"
    yield "regions:\n"
    for i, id_ in enumerate(region_ids(size.regions)):
        yield _region(i, id_)
    yield "regimes:\n"
    for n in range(laws):
        yield from _law(n, laws)
    if size.regimes > laws:
        yield _PUBLIC
    yield "tenants:\n"
    for i in range(size.tenants):
        yield _tenant(i)
    yield "  walk-in: {match: anonymous, class: personal}\n"
    yield _SIGNALS


def _subjects(n: int, laws: int) -> list[str]:
    """Deal the countries outside the EEA to the laws after the first, those that have regions before the others."""
    outside = [code for code in (*_HOSTS, *sorted(COUNTRIES.difference(_HOSTS))) if code not in _EEA]
    return sorted(outside[n - 1 :: laws - 1])


def _region(i: int, id_: str) -> str:
    country = _HOSTS[i % len(_HOSTS)]
    served = ", ".join(f'{model}: {{version: "1"}}' for n, model in enumerate(MODELS) if n == 0 or (i + n) % 3)
    certs = ", certs: [dpf]" if country == "US" else ""
    operator = f"{{name: Cloud {i % 4}, hq: {'US' if i % 4 else country}, admin_from: [{country}]}}"
    return f"  {id_}: {{country: {country}, operator: {operator}{certs}, models: {{{served}}}, rtt_ms: {8 + i}}}\n"


def _law(n: int, laws: int) -> Iterator[str]:
    """Write one law: it lets data stay, and go to a few others' places under a basis that a mechanism enables."""
    names = ["EEA", *(f"LAW{other}" for other in range(1, laws))]
    free_zones = f", {{tenant_has: [{', '.join(_ATTRIBUTES)}]}}" if n == 0 else ""
    yield f"  - id: law-{n}\n"
    claimed = f"[{{subject_in: {names[n]}}}, {{exporter_in: {names[n]}}}{free_zones}]"
    yield f"    when: {{any: {claimed}, class_not: public}}\n    permits:\n"
    yield f"      - {{id: home, to: {names[n]}, basis: internal, cite: Act {n}, confidence: high}}\n"
    # The first law names every mechanism, so that tenants may declare them however few laws there are.
    for k in range(len(_MECHANISMS) if n == 0 else 2 + n % 4):
        other = names[(n + k + 1) % laws]
        to = f"{{in: [{other}, US], operator_not_in: KP}}" if k % 2 else other
        begins = AS_OF + timedelta(days=90 * (1 + (n + k) % _DAYS) if k > 1 else -30)
        basis = ("adequacy", "safeguards", "derogation")[k % 3]
        mechanism = _MECHANISMS[(n + k) % len(_MECHANISMS)]
        yield f"      - {{id: to-{k}, to: {to}, basis: {basis}, cite: Act {n} s{k}, valid_from: {begins}"
        yield f", enabled_by: tenant.mechanisms.{mechanism}, confidence: medium}}\n"
    if n % 2:
        yield "    obligations: [{id: local-copy, duty: keep a copy at home, cite: s1, classes: [health]}]\n"
    yield "    class: {special: {only: [home]}, health: {only: [home, to-0]}}\n"


def _tenant(i: int) -> str:
    """Write one tenant in about 120 bytes, some of which the law tells apart and others stand in records alone."""
    parts = [f"match: {{jwt.tenant: customer-{i}}}", f"class: {CLASSES[i % 3]}"]
    if i % 3:
        parts.append(f"exporter: {_HOSTS[i % _EXPORTERS]}")
    if i % 8 == 0:
        parts.append(f"attributes: [{_ATTRIBUTES[i // 8 % len(_ATTRIBUTES)]}]")
    mechanisms = [name for k, name in enumerate(_MECHANISMS) if i % 7 == k or i % 11 == k]
    if mechanisms:
        parts.append(f"mechanisms: {{{', '.join(f'{name}: {{reference: {name}-{i}}}' for name in mechanisms)}}}")
    if i % 6 == 0:
        parts.append(f"allow: ['{('de-*', '*-0', 'us-*')[i // 6 % 3]}', 'de-0']")
    return f"  t{i}: {{{', '.join(parts)}}}\n"
