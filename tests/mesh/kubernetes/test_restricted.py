"""Every pod keeps to the strictest of the Pod Security Standards, and to more than that."""

import pytest
from mesh.kubernetes.rendered import Resource, containers, example, pods, rendering, resources

pytestmark = pytest.mark.slow

PODS = [pytest.param(pod, id=name) for name, _, pod in pods(rendering())]


def faults(pod: Resource) -> list[str]:
    """Say what the profile `restricted` refuses, and what we refuse besides. SPEC: Pod Security Standards, 1.37."""
    found = [field for field in ("hostNetwork", "hostPID", "hostIPC", "shareProcessNamespace") if pod.get(field)]
    if pod.get("automountServiceAccountToken") is not False:
        found.append("automountServiceAccountToken")
    volumes = {"configMap", "emptyDir", "persistentVolumeClaim", "secret", "projected", "csi", "ephemeral"}
    found += [f"volume {volume['name']}" for volume in pod["volumes"] if not set(volume) - {"name"} <= volumes]
    of_pod = pod.get("securityContext", {})
    for container in containers(pod):
        security = {**of_pod, **container.get("securityContext", {})}
        expected = {
            "runAsNonRoot": True,
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
            "seccompProfile": {"type": "RuntimeDefault"},
        }
        found += [f"{container['name']}: {name}" for name, value in expected.items() if security.get(name) != value]
        if not security.get("runAsUser"):
            found.append(f"{container['name']}: runAsUser")
        found += [f"{container['name']}: {name}" for name in ("privileged", "procMount") if security.get(name)]
        found += [f"{container['name']}: hostPort" for port in container["ports"] if "hostPort" in port]
    return found


@pytest.mark.parametrize("pod", PODS)
def test_every_pod_is_restricted(pod: Resource) -> None:
    assert faults(pod) == []


def test_the_check_finds_what_is_wrong() -> None:
    pod: Resource = {
        "hostPID": True,
        "volumes": [{"name": "node", "hostPath": {"path": "/"}}],
        "containers": [{"name": "c", "ports": [{"hostPort": 1}], "securityContext": {"privileged": True}}],
    }
    assert faults(pod) == [
        "hostPID",
        "automountServiceAccountToken",
        "volume node",
        "c: runAsNonRoot",
        "c: allowPrivilegeEscalation",
        "c: readOnlyRootFilesystem",
        "c: capabilities",
        "c: seccompProfile",
        "c: runAsUser",
        "c: privileged",
        "c: hostPort",
    ]


def test_every_namespace_enforces_it() -> None:
    namespaces = [resource for resource in resources(rendering()).values() if resource["kind"] == "Namespace"]
    assert len(namespaces) == 1 + 2 * len(example()[1].regions)
    for namespace in namespaces:
        assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"


def test_envoy_and_the_sidecar_are_different_users_of_one_group() -> None:
    gateway = next(pod for name, _, pod in pods(rendering()) if name == "gateway/statefulset.yaml")
    situs, envoy = (container["securityContext"] for container in containers(gateway))
    assert situs["runAsUser"] != envoy["runAsUser"]
    assert situs["runAsGroup"] == envoy["runAsGroup"] == gateway["securityContext"]["fsGroup"]


def test_nothing_secret_is_rendered() -> None:
    assert not [name for name, resource in resources(rendering()).items() if resource["kind"] == "Secret"]


def test_every_image_stays_the_same() -> None:
    for _, _, pod in pods(rendering()):
        assert all("@sha256:" in container["image"] for container in containers(pod))
