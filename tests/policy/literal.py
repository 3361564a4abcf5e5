"""The language, read literally: a slow interpreter of written policies that shares no code with the compiler.

It reads plain data, as a YAML or JSON parser gives it, one question at a time.
"""

from collections.abc import Callable
from datetime import date
from typing import Any, TypeAlias

from extproc.policy.document import ZoneId
from extproc.policy.zones import BUILTIN_ZONES

Written = dict[str, Any]
Question: TypeAlias = Callable[[Any], bool]
Answer = tuple[str, str | None, bool]
"""What one regime says of one region: its id, the permit's id or None, and whether a class rule is why."""


def in_force(entry: Written, day: date) -> bool:
    begins, ends = entry.get("valid_from"), entry.get("valid_until")
    return (begins is None or date.fromisoformat(begins) <= day) and (ends is None or day <= date.fromisoformat(ends))


def is_inside(policy: Written, place: str, name: str, day: date) -> bool:
    if name == "anywhere" or name in (place, place.split("-", maxsplit=1)[0]):
        return True
    zone = policy.get("zones", {}).get(name)
    if zone is None:
        return False
    if zone == "builtin":
        return any(
            member.code in (place, place.split("-", maxsplit=1)[0]) for member in BUILTIN_ZONES[ZoneId(name)].members
        )
    for member in zone:
        entry = {"country": member} if isinstance(member, str) else member
        code = entry.get("country", entry.get("subdivision"))
        if code in (place, place.split("-", maxsplit=1)[0]) and in_force(entry, day):
            return True
    return False


def as_list(value: Any) -> list[Any]:  # noqa: ANN401 - plain data
    return value if isinstance(value, list) else [value]


def is_in_any(policy: Written, place: str, names: str | list[str], day: date) -> bool:
    return any(is_inside(policy, place, name, day) for name in as_list(names))


def governs(policy: Written, when: Written, subject: str, exporter: str | None, kind: str, day: date) -> bool:  # noqa: PLR0913, PLR0917 - plain questions
    questions: dict[str, Question] = {
        "subject_in": lambda names: is_in_any(policy, subject, names, day),
        "exporter_in": lambda names: exporter is not None and is_in_any(policy, exporter, names, day),
        "class_in": lambda names: kind in as_list(names),
        "class_not": lambda names: kind not in as_list(names),
        "any": lambda parts: any(governs(policy, part, subject, exporter, kind, day) for part in parts),
        "all": lambda parts: all(governs(policy, part, subject, exporter, kind, day) for part in parts),
    }
    return all(questions[word](value) for word, value in when.items())


def covers(policy: Written, permit: Written, region: Written, tenant: Written, day: date) -> bool:
    mechanism = permit.get("enabled_by")
    if mechanism is not None and mechanism.split(".")[-1] not in tenant.get("mechanisms", {}):
        return False
    if not in_force(permit, day):
        return False
    place: str = region["subdivision"] if "subdivision" in region else region["country"]
    to = permit["to"]
    if not isinstance(to, dict):
        return is_in_any(policy, place, to, day)
    if not set(as_list(to.get("cert", []))) <= set(region.get("certs", [])):
        return False
    return all(is_in_any(policy, place, names, day) for word, names in to.items() if word != "cert")


def answers(policy: Written, tenant_id: str, kind: str, subject: str, day: date) -> dict[str, list[Answer]] | None:
    """Give each governing regime's answer for each region; None where no regime governs."""
    tenant = policy["tenants"][tenant_id]
    governing = [
        regime
        for regime in policy["regimes"]
        if governs(policy, regime["when"], subject, tenant.get("exporter"), kind, day)
    ]
    if not governing:
        return None
    return {
        name: [_answer(policy, regime, region, tenant, kind, day) for regime in governing]
        for name, region in policy["regions"].items()
    }


def _answer(policy: Written, regime: Written, region: Written, tenant: Written, kind: str, day: date) -> Answer:  # noqa: PLR0913, PLR0917 - see governs
    rule = regime.get("class", {}).get(kind)
    by_rule = False
    for permit in regime["permits"]:
        if covers(policy, permit, region, tenant, day):
            if rule is None or permit["id"] in rule["only"]:
                return (regime["id"], permit["id"], False)
            by_rule = True
    return (regime["id"], None, by_rule)
