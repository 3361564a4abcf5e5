"""Planted faults: each check finds its own, at its place and with its mend; and the clean policy has nothing."""

from datetime import date
from pathlib import Path

import pytest
from review.lint.faults import FAULTS, Fault

from extproc.policy import compile_policy, parse_policy
from extproc.policy.override_file import load_overrides
from extproc.review.lint import CHECKS, Finding, OrderFile, lint, places_of_text

CLEAN = (Path(__file__).parent / "clean.yaml").read_text()
TODAY = date(2026, 11, 21)


def _planted(fault: Fault) -> tuple[str, str, int, int]:
    """Give the faulty policy, and the file, line and column of the mark."""
    text = CLEAN
    for old, new in fault.edits:
        assert text.count(old) >= 1, old
        text = text.replace(old, new, 1)
    marked = fault.orders or text
    before = marked[: marked.index("§")].split("\n")
    return text.replace("§", ""), "o.yaml" if fault.orders else "p.yaml", len(before), len(before[-1]) + 1


def _lint(text: str, fault: Fault, folder: Path) -> tuple[Finding, ...]:
    overrides = None
    if fault.orders:
        orders = fault.orders.replace("§", "")
        (folder / "o.yaml").write_text(orders)
        overrides = OrderFile(orders=load_overrides(folder / "o.yaml"), places=places_of_text(orders, file="o.yaml"))
    compiled = compile_policy(parse_policy(text, file="p.yaml"))
    places = places_of_text(text, file="p.yaml")
    return lint(compiled, places, today=fault.today, geo=fault.geo, overrides=overrides)


def test_the_clean_policy_has_no_finding() -> None:
    compiled = compile_policy(parse_policy(CLEAN))
    assert lint(compiled, places_of_text(CLEAN, file="p.yaml"), today=TODAY) == ()


def test_every_check_has_a_planted_fault() -> None:
    assert [check.id for check in CHECKS] == [fault.id for fault in FAULTS]


@pytest.mark.parametrize("fault", FAULTS, ids=[fault.id for fault in FAULTS])
def test_a_planted_fault_is_found_at_its_place_with_its_mend(fault: Fault, tmp_path: Path) -> None:
    text, file, line, column = _planted(fault)
    found = [finding for finding in _lint(text, fault, tmp_path) if finding.id == fault.id]
    assert len(found) == 1, found
    (finding,) = found
    assert (finding.place.line, finding.place.column) == (line, column), str(finding)
    assert fault.mend in finding.mend
    assert fault.message in finding.message
    assert str(finding).startswith(f"{file}:{line}:{column}: {finding.level.value} {fault.id}: ")
    assert not finding.message.endswith(".")
    assert not finding.mend.endswith(".")
