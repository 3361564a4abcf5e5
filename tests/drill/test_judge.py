"""The outcome of a drill, of made-up answers and logs."""

from collections.abc import Mapping

import pytest
from drill.made import (
    AMS,
    EACH_S,
    IAD,
    MENDED_S,
    STRUCK_S,
    TARGETS,
    delivery,
    evidence,
    played,
    received,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from extproc.core.delivery import Finding
from extproc.drill.evidence import Evidence
from extproc.drill.judge import judge
from extproc.drill.outcome import Targets
from extproc.drill.scenarios import Scenario


def _away(at_s: float) -> Mapping[str, object]:
    """Eu-fra serves, and eu-ams while it is lost."""
    return {"region": AMS} if STRUCK_S <= at_s < MENDED_S else {}


def test_a_region_is_lost_and_nobody_notices_but_envoy() -> None:
    of = played(Scenario.REGION_LOSS, _away)
    log = evidence(of, deliveries=(delivery("d-201", STRUCK_S + 0.012, status=0),))
    outcome = judge(of, log, [], TARGETS)
    assert (outcome.failed, outcome.faults, outcome.passed) == (0, (), True)
    # The attempt failed at 2.012; the next request was sent at 2.02 and answered 50 ms later.
    assert outcome.recovery_s == pytest.approx(0.058, abs=1e-6)
    assert (outcome.requests, outcome.records, outcome.lost) == (650, 650, ())


def test_without_any_failure_there_was_no_interruption() -> None:
    of = played(Scenario.REGION_LOSS, _away)
    log = evidence(of, deliveries=(delivery("d-100", 1.0, status=0), delivery("d-300", 3.0, region=AMS, status=503)))
    outcome = judge(of, log, None, TARGETS)
    assert (outcome.interrupted, outcome.recovery_s, outcome.passed) == (False, None, True)


@settings(max_examples=8)
@given(st.integers(1, 200))
def test_the_time_to_recover_is_that_of_the_failures(count: int) -> None:
    until_s = STRUCK_S + count * EACH_S

    def says(at_s: float) -> Mapping[str, object]:
        lost = STRUCK_S <= at_s < until_s - EACH_S / 2
        return {"status": 503, "region": None, "latency_s": 0.001} if lost else _away(at_s)

    of = played(Scenario.REGION_LOSS, says)
    outcome = judge(of, evidence(of), [], TARGETS)
    assert outcome.recovery_s == pytest.approx(count * EACH_S + 0.05)
    assert outcome.failed == count
    assert outcome.unserved == (("503 without a reason", count),)
    assert outcome.passed is (count * EACH_S + 0.05 <= TARGETS.rto_s)


def test_service_that_does_not_come_back_is_never() -> None:
    of = played(Scenario.SIDECAR_KILL, lambda at_s: {"status": 0, "region": None} if at_s >= STRUCK_S else {})
    outcome = judge(of, evidence(of), [], TARGETS)
    assert (outcome.interrupted, outcome.recovery_s, outcome.passed) == (True, None, False)
    assert "was not there again in the 4.5 s" in outcome.faults[0]
    assert outcome.unserved == (("no answer", 450),)


def test_failures_before_the_fault_spoil_the_drill_and_a_relapse_does() -> None:
    broken = {"status": 500, "region": None}
    of = played(Scenario.REGION_LOSS, lambda at_s: broken if at_s in {1.0, 2.5, 4.5} else {})
    outcome = judge(of, evidence(of), [], TARGETS)
    assert [fault[:20] for fault in outcome.faults] == ["1 requests failed be", "1 requests were not "]


def test_a_lost_record_is_one_of_which_a_client_has_the_id() -> None:
    of = played(Scenario.SIDECAR_KILL)
    lost = frozenset({"d-7", "d-8"})
    outcome = judge(of, evidence(of, without=lost), None, TARGETS)
    assert (frozenset(outcome.lost), outcome.records) == (lost, 648)
    assert outcome.outside == ()
    assert outcome.faults == ("2 decisions were released of which the log has no record",)
    tolerant = Targets(rto_s=1.0, rpo_records=2, stated=True)
    assert judge(of, evidence(of, without=lost), None, tolerant).passed


def test_who_received_what_is_not_permitted_is_named_once() -> None:
    of = played(Scenario.REGION_LOSS, lambda at_s: {"region": IAD} if at_s == 3.0 else {})
    cells = [received("d-300", 3.01, IAD), received(None, 3.5), received("d-9", 99.0, IAD)]
    log = evidence(of, deliveries=(delivery("d-300", 3.0, region=IAD, finding=Finding.OUTSIDE_PERMITTED),))
    outcome = judge(of, log, cells, TARGETS)
    assert len(outcome.outside) == 2
    assert outcome.outside[0] == "us-iad received a request whose decision d-300 permits eu-ams eu-fra"
    assert outcome.outside[1] == "eu-fra received a request whose decision None is not in the log"
    assert "2 requests went where" in outcome.faults[-1]


def test_a_violation_that_only_envoy_saw_counts() -> None:
    of = played(Scenario.REGION_LOSS)
    findings = (
        delivery("d-5", 0.05, region=IAD, finding=Finding.OUTSIDE_PLAN),
        delivery(None, 3.0, region=IAD, finding=Finding.NO_DECISION),
        delivery("somebody-else", 3.0, region=IAD, finding=Finding.OUTSIDE_PLAN),
        delivery(None, 99.0, region=IAD, finding=Finding.NO_DECISION),
    )
    outcome = judge(of, evidence(of, deliveries=findings), None, TARGETS)
    assert outcome.outside == ("us-iad received d-5: outside_plan", "us-iad received None: no_decision")


def _ordered(at_s: float) -> Mapping[str, object]:
    return {"region": AMS} if STRUCK_S + 0.3 <= at_s < MENDED_S else {}


def test_after_an_order_the_time_counts_until_nothing_goes_there() -> None:
    of = played(Scenario.SUSPENSION, _ordered)
    late = delivery("d-199", STRUCK_S + 0.02, finding=Finding.AFTER_ORDER)
    outcome = judge(of, evidence(of, deliveries=(late,)), [received("d-199", STRUCK_S + 0.02)], TARGETS)
    assert outcome.recovery_s == pytest.approx(0.35)
    assert (outcome.in_flight, outcome.after_order, outcome.faults) == (4, 1, ())


def test_a_refusal_for_the_sake_of_an_order_is_no_failure() -> None:
    refused = {"status": 451, "region": None, "reason": "no_permitted_region"}
    of = played(Scenario.SUSPENSION, lambda at_s: refused if STRUCK_S + 0.3 <= at_s < MENDED_S else {})
    outcome = judge(of, evidence(of), [], TARGETS)
    assert (outcome.failed, outcome.refused, outcome.passed) == (0, 270, True)
    other = judge(played(Scenario.RELOAD, lambda at_s: refused if at_s == 3.0 else {}), evidence(of), [], TARGETS)
    assert (other.failed, other.refused, other.passed) == (1, 0, False)


def test_what_is_decided_a_second_after_the_order_must_not_reach_the_region() -> None:
    of = played(Scenario.SUSPENSION, lambda at_s: {} if at_s == 3.5 else _ordered(at_s))
    outcome = judge(of, evidence(of), [received("d-340", 3.4), received("d-299", 3.4)], TARGETS)
    assert any(fault.startswith("2 requests that were decided over 1 s after") for fault in outcome.faults)


def test_in_a_brown_out_a_few_slow_answers_are_borne() -> None:
    def shed(at_s: float) -> Mapping[str, object]:
        if not STRUCK_S <= at_s < MENDED_S:
            return {}
        slow = at_s < STRUCK_S + 0.5 or round(at_s / EACH_S) % 3 == 0
        return {"latency_s": 0.25} if slow else {"region": AMS, "latency_s": 0.07}

    of = played(Scenario.BROWN_OUT, shed)
    outcome = judge(of, evidence(of), [], TARGETS)
    assert outcome.passed
    # In the quarter of a second from 2.48 on, most of the requests are fast again.
    assert outcome.recovery_s == pytest.approx(0.57, abs=0.02)
    stuck = played(Scenario.BROWN_OUT, lambda at_s: {"latency_s": 0.25} if STRUCK_S <= at_s < MENDED_S else {})
    # It is fast again, but only because it was mended.
    assert judge(stuck, evidence(stuck), [], TARGETS).recovery_s is None
    assert judge(stuck, evidence(stuck), [], TARGETS).faults[0].startswith("service was not there again in the 3.0 s")


@pytest.mark.parametrize("scenario", [Scenario.RELOAD, Scenario.GEO_LOSS])
def test_what_nobody_may_notice_fails_with_one_failed_request(scenario: Scenario) -> None:
    calm = played(scenario)
    assert judge(calm, evidence(calm), [], TARGETS).passed
    of = played(scenario, lambda at_s: {"status": 503, "region": None, "reason": "x"} if at_s == 3.0 else {})
    assert judge(of, evidence(of), [], TARGETS).faults == ("1 requests failed, and none should have",)


def test_what_the_system_did_not_show_is_a_fault() -> None:
    of = played(Scenario.RELOAD, unmet=("not within 5 s: the sidecar decides by version 2 of the policy",))
    outcome = judge(of, evidence(of), [], TARGETS)
    assert outcome.faults == of.unmet


def test_a_drill_without_a_log_has_no_record_of_anything() -> None:
    of = played(Scenario.RELOAD)
    assert len(judge(of, Evidence(), None, TARGETS).lost) == 650
