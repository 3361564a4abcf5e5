"""What the rules of a written policy say, read literally: one question at a time, on one day.

It shares no code with the compiler: plain data, as a YAML or JSON parser gives it, is held against the manual
(:mod:`extproc.policy.document`) sentence by sentence.
"""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any, NamedTuple, TypeAlias, TypeVar

from extproc.policy.document import ZoneId
from extproc.policy.zones import BUILTIN_ZONES

T = TypeVar("T")

Written = dict[str, Any]
Fact: TypeAlias = Callable[[Any], bool]
Grants: TypeAlias = dict[str, list[Written]]
"""One regime's permits for each region; where there is none, one entry that says why."""

TRANSFERS = ("adequacy", "safeguards", "derogation")


def as_list(value: Any) -> list[Any]:  # noqa: ANN401 - plain data
    return value if isinstance(value, list) else [value]


def day_of(written: str | date) -> date:
    return date.fromisoformat(written) if isinstance(written, str) else written


def moment_of(written: str, *, end: bool = False) -> datetime:
    """Read a day or a moment; an end that is a day counts to its last moment."""
    if len(written) == len("2026-01-01"):
        midnight = datetime.fromisoformat(written).replace(tzinfo=UTC)
        return midnight + timedelta(days=1) if end else midnight
    return datetime.fromisoformat(written)


def in_force(begins: str | date | None, ends: str | date | None, day: date) -> bool:
    return (begins is None or day_of(begins) <= day) and (ends is None or day <= day_of(ends))


def country_of(place: str) -> str:
    return place.split("-", maxsplit=1)[0]


def place_of(region: Written) -> str:
    place: str = region["subdivision"] if "subdivision" in region else region["country"]
    return place


class RegionAnswer(NamedTuple):
    """Why a region is excluded and by what, or on which permits it rests."""

    exclusion: str | None = None
    by: str | None = None
    permits: tuple[str, ...] = ()


class Rules:
    """Answers questions to the rules; what it was asked before it remembers."""

    def __init__(self, policy: Written) -> None:
        self.policy = policy
        self.permits: dict[str, Written] = {
            f"{regime['id']}.{permit['id']}": permit for regime in policy["regimes"] for permit in regime["permits"]
        }
        self.regimes: dict[str, Written] = {regime["id"]: regime for regime in policy["regimes"]}
        self._known: dict[tuple[Any, ...], Any] = {}

    def rows(self, tenant: str, kind: str, place: str, day: date) -> dict[str, Grants]:
        """Give what each regime that governs lets through, in the order of the document."""
        governing = self._governing(tenant, kind, place, day)
        return self._once(
            ("rows", governing, tenant, kind, day),
            lambda: {id_: self._grants(id_, tenant, kind, day) for id_ in governing},
        )

    def law(
        self, tenant: str, kind: str, place: str, day: date, suspended: tuple[tuple[str, str], ...]
    ) -> dict[str, RegionAnswer]:
        """Ask every regime that governs; `suspended` has the permits that orders are about, each with its order."""
        governing = self._governing(tenant, kind, place, day)

        def find() -> dict[str, RegionAnswer]:
            row = self.rows(tenant, kind, place, day)
            return {name: self._law(row, name, suspended) for name in self.policy["regions"]}

        return self._once(("law", governing, tenant, kind, day, suspended), find)

    @staticmethod
    def _law(row: dict[str, Grants], name: str, suspended: tuple[tuple[str, str], ...]) -> RegionAnswer:
        """Take the first permit of each regime that no order suspends; a regime without one excludes the region."""
        permits: list[str] = []
        for regime, grants in row.items():
            if "why" in grants[name][0]:
                return RegionAnswer(exclusion=grants[name][0]["why"], by=regime)
            names = [f"{regime}.{permit['id']}" for permit in grants[name]]
            standing = [each for each in names if not any(permit == each for permit, _ in suspended)]
            if not standing:
                by = next(order for permit, order in suspended if permit == names[0])
                return RegionAnswer(exclusion="permit_suspended", by=by)
            permits.append(standing[0])
        return RegionAnswer(permits=tuple(permits))

    def obligations(self, tenant: str, kind: str, place: str, day: date) -> list[str]:
        """List what the regimes that govern ask of the exporter besides."""
        return [
            f"{id_}.{duty['id']}"
            for id_ in self._governing(tenant, kind, place, day)
            for duty in self.regimes[id_].get("obligations", [])
            if kind in duty.get("classes", [kind])
        ]

    def _governing(self, tenant: str, kind: str, place: str, day: date) -> tuple[str, ...]:
        return self._once(
            ("governing", tenant, kind, place, day),
            lambda: tuple(
                id_ for id_, regime in self.regimes.items() if self._governs(regime["when"], place, tenant, kind, day)
            ),
        )

    def _governs(self, when: Written, subject: str, tenant: str, kind: str, day: date) -> bool:
        """Tell whether all conditions that stand beside each other hold."""
        return all(self._holds(word, value, subject, tenant, kind, day) for word, value in when.items())

    def _holds(self, word: str, value: Any, subject: str, tenant: str, kind: str, day: date) -> bool:  # noqa: ANN401, PLR0913, PLR0917 - a plain condition, and what it can ask about
        entry = self.policy["tenants"][tenant]
        match word:
            case "subject_in":
                return self.is_in(subject, value, day)
            case "exporter_in":
                return "exporter" in entry and self.is_in(entry["exporter"], value, day)
            case "class_in":
                return kind in as_list(value)
            case "class_not":
                return kind not in as_list(value)
            case "tenant_has":
                return bool(set(entry.get("attributes", [])) & set(as_list(value)))
            case "tenant_has_not":
                return not set(entry.get("attributes", [])) & set(as_list(value))
            case "any":
                return any(self._governs(part, subject, tenant, kind, day) for part in value)
            case "all":
                return all(self._governs(part, subject, tenant, kind, day) for part in value)
        raise ValueError(f"no condition is called {word}")

    def _grants(self, id_: str, tenant: str, kind: str, day: date) -> Grants:
        regime, regions = self.regimes[id_], self.policy["regions"]
        return self._once(
            ("grants", id_, tenant, kind, day),
            lambda: {name: self._grant(regime, region, tenant, kind, day) for name, region in regions.items()},
        )

    def _grant(self, regime: Written, region: Written, tenant: str, kind: str, day: date) -> list[Written]:
        """List the permits that let data of a class go to a region; where none does, one entry that says why."""
        mechanisms = self.policy["tenants"][tenant].get("mechanisms", {})
        covering = [
            permit
            for permit in regime["permits"]
            if ("enabled_by" not in permit or permit["enabled_by"].removeprefix("tenant.mechanisms.") in mechanisms)
            and in_force(permit.get("valid_from"), permit.get("valid_until"), day)
            and self._covers(permit["to"], region, day)
        ]
        rule = regime.get("class", {}).get(kind)
        of_class = [permit for permit in covering if rule is None or permit["id"] in rule["only"]]
        legal_first = self.policy["policy"]["profile"] == "legal-first"
        counting = [permit for permit in of_class if not (legal_first and permit["basis"] in TRANSFERS)]
        if counting:
            return counting
        return [{"why": "profile" if of_class else "class_rule" if covering else "no_permit"}]

    def _covers(self, to: Any, region: Written, day: date) -> bool:  # noqa: ANN401 - plain data
        place = place_of(region)
        if not isinstance(to, dict):
            return self.is_in(place, to, day)
        operator = region.get("operator")
        countries = [] if operator is None else [operator["hq"], *operator.get("admin_from", [])]
        facts: dict[str, Fact] = {
            "cert": lambda names: set(as_list(names)) <= set(region.get("certs", [])),
            "not_in": lambda names: not self._may_be_in(region, names, day),
            "operator_in": lambda names: bool(countries) and all(self.is_in(code, names, day) for code in countries),
            "operator_not_in": lambda names: (
                bool(countries) and not any(self._may_be_in({"country": code}, names, day) for code in countries)
            ),
        }
        return all(facts[word](value) if word in facts else self.is_in(place, value, day) for word, value in to.items())

    def reaches(self, name: str, place: str, day: date) -> bool:
        """Tell whether the deployment lets a place be served in a region."""
        deployment = self.policy.get("deployment", {})
        match deployment.get("pattern"):
            case "regional-sharding":
                shards = deployment["shards"]
                homes = [shard["region"] for shard in shards if self.is_in(place, shard["subjects"], day)]
                return homes[:1] == [name]
            case "hub-and-spoke":
                return name in deployment["hubs"] or self.policy["regions"][name]["country"] == country_of(place)
            case _:
                return True

    def host(self, place: str, day: date) -> str | None:
        """Give the host of the most specific place that holds this one."""
        hosts: dict[str, str] = self.policy["ingress"].get("redirect_hosts", {})
        zones = [name for name in sorted(hosts) if name != "anywhere" and self.is_in(place, name, day)]
        return next((hosts[name] for name in (place, country_of(place), *zones, "anywhere") if name in hosts), None)

    def is_in(self, place: str, names: Any, day: date) -> bool:  # noqa: ANN401 - plain data
        """Tell whether a place is in a territory. A country holds its subdivisions, and they do not hold it."""
        held = self._codes(names, day)
        return "anywhere" in held or place in held or country_of(place) in held

    def _may_be_in(self, region: Written, names: Any, day: date) -> bool:  # noqa: ANN401 - plain data
        """Tell whether a region may be in a territory: one that names its country alone may be in any part of it."""
        if self.is_in(place_of(region), names, day):
            return True
        parts = {country_of(code) for code in self._codes(names, day) if "-" in code}
        return "subdivision" not in region and region["country"] in parts

    def _codes(self, names: Any, day: date) -> set[str]:  # noqa: ANN401 - plain data
        listed = tuple(as_list(names))
        return self._once(
            ("codes", listed, day), lambda: {code for name in listed for code in self._codes_of(name, day)}
        )

    def _codes_of(self, name: str, day: date) -> set[str]:
        zone = self.policy.get("zones", {}).get(name)
        if zone is None:
            return {name}
        if zone == "builtin":
            members = BUILTIN_ZONES[ZoneId(name)].members
            return {str(each.code) for each in members if in_force(each.valid_from, each.valid_until, day)}
        codes: set[str] = set()
        for member in zone:
            entry = {"country": member} if isinstance(member, str) else member
            if in_force(entry.get("valid_from"), entry.get("valid_until"), day):
                codes.add(entry["subdivision"] if "subdivision" in entry else entry["country"])
        return codes

    def _once(self, key: tuple[Any, ...], find: Callable[[], T]) -> T:
        if key not in self._known:
            self._known[key] = find()
        found: T = self._known[key]
        return found
