"""The cells of one region as KServe runs them: a ServingRuntime and an InferenceService, scaled by KServe.

KSERVE: checked with the definitions of v0.20 (serving.kserve.io/v1alpha1 ServingRuntime, v1beta1 InferenceService), in
the Standard mode, which makes a Deployment, a Service and an autoscaler of it, without Knative.
"""

from typing import Final

from extproc.core.tables import Region
from extproc.mesh.kubernetes.cell_container import (
    CELL_PORT,
    cell_container,
    cell_needs,
    cell_volumes,
    placement,
    with_mounts,
)
from extproc.mesh.kubernetes.cells import cell_pod
from extproc.mesh.kubernetes.cells_section import Cells
from extproc.mesh.kubernetes.common import Fields, cell_labels, resource
from extproc.mesh.section import PeerTls
from extproc.mesh.yaml_text import Json

_FORMAT: Final = "onnx"
_VERSION: Final = "1"
_MODELS: Final = "/mnt/models"
"""KSERVE: where the storage of a model is mounted, or copied to."""
_CONTAINER: Final = "kserve-container"
"""KSERVE: the container that storage is given to, and that an InferenceService may change."""


def serving_runtime(cells: Cells, region: Region, tls: PeerTls | None) -> Fields:
    """Give the runtime: how a cell of this region is started. It is of this namespace and of this region alone."""
    # The volume of the models is KServe's own doing.
    container = with_mounts(cell_container(cells, region, tls, name=_CONTAINER, models=_MODELS), tls)
    spec: Fields = {
        "supportedModelFormats": [{"name": _FORMAT, "version": _VERSION, "autoSelect": False}],
        "protocolVersions": ["v2"],
        "labels": cell_labels(region.id),
        "containers": [container],
        "volumes": cell_volumes(region, tls),
    }
    metadata: Fields = {"name": runtime_name(region), "namespace": cells.namespace}
    return resource("serving.kserve.io/v1alpha1", "ServingRuntime", metadata, {"spec": spec})


def inference_service(cells: Cells, region: Region) -> Fields:
    """Give the service: which models, and how many cells."""
    model: Fields = {
        "modelFormat": {"name": _FORMAT, "version": _VERSION},
        "protocolVersion": "v2",
        "runtime": runtime_name(region),
        "storageUri": cells.store,
        "resources": _resources(cells),
    }
    labels = cell_labels(region.id)
    predictor: Fields = {
        "minReplicas": cells.replicas,
        "maxReplicas": cells.most,
        "scaleMetric": "cpu",
        "scaleTarget": 70,
        **cell_pod(labels),
        **placement(cells, region),
        "model": model,
    }
    metadata: Fields = {
        "name": f"cell-{region.id}",
        "namespace": cells.namespace,
        "labels": {**labels, "networking.kserve.io/visibility": "cluster-local"},
        "annotations": {
            "serving.kserve.io/deploymentMode": "Standard",
            "serving.kserve.io/autoscalerClass": "hpa",
        },
    }
    return resource("serving.kserve.io/v1beta1", "InferenceService", metadata, {"spec": {"predictor": predictor}})


def outside_service(cells: Cells, region: Region) -> Fields:
    """Give the Service for gateways of other clusters. KServe's own is for this cluster alone."""
    ports: list[Json] = [{"name": CELL_PORT, "port": cells.port, "targetPort": cells.port}]
    spec: Fields = {
        "type": "LoadBalancer",
        "externalTrafficPolicy": "Local",
        "loadBalancerSourceRanges": list(cells.gateways),
        "selector": cell_labels(region.id),
        "ports": ports,
    }
    metadata: Fields = {"name": f"cell-{region.id}-outside", "namespace": cells.namespace}
    return resource("v1", "Service", metadata, {"spec": spec})


def _resources(cells: Cells) -> Json:
    """Give what a cell has, in full: KServe would add a limit of its own (1 CPU) where none is written."""
    found = cell_needs(cells)
    return {**found, "limits": {"cpu": f"{cells.cpu_millis}m", **found["limits"]}}


def runtime_name(region: Region) -> str:
    """Give the name of the region's runtime."""
    return f"situs-cell-{region.id}"
