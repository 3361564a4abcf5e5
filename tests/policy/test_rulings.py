"""The compiler against the literal interpreter: every class, place and tenant, at times around every boundary."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from math import inf
from pathlib import Path

import pytest
from hypothesis import given, settings
from policy.literal import Answer, answers
from policy.strategies import DAYS, PLACES, Written, as_yaml, policies, read_plain

import extproc.policy
from extproc.core.ids import DataClass, Jurisdiction, TenantId
from extproc.core.iso3166 import COUNTRIES
from extproc.core.jurisdiction import Undecided, ruling_for
from extproc.policy import CompiledPolicy, compile_policy, parse_policy

DEMO = Path(extproc.policy.__file__).parent / "examples" / "demo.yaml"
FULL = Path(__file__).parent / "full.yaml"
# Subdivisions that policies of these tests name, and some that they do not.
SUBDIVISIONS = ["CA-QC", "CA-ON", "DE-HE", "US-CA", "AE-DU"]


def _seconds(day: date) -> float:
    return datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()


def _compiled_answers(
    compiled: CompiledPolicy, tenant: str, kind: str, subject: str, now_s: float
) -> dict[str, list[Answer]] | None:
    tables = compiled.tables
    epoch = tables.epoch_at(now_s)
    assert epoch is not None
    rulings = epoch.profiles[tables.tenants[TenantId(tenant)].profile]
    try:
        ruling = ruling_for(rulings, DataClass(kind), Jurisdiction(subject))
    except Undecided:
        return None
    found = {}
    for i, region in enumerate(tables.regions):
        row = ruling.grants[i]
        assert tuple(grant.regime for grant in row) == ruling.regimes
        assert bool(ruling.permitted >> i & 1) == all(grant.permit is not None for grant in row)
        found[str(region.id)] = [
            (str(grant.regime), None if grant.permit is None else str(grant.permit.id), grant.class_rule)
            for grant in row
        ]
    return found


def _assert_equal_everywhere(policy: Written, compiled: CompiledPolicy, subjects: list[str], days: list[date]) -> None:
    as_of = date.fromisoformat(policy["policy"]["as_of"])
    for day in sorted({max(day, as_of) for day in days}):
        for tenant in policy["tenants"]:
            for kind in policy["classes"]:
                for subject in subjects:
                    expected = answers(policy, tenant, kind, subject, day)
                    for now_s in (_seconds(day), _seconds(day + timedelta(days=1)) - 0.001):
                        assert _compiled_answers(compiled, tenant, kind, subject, now_s) == expected, (
                            tenant,
                            kind,
                            subject,
                            now_s,
                        )


def _around(*days: str) -> list[date]:
    return [date.fromisoformat(day) + timedelta(days=step) for day in days for step in (-1, 0, 1)]


@pytest.mark.slow
@pytest.mark.parametrize("path", [DEMO, FULL], ids=["demo", "full"])
def test_every_country_class_and_tenant_around_every_boundary(path: Path) -> None:
    policy = read_plain(path)
    compiled = compile_policy(parse_policy(path.read_bytes()))
    days = _around("2026-01-10", "2026-01-26", "2026-02-01", "2026-11-21", "2026-12-31", "2027-02-21", "2027-12-27")
    _assert_equal_everywhere(policy, compiled, sorted(COUNTRIES) + SUBDIVISIONS, days)


@pytest.mark.slow
@settings(max_examples=18)
@given(policies())
def test_random_policies(policy: Written) -> None:
    compiled = compile_policy(parse_policy(as_yaml(policy)))
    _assert_equal_everywhere(policy, compiled, [*PLACES, "CA-ON", "NL", "ZA"], _around(*DAYS))


@pytest.mark.slow
@settings(max_examples=15)
@given(policies())
def test_epochs_cover_all_time_from_the_policys_first_day(policy: Written) -> None:
    tables = compile_policy(parse_policy(as_yaml(policy))).tables
    start_s = _seconds(date.fromisoformat(policy["policy"]["as_of"]))
    assert tables.epochs[0].starts_s == start_s
    assert tables.epochs[-1].ends_s == inf
    assert all(before.ends_s == after.starts_s for before, after in pairwise(tables.epochs))
    assert all(epoch.starts_s < epoch.ends_s for epoch in tables.epochs)
    assert tables.epoch_at(start_s - 0.001) is None
    assert tables.epoch_at(start_s) is tables.epochs[0]


def test_a_policy_stays_in_force_after_its_review_is_due() -> None:
    tables = compile_policy(parse_policy(DEMO.read_bytes())).tables
    assert tables.epoch_at(_seconds(date(2035, 1, 1))) is not None
