"""Which edits the answers show, and which of the others may widen by themselves.

Answers are about the place, the class and the tenant that a request has been found to have. How they are found
(signals, matches, the edge) is before that, so what changes there is judged by its words alone: to the side of caution,
because a signal that is read no more also narrows no more.
"""

from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Final, TypeAlias

Json: TypeAlias = str | int | float | bool | list["Json"] | dict[str, "Json"] | None
Path: TypeAlias = tuple[str, ...]
_Widens: TypeAlias = Callable[[Json, Json], bool]

# The parts of regimes, tenants, regions and models that the answers do not show, or not all.
_UNSHOWN: Final = frozenset(
    """
    match subjects expects reference cluster version digest rtt_ms name
    capacity quota slo_ms needs max_age_s recovery rto_s rpo_records
    cite as_of review_by confidence risk note verified duty obligations
    """.split()
)
_UNSEEN: Final = frozenset({"match", "subjects", "cluster", "version"})
"""Those of them that tell where a request goes, or as whose and whence it counts."""
_NAMING: Final = frozenset(
    {"permits", "obligations", "mechanisms", "class_rules", "classes", "models", "members", "needs", "weights"}
)
_NAMING_SECTIONS: Final = frozenset({"zones", "regions", "models", "regimes", "tenants", "overrides"})
"""Fields whose parts have names of the author's choice."""
_SECTIONS_SHOWN: Final = frozenset({"classes", "unregulated", "zones", "regions", "models", "regimes", "tenants"})


def is_shown(path: Path) -> bool:
    """Tell whether all that an edit does to a decision is seen in the answers."""
    if path[0] not in _SECTIONS_SHOWN:
        return False
    # A name that the author chose may be one of these words, so only what stands where fields stand counts.
    return _UNSHOWN.isdisjoint(_fields(path))


def may_widen(path: Path, before: Json, after: Json) -> bool:
    """Tell whether an edit that the answers do not show may let a request go where it might not go."""
    if is_shown(path):
        return False
    fields = _fields(path)
    for pattern, widens in _WIDENING.items():
        if fields[: len(pattern)] == pattern:
            return widens(before, after)
    return path[0] in ("regions", "tenants") and not _UNSEEN.isdisjoint(fields)


def chosen_names(path: Path) -> tuple[bool, ...]:
    """Tell of each step whether it is a name that the author chose, of a tenant or a permit, and no field's."""
    found = [False]
    for before, after in pairwise(path):
        top = len(found) == 1
        found.append(not found[-1] and before in (_NAMING_SECTIONS if top else _NAMING) and after != "order")
    return tuple(found)


def _fields(path: Path) -> Path:
    """Leave out the names that the author chose."""
    return tuple(step for step, chosen in zip(path, chosen_names(path), strict=True) if not chosen)


def _always(_before: Json, _after: Json) -> bool:
    return True


def _never(_before: Json, _after: Json) -> bool:
    return False


def _unless_begun(before: Json, _after: Json) -> bool:
    """Hold for what only narrows, such as a signal: to ask for it for the first time cannot widen."""
    return before is not None


def _unless_ended(_before: Json, after: Json) -> bool:
    return after is not None


def _if_more(before: Json, after: Json) -> bool:
    return not _listed(after) <= _listed(before)


def _if_ended(_before: Json, after: Json) -> bool:
    return after in (None, False)


def _if_begun(_before: Json, after: Json) -> bool:
    return after is True


def _if_longer(before: Json, after: Json) -> bool:
    if after is None:
        return True
    return isinstance(before, int | float) and isinstance(after, int | float) and after > before


def _conflict(before: Json, after: Json) -> bool:
    ranks: Mapping[Json, int] = {"deny": 0, "intersect": 1, "prefer_verified": 2}
    return ranks[after or "intersect"] > ranks[before or "intersect"]


def _if_earlier(before: Json, after: Json) -> bool:
    return str(after) < str(before)


def _listed(value: Json) -> set[str]:
    return set(map(str, value)) if isinstance(value, list) else set()


# The first one that the edit's path begins with. Whole signals come last.
_WIDENING: Final[Mapping[Path, _Widens]] = {
    ("identity", "as_of"): _if_earlier,
    ("ingress", "trusted_hops"): _always,
    ("conflict",): _conflict,
    ("signals", "tenant", "may_replace"): _if_more,
    ("signals", "jwt", "may_replace"): _if_more,
    ("signals", "geoip", "assume"): _unless_ended,
    ("signals", "geoip", "locate_anonymous"): _if_begun,
    ("signals", "geoip", "registered"): _if_ended,
    ("signals", "geoip", "represented"): _if_ended,
    ("signals", "geoip", "max_age_days"): _if_longer,
    ("signals", "header"): _unless_begun,
    ("signals", "class_header"): _unless_begun,
    ("signals", "payload"): _unless_begun,
    ("signals", "tenant"): lambda _before, after: bool(isinstance(after, dict) and after.get("may_replace")),
    ("signals",): _always,
    ("deployment",): _never,
    ("evidence",): _never,
    ("overrides",): _never,
    # A region that is held to less is permitted at moments at which it was not.
    ("regions", "models", "digest"): _unless_begun,
    ("regions", "needs", "max_age_s"): _if_longer,
    ("regions", "needs"): _unless_begun,
}
