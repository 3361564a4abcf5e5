"""How the gateway is reached, and how many of it there are."""

from typing import TYPE_CHECKING

from extproc.mesh.kubernetes.common import Fields, gateway_labels, resource
from extproc.mesh.kubernetes.gateway import headless_service
from extproc.mesh.kubernetes.proxy import LISTENER_PORT
from extproc.mesh.kubernetes.section import Autoscaling, KubernetesMesh, ServiceType
from extproc.mesh.kubernetes.sidecar import ADMIN_PORT
from extproc.mesh.section import Mesh

if TYPE_CHECKING:
    from extproc.mesh.yaml_text import Json


def clients_service(mesh: Mesh, settings: KubernetesMesh) -> Fields:
    """Give the Service for clients."""
    port: Fields = {
        "name": LISTENER_PORT,
        "port": settings.service_port or mesh.listener.port,
        "targetPort": LISTENER_PORT,
    }
    outside: Fields = {}
    if settings.service is ServiceType.LOAD_BALANCER:
        outside = {"externalTrafficPolicy": "Local"}
        if settings.clients:
            outside["loadBalancerSourceRanges"] = list(settings.clients)
    spec: Fields = {
        "type": settings.service.value,
        **outside,
        "selector": gateway_labels(settings),
        "ports": [port],
    }
    return resource("v1", "Service", _metadata(settings, settings.name), {"spec": spec})


def pods_service(settings: KubernetesMesh) -> Fields:
    """Give the Service that names each pod, by which their metrics are found."""
    ports: list[Json] = [{"name": ADMIN_PORT, "port": settings.admin_port, "targetPort": ADMIN_PORT}]
    spec: Fields = {"clusterIP": "None", "selector": gateway_labels(settings), "ports": ports}
    return resource("v1", "Service", _metadata(settings, headless_service(settings)), {"spec": spec})


def autoscaler(settings: KubernetesMesh, wanted: Autoscaling) -> Fields:
    """Give what changes the number of gateways."""
    target: Fields = {"type": "Utilization", "averageUtilization": wanted.cpu_percent}
    spec: Fields = {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "StatefulSet", "name": settings.name},
        "minReplicas": settings.replicas,
        "maxReplicas": wanted.most,
        "metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": target}}],
    }
    metadata = _metadata(settings, settings.name)
    return resource("autoscaling/v2", "HorizontalPodAutoscaler", metadata, {"spec": spec})


def _metadata(settings: KubernetesMesh, name: str) -> Fields:
    return {"name": name, "namespace": settings.namespace, "labels": gateway_labels(settings)}
