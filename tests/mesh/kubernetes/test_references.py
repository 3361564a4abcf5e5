"""What refers to something refers to something that is there: volumes, keys, labels, ports, names."""

from pathlib import PurePosixPath

import pytest
import yaml
from mesh.kubernetes.rendered import (
    Resource,
    changed,
    containers,
    example,
    pods,
    rendered,
    rendering,
    resources,
)

pytestmark = pytest.mark.slow

PODS = [pytest.param(name, labels, pod, id=name) for name, labels, pod in pods(rendering())]


def in_folder(name: str) -> dict[str, Resource]:
    """Give the resources that are applied together with the file of that name."""
    folder = PurePosixPath(name).parent
    return {other: it for other, it in resources(rendering()).items() if PurePosixPath(other).parent == folder}


@pytest.mark.parametrize(("name", "labels", "pod"), PODS)
def test_every_mount_has_its_volume_and_every_volume_a_mount(name: str, labels: Resource, pod: Resource) -> None:
    del labels
    claims = resources(rendering())[name]["spec"].get("volumeClaimTemplates", [])
    volumes = [volume["name"] for volume in pod["volumes"]] + [claim["metadata"]["name"] for claim in claims]
    mounts = [mount for container in containers(pod) for mount in container["volumeMounts"]]
    kserve = {"kserve"} if "/kserve/" in name else set()
    assert len(volumes) == len(set(volumes))
    assert {mount["name"] for mount in mounts} | kserve == set(volumes)
    for container in containers(pod):
        paths = [PurePosixPath(mount["mountPath"]) for mount in container["volumeMounts"]]
        for path in paths:
            assert [other for other in paths if path.is_relative_to(other)] == [path]


@pytest.mark.parametrize(("name", "labels", "pod"), PODS)
def test_every_probe_and_every_service_names_a_port_that_is_there(name: str, labels: Resource, pod: Resource) -> None:
    ports = {port["name"]: port["containerPort"] for container in containers(pod) for port in container["ports"]}
    for container in containers(pod):
        own = {port["name"] for port in container["ports"]}
        for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
            asked = container.get(probe, {})
            for way in ("httpGet", "tcpSocket"):
                assert way not in asked or asked[way]["port"] in own
    for resource in in_folder(name).values():
        if resource["kind"] == "Service":
            assert resource["spec"]["selector"].items() <= labels.items()
            assert {port["targetPort"] for port in resource["spec"]["ports"]} <= {*ports, *ports.values()}


@pytest.mark.parametrize(("name", "labels", "pod"), PODS)
def test_selectors_match(name: str, labels: Resource, pod: Resource) -> None:
    for resource in in_folder(name).values():
        match resource["kind"]:
            case "StatefulSet" | "Deployment" | "PodDisruptionBudget":
                selector = resource["spec"]["selector"]["matchLabels"]
            case "NetworkPolicy":
                selector = resource["spec"]["podSelector"].get("matchLabels", {})
            case _:
                continue
        assert selector.items() <= labels.items()
    for spread in pod["topologySpreadConstraints"]:
        assert spread["labelSelector"]["matchLabels"] == labels


@pytest.mark.parametrize(("name", "labels", "pod"), PODS)
def test_what_is_admitted_are_ports_of_the_pod(name: str, labels: Resource, pod: Resource) -> None:
    del labels
    ports = {port["containerPort"] for container in containers(pod) for port in container["ports"]}
    policies = [it["spec"] for it in in_folder(name).values() if it["kind"] == "NetworkPolicy"]
    admitted = {port["port"] for it in policies for way in it.get("ingress", []) for port in way["ports"]}
    assert admitted == ports
    assert all(it["policyTypes"] == ["Ingress", "Egress"] for it in policies)
    # Nothing that is not listed: one policy refuses everything to every pod of the namespace.
    assert [it for it in policies if it["podSelector"] == {}] == [
        {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    ]


def test_the_gateway_reaches_pods_that_are_there_on_the_port_that_they_admit() -> None:
    of_pods = {name: labels for name, labels, _ in pods(rendering())}
    egress = resources(rendering())["gateway/network.yaml"]["spec"]["egress"]
    reached = [(way["to"][0], way["ports"][0]["port"]) for way in egress if "podSelector" in way["to"][0]]
    cells = [(to, port) for to, port in reached if port != 53]
    for region, way in (("eu-fra", "plain"), ("eu-ams", "kserve")):
        name = f"cells/{region}/{way}/{'deployment' if way == 'plain' else 'serving-runtime'}.yaml"
        network = resources(rendering())[f"cells/{region}/{way}/network.yaml"]["spec"]
        (to, port), *others = [it for it in cells if it[0]["podSelector"]["matchLabels"] == of_pods[name]]
        assert not others
        assert to["namespaceSelector"]["matchLabels"] == {"kubernetes.io/metadata.name": "situs-cells"}
        assert [it["port"] for it in network["ingress"][0]["ports"]] == [port]
        gateway = network["ingress"][0]["from"][0]
        assert gateway["podSelector"]["matchLabels"] == of_pods["gateway/statefulset.yaml"]
        assert gateway["namespaceSelector"]["matchLabels"] == {"kubernetes.io/metadata.name": "situs-system"}


def test_the_gateway_reaches_every_endpoint_and_nothing_else() -> None:
    egress = resources(rendering())["gateway/network.yaml"]["spec"]["egress"]
    networks = [
        (to["ipBlock"]["cidr"], way["ports"][0]["port"]) for way in egress for to in way["to"] if "ipBlock" in to
    ]
    assert networks == [("203.0.113.20/32", 8080), ("203.0.113.21/32", 8080), ("198.51.100.0/28", 8080)]
    assert len(egress) == 1 + 2 + 3


def test_no_cell_may_connect_to_anything() -> None:
    for name, resource in resources(rendering()).items():
        if name.startswith("cells/") and resource["kind"] == "NetworkPolicy":
            assert "egress" not in resource["spec"]


def test_the_generated_config_maps_are_the_ones_that_are_mounted() -> None:
    kustomization = yaml.safe_load(rendering().files["gateway/kustomization.yaml"])
    made = {it["name"]: it["files"] for it in kustomization["configMapGenerator"]}
    gateway = next(pod for name, _, pod in pods(rendering()) if name == "gateway/statefulset.yaml")
    mounted = {volume["name"]: volume["configMap"]["name"] for volume in gateway["volumes"] if "configMap" in volume}
    settings = example()[2]
    assert mounted.pop("orders") == settings.orders
    assert mounted.pop("files-0") == "jwks"
    assert set(mounted.values()) == set(made)
    situs, envoy = containers(gateway)
    at = {mount["name"]: mount["mountPath"] for mount in (*situs["volumeMounts"], *envoy["volumeMounts"])}
    words = " ".join([*situs["args"], *envoy["args"]])
    for volume, map_name in mounted.items():
        (file,) = made[map_name]
        assert f"gateway/{file}" in rendering().files
        assert f"{at[volume]}/{file}" in words


def test_every_kustomization_names_all_files_of_its_folder_and_no_others() -> None:
    folders = {str(PurePosixPath(name).parent) for name in rendering().files}
    for folder in folders:
        kustomization = yaml.safe_load(rendering().files[f"{folder}/kustomization.yaml"])
        made = [file for it in kustomization.get("configMapGenerator", []) for file in it["files"]]
        there = {name.rpartition("/")[2] for name in rendering().files if str(PurePosixPath(name).parent) == folder}
        assert {*kustomization["resources"], *made, "kustomization.yaml"} == there


def test_every_field_of_files_is_covered_and_secrets_are_named() -> None:
    gateway = next(pod for name, _, pod in pods(rendering()) if name == "gateway/statefulset.yaml")
    secrets = [volume["secret"] for volume in gateway["volumes"] if "secret" in volume]
    assert secrets == [{"secretName": "trust", "defaultMode": 0o440}]


def test_a_gateway_that_is_scaled_leaves_the_number_to_the_scaler() -> None:
    assert "replicas" not in resources(rendering())["gateway/statefulset.yaml"]["spec"]
    scaler = resources(rendering())["gateway/autoscaler.yaml"]["spec"]
    assert (scaler["minReplicas"], scaler["maxReplicas"]) == (2, 6)
    fixed = resources(rendered(changed(autoscaling=None)))
    assert "gateway/autoscaler.yaml" not in fixed
    assert fixed["gateway/statefulset.yaml"]["spec"]["replicas"] == 2


def test_there_is_time_for_the_longest_request() -> None:
    gateway = next(pod for name, _, pod in pods(rendering()) if name == "gateway/statefulset.yaml")
    _, envoy = containers(gateway)
    sleep_s = envoy["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert sleep_s > example()[1].timeouts.request_s
    assert gateway["terminationGracePeriodSeconds"] >= sleep_s + 10
    assert envoy["args"][envoy["args"].index("--drain-time-s") + 1] == str(sleep_s)
