"""The regulatory mapping as a Markdown table, made from the same files as the policies.

`python -m extproc.policy.starter.table README.md` brings the block between the markers of a file up to date.
"""

import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from extproc.policy.starter.fragments import PermitText, RegimeText, regime_texts
from extproc.policy.starter.places import names_of
from extproc.policy.starter.presets import AREAS
from extproc.policy.starter.selection import PUBLIC_DATA

BEGIN: Final = "<!-- regulatory-table -->"
END: Final = "<!-- /regulatory-table -->"

_COLUMNS: Final = (
    "regime",
    "governs",
    "permitted region without a transfer",
    "transfer basis (the mechanism that enables it)",
    "class rules",
    "obligations",
    "citations",
    "last checked",
    "not verified",
)

_UNVERIFIED: Final = "Not verified: "


class MarkerError(Exception):
    """The file has no place for the table; the message says how to make one."""


def render_table() -> str:
    """Write the table, one row for each regime in the order of the areas. How sure the author is stands in brackets."""
    names = [*(name for area in AREAS.values() for name in area.regimes), PUBLIC_DATA]
    rows = [_row(regime_texts()[name]) for name in names]
    lines = [_COLUMNS, ("---",) * len(_COLUMNS), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def updated(text: str) -> str:
    """Give a document with the table of today between its markers. Raises MarkerError."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise MarkerError(f"the table has no place. Mend: write {BEGIN} and {END} on lines of their own")
    return f"{before}{BEGIN}\n\n{render_table()}\n{END}{after}"


def _row(regime: RegimeText) -> tuple[str, ...]:
    home = [_permit(permit) for permit in regime.permits if not permit.is_transfer]
    away = [_permit(permit) for permit in regime.permits if permit.is_transfer]
    rules = [
        f"{name}: only {', '.join(_code(id_) for id_ in only)} ({regime.rule_cites[name].strip(chr(34))})"
        for name, only in regime.rules.items()
    ]
    duties = [f"{duty['duty']} ({duty['cite']})" for duty in regime.data.get("obligations", ())]
    cites = dict.fromkeys(str(permit.data["cite"]) for permit in regime.permits)
    days = sorted({str(permit.data["as_of"]) for permit in regime.permits})
    doubt = "" if regime.data.get("verified", True) else str(regime.data["note"]).removeprefix(_UNVERIFIED)
    cells = (
        [_code(regime.id)],
        [_governs(regime.data["when"])],
        home,
        away,
        rules,
        duties,
        list(cites),
        days,
        [doubt],
    )
    return tuple(_cell(lines) for lines in cells)


def _cell(lines: Iterable[str]) -> str:
    return "<br>".join(line.replace("|", "\\|") for line in lines if line) or "-"


def _code(name: str) -> str:
    return f"`{name}`"


def _permit(permit: PermitText) -> str:
    entry = permit.data
    by = f", by {_code(permit.mechanism)}" if permit.mechanism is not None else ""
    days = [f"{word} {entry[key]}" for word, key in (("from", "valid_from"), ("until", "valid_until")) if key in entry]
    when = f", {' '.join(days)}" if days else ""
    return f"{_code(permit.id)}: {_destination(entry['to'])} ({entry['basis']}{by}{when}; {entry['confidence']})"


def _destination(to: Any) -> str:  # noqa: ANN401 - `to:` as it is written
    if not isinstance(to, Mapping):
        return ", ".join(names_of(to))
    places = " and ".join(", ".join(names_of(to[key])) for key in ("zone", "country", "subdivision", "in") if key in to)
    said = [
        ("cert", "if certified"),
        ("not_in", "but not in"),
        ("operator_in", "if operated from"),
        ("operator_not_in", "and not operated from"),
    ]
    return ", ".join([places, *(f"{word} {', '.join(names_of(to[key]))}" for key, word in said if key in to)])


def _governs(when: Mapping[str, Any]) -> str:
    """Say a condition in words. That no regime but one governs the class public is said once, above the table."""
    words = {
        "subject_in": "people in {}",
        "exporter_in": "exporters in {}",
        "tenant_has": "tenants with {}",
        "tenant_has_not": "not tenants with {}",
        "class_in": "class {}",
        "class_not": "not class {}",
    }
    parts: list[str] = []
    for key, value in when.items():
        if key == "any":
            parts.append(" or ".join(_governs(part) for part in value))
        elif names_of(value) != ["public"] or key != "class_not":
            parts.append(words[key].format(", ".join(names_of(value))))
    return "; ".join(parts)


def main(argv: list[str]) -> int:
    """Bring the tables of the files up to date. Gives an exit code."""
    for name in argv:
        path = Path(name)
        try:
            path.write_text(updated(path.read_text(encoding="utf-8")), encoding="utf-8")
        except MarkerError as error:
            sys.stderr.write(f"{path}: {error}\n")
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
