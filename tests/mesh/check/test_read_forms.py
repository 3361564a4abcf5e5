"""The same configuration is found in every form in which it may come, and what was not seen is said."""

import json
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mesh.check.readable import (
    CLUSTER,
    EXPECTED,
    FAULTS,
    LISTENER,
    ROUTES,
    answer,
    bootstrap,
    camel,
    copied,
    dump_of,
    judged,
    manager,
    said,
    section,
    source,
    with_faults,
)

from extproc.mesh.check.judge import judge
from extproc.mesh.check.read import files_in, load_source, read_sources
from extproc.mesh.yaml_text import write_yaml
from extproc.strict_yaml import DocumentError

ALL = with_faults(*FAULTS)


def refused(*values: object) -> str:
    with pytest.raises(DocumentError) as caught:
        judged(*values)
    return str(caught.value)


@pytest.mark.slow
def test_what_is_rendered_is_in_order_in_every_form() -> None:
    whole = bootstrap()
    for value in (whole, write_yaml(whole), dump_of(whole), camel(whole), camel(dump_of(whole))):
        judgement = judged(value)
        assert judgement.findings == ()
        assert (judgement.checked.listeners, judgement.checked.clusters, judgement.checked.ways) == (1, 5, 1)


@pytest.mark.parametrize("name", FAULTS)
def test_each_fault_is_found(name: str) -> None:
    found = judged(with_faults(name)).findings
    assert found
    assert not name or {finding.rule.id for finding in found} == {name}


@pytest.mark.slow
@settings(max_examples=40)
@given(st.sets(st.sampled_from(sorted(FAULTS))), st.integers(0, 2**32))
def test_spelling_changes_no_finding(names: set[str], seed: int) -> None:
    random = Random(seed)
    fields = with_faults(*sorted(names))
    spelled = camel(fields, lambda: random.random() < 0.5)
    assert said(judged(fields).findings) == said(judged(spelled).findings)
    assert bool(names) == bool(judged(spelled).findings)


def test_a_dump_gives_the_findings_of_its_bootstrap() -> None:
    assert said(judged(dump_of(ALL)).findings) == said(judged(ALL).findings)


def test_paths_lead_into_the_dump() -> None:
    (finding,) = judged(dump_of(with_faults("failure-mode-allow"))).findings
    assert finding.path == (
        "configs[2].dynamic_listeners[0].active_state.listener.filter_chains[0].filters[0].typed_config"
        ".http_filters[0].typed_config.failure_mode_allow"
    )


def parts_of(fields: dict[str, object]) -> tuple[object, object]:
    static = copied(fields)["static_resources"]
    return answer(LISTENER, static["listeners"]), answer(CLUSTER, static["clusters"])


def test_answers_of_discovery_are_judged_together() -> None:
    judgement = judged(*parts_of(ALL))
    assert said(judgement.findings) == said(judged(ALL).findings)
    assert judgement.checked.origins == ("f0.json", "f1.json")


def test_a_finding_in_parts_names_its_own_file() -> None:
    (finding,) = judged(*parts_of(with_faults("panic"))).findings
    assert finding.origin == "f1.json"
    assert finding.path.startswith("resources[0].common_lb_config")


def test_resources_in_a_wrapper_and_in_a_bare_list_are_read() -> None:
    listeners, clusters = parts_of(ALL)
    wrapper = "type.googleapis.com/envoy.service.discovery.v3.Resource"
    wrapped = {"resources": [{"@type": wrapper, "resource": each} for each in listeners["resources"]]}  # type: ignore[index]
    assert said(judged(wrapped, clusters["resources"]).findings) == said(judged(ALL).findings)  # type: ignore[index]


def test_lists_of_listeners_and_clusters_are_a_fragment() -> None:
    assert said(judged(ALL["static_resources"]).findings) == said(judged(ALL).findings)
    one = {"@type": LISTENER, **ALL["static_resources"]["listeners"][0]}
    judgement = judged(one, {"clusters": ALL["static_resources"]["clusters"]})
    assert said(judgement.findings) == said(judged(ALL).findings)


def test_parts_belong_to_the_bootstrap_beside_them() -> None:
    whole = copied(ALL)
    static = whole["static_resources"]
    listeners = static.pop("listeners")
    judgement = judged(whole, answer(LISTENER, listeners))
    assert said(judgement.findings) == said(judged(ALL).findings)


def test_two_bootstraps_are_two_envoys() -> None:
    judgement = judged(with_faults("panic"), with_faults("mirror"))
    assert {(each.origin, each.rule.id) for each in judgement.findings} == {("f0.json", "panic"), ("f1.json", "mirror")}
    assert judgement.checked.listeners == 2


def test_routes_apart_from_their_listener_are_found() -> None:
    whole = with_faults("mirror", "route-to-region")
    routes = manager(whole).pop("route_config")
    source_ = {"resource_api_version": "V3", "ads": {}}
    manager(whole)["rds"] = {"route_config_name": routes["name"], "config_source": source_}
    assert "unread" in {finding.rule.id for finding in judged(whole).findings}
    together = judged(whole, answer(ROUTES, [routes]))
    assert {finding.rule.id for finding in together.findings} == {"mirror", "route-to-region"}
    dumped = dump_of(whole)
    section(dumped, "Routes")["dynamic_route_configs"] = [{"route_config": {"@type": ROUTES, **routes}}]
    assert said(judged(dumped).findings) == said(together.findings)


def test_routes_that_a_dump_shows_twice_are_judged_once() -> None:
    dumped = dump_of(with_faults("mirror"))
    inline = manager(with_faults("mirror"))["route_config"]
    section(dumped, "Routes")["static_route_configs"] = [{"route_config": {"@type": ROUTES, **inline}}]
    assert len(judged(dumped).findings) == 1


def test_endpoints_apart_from_their_cluster_are_found() -> None:
    whole = bootstrap()
    held = whole["static_resources"]["clusters"][0].pop("load_assignment")
    whole["static_resources"]["clusters"][0]["type"] = "EDS"
    assert {finding.rule.id for finding in judged(dump_of(whole)).findings} == {"unread"}
    dumped = dump_of(whole)
    admin = "type.googleapis.com/envoy.admin.v3.EndpointsConfigDump"
    dumped["configs"].append({"@type": admin, "dynamic_endpoint_configs": [{"endpoint_config": held}]})
    assert judged(dumped).findings == ()
    held["endpoints"][0]["lb_endpoints"][0]["endpoint"]["address"]["socket_address"]["port_value"] = 9002
    assert "two-regions" in {finding.rule.id for finding in judged(dumped).findings}


@pytest.mark.parametrize(
    ("where", "state"),
    [
        ("Listeners", {"dynamic_listeners": [{"name": "x", "error_state": {"details": "no\nport"}}]}),
        ("Clusters", {"dynamic_active_clusters": [{"cluster": {"name": "x"}, "error_state": {"details": "bad"}}]}),
        ("Clusters", {"dynamic_warming_clusters": [{"cluster": {"name": "c0", "type": "STATIC"}}]}),
    ],
)
def test_what_waits_or_was_refused_is_said(where: str, state: dict[str, list[object]]) -> None:
    dumped = dump_of(bootstrap())
    for name, more in state.items():
        section(dumped, where).setdefault(name, []).extend(more)
    assert [finding.rule.id for finding in judged(dumped).findings] == ["unread"]


def test_a_listener_that_waits_is_said_and_one_that_only_waits_is_judged() -> None:
    dumped = dump_of(with_faults("mirror"))
    dynamic = section(dumped, "Listeners")["dynamic_listeners"][0]
    dynamic["warming_state"] = copied(dynamic["active_state"])
    assert {finding.rule.id for finding in judged(dumped).findings} == {"mirror", "unread"}
    del dynamic["active_state"]
    assert {finding.rule.id for finding in judged(dumped).findings} == {"mirror"}


def test_scopes_are_said() -> None:
    dumped = dump_of(bootstrap())
    scopes = {"@type": "type.googleapis.com/envoy.admin.v3.ScopedRoutesConfigDump", "inline_scoped_route_configs": [{}]}
    dumped["configs"].append(scopes)
    assert {finding.rule.id for finding in judged(dumped).findings} == {"unread"}


def test_a_control_plane_is_said() -> None:
    whole = bootstrap()
    whole["dynamic_resources"] = {"lds_config": {"ads": {}}, "cds_config": {"ads": {}}, "ads_config": {}}
    found = judged(whole).findings
    assert {finding.rule.id for finding in found} == {"unread"}
    assert {finding.path for finding in found} == {"dynamic_resources.lds_config", "dynamic_resources.cds_config"}
    del whole["dynamic_resources"]["lds_config"], whole["dynamic_resources"]["cds_config"]
    assert [finding.path for finding in judged(whole).findings] == ["dynamic_resources.ads_config"]


def test_a_field_in_both_spellings_is_said() -> None:
    whole = bootstrap()
    manager(whole)["useRemoteAddress"] = False
    (finding,) = judged(whole).findings
    assert finding.rule.id == "unread"
    assert "stands twice" in finding.message


def test_a_second_cluster_of_a_name_is_said() -> None:
    whole = bootstrap()
    clusters = whole["static_resources"]["clusters"]
    clusters.append({**clusters[0], "connect_timeout": "2s"})
    assert {finding.rule.id for finding in judged(whole).findings} == {"unread"}


def test_runtime_values_are_judged() -> None:
    whole = bootstrap()
    layer = {"name": "x", "static_layer": {"upstream.healthy_panic_threshold": 50}}
    whole["layered_runtime"] = {"layers": [layer]}
    assert {finding.rule.id for finding in judged(whole).findings} == {"runtime"}
    assert {finding.rule.id for finding in judged(dump_of(whole)).findings} == {"runtime"}


def test_files_that_a_bootstrap_names_are_followed(tmp_path: Path) -> None:
    whole = copied(ALL)
    static = whole.pop("static_resources")
    (tmp_path / "lds.json").write_text(json.dumps(answer(LISTENER, static["listeners"])))
    (tmp_path / "cds.yaml").write_text(write_yaml(answer(CLUSTER, static["clusters"])))
    whole["dynamic_resources"] = {
        "lds_config": {"path_config_source": {"path": "lds.json"}},
        "cds_config": {"path_config_source": {"path": str(tmp_path / "cds.yaml")}},
    }
    main = tmp_path / "envoy.json"
    main.write_text(json.dumps(whole))
    found = judge(read_sources([load_source(main)]), EXPECTED).findings
    assert said(found) == said(judged(ALL).findings)
    assert {Path(finding.origin).name for finding in found} <= {"lds.json", "cds.yaml", "envoy.json"}
    # The whole directory: what was followed is not read a second time.
    everything = read_sources([load_source(path) for path in files_in(tmp_path)])
    assert len(everything.configs) == 1
    assert len(judge(everything, EXPECTED).findings) == len(found)
    (tmp_path / "lds.json").unlink()
    assert "unread" in {finding.rule.id for finding in judge(read_sources([load_source(main)]), EXPECTED).findings}


def test_what_came_from_elsewhere_names_no_file_of_ours(tmp_path: Path) -> None:
    (tmp_path / "lds.json").write_text("{}")
    whole = {"dynamic_resources": {"lds_config": {"path": str(tmp_path / "lds.json")}}}
    (config,) = read_sources([source(whole)]).configs
    assert "cannot be read here" in config.unread[0][1]


def test_a_bootstrap_in_a_config_map_is_judged() -> None:
    text = write_yaml(with_faults("panic"))
    given_ = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "envoy", "namespace": "situs-system"}}
    judgement = judged({**given_, "data": {"envoy.yaml": text, "README": "no: [yaml"}})
    (finding,) = judgement.findings
    assert finding.path.startswith('ConfigMap situs-system/envoy: data["envoy.yaml"]: static_resources.clusters[0].')


def test_several_documents_of_envoy_in_a_file_are_counted() -> None:
    text = f"{write_yaml(bootstrap())}---\n{write_yaml(with_faults('panic'))}"
    (finding,) = judged(text).findings
    assert finding.path.startswith("document 2: static_resources.clusters[0].")


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("", "the file is empty"),
        ("hello", "a single value is neither"),
        ("[1, 2]", "a resource without @type stands where"),
        ({"hello": 1, "world": 2}, "a table of 'hello', 'world' is neither"),
        ({}, "a table of nothing"),
        ({"apiVersion": "situs/v1", "listener": {}}, "a file of Situs' own"),
        ({"resources": [{"@type": "type.googleapis.com/google.protobuf.Struct"}]}, "a google.protobuf.Struct stands"),
        ({"resources": []}, "there is no listener and no cluster"),
        ({"configs": [{"@type": "type.googleapis.com/envoy.admin.v3.SecretsConfigDump"}]}, "a part of a config_dump"),
        ({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "x"}}, "nothing in it decides"),
    ],
)
def test_what_is_none_of_these_is_refused(value: object, told: str) -> None:
    assert told in refused(value)
    assert "Mend: " in refused(value)


def test_all_files_that_cannot_be_read_are_named() -> None:
    told = refused("a: [", bootstrap(), "hello")
    assert "f0.json:2:1" in told
    assert "f2.json:1:1" in told


def test_another_proxy_is_a_finding_and_not_silence() -> None:
    other = {"static_resources": {"listeners": [], "clusters": [{"name": "web", "type": "STATIC"}]}}
    judgement = judged(other)
    assert [finding.rule.id for finding in judgement.findings] == ["nothing-to-judge"]
    assert judgement.checked.clusters == 1
    assert judgement.leaks == 0


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(DocumentError, match="the file cannot be read"):
        load_source(tmp_path / "no.yaml")
    with pytest.raises(DocumentError, match=r"no \.yaml or \.json file"):
        files_in(tmp_path)


def test_a_path_that_is_none_is_refused() -> None:
    with pytest.raises(DocumentError, match="this is no path"):
        load_source(Path("a\0b"))


def test_a_file_that_is_named_and_broken_is_refused(tmp_path: Path) -> None:
    (tmp_path / "lds.json").write_text('{"hello": 1}')
    main = tmp_path / "envoy.json"
    main.write_text(json.dumps({"dynamic_resources": {"lds_config": {"path": "lds.json"}}}))
    with pytest.raises(DocumentError, match=r"lds\.json:1:1: a table of 'hello'"):
        read_sources([load_source(main)])


def test_a_typed_list_may_leave_out_what_its_items_are() -> None:
    items = [{"metadata": {"name": "x", "namespace": "n"}, "spec": {}}]
    listed = {"apiVersion": "networking.istio.io/v1", "kind": "ServiceEntryList", "items": items}
    (resource,) = read_sources([source(listed)]).resources
    assert (resource.title, resource.group) == ("ServiceEntry n/x", "networking.istio.io")


def test_a_network_filter_that_is_discovered_is_said() -> None:
    whole = bootstrap()
    filters = whole["static_resources"]["listeners"][0]["filter_chains"][0]["filters"]
    filters.insert(0, {"name": "elsewhere", "config_discovery": {}})
    assert "the filter 'elsewhere' comes from a control plane" in " ".join(
        finding.message for finding in judged(whole).findings if finding.rule.id == "unread"
    )


def test_routes_beside_listeners_in_one_file_are_found() -> None:
    whole = with_faults("mirror")
    routes = manager(whole).pop("route_config")
    manager(whole)["rds"] = {"route_config_name": routes["name"], "config_source": {"ads": {}}}
    static = whole["static_resources"]
    assert {finding.rule.id for finding in judged({**static, "routes": [routes]}).findings} == {"mirror"}


def test_secrets_beside_a_bootstrap_are_no_envoy_of_their_own() -> None:
    secrets = answer("type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret", [{"name": "x"}])
    assert judged(bootstrap(), secrets).findings == ()
    assert [finding.rule.id for finding in judged(secrets).findings] == ["nothing-to-judge"]
