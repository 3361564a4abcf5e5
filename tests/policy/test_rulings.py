"""The compiler and the decision against the literal interpreter, on random policies over the whole language."""

from collections import Counter
from dataclasses import replace
from datetime import UTC, date, datetime
from itertools import pairwise
from math import inf
from pathlib import Path

import pytest
from hypothesis import given, settings
from policy.asking import compiled, decided, plan_of, question_of, ruled
from policy.literal import Answer, Literal
from policy.random_laws import Written
from policy.strategies import cases, policies

import extproc.policy
from extproc.core.facts import RequestFacts
from extproc.core.reasons import Exclusion
from extproc.core.steering import Deny
from extproc.policy import load_policy

DEMO = Path(extproc.policy.__file__).parent / "examples" / "demo.yaml"

_REFUSALS = [
    "no_permitted_region",
    "ungoverned_jurisdiction",
    "unknown_jurisdiction",
    "conflicting_signals",
    "policy_not_in_force",
    "unknown_model",
    "wrong_ingress",
]


@pytest.mark.slow
def test_a_decision_is_what_the_policy_literally_says() -> None:
    seen: Counter[str] = Counter()

    @settings(max_examples=200)
    @given(policies(), cases())
    def compare(policy: Written, asked: list[tuple[RequestFacts, datetime]]) -> None:
        literal, compiled_policy = Literal(policy), compiled(policy)
        for facts, now in asked:
            question = question_of(facts)
            expected = literal.answer(question, now)
            tables, orders = compiled_policy.tables, compiled_policy.suspensions
            assert ruled(question, tables, orders, now.timestamp()) == replace(expected, plan=()), (question, now)
            decision = decided(facts, compiled_policy, now)
            assert plan_of(decision) == expected.plan, (question, now)
            reason = decision.steering.refusal.value if isinstance(decision.steering, Deny) else None
            assert reason == expected.refusal
            seen.update(_aspects(expected))

    compare()
    _assert_means_something(seen)


def _aspects(answer: Answer) -> list[str]:
    """List what is remarkable in an answer."""
    aspects = {
        "transfer": any(answer.transfers.values()),
        "obligation": bool(answer.obligations),
        "assumed": answer.assumed,
        "unregulated": bool(answer.classes) and not answer.regimes,
        "several places": len(answer.places) > 1,
        "host": answer.host is not None,
        "several in the plan": len(answer.plan) > 1,
    }
    excluded = {f"excluded: {region.exclusion}" for region in answer.regions.values() if region.exclusion is not None}
    return [answer.refusal or "steered", *sorted(excluded), *(name for name, holds in aspects.items() if holds)]


def _assert_means_something(seen: Counter[str]) -> None:
    """Assert that the answers were of every kind, and often enough, or their agreement would mean little."""
    asked = seen["steered"] + sum(seen[name] for name in _REFUSALS)
    assert seen["steered"] >= asked / 5, seen
    kinds = [*_REFUSALS, *(f"excluded: {why.value}" for why in Exclusion if not why.is_of_fitness)]
    others = ["transfer", "obligation", "assumed", "unregulated", "several places", "host", "several in the plan"]
    assert {name: seen[name] for name in [*kinds, *others] if seen[name] < asked / 300} == {}, seen


@pytest.mark.slow
@settings(max_examples=15)
@given(policies())
def test_tables_are_whole(policy: Written) -> None:
    """Epochs cover all time from the first day, and what a ruling says at once is what it says region by region."""
    tables = compiled(policy).tables
    start_s = _seconds(date.fromisoformat(policy["policy"]["as_of"]))
    assert tables.epochs[0].starts_s == start_s
    assert tables.epochs[-1].ends_s == inf
    assert all(before.ends_s == after.starts_s for before, after in pairwise(tables.epochs))
    assert all(epoch.starts_s < epoch.ends_s for epoch in tables.epochs)
    assert tables.epoch_at(start_s - 0.001) is None
    assert tables.epoch_at(start_s) is tables.epochs[0]
    for epoch in tables.epochs:
        for rulings in epoch.profiles:
            for ruling in {id(each): each for by_place in rulings.values() for each in by_place.values()}.values():
                for i, row in enumerate(ruling.grants):
                    assert tuple(grant.regime for grant in row) == ruling.regimes
                    assert bool(ruling.permitted >> i & 1) == all(grant.permits for grant in row)
                    assert all((grant.lacking is None) == bool(grant.permits) for grant in row)


def test_a_policy_stays_in_force_after_its_review_is_due() -> None:
    assert load_policy(DEMO).tables.epoch_at(_seconds(date(2035, 1, 1))) is not None


def _seconds(day: date) -> float:
    return datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()
