"""What a real Envoy does with what Envoy Gateway makes of the rendering.

The captured configuration of Envoy Gateway is patched as it would patch it, with the rendering as it is now.
"""

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from mesh.gateway_api.gateway_example import example, patches_of, place_of, resources_of
from mesh.gateway_api.gateway_xds import ControlPlane, Resources, bootstrap_of, captured, patched
from mesh.world import World, headers_of, running_world, source_of, wait_for

from extproc.core.reading import Reading
from extproc.core.tables import PolicyTables
from extproc.mesh.gateway_api.section import ProxyPod
from extproc.mesh.pod.section import FileSource, SourceKind
from extproc.mesh.section import Jwt, Mesh
from extproc.names import ATTEMPT_LOG, DECISION_HEADER, JWT_NAMESPACE, JWT_PAYLOAD, REQUEST_LOG, ROUTE_HEADER

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

KEY = ec.generate_private_key(ec.SECP256R1())
ISSUER = "https://id.example"
UNATTACHED = "No decision was made: this gateway is not attached."
STAGES = {"nothing": "none", "clusters": "patch-clusters", "listener": "patch-listener", "whole": "patch-"}
Choose = Callable[[str], bool]


def made_of(tables: PolicyTables, reading: Reading, mesh: Mesh, chosen: Choose = lambda _: True) -> Resources:
    """Give what Envoy Gateway makes of the chosen files of the rendering."""
    policy, shipped = example()
    place = place_of(shipped)
    if mesh.jwt is not None:
        folder = str(Path(mesh.jwt.jwks_file).parent)
        source = FileSource(kind=SourceKind.CONFIG_MAP, name="situs-jwks")
        place = replace(place, proxy=ProxyPod(files={folder: source}))
    resources = resources_of(replace(policy, tables=tables, reading=reading), replace(mesh, gateway_api=place))
    resources = {name: each for name, each in resources.items() if chosen(name)}
    made, problems = patched(captured("unpatched"), patches_of(resources))
    assert problems == []
    return made


def configured(tables: PolicyTables, reading: Reading, mesh: Mesh) -> str:
    return json.dumps(bootstrap_of(made_of(tables, reading, mesh), mesh.listener.port, mesh.admin.port))


@pytest.fixture(scope="module", params=["envoy_binary", "oldest_envoy"])
def shared_world(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    binary: Path = request.getfixturevalue(request.param)
    directory = tmp_path_factory.mktemp("gateway")
    keys = directory / "jwks.json"
    public = json.loads(jwt.algorithms.ECAlgorithm.to_jwk(KEY.public_key()))
    keys.write_text(json.dumps({"keys": [{**public, "kid": "k1", "alg": "ES256"}]}))
    section = Jwt(issuer=ISSUER, audiences=("inference",), jwks_file=str(keys))
    with running_world(binary, directory, jwt=section, configure=configured) as running:
        yield running


@pytest.fixture
def world(shared_world: World) -> World:
    shared_world.forget()
    return shared_world


def test_a_request_goes_where_the_sidecar_says(world: World) -> None:
    assert world.get("route c1").status_code == 200
    assert world.asked() == [0, 1, 0]
    assert set(headers_of(world.sidecar.seen[-1])) == {":path", "x-data-jurisdiction"}


def test_a_retry_stays_in_the_plan(world: World) -> None:
    world.cells[0].status = 503
    assert world.get("route c0>c2").status_code == 200
    assert world.asked() == [1, 0, 1]
    world.forget()
    world.cells[0].status = world.cells[2].status = 503
    assert world.get("route c0>c2").status_code == 503
    assert world.asked() == [1, 0, 1]


def test_what_is_undecided_is_refused(world: World) -> None:
    answer = world.get("none", x_situs_route="c2")
    assert answer.status_code == 503
    assert answer.json()["detail"] == "No decision was made."
    assert world.get("route nowhere").status_code == 503
    assert world.get("hang").status_code == 504
    assert world.get("host").status_code == 503
    assert world.asked() == [0, 0, 0]


def test_a_refusal_arrives_as_it_was_written(world: World) -> None:
    answer = world.get("deny")
    assert (answer.status_code, answer.headers["content-type"]) == (451, "application/problem+json")
    assert answer.headers[DECISION_HEADER].startswith("d-")


def test_forged_headers_are_stripped(world: World) -> None:
    forged = {"x_situs_route": "c2", "x_situs_decision": "mine", "x_situs_other": "1", "x_envoy_max_retries": "9"}
    assert world.get("route c1", authorization="Basic eDp5", **forged).status_code == 200
    got = world.cells[1].requests[0]
    assert {name for name in got if name.startswith(("x-situs-", "x-envoy-"))} == {DECISION_HEADER}
    assert got[DECISION_HEADER] != "mine"
    assert not {ROUTE_HEADER, "authorization", "x-forwarded-for"} & set(got)


def test_clients_cannot_choose_their_address(world: World) -> None:
    world.get("route c0", x_forwarded_for="81.2.69.142")
    assert source_of(world.sidecar.seen[-1]).startswith("127.0.0.1:")


def test_both_logs_arrive(world: World) -> None:
    world.cells[0].status = 503
    assert world.get("route c0>c1").status_code == 200
    decision = world.cells[1].requests[0][DECISION_HEADER]
    request = wait_for("the request's entry", lambda: world.sidecar.logged(REQUEST_LOG, decision))[0]
    assert request.common_properties.upstream_cluster == "c1"
    wait_for("both attempts", lambda: len(world.sidecar.logged(ATTEMPT_LOG, decision)) == 2)
    attempts = world.sidecar.logged(ATTEMPT_LOG, decision)
    assert [each.common_properties.upstream_cluster for each in attempts] == ["c0", "c1"]


def test_verified_claims_reach_the_sidecar_under_the_names_that_it_reads(world: World) -> None:
    claims = {"iss": ISSUER, "aud": "inference", "exp": time.time() + 600, "tenant": "acme"}
    token = jwt.encode(claims, KEY, algorithm="ES256", headers={"kid": "k1"})
    assert world.get("route c0", authorization=f"Bearer {token}").status_code == 200
    fields = world.sidecar.seen[-1].metadata_context.filter_metadata[JWT_NAMESPACE].fields
    assert fields[JWT_PAYLOAD].struct_value.fields["tenant"].string_value == "acme"
    unending = jwt.encode(
        {name: claims[name] for name in ("iss", "aud", "tenant")}, KEY, algorithm="ES256", headers={"kid": "k1"}
    )
    assert world.get("route c0", authorization=f"Bearer {unending}").status_code == 401


@pytest.fixture
def attachable(envoy_binary: Path, tmp_path: Path) -> Iterator[tuple[World, Callable[[str], None]]]:
    """An Envoy that has what Envoy Gateway makes without patches, and what publishes the patches of chosen files.

    ENVOY: what it makes of a refusal (`body_format`) is unknown to an Envoy that is older than the one it is made for.
    """
    plane = ControlPlane(tmp_path)
    publish: dict[str, Callable[[], None]] = {}

    def configure(tables: PolicyTables, reading: Reading, mesh: Mesh) -> str:
        for stage, prefix in STAGES.items():
            made = made_of(tables, reading, mesh, partial(_is_chosen, prefix))
            publish[stage] = partial(plane.publish, made, mesh.listener.port)
        publish["nothing"]()
        return json.dumps(plane.bootstrap(mesh.admin.port))

    with running_world(envoy_binary, tmp_path, configure=configure) as world:
        wait_for("the listener", lambda: _detail(world) == UNATTACHED)
        yield world, lambda stage: publish[stage]()


def test_an_envoy_that_runs_is_attached_and_detached(
    attachable: tuple[World, Callable[[str], None]],
) -> None:
    world, publish = attachable
    for stage in ("clusters", "whole", "clusters", "nothing"):
        publish(stage)
        wait_for(stage, partial(_has_clusters, world, wanted=stage != "nothing"))
        if stage == "whole":
            wait_for("the attachment", lambda: _detail(world) == "No decision was made.")
            assert world.get("route c1").status_code == 200
            assert world.asked() == [0, 1, 0]
            world.forget()
        else:
            wait_for("the refusal", lambda: _detail(world) == UNATTACHED)
            seen = len(world.sidecar.seen)
            _assert_refused(world)
            assert len(world.sidecar.seen) == seen


def test_the_listeners_patch_alone_leads_nowhere(attachable: tuple[World, Callable[[str], None]]) -> None:
    world, publish = attachable
    publish("listener")
    # Nobody can be asked, so `status_on_error` it is, without a body.
    wait_for("the listener", lambda: httpx.get(f"{world.url}/v2/models/digits/infer").text == "")
    _assert_refused(world)


def _assert_refused(world: World) -> None:
    for headers in ({}, {"x-situs-route": "c0"}, {"x-situs-route": "c0>c1", "x-situs-decision": "d"}):
        assert httpx.get(f"{world.url}/v2/models/digits/infer", headers=headers).status_code == 503
    assert world.asked() == [0, 0, 0]


def _is_chosen(prefix: str, name: str) -> bool:
    return name.startswith(prefix) or not name.startswith("patch-")


def _detail(world: World) -> str:
    """Ask over a connection of its own: one that is there already stays with the listener that it came to."""
    try:
        detail: str = httpx.get(f"{world.url}/v2/models/digits/infer").json()["detail"]
    except (httpx.TransportError, json.JSONDecodeError):
        return ""
    return detail


def _has_clusters(world: World, *, wanted: bool) -> bool:
    return ("c0>c1::" in httpx.get(f"{world.admin}/clusters").text) is wanted
