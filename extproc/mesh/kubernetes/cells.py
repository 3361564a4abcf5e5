"""The cells of one region as a Deployment: what needs nothing but Kubernetes."""

from typing import Final

from extproc.core.tables import Region
from extproc.mesh.kubernetes.cell_container import (
    CELL_PORT,
    DRAIN_S,
    cell_container,
    cell_volumes,
    placement,
    with_mounts,
)
from extproc.mesh.kubernetes.cells_section import Cells
from extproc.mesh.kubernetes.common import (
    GROUP,
    Fields,
    cell_labels,
    mounted,
    pod_security,
    resource,
    spread,
)
from extproc.mesh.section import PeerTls
from extproc.mesh.yaml_text import Json

_MODELS: Final = "/var/lib/situs-models"
_SPARE_S: Final = 10


def cells_deployment(cells: Cells, region: Region, tls: PeerTls | None) -> Fields:
    """Give the Deployment."""
    labels = cell_labels(region.id)
    container = cell_container(cells, region, tls, name="cell", models=_MODELS)
    models: Fields = {"name": "models", "persistentVolumeClaim": {"claimName": cells.claim, "readOnly": True}}
    pod: Fields = {
        **cell_pod(labels),
        **placement(cells, region),
        "containers": [with_mounts(container, tls, mounted("models", _MODELS))],
        "volumes": [models, *cell_volumes(region, tls)],
    }
    spec: Fields = {
        "replicas": cells.replicas,
        "strategy": {"type": "RollingUpdate", "rollingUpdate": _rolling(cells)},
        "selector": {"matchLabels": labels},
        "template": {"metadata": {"labels": labels}, "spec": pod},
    }
    return resource("apps/v1", "Deployment", _metadata(cells, region), {"spec": spec})


def cells_service(cells: Cells, region: Region, *, here: bool) -> Fields:
    """Give the Service. `here`: the gateway is in the same cluster, and knows each cell by its own address."""
    labels = cell_labels(region.id)
    ports: list[Json] = [{"name": CELL_PORT, "port": cells.port, "targetPort": CELL_PORT}]
    kind: Fields = {"clusterIP": "None"}
    if not here:
        kind = {
            "type": "LoadBalancer",
            "externalTrafficPolicy": "Local",
            "loadBalancerSourceRanges": list(cells.gateways),
        }
    spec: Fields = {**kind, "selector": labels, "ports": ports}
    return resource("v1", "Service", _metadata(cells, region), {"spec": spec})


def cell_pod(labels: Fields) -> Fields:
    """Give what holds for a pod of cells, whoever runs it."""
    return {
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": DRAIN_S + _SPARE_S,
        "securityContext": pod_security(group=GROUP),
        "topologySpreadConstraints": spread(labels, hosts="ScheduleAnyway"),
    }


def _rolling(cells: Cells) -> Json:
    # A spare GPU for one cell more than there are is a lot to ask for.
    return {"maxSurge": 0, "maxUnavailable": 1} if cells.gpus else {"maxSurge": 1, "maxUnavailable": 0}


def _metadata(cells: Cells, region: Region) -> Fields:
    return {"name": f"cell-{region.id}", "namespace": cells.namespace, "labels": cell_labels(region.id)}
