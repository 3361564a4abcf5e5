"""What Envoy is told, byte by byte, and what a refused client is told."""

import json

import pytest
from envoy.service.ext_proc.v3.external_processor_pb2 import ProcessingResponse

from extproc.core.ids import DecisionId, RegionId
from extproc.core.reasons import Fault, Refusal
from extproc.core.steering import Deny, Steer
from extproc.names import DECISION_HEADER, METADATA_DECISION, METADATA_NAMESPACE, ROUTE_HEADER
from extproc.wire.refusals import REFUSALS
from extproc.wire.response import Responder

_ID = DecisionId("01890a5d-ac96-774b-bcce-b302099a8057")
_STEER = Steer(plan=(RegionId("eu-fra"), RegionId("eu-ams")), route="eu-fra>eu-ams")

_STATUSES = {
    Refusal.MALFORMED_REQUEST: 400,
    Refusal.MALFORMED_DECLARATION: 400,
    Refusal.CONFLICTING_DECLARATIONS: 400,
    Refusal.CONFLICTING_SIGNALS: 400,
    Refusal.POLICY_NOT_IN_FORCE: 503,
    Refusal.UNKNOWN_TENANT: 403,
    Refusal.UNKNOWN_MODEL: 404,
    Refusal.UNKNOWN_CLASS: 400,
    Refusal.UNKNOWN_JURISDICTION: 451,
    Refusal.UNGOVERNED_JURISDICTION: 451,
    Refusal.WRONG_INGRESS: 421,
    Refusal.NO_PERMITTED_REGION: 451,
    Refusal.NO_SERVING_REGION: 503,
    Refusal.SPILL_REFUSED: 503,
    Refusal.NO_ELIGIBLE_REGION: 503,
    Refusal.LOG_UNAVAILABLE: 503,
}


def _headers(mutation: object) -> dict[str, bytes]:
    return {option.header.key: option.header.raw_value for option in mutation.set_headers}  # type: ignore[attr-defined]


def test_steering_sets_the_route_and_the_decision_and_nothing_else() -> None:
    response = ProcessingResponse.FromString(Responder().respond(_STEER, _ID))
    assert response.WhichOneof("response") == "request_headers"
    common = response.request_headers.response
    assert _headers(common.header_mutation) == {ROUTE_HEADER: b"eu-fra>eu-ams", DECISION_HEADER: _ID.encode()}
    assert common.clear_route_cache
    assert not common.header_mutation.remove_headers


def test_every_refusal_has_its_status() -> None:
    assert {refusal: answer.status.value for refusal, answer in REFUSALS.items()} == _STATUSES
    assert set(REFUSALS) == set(Refusal)
    assert {fault.value for fault in Fault} <= {refusal.value for refusal in Refusal}


@pytest.mark.parametrize("refusal", Refusal)
def test_a_refusal_is_a_problem_document(refusal: Refusal) -> None:
    response = ProcessingResponse.FromString(Responder().respond(Deny(refusal=refusal), _ID))
    immediate = response.immediate_response
    headers = _headers(immediate.headers)
    problem = json.loads(immediate.body)
    assert immediate.status.code == _STATUSES[refusal]
    assert headers["content-type"] == b"application/problem+json"
    assert headers["cache-control"] == b"no-store"
    assert "retry-after" not in headers
    assert set(problem) == {"type", "title", "status", "detail", "reason", "decision"}
    assert (problem["status"], problem["reason"], problem["decision"]) == (_STATUSES[refusal], refusal.value, _ID)


def test_retry_after_is_told_where_it_may_help() -> None:
    deny = Deny(refusal=Refusal.NO_SERVING_REGION, retry_after_s=2)
    immediate = ProcessingResponse.FromString(Responder().respond(deny, _ID)).immediate_response
    assert _headers(immediate.headers)["retry-after"] == b"2"


def test_a_redirect_keeps_the_path_and_names_the_host() -> None:
    responder = Responder()
    deny = Deny(refusal=Refusal.WRONG_INGRESS, redirect_host="sg.api.example")
    for path in (b"/v2/models/digits/infer?a=b%20c", b"/other", b""):
        immediate = ProcessingResponse.FromString(responder.respond(deny, _ID, path=path)).immediate_response
        assert immediate.status.code == 307
        assert _headers(immediate.headers)["location"] == b"https://sg.api.example" + path
        assert json.loads(immediate.body)["reason"] == "wrong_ingress"
        assert path.decode() not in immediate.body.decode() or not path


@pytest.mark.parametrize("steering", [_STEER, Deny(refusal=Refusal.NO_PERMITTED_REGION)])
def test_each_answer_bears_its_own_decision(steering: Steer | Deny) -> None:
    responder = Responder()
    other = DecisionId("01890a5d-ac96-774b-bcce-b302099a8058")
    for decision in (_ID, other, _ID):
        response = ProcessingResponse.FromString(responder.respond(steering, decision))
        assert response.dynamic_metadata[METADATA_NAMESPACE][METADATA_DECISION] == decision


def test_the_cache_of_answers_is_bounded() -> None:
    responder = Responder()
    for i in range(5000):
        responder.respond(Steer(plan=(RegionId("a"),), route=f"cluster-{i}"), _ID)
    assert len(responder._templates) <= 4096
