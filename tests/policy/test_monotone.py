"""Through written policies: input that nobody has authenticated never adds a permitted region."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from policy.strategies import CLASSES, Written, as_yaml, policies, requests, signals

from extproc.core.decide import Decision, decide
from extproc.core.facts import RequestFacts, Signal, Source
from extproc.core.health import NEVER_OBSERVED
from extproc.core.ids import ConfigRevision, DataClass, DecisionId
from extproc.core.snapshot import Snapshot
from extproc.core.steering import Steer
from extproc.policy import compile_policy, parse_policy

MARCH_S = 1_772_500_000.0  # 2026-03-03: later than most of the boundaries that random policies have


def _snapshot(policy: Written) -> Snapshot:
    compiled = compile_policy(parse_policy(as_yaml(policy)))
    return Snapshot(
        revision=ConfigRevision("sha256:1"),
        policy=compiled.tables,
        suspensions=compiled.suspensions,
        health=(NEVER_OBSERVED,) * len(compiled.tables.regions),
    )


def _decided(facts: RequestFacts, snapshot: Snapshot, now_s: float) -> Decision:
    return decide(facts, snapshot, now_s=now_s, decision_id=DecisionId("00000000-0000-7000-8000-000000000000"))


def _permitted(decision: Decision) -> set[str]:
    if decision.verdict is None:
        return set()
    permitted = {str(region.region) for region in decision.verdict.regions if region.exclusion is None}
    if isinstance(decision.steering, Steer):
        assert set(decision.steering.plan) <= permitted
    return permitted


_NOW = st.sampled_from([MARCH_S, MARCH_S + 200 * 86_400, MARCH_S - 40 * 86_400])


@pytest.mark.slow
@settings(max_examples=18)
@given(policies(), st.lists(st.tuples(requests(), signals(Source.HEADER)), min_size=8, max_size=20), _NOW)
def test_a_declared_jurisdiction_never_adds_a_region(
    policy: Written, cases: list[tuple[RequestFacts, Signal]], now_s: float
) -> None:
    snapshot = _snapshot(policy)
    for request, header in cases:
        without = replace(request, signals=tuple(s for s in request.signals if s.source is not Source.HEADER))
        declared = replace(without, signals=(*without.signals, header))
        assert _permitted(_decided(declared, snapshot, now_s)) <= _permitted(_decided(without, snapshot, now_s))


@pytest.mark.slow
@settings(max_examples=18)
@given(policies(), st.lists(st.tuples(requests(), st.sampled_from(CLASSES)), min_size=8, max_size=20), _NOW)
def test_a_declared_class_never_adds_a_region(
    policy: Written, cases: list[tuple[RequestFacts, str]], now_s: float
) -> None:
    snapshot = _snapshot(policy)
    for request, name in cases:
        without = replace(request, declared_class=None)
        declared = replace(without, declared_class=DataClass(name))
        assert _permitted(_decided(declared, snapshot, now_s)) <= _permitted(_decided(without, snapshot, now_s))


@pytest.mark.slow
@settings(max_examples=15)
@given(policies(), policies(), st.lists(requests(), min_size=8, max_size=20))
def test_one_regime_more_never_adds_a_region(policy: Written, other: Written, cases: list[RequestFacts]) -> None:
    """It may add one where nothing governed before, which is why a request that nothing governs is refused."""
    snapshot = _snapshot(policy)
    more = _snapshot({**policy, "regimes": [*policy["regimes"], {**other["regimes"][0], "id": "extra"}]})
    for request in cases:
        before, after = _decided(request, snapshot, MARCH_S), _decided(request, more, MARCH_S)
        if before.verdict is not None and after.verdict is not None:
            assert _permitted(after) <= _permitted(before)
