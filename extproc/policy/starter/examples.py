"""The tests of a starter policy: what the law must answer, with the regions that this policy has.

The answers are written by hand in `parts/cases.yaml`, in places; this turns places into regions and leaves out what a
policy has no law or tenant for. It evaluates nothing.
"""

from collections.abc import Iterator, Mapping
from textwrap import wrap
from typing import Any, Final

from extproc.policy.starter.fragments import read_part, read_yaml
from extproc.policy.starter.presets import LEGAL_FIRST
from extproc.policy.starter.selection import Kept, Selection

_WIDTH: Final = 120
_TENANT: Final = "retail"
_DECLARED: Final = "group"


def tests_text(selection: Selection, name: str) -> str:
    """Write the entries of `tests:`; `name` is the preset's."""
    home = selection.preset.home
    zone = "EEA" if home == "DE" else home
    text = read_part("cases").replace("$home_zone", zone).replace("$home", home)
    every = read_yaml(text)
    fitting = [case for case in every if _fits(case, selection, name)]
    own = [_own_rule_case(kept, every) for kept in selection.regimes if kept.own_rule]
    return "".join(_entry(case, selection) for case in [*fitting, *own])


def _fits(case: Mapping[str, Any], selection: Selection, name: str) -> bool:
    return (
        {kept.regime.id for kept in selection.regimes}.issuperset(case.get("needs", ()))
        and selection.profile in case.get("only", [selection.profile])
        and name not in case.get("without", ())
        and case["in"].get("tenant", _TENANT) in selection.tenants
    )


def _own_rule_case(kept: Kept, every: list[Mapping[str, Any]]) -> dict[str, Any]:
    """Make the case of a preset's own class rule: with everything declared, the answer is as if nothing were."""
    regime = kept.regime.id
    plain = next(case for case in every if case.get("needs", [""])[-1] == regime and _is_plain(case))
    tenant = plain["in"].get("tenant", _DECLARED)
    given = {"tenant": tenant, "class": kept.own_rule, "geoip": plain["in"]["geoip"]}
    return {
        "name": f"by this preset's own rule, {kept.own_rule} data rests on no transfer under {regime}",
        "in": given,
        "permitted": plain["permitted"],
        "but": plain.get("but", []),
    }


def _is_plain(case: Mapping[str, Any]) -> bool:
    """Tell whether nothing is declared in a case: only somebody somewhere, whose law answers."""
    given = case["in"]
    return (
        set(given) <= {"tenant", "geoip"}
        and "permitted" in case
        and case.get("only", [LEGAL_FIRST]) == [LEGAL_FIRST]
        and "now" not in case
    )


def _entry(case: Mapping[str, Any], selection: Selection) -> str:
    given = {"tenant": _TENANT, **case["in"]}
    lines = [f"  - name: {case['name']}"]
    if "now" in case:
        lines.append(f"    now: {case['now']}")
    lines.append(f"    in: {{{', '.join(f'{key}: {value}' for key, value in given.items())}}}")
    if "refused" in case:
        lines.append(f"    expect: {{refused: {case['refused']}}}")
        return _join(lines)
    regions = selection.catalogue.regions_in
    but = regions(case.get("but", []))
    lines.append("    expect:")
    lines.extend(_listed("permitted", regions(case["permitted"]) - but))
    if "transfers" in case and selection.profile != LEGAL_FIRST:
        lines.extend(_listed("transfers", regions(case["transfers"]) - but))
    return _join(lines)


def _listed(key: str, regions: frozenset[str]) -> Iterator[str]:
    body = f"[{', '.join(sorted(regions))}]"
    start = f"      {key}: "
    yield from wrap(
        body,
        width=_WIDTH,
        initial_indent=start,
        subsequent_indent=" " * (len(start) + 1),
        break_long_words=False,
        break_on_hyphens=False,
    )


def _join(lines: list[str]) -> str:
    return "".join(f"{line}\n" for line in lines)
