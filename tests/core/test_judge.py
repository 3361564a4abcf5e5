"""Tier 1 asked directly: what it keeps, and what it refuses by itself."""

from dataclasses import replace

import pytest
from hypothesis import given
from support.tables import CLASSES, JURISDICTIONS, MODELS, NOW_S, facts, policies, snapshots

from extproc.core import jurisdiction
from extproc.core.decide import rule
from extproc.core.facts import RequestFacts
from extproc.core.ids import ModelId
from extproc.core.jurisdiction import Jurisdictions, Undecided, judge
from extproc.core.reasons import Refusal
from extproc.core.snapshot import Snapshot
from extproc.core.tables import PolicyTables

pytestmark = pytest.mark.slow


@given(policies())
def test_a_model_that_no_region_serves(policy: PolicyTables) -> None:
    for tenant in policy.tenants.values():
        with pytest.raises(Undecided) as caught:
            judge(
                policy=policy,
                epoch=policy.epochs[0],
                tenant=tenant,
                model=ModelId("unheard-of"),
                jurisdictions=Jurisdictions(names=(JURISDICTIONS[0],)),
                classes=(CLASSES[0],),
                suspensions=(),
                now_s=NOW_S,
            )
        assert caught.value.refusal is Refusal.UNKNOWN_MODEL


def test_what_is_kept_is_bounded_and_changes_no_answer() -> None:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(jurisdiction, "_KEPT_REGION_VERDICTS", 4)

        @given(facts(), snapshots())
        def compare(request: RequestFacts, snapshot: Snapshot) -> None:
            policy, orders = snapshot.policy, snapshot.suspensions
            for model in (*MODELS, *MODELS):
                asked = replace(request, model=model)
                fresh = replace(policy)  # which has kept nothing yet
                assert rule(asked, policy, orders, now_s=NOW_S) == rule(asked, fresh, orders, now_s=NOW_S)
                assert len(policy.verdicts) <= 4

        compare()
