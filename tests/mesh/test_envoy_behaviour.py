"""What a real Envoy does with the rendered configuration."""

import contextlib
import http.client
import json
import time
from collections.abc import Iterator
from pathlib import Path

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from mesh.world import Proto, World, headers_of, running_world, source_of, wait_for

from extproc.mesh.section import Jwt
from extproc.names import ATTEMPT_LOG, DECISION_HEADER, JWT_NAMESPACE, JWT_PAYLOAD, REQUEST_LOG, ROUTE_HEADER

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

KEY = ec.generate_private_key(ec.SECP256R1())
ISSUER = "https://id.example"


@pytest.fixture(scope="module")
def shared_world(any_envoy: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    directory = tmp_path_factory.mktemp("world")
    keys = directory / "jwks.json"
    public = json.loads(jwt.algorithms.ECAlgorithm.to_jwk(KEY.public_key()))
    keys.write_text(json.dumps({"keys": [{**public, "kid": "k1", "alg": "ES256"}]}))
    section = Jwt(issuer=ISSUER, audiences=("inference",), jwks_file=str(keys))
    with running_world(any_envoy, directory, jwt=section) as running:
        yield running


@pytest.fixture
def world(shared_world: World) -> World:
    shared_world.forget()
    return shared_world


def token(**changes: object) -> str:
    claims = {"iss": ISSUER, "aud": "inference", "exp": time.time() + 600, "tenant": "acme", **changes}
    return jwt.encode(claims, KEY, algorithm="ES256", headers={"kid": "k1"})


def test_a_request_goes_where_the_sidecar_says(world: World) -> None:
    assert world.get("route c1").status_code == 200
    assert world.asked() == [0, 1, 0]


def test_a_client_cannot_name_its_own_route(world: World) -> None:
    assert world.get("route c1", x_situs_route="c2", x_situs_decision="mine").status_code == 200
    assert world.asked() == [0, 1, 0]
    assert world.cells[1].requests[0][DECISION_HEADER] != "mine"


def test_a_route_of_the_clients_does_not_stand_in_for_a_missing_one(world: World) -> None:
    for name in ("x_situs_route", "X_Situs_Route"):
        answer = world.get("none", **{name: "c2"})
        assert answer.status_code == 503
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["detail"] == "No decision was made."
    assert world.asked() == [0, 0, 0]


def test_a_header_with_an_underscore_is_refused(world: World) -> None:
    answer = world.client.get(world.url, headers={"x_situs_route": "c2"})
    assert answer.status_code == 400


def test_every_header_of_ours_and_of_envoys_is_stripped_early(world: World) -> None:
    world.get("route c0", x_situs_expect_region="eu", x_envoy_max_retries="9", x_envoy_retry_on="5xx")
    got = world.cells[0].requests[0]
    assert {name for name in got if name.startswith(("x-situs-", "x-envoy-"))} == {DECISION_HEADER}
    assert ROUTE_HEADER not in got
    assert "x-forwarded-for" not in got


def test_the_backup_serves_what_the_primary_could_not(world: World) -> None:
    world.cells[0].status = 503
    assert world.get("route c0>c2").status_code == 200
    assert world.asked() == [1, 0, 1]


def test_a_connection_that_breaks_is_retried_in_the_backup(world: World) -> None:
    world.cells[0].status = 0
    assert world.get("route c0>c2").status_code == 200
    assert world.asked() == [1, 0, 1]


def test_an_error_of_the_model_is_not_spread_to_other_regions(world: World) -> None:
    world.cells[0].status = 500
    assert world.get("route c0>c2").status_code == 500
    assert world.asked() == [1, 0, 0]


def test_a_plan_that_is_down_is_a_refusal_and_no_other_region_is_asked(world: World) -> None:
    world.cells[0].status = world.cells[2].status = 503
    assert world.get("route c0>c2").status_code == 503
    assert world.asked() == [1, 0, 1]


@pytest.mark.parametrize(("size", "asked"), [(1 << 19, [1, 0, 1]), ((1 << 20) + 50_000, [1, 0, 0])])
def test_a_body_is_retried_only_as_far_as_it_is_kept(world: World, size: int, asked: list[int]) -> None:
    world.cells[0].status = 503
    world.client.request("GET", world.url, headers={"x-data-jurisdiction": "route c0>c2"}, content=bytes(size))
    assert world.asked() == asked


def test_a_plan_of_one_region_is_retried_there_only(world: World) -> None:
    world.cells[0].status = 503
    assert world.get("route c0").status_code == 503
    assert world.asked() == [2, 0, 0]


def test_a_client_cannot_have_more_retries(world: World) -> None:
    world.cells[0].status = world.cells[1].status = 503
    world.get("route c0>c1", x_envoy_max_retries="7", x_envoy_hedge_on_per_try_timeout="true")
    assert world.asked() == [1, 1, 0]


def test_a_region_without_a_live_cell_is_skipped_without_an_attempt(world: World) -> None:
    wait_for("the check to find the dead region", lambda: _is_unhealthy(world, "c3"))
    answer = world.get("route c3>c1")
    assert answer.status_code == 200
    decision = world.cells[1].requests[0][DECISION_HEADER]
    wait_for("the request's entry", lambda: world.sidecar.logged(REQUEST_LOG, decision))
    assert [_cluster(e) for e in world.sidecar.logged(ATTEMPT_LOG, decision)] == ["c1"]


def test_a_region_without_a_live_cell_does_not_panic(world: World) -> None:
    wait_for("the check to find the dead region", lambda: _is_unhealthy(world, "c3"))
    assert world.get("route c3").status_code == 503
    assert world.asked() == [0, 0, 0]


def test_a_backup_takes_over_when_the_primarys_check_fails_and_gives_back_after(world: World) -> None:
    world.cells[0].ready = False
    try:
        wait_for("the check to notice", lambda: _is_unhealthy(world, "c0"))
        assert world.get("route c0>c1").status_code == 200
        assert world.asked() == [0, 1, 0]
    finally:
        world.cells[0].ready = True
    wait_for("the check to notice", lambda: not _is_unhealthy(world, "c0"))
    assert world.get("route c0>c1").status_code == 200
    assert world.asked() == [1, 1, 0]


@pytest.mark.parametrize("route", ["nowhere", "c0>nowhere", "c0>c0", "c1 c0", "situs"])
def test_an_unknown_plan_is_a_refusal(world: World, route: str) -> None:
    assert world.get(f"route {route}").status_code == 503
    assert world.asked() == [0, 0, 0]


def test_the_sidecars_refusal_arrives_as_it_was_written(world: World) -> None:
    answer = world.get("deny")
    assert answer.status_code == 451
    assert answer.json() == {"status": 451}
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["retry-after"] == "5"
    assert answer.headers[DECISION_HEADER].startswith("d-")
    assert world.asked() == [0, 0, 0]


def test_an_answer_that_sets_another_header_fails_the_request(world: World) -> None:
    assert world.get("host").status_code == 503
    assert world.asked() == [0, 0, 0]


def test_a_sidecar_that_hangs_is_a_refusal(world: World) -> None:
    # ENVOY: `status_on_error` does not hold for the message's time-out.
    assert world.get("hang").status_code == 504
    assert world.asked() == [0, 0, 0]


def test_the_sidecar_sees_what_the_policy_reads_and_nothing_else(world: World) -> None:
    world.get(
        "route c0",
        x_data_class="special",
        cookie="session=1",
        authorization="Basic eDp5",
        x_forwarded_for="81.2.69.142",
        x_api_key="secret",
    )
    assert set(headers_of(world.sidecar.seen[-1])) == {":path", "x-data-jurisdiction", "x-data-class"}
    assert set(world.sidecar.seen[-1].attributes["envoy.filters.http.ext_proc"].fields) == {"source.address"}


def test_both_values_of_a_header_that_came_twice_reach_the_sidecar(world: World) -> None:
    world.client.get(world.url, headers=[("x-data-class", "public"), ("x-data-class", "special")])
    raw = world.sidecar.seen[-1].request_headers.headers.headers
    assert [h.raw_value for h in raw if h.key == "x-data-class"] == [b"public", b"special"]


def test_the_path_that_was_decided_is_the_path_that_is_served(world: World) -> None:
    world.client.get(world.url + "//v2/../v2//models/a/./infer?q=1", headers={"x-data-jurisdiction": "route c0"})
    assert headers_of(world.sidecar.seen[-1])[":path"] == "/v2/models/a/infer?q=1"
    assert world.get("route c0", path="/v2/models/a%2Finfer").status_code == 400


@pytest.mark.parametrize(("length", "status"), [(65_000, 451), (110_000, 431)])
def test_a_long_path_gets_an_answer(world: World, length: int, status: int) -> None:
    connection = http.client.HTTPConnection(world.url.removeprefix("http://"))
    with contextlib.closing(connection):
        connection.request("GET", "/" + "p" * length, headers={"x-data-jurisdiction": "deny"})
        assert connection.getresponse().status == status


def test_what_a_cell_says_to_envoy_does_not_reach_the_client(world: World) -> None:
    answer = world.get("route c0")
    assert answer.headers["x-situs-region"] == "attested"
    assert "endpoint-load-metrics" not in answer.headers
    assert not [name for name in answer.headers if name.startswith("x-envoy-")]
    assert answer.headers["server"] == "envoy"


def test_direct_clients_cannot_choose_their_address(world: World) -> None:
    world.get("route c0", x_forwarded_for="81.2.69.142", x_envoy_external_address="81.2.69.142")
    address, _, port = source_of(world.sidecar.seen[-1]).rpartition(":")
    assert address == "127.0.0.1"
    assert port != "0"


def test_both_logs_arrive_with_the_decision_and_the_child_cluster(world: World) -> None:
    world.cells[0].status = 503
    world.get("route c0>c1")
    decision = world.cells[1].requests[0][DECISION_HEADER]
    request = wait_for("the request's entry", lambda: world.sidecar.logged(REQUEST_LOG, decision))[0]
    wait_for("both attempts", lambda: len(world.sidecar.logged(ATTEMPT_LOG, decision)) == 2)
    attempts = world.sidecar.logged(ATTEMPT_LOG, decision)
    assert [(_cluster(e), e.response.response_code.value) for e in attempts] == [("c0", 503), ("c1", 200)]
    assert _cluster(request) == "c1"
    assert request.common_properties.upstream_request_attempt_count == 2
    assert request.common_properties.metadata.filter_metadata["situs"].fields["decision"].string_value == decision
    assert set(request.request.request_headers) == {DECISION_HEADER}


def test_a_refusal_is_logged_with_its_decision_as_metadata(world: World) -> None:
    answer = world.get("deny")

    def found() -> list[Proto]:
        entries = [entry for name, entry in list(world.sidecar.entries) if name == REQUEST_LOG]
        return [e for e in entries if _metadata_decision(e) == answer.headers[DECISION_HEADER]]

    assert wait_for("the entry", found)[0].response.response_code.value == 451


def test_claims_of_a_good_token_reach_the_sidecar_and_the_token_goes_no_further(world: World) -> None:
    assert world.get("route c0", authorization=f"Bearer {token()}").status_code == 200
    fields = world.sidecar.seen[-1].metadata_context.filter_metadata[JWT_NAMESPACE].fields
    assert fields[JWT_PAYLOAD].struct_value.fields["tenant"].string_value == "acme"
    assert "authorization" not in world.cells[0].requests[0]


def test_without_a_token_there_are_no_claims(world: World) -> None:
    assert world.get("route c0").status_code == 200
    assert JWT_NAMESPACE not in world.sidecar.seen[-1].metadata_context.filter_metadata


@pytest.mark.parametrize(
    "changes",
    [{"iss": "https://elsewhere.example"}, {"aud": "another"}, {"exp": 1}, {"exp": None}, {"tenant": "forged"}],
    ids=["issuer", "audience", "expired", "unending", "signature"],
)
def test_a_bad_token_is_answered_before_the_sidecar(world: World, changes: dict[str, object]) -> None:
    bad = token(**changes)
    if changes == {"exp": None}:
        claims = {"iss": ISSUER, "aud": "inference", "tenant": "acme"}
        bad = jwt.encode(claims, KEY, algorithm="ES256", headers={"kid": "k1"})
    if "tenant" in changes:
        bad = ".".join([*bad.split(".")[:2], token().split(".")[2]])
    before = len(world.sidecar.seen)
    assert world.get("route c0", authorization=f"Bearer {bad}").status_code in (401, 403)
    assert len(world.sidecar.seen) == before
    assert world.asked() == [0, 0, 0]


def test_a_token_in_the_query_is_not_taken(world: World) -> None:
    world.get("route c0", path=f"/?access_token={token()}")
    assert JWT_NAMESPACE not in world.sidecar.seen[-1].metadata_context.filter_metadata


def test_an_upgrade_and_a_tunnel_are_refused(world: World) -> None:
    upgrade = {"connection": "upgrade", "upgrade": "websocket", "x-data-jurisdiction": "route c0"}
    assert world.client.get(world.url, headers=upgrade).status_code == 403
    assert world.client.request("CONNECT", world.url).status_code in (400, 404)
    assert world.asked() == [0, 0, 0]


def test_one_message_and_one_answer_without_an_error(world: World) -> None:
    stats = "http.situs.ext_proc"
    sent = world.counter(f"{stats}.stream_msgs_sent")
    failed = world.counter(f"{stats}.streams_failed")
    world.get("route c0")
    assert world.counter(f"{stats}.stream_msgs_sent") == sent + 1
    assert world.counter(f"{stats}.streams_failed") == failed
    assert world.counter(f"{stats}.spurious_msgs_received") == 0


def _is_unhealthy(world: World, cluster: str) -> bool:
    return world.counter(f"cluster.{cluster}.membership_healthy") == 0


def _cluster(entry: Proto) -> str:
    name: str = entry.common_properties.upstream_cluster
    return name


def _metadata_decision(entry: Proto) -> str:
    metadata = entry.common_properties.metadata.filter_metadata
    decision: str = metadata["situs"].fields["decision"].string_value if "situs" in metadata else ""
    return decision
