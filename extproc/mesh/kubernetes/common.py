"""What several resources share: labels, and the hardening of every pod and container."""

from collections.abc import Mapping, Sequence
from typing import Final, TypeAlias

from extproc.core.ids import RegionId
from extproc.mesh.kubernetes.section import KubernetesMesh
from extproc.mesh.yaml_text import Json

Fields: TypeAlias = dict[str, Json]
Needs: TypeAlias = dict[str, dict[str, Json]]

SITUS_USER: Final = 64_101
ENVOY_USER: Final = 64_102
CELL_USER: Final = 64_103
GROUP: Final = 64_100
"""Numbers that no image is likely to use. Envoy and the sidecar share the group alone."""

REGION_LABEL: Final = "situs/region"
_MIB: Final = "Mi"


def gateway_labels(settings: KubernetesMesh) -> Fields:
    """Give the labels by which the gateway's pods are found."""
    return {"app.kubernetes.io/name": "situs", "app.kubernetes.io/instance": settings.name}


def cell_labels(region: RegionId) -> Fields:
    """Give the labels by which the cells of a region are found."""
    return {"app.kubernetes.io/name": "situs-cell", REGION_LABEL: region}


def resource(api: str, kind: str, metadata: Fields, rest: Mapping[str, Json]) -> Fields:
    """Give a resource."""
    return {"apiVersion": api, "kind": kind, "metadata": metadata, **rest}


def namespace(name: str) -> Fields:
    """Give a namespace that admits no pod with more rights than the strictest profile. SPEC: Pod Security Standards."""
    levels: Fields = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "warn", "audit")}
    return resource("v1", "Namespace", {"name": name, "labels": levels}, {})


def pod_security(*, group: int | None) -> Fields:
    """Give the security of a pod. With `group`, volumes and the socket are for that group."""
    of_group: Fields = {} if group is None else {"fsGroup": group, "fsGroupChangePolicy": "OnRootMismatch"}
    return {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}, **of_group}


def container_security(user: int) -> Fields:
    """Give the security of a container: no rights, and nothing of the image can be written."""
    return {
        "runAsNonRoot": True,
        "runAsUser": user,
        "runAsGroup": GROUP,
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
        "seccompProfile": {"type": "RuntimeDefault"},
    }


def needs(*, millis: int, mib: int, more: Mapping[str, Json] | None = None) -> Needs:
    """Give what a container requests and may have: CPU is requested only, memory is both."""
    memory = f"{mib}{_MIB}"
    limits: Fields = {"memory": memory, **(more or {})}
    return {"requests": {"cpu": f"{millis}m", "memory": memory}, "limits": limits}


def http_probe(path: str, port: str, *, period_s: int, failures: int) -> Fields:
    """Give a probe that asks for a path."""
    get: Fields = {"path": path, "port": port}
    return {"httpGet": get, "periodSeconds": period_s, "timeoutSeconds": 2, "failureThreshold": failures}


def tcp_probe(port: str, *, period_s: int, failures: int) -> Fields:
    """Give a probe that connects."""
    return {
        "tcpSocket": {"port": port},
        "periodSeconds": period_s,
        "timeoutSeconds": 2,
        "failureThreshold": failures,
    }


def spread(labels: Fields, *, hosts: str) -> list[Json]:
    """Give how pods are spread: over zones where that goes, and over hosts as `hosts` says."""
    return [
        {"maxSkew": 1, "topologyKey": key, "whenUnsatisfiable": when, "labelSelector": {"matchLabels": labels}}
        for key, when in (("topology.kubernetes.io/zone", "ScheduleAnyway"), ("kubernetes.io/hostname", hosts))
    ]


def disruption(name: str, namespace: str, labels: Fields) -> Fields:
    """Give the budget by which a drain of nodes takes one pod after the other."""
    spec: Fields = {
        "maxUnavailable": 1,
        "unhealthyPodEvictionPolicy": "AlwaysAllow",
        "selector": {"matchLabels": labels},
    }
    return resource("policy/v1", "PodDisruptionBudget", {"name": name, "namespace": namespace}, {"spec": spec})


def mounted(name: str, path: str, *, writable: bool = False) -> Fields:
    """Give the place of a volume in a container."""
    return {"name": name, "mountPath": path} if writable else {"name": name, "mountPath": path, "readOnly": True}


def scratch(name: str, mib: int) -> Fields:
    """Give a small volume in memory that lives as long as its pod."""
    return {"name": name, "emptyDir": {"medium": "Memory", "sizeLimit": f"{mib}{_MIB}"}}


def kustomization(names: Sequence[str], rest: Mapping[str, Json] | None = None) -> Fields:
    """Give what ties the files of a folder together."""
    return {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": list(names),
        **(rest or {}),
    }
