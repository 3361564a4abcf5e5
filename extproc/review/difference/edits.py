"""What was written differently, part by part, for what no single answer shows: signals, ingress, orders, citations.

Parts are named as the policy's author writes them: `signals.geoip.unknown`, `regimes.eu-gdpr.permits.dpf.cite`.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from extproc.policy.canonical import format_canonical
from extproc.policy.document import PolicyDocument
from extproc.review.difference.edit_effects import chosen_names, is_shown, may_widen

Json: TypeAlias = str | int | float | bool | list["Json"] | dict[str, "Json"] | None
Path: TypeAlias = tuple[str, ...]

# Fields of the document whose name is not the one that is written.
_WRITTEN: Final = {
    "identity": "policy",
    "data_class": "class",
    "class_rules": "class",
    "class_header": "class.header",
    "payload": "class.body",
    "from_at": "from",
    "until_at": "until",
    "within": "in",
    "certs": "cert",
    "trusted_hops": "edge.trusted_hops",
    "assume": "unknown.assume",
    "locate_anonymous": "anonymous.locate",
    "registered": "also.registered",
    "represented": "also.represented",
    "plan_length": "plan.length",
    "subject": "subject.claim",
    "session_header": "affinity.header",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """One part that is another. `before` and `after` are what is written, None where nothing is or its default.

    `shown` tells whether all that it does to a decision is seen in the answers. `may_widen`, for what is not, whether
    by itself it may let a request go where it might not, as far as that can be told from the words.
    """

    part: str
    before: Json
    after: Json
    shown: bool
    may_widen: bool


def edits_of(a: PolicyDocument, b: PolicyDocument) -> tuple[Edit, ...]:
    """List what differs, in the order of the parts' names. The policy's tests are not looked at."""
    return tuple(
        Edit(part=_written(path), before=was, after=is_, shown=is_shown(path), may_widen=may_widen(path, was, is_))
        for path, was, is_ in _differing((), _plain(a), _plain(b))
        if path != ("identity", "version")
    )


def _plain(document: PolicyDocument) -> Json:
    whole: dict[str, dict[str, Json]] = json.loads(format_canonical(document))
    # Left out where there are none; each order is a part by itself all the same.
    return {"overrides": [], **whole["document"]}


def _differing(path: Path, a: Json, b: Json) -> Iterator[tuple[Path, Json, Json]]:
    """Give the smallest parts that differ: entries of tables, and of lists whose entries have ids."""
    if a == b:
        return
    one, other = _entries(a), _entries(b)
    # How a tenant is matched is one thing, whatever it is made of.
    if one is None or other is None or path[-1:] == ("match",):
        yield path, a, b
        return
    for name in sorted({*one, *other}):
        yield from _differing((*path, name), one.get(name), other.get(name))
    if list(one) != list(other) and set(one) == set(other) and isinstance(a, list):
        yield (*path, "order"), list(one), list(other)


def _entries(value: Json) -> Mapping[str, Json] | None:
    """Give the named parts of a value; None for one that is a whole by itself."""
    if isinstance(value, dict):
        return value
    if not isinstance(value, list):
        return None
    if not value:
        return {}
    for name in ("id", "code"):
        named = {str(item[name]): item for item in value if isinstance(item, dict) and name in item}
        if len(named) == len(value):
            return dict(named)
    return None


def _written(path: Path) -> str:
    steps = zip(path, chosen_names(path), strict=True)
    return ".".join(step if chosen else _WRITTEN.get(step, step) for step, chosen in steps)
