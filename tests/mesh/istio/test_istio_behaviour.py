"""What a real Envoy does with the rendered EnvoyFilters in what Istio makes of the rest.

Istio's part was captured from a real istiod; the patches are those of today's rendering, applied by rules that are held
to that istiod (test_merge_rules.py). The same was seen with proxies connected to istiod itself.
"""

import contextlib
import json
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from mesh.example import LOOPBACK, READING
from mesh.istio.proxies import proxy_config
from mesh.world import TELL, Proto, World, running_world, source_of, wait_for

from extproc.core.ids import TenantId
from extproc.core.reading import TenantBindings
from extproc.mesh.section import Jwt
from extproc.names import (
    ATTEMPT_LOG,
    CREDENTIALS_NAMESPACE,
    DECISION_HEADER,
    JWT_NAMESPACE,
    JWT_PAYLOAD,
    REQUEST_LOG,
    ROUTE_HEADER,
)

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

ISSUER = "https://id.example"
READS_CLAIMS = replace(READING, bindings=TenantBindings(by_claim={"tenant": {"acme": TenantId("acme")}}))
KEY = ec.generate_private_key(ec.SECP256R1())
PUBLIC = {**json.loads(jwt.algorithms.ECAlgorithm.to_jwk(KEY.public_key())), "kid": "k1", "alg": "ES256"}
JWKS = json.dumps({"keys": [PUBLIC]})


@dataclass
class Proxy:
    """A running world and how its proxy is spoken to."""

    kind: str
    world: World

    def get(self, tell: str, path: str = "/v2/models/digits/infer", **headers: str) -> httpx.Response:
        return self.world.get(tell, path, host=self.host, **headers)

    @property
    def host(self) -> str:
        port = self.world.url.rpartition(":")[2]
        return f"models.example:{port}" if self.kind == "gateway" else f"inference.situs.internal:{port}"

    def served(self, log: str, decision: str, entries: int) -> list[tuple[str, int]]:
        """Wait for the entries of a decision, and give the regions' clusters and statuses."""
        wait_for(f"{entries} entries", lambda: len(self.world.sidecar.logged(log, decision)) == entries)
        return [
            (each.common_properties.upstream_cluster, each.response.response_code.value)
            for each in self.world.sidecar.logged(log, decision)
        ]


@pytest.fixture(scope="module", params=["gateway-newest", "gateway-oldest", "outbound-newest", "outbound-oldest"])
def shared(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    kind, _, age = request.param.partition("-")
    binary: Path = request.getfixturevalue("envoy_binary" if age == "newest" else "oldest_envoy")
    directory = tmp_path_factory.mktemp("istio")
    keys = directory / "jwks.json"
    keys.write_text(JWKS)
    section = Jwt(issuer=ISSUER, audiences=("inference",), jwks_file=str(keys))
    configure = proxy_config(kind, JWKS)
    with running_world(binary, directory, reading=READS_CLAIMS, jwt=section, configure=configure) as world:
        yield Proxy(kind=kind, world=world)


@pytest.fixture
def proxy(shared: Proxy) -> Proxy:
    shared.world.forget()
    return shared


def region(index: int) -> str:
    return f"outbound|8080||r{index}.cells.situs.internal"


def token(**changes: object) -> str:
    claims = {"iss": ISSUER, "aud": "inference", "exp": time.time() + 600, "tenant": "acme", **changes}
    return jwt.encode(claims, KEY, algorithm="ES256", headers={"kid": "k1"})


def test_a_request_goes_where_the_sidecar_says(proxy: Proxy) -> None:
    answer = proxy.get("route c1")
    assert answer.status_code == 200
    assert answer.headers[DECISION_HEADER].startswith("d-")
    assert "endpoint-load-metrics" not in answer.headers
    assert proxy.world.asked() == [0, 1, 0]


def test_a_client_cannot_name_its_own_route(proxy: Proxy) -> None:
    assert proxy.get("route c1", x_situs_route="c2", x_situs_decision="mine").status_code == 200
    assert proxy.world.asked() == [0, 1, 0]
    got = proxy.world.cells[1].requests[0]
    assert got[DECISION_HEADER] != "mine"
    assert ROUTE_HEADER not in got
    assert "x-forwarded-for" not in got


@pytest.mark.parametrize("route", ["c2", "c0>c2", "outbound|8080||r2.cells.situs.internal"])
def test_what_was_not_decided_is_refused(proxy: Proxy, route: str) -> None:
    answer = proxy.get("none", x_situs_route=route)
    assert answer.status_code == 503
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["detail"] == "No decision was made."
    assert proxy.world.asked() == [0, 0, 0]


def test_a_header_with_an_underscore_is_refused(proxy: Proxy) -> None:
    answer = httpx.get(proxy.world.url, headers=[("host", proxy.host), (TELL, "none"), ("x_situs_route", "c2")])
    assert answer.status_code == 400


def test_a_retry_stays_in_the_plan_and_both_logs_name_the_regions_clusters(proxy: Proxy) -> None:
    proxy.world.cells[0].status = 503
    assert proxy.get("route c0>c2").status_code == 200
    assert proxy.world.asked() == [1, 0, 1]
    decision = proxy.world.cells[2].requests[0][DECISION_HEADER]
    assert proxy.served(ATTEMPT_LOG, decision, 2) == [(region(0), 503), (region(2), 200)]
    assert proxy.served(REQUEST_LOG, decision, 1) == [(region(2), 200)]


def test_a_plan_that_is_down_is_a_refusal_and_no_other_region_is_asked(proxy: Proxy) -> None:
    proxy.world.cells[0].status = proxy.world.cells[2].status = 503
    assert proxy.get("route c0>c2", x_envoy_max_retries="9").status_code == 503
    assert proxy.world.asked() == [1, 0, 1]


def test_a_plan_of_one_region_is_retried_there_only(proxy: Proxy) -> None:
    proxy.world.cells[0].status = 503
    assert proxy.get("route c0").status_code == 503
    assert proxy.world.asked() == [2, 0, 0]


def test_a_region_without_a_live_cell_is_skipped_and_does_not_panic(proxy: Proxy) -> None:
    wait_for("the check to find the dead region", lambda: _healthy(proxy.world, region(3)) == 0)
    assert proxy.get("route c3>c1").status_code == 200
    decision = proxy.world.cells[1].requests[0][DECISION_HEADER]
    assert proxy.served(ATTEMPT_LOG, decision, 1) == [(region(1), 200)]
    assert proxy.get("route c3").status_code == 503
    assert proxy.world.asked() == [0, 1, 0]


@pytest.mark.parametrize("route", ["nowhere", "c0>nowhere", region(2), "PassthroughCluster", "BlackHoleCluster"])
def test_an_unknown_plan_is_a_refusal(proxy: Proxy, route: str) -> None:
    answer = proxy.get(f"route {route}")
    # The region's own cluster has a name that a sidecar never gives: where it is known, it is reached like its plan.
    expected = (200, [0, 0, 1]) if route == region(2) else (503, [0, 0, 0])
    assert (answer.status_code, proxy.world.asked()) == expected


def test_a_refusal_arrives_as_it_was_written(proxy: Proxy) -> None:
    answer = proxy.get("deny")
    assert answer.status_code == 451
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["retry-after"] == "5"


def test_a_sidecar_that_hangs_is_a_refusal(proxy: Proxy) -> None:
    assert proxy.get("hang").status_code == 504
    assert proxy.world.asked() == [0, 0, 0]


def test_a_web_socket_is_refused(proxy: Proxy) -> None:
    assert proxy.get("route c0", connection="upgrade", upgrade="websocket").status_code == 403
    assert proxy.world.asked() == [0, 0, 0]


def test_the_address_is_the_peers_whatever_the_client_writes(proxy: Proxy) -> None:
    """The policy counts no proxies in front, the mesh counts two (proxies.py): what it says is of no account."""
    written = "81.2.69.142, 81.2.69.143, 81.2.69.144"
    proxy.get("route c0", x_forwarded_for=written, x_envoy_external_address="81.2.69.142")
    assert source_of(proxy.world.sidecar.seen[-1]).rpartition(":")[0] == "127.0.0.1"


def test_claims_come_under_our_key_and_the_token_goes_no_further(proxy: Proxy) -> None:
    assert proxy.get("route c0", authorization=f"Bearer {token()}").status_code == 200
    fields = _metadata(proxy, JWT_NAMESPACE)
    assert set(fields) == {JWT_PAYLOAD}  # and not Istio's `payload`, which any issuer's token would fill
    assert fields[JWT_PAYLOAD].struct_value.fields["tenant"].string_value == "acme"
    assert "authorization" not in proxy.world.cells[0].requests[0]


def test_credentials_that_nobody_verified_are_noted(proxy: Proxy) -> None:
    assert proxy.get("route c0", authorization=f"bearer {token()}").status_code in (200, 401)
    assert proxy.get("route c0", authorization="Basic eDp5").status_code == 200
    assert _metadata(proxy, CREDENTIALS_NAMESPACE)["presented"].string_value == "yes"
    assert JWT_NAMESPACE not in proxy.world.sidecar.seen[-1].metadata_context.filter_metadata


@pytest.mark.parametrize(
    "changes", [{"iss": "https://elsewhere.example"}, {"aud": "another"}, {"exp": 1}], ids=["issuer", "audience", "old"]
)
def test_a_bad_token_is_answered_before_the_sidecar(proxy: Proxy, changes: dict[str, object]) -> None:
    before = len(proxy.world.sidecar.seen)
    assert proxy.get("route c0", authorization=f"Bearer {token(**changes)}").status_code in (401, 403)
    assert len(proxy.world.sidecar.seen) == before
    assert proxy.world.asked() == [0, 0, 0]


@pytest.mark.parametrize("host", ["elsewhere.example", "r1.cells.situs.internal"])
def test_another_host_on_the_port_is_no_way_past_the_decision(proxy: Proxy, host: str) -> None:
    answer = httpx.get(proxy.world.url, headers={"host": host, TELL: "none", ROUTE_HEADER: "c1"})
    # The gateway answers for every host here; an application's proxy knows no other on this port.
    assert answer.status_code == (503 if proxy.kind == "gateway" else 404)
    assert proxy.world.asked() == [0, 0, 0]


def test_what_is_not_http_gets_nowhere(proxy: Proxy) -> None:
    port = int(proxy.world.url.rpartition(":")[2])
    with socket.create_connection((LOOPBACK, port), timeout=10) as connection:
        connection.sendall(b"\x16\x03\x01 not a request\r\n\r\n")
        with contextlib.suppress(ConnectionResetError):
            assert connection.recv(4096)[:12] in (b"", b"HTTP/1.1 400")
    assert proxy.world.asked() == [0, 0, 0]


def _healthy(world: World, cluster: str) -> int:
    statuses = httpx.get(f"{world.admin}/clusters", params={"format": "json"}).json()["cluster_statuses"]
    (found,) = [each for each in statuses if each["name"] == cluster]
    return sum("failed_active_health_check" not in host["health_status"] for host in found["host_statuses"])


def _metadata(proxy: Proxy, namespace: str) -> Proto:
    return proxy.world.sidecar.seen[-1].metadata_context.filter_metadata[namespace].fields
