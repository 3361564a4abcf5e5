"""The gateway: Envoy and the sidecar in one pod, and the volumes on which the log survives it.

A StatefulSet and not a Deployment: each log has one writer and a name of its own, and a pod that comes back must find
the log that it has to end and the key that may sign it.
"""

from collections.abc import Iterator

from extproc.mesh.kubernetes.common import GROUP, Fields, gateway_labels, pod_security, resource, scratch, spread
from extproc.mesh.kubernetes.proxy import envoy_container
from extproc.mesh.kubernetes.section import KubernetesMesh
from extproc.mesh.kubernetes.sidecar import situs_container
from extproc.mesh.kubernetes.timing import grace_s
from extproc.mesh.section import Mesh
from extproc.mesh.yaml_text import Json

_SOCKET_MIB = 1
_TMP_MIB = 64
_KEYS_GIB = 1


def envoy_map(settings: KubernetesMesh) -> str:
    """Give the name of the ConfigMap with Envoy's configuration."""
    return f"{settings.name}-envoy"


def mesh_map(settings: KubernetesMesh) -> str:
    """Give the name of the ConfigMap with the mesh file."""
    return f"{settings.name}-mesh"


def policy_map(settings: KubernetesMesh) -> str:
    """Give the name of the ConfigMap with the policy."""
    return f"{settings.name}-policy"


def headless_service(settings: KubernetesMesh) -> str:
    """Give the name of the Service that names the pods."""
    return f"{settings.name}-pods"


def gateway(mesh: Mesh, settings: KubernetesMesh) -> Fields:
    """Give the StatefulSet."""
    labels = gateway_labels(settings)
    pod: Fields = {
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": grace_s(mesh),
        "securityContext": pod_security(group=GROUP),
        "topologySpreadConstraints": spread(labels, hosts="DoNotSchedule"),
        "initContainers": [situs_container(mesh, settings)],
        "containers": [envoy_container(mesh, settings)],
        "volumes": list(_volumes(settings)),
    }
    replicas: Fields = {} if settings.autoscaling is not None else {"replicas": settings.replicas}
    spec: Fields = {
        "serviceName": headless_service(settings),
        **replicas,
        "podManagementPolicy": "Parallel",
        "minReadySeconds": 5,
        "selector": {"matchLabels": labels},
        "persistentVolumeClaimRetentionPolicy": {"whenDeleted": "Retain", "whenScaled": "Retain"},
        "template": {"metadata": {"labels": labels}, "spec": pod},
        "volumeClaimTemplates": [_claim(settings, "log", settings.log.size_gib), _claim(settings, "keys", _KEYS_GIB)],
    }
    metadata: Fields = {"name": settings.name, "namespace": settings.namespace, "labels": labels}
    return resource("apps/v1", "StatefulSet", metadata, {"spec": spec})


def _claim(settings: KubernetesMesh, name: str, gib: int) -> Json:
    log = settings.log
    storage: Fields = {} if log.storage_class is None else {"storageClassName": log.storage_class}
    return {
        "metadata": {"name": name},
        "spec": {
            "accessModes": [log.access.value],
            **storage,
            "resources": {"requests": {"storage": f"{gib}Gi"}},
        },
    }


def _volumes(settings: KubernetesMesh) -> Iterator[Json]:
    yield scratch("socket", _SOCKET_MIB)
    yield scratch("tmp", _TMP_MIB)
    yield {"name": "envoy", "configMap": {"name": envoy_map(settings)}}
    yield {"name": "policy", "configMap": {"name": policy_map(settings)}}
    yield {"name": "mesh", "configMap": {"name": mesh_map(settings)}}
    yield {"name": "orders", "configMap": {"name": settings.orders}}
    if settings.geo is not None:
        yield {"name": "geo", "persistentVolumeClaim": {"claimName": settings.geo.claim, "readOnly": True}}
    for number, mount in enumerate(settings.mounts):
        if mount.secret is not None:
            yield {"name": f"files-{number}", "secret": {"secretName": mount.secret, "defaultMode": 0o440}}
        else:
            yield {"name": f"files-{number}", "configMap": {"name": str(mount.config_map)}}
