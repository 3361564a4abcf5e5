"""What is rendered, without an Envoy."""

from dataclasses import replace
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest
from mesh.example import READING, mesh_of, tables_of
from ruamel.yaml import YAML

from extproc.core.ids import DataClass
from extproc.core.payload import PayloadReading
from extproc.core.steering import format_plan, parse_plan
from extproc.mesh.envoy import format_bootstrap, render_bootstrap
from extproc.mesh.envoy.reasons import REASONS
from extproc.mesh.references import REFERENCES, main, render_references
from extproc.mesh.section import Jwt, ListenerTls, PeerTls, TcpAddress
from extproc.names import SIDECAR_CLUSTER


def rendered(regions: int = 3, plan_length: int = 2) -> dict[str, Any]:
    mesh = mesh_of([9001 + i for i in range(regions)])
    text = format_bootstrap(render_bootstrap(tables_of(regions, plan_length=plan_length), READING, mesh))
    loaded: dict[str, Any] = YAML(typ="safe", pure=True).load(text)
    return loaded


def clusters(config: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {cluster["name"]: cluster for cluster in config["static_resources"]["clusters"]}


def values_of(config: object, field: str) -> list[Any]:
    """Give every value that stands under a field's name, anywhere."""
    if isinstance(config, dict):
        return [v for k, v in config.items() if k == field] + [x for v in config.values() for x in values_of(v, field)]
    return [x for item in config for x in values_of(item, field)] if isinstance(config, list) else []


@pytest.mark.parametrize(("regions", "length"), [(1, 1), (1, 3), (2, 2), (3, 1), (3, 3), (4, 2), (5, 3)])
@pytest.mark.slow
def test_there_is_a_cluster_for_every_plan_and_no_other(regions: int, length: int) -> None:
    names = [f"c{i}" for i in range(regions)]
    plans = {format_plan(plan) for size in range(1, length + 1) for plan in permutations(names, size)}
    assert set(clusters(rendered(regions, length))) == {SIDECAR_CLUSTER, *plans}


def test_a_plans_cluster_holds_its_regions_in_order_and_nothing_else() -> None:
    for name, cluster in clusters(rendered(3, 3)).items():
        if "cluster_type" in cluster:
            assert cluster["cluster_type"]["typed_config"]["clusters"] == list(parse_plan(name))


def test_a_region_has_one_priority_and_one_locality() -> None:
    found = clusters(rendered())
    for name in ("c0", "c1", "c2"):
        assert len(found[name]["load_assignment"]["endpoints"]) == 1
        assert "priority" not in found[name]["load_assignment"]["endpoints"][0]
        assert found[name]["common_lb_config"]["healthy_panic_threshold"] == {}


def test_nothing_copies_or_opens_or_steers_around_the_plan() -> None:
    config = rendered()
    for field in (
        "failure_mode_allow",
        "request_mirror_policies",
        "typed_per_filter_config",
        "allow_mode_override",
        "google_grpc",
        "lb_subset_config",
        "hedge_policy",
        "refresh_cluster_on_retry",
        "internal_redirect_policy",
        "upgrade_configs",
    ):
        assert values_of(config, field) == [], field
    assert values_of(config, "request_attributes") == [["source.address"]]
    assert values_of(config, "cluster_header") == ["x-situs-route"]


def test_every_cluster_says_its_timeout_and_its_breakers() -> None:
    for cluster in clusters(rendered()).values():
        assert cluster["connect_timeout"] == "1s"
        assert cluster["circuit_breakers"]["thresholds"][0]["max_requests"] == 10_000


@pytest.mark.parametrize(("length", "retries"), [(1, 1), (2, 1), (3, 2)])
def test_each_region_of_a_plan_gets_its_turn(length: int, retries: int) -> None:
    assert values_of(rendered(3, length), "num_retries") == [retries]


def test_tokens_are_verified_before_the_decision() -> None:
    mesh = replace(mesh_of([9001]), jwt=Jwt(issuer="i", audiences=("a",), jwks_file="/k"))
    text = format_bootstrap(render_bootstrap(tables_of(1), READING, mesh))
    filters = values_of(YAML(typ="safe", pure=True).load(text), "http_filters")[0]
    assert [entry["name"].rpartition(".")[2] for entry in filters] == [
        "header_to_metadata",
        "jwt_authn",
        "ext_proc",
        "router",
    ]


def test_a_policy_without_headers_sends_only_the_path() -> None:
    reading = replace(READING, jurisdiction_header=None, class_header=None)
    text = format_bootstrap(render_bootstrap(tables_of(1), reading, mesh_of([9001])))
    allowed = values_of(YAML(typ="safe", pure=True).load(text), "allowed_headers")
    assert allowed == [{"patterns": [{"exact": ":path"}]}]


def test_the_header_that_names_a_session_is_sent() -> None:
    reading = replace(READING, session_header="x-session-id")
    text = format_bootstrap(render_bootstrap(tables_of(1), reading, mesh_of([9001])))
    (allowed,) = values_of(YAML(typ="safe", pure=True).load(text), "allowed_headers")
    assert {"exact": "x-session-id"} in allowed["patterns"]


def test_every_worker_is_asked_and_one_that_is_gone_is_left_out() -> None:
    text = format_bootstrap(render_bootstrap(tables_of(1), READING, replace(mesh_of([9001]), workers=3)))
    config = YAML(typ="safe", pure=True).load(text)
    sidecar = clusters(config)[SIDECAR_CLUSTER]
    assert values_of(sidecar["load_assignment"], "path") == [f"/run/situs.sock{end}" for end in ("", ".1", ".2")]
    assert len(sidecar["health_checks"]) == 1
    assert sidecar["circuit_breakers"]["thresholds"][0]["max_retries"] == 10_000
    (asked,) = [service for service in values_of(config, "grpc_service") if "retry_policy" in service]
    assert asked["retry_policy"]["num_retries"] == 2


def test_a_single_worker_is_asked_once() -> None:
    config = rendered(1)
    sidecar = clusters(config)[SIDECAR_CLUSTER]
    assert "health_checks" not in sidecar
    assert sidecar["circuit_breakers"]["thresholds"][0]["max_retries"] == 0
    assert [service for service in values_of(config, "grpc_service") if "retry_policy" in service] == []


def test_the_same_inputs_give_the_same_text() -> None:
    first, second = (render_bootstrap(tables_of(3), READING, mesh_of([1, 2, 3])) for _ in range(2))
    assert format_bootstrap(first) == format_bootstrap(second)


def test_every_reason_is_given_once_where_its_field_is() -> None:
    plain = mesh_of([9001, 9002], sidecar=TcpAddress(address="127.0.0.1", port=9000))
    mesh = replace(
        plain,
        jwt=Jwt(issuer="i", audiences=("a",), jwks_file="/k"),
        regions={region: replace(each, identity=f"spiffe://a/{region}") for region, each in plain.regions.items()},
        tls=PeerTls(certificate="/c", key="/k", authorities="/a", identity="spiffe://a/e", sidecar="spiffe://a/s"),
        listener_tls=ListenerTls(certificate="/c", key="/k", clients="/a", required=True),
    )
    payload = PayloadReading(limit_bytes=1024, unreadable=DataClass("special"))
    given = dict.fromkeys(REASONS, 0)
    for reading in (READING, replace(READING, payload=payload)):
        text = format_bootstrap(
            render_bootstrap(tables_of(2), replace(reading, trusted_hops=1), mesh), heading="Hello."
        )
        assert text.startswith("# Hello.\n")
        prose = " ".join(line.strip().removeprefix("# ") for line in text.splitlines() if line.lstrip().startswith("#"))
        for field, reason in REASONS.items():
            assert prose.count(reason) <= 1, field
            given[field] += prose.count(reason)
    only_once = {
        "request_body_mode",
        "route_cache_action: CLEAR",
        "route_cache_action: RETAIN",
        "allow_content_length_header",
        "clear_route_cache",
        "request_body_buffer_limit",
    }
    assert given == {field: 1 if field in only_once else 2 for field in REASONS}


def test_a_text_that_yaml_could_read_as_something_else_is_quoted() -> None:
    awkward = "no", "1.0", "a: b", "üñ\n#", "~", "0x1f", "2026-11-21"
    mesh = replace(mesh_of([9001]), jwt=Jwt(issuer="true", audiences=awkward, jwks_file="/k"))
    text = format_bootstrap(render_bootstrap(tables_of(1), READING, mesh))
    loaded = YAML(typ="safe", pure=True).load(text)
    assert values_of(loaded, "issuer") == ["true"]
    assert values_of(loaded, "audiences") == [list(awkward)]


def test_regions_that_differ_from_the_policys_are_an_error() -> None:
    with pytest.raises(ValueError, match=r"differ in regions: r1"):
        render_bootstrap(tables_of(2), READING, mesh_of([9001]))
    with pytest.raises(ValueError, match=r"differ in regions: r1"):
        render_bootstrap(tables_of(1), READING, mesh_of([9001, 9002]))


@pytest.mark.parametrize("name", [SIDECAR_CLUSTER, "c1", "c0>c1", ""])
def test_a_cluster_name_that_is_taken_is_an_error(name: str) -> None:
    tables = tables_of(2)
    tables = replace(tables, regions=(replace(tables.regions[0], cluster=name), tables.regions[1]))
    with pytest.raises(ValueError, match="is taken or not usable"):
        render_bootstrap(tables, READING, mesh_of([9001, 9002]))


@pytest.mark.slow
def test_the_references_are_current(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--check"]) == 0, capsys.readouterr().err
    assert {str(path.relative_to(REFERENCES)) for path in REFERENCES.rglob("*.yaml")} == set(render_references())


@pytest.mark.slow
def test_a_stale_reference_is_found_and_mended(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    here = ["--directory", str(tmp_path)]
    assert main([*here, "--check"]) == 1
    assert "Mend: make envoy" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
    assert main(here) == 0
    assert main([*here, "--check"]) == 0
