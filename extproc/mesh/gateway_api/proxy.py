"""The proxies' pods: Envoy as Envoy Gateway runs it, and the sidecar beside it on a Unix socket."""

from typing import TYPE_CHECKING, Final

from extproc.mesh.gateway_api.resources import EXTENSION, SECRETS_SUFFIX, Resource, metadata
from extproc.mesh.gateway_api.section import GatewayApiMesh
from extproc.mesh.pod.container import (
    SOCKET_VOLUME,
    file_mounts,
    file_volumes,
    sidecar_container,
    sidecar_volumes,
    socket_folder,
)
from extproc.mesh.pod.section import SidecarPod
from extproc.mesh.section import Mesh, UnixSocket

if TYPE_CHECKING:
    from extproc.mesh.yaml_text import Json

_USER: Final = 65532
"""The user that Envoy Gateway runs Envoy as: whose socket Envoy may open."""
_SECRETS_VOLUME: Final = "envoy-secrets"


def envoy_proxy(place: GatewayApiMesh, mesh: Mesh) -> Resource:
    """Give the resource that says what the proxies are made of. Raises ValueError (place and mend)."""
    deployment: dict[str, Json] = {"replicas": place.replicas}
    volumes = list(file_volumes("envoy", place.proxy.files))
    mounts = list(file_mounts("envoy", place.proxy.files))
    if mesh.tls is not None:
        volumes.append({"name": _SECRETS_VOLUME, "configMap": {"name": f"{place.name}{SECRETS_SUFFIX}"}})
        mounts.append({"name": _SECRETS_VOLUME, "mountPath": mesh.directory, "readOnly": True})
    if isinstance(mesh.sidecar, UnixSocket):
        sidecar = _needed(place)
        folder = socket_folder(mesh.sidecar)
        mounts.append({"name": SOCKET_VOLUME, "mountPath": folder})
        volumes += sidecar_volumes(sidecar)
        deployment["initContainers"] = [sidecar_container(mesh, sidecar, folder=folder, user=_USER)]
    # The group of the files in the pod's own volumes, and of the socket.
    deployment["pod"] = {"securityContext": {"fsGroup": _USER}, "volumes": volumes}
    container: dict[str, Json] = {} if place.proxy.image is None else {"image": place.proxy.image}
    if mounts:
        container["volumeMounts"] = mounts
    if container:
        deployment["container"] = container
    service: dict[str, Json] = {"type": place.service.value}
    if place.service.value != "ClusterIP":
        service["externalTrafficPolicy"] = "Local"
    return {
        "apiVersion": f"{EXTENSION}/v1alpha1",
        "kind": "EnvoyProxy",
        "metadata": metadata(place),
        "spec": {
            "provider": {"type": "Kubernetes", "kubernetes": {"envoyDeployment": deployment, "envoyService": service}},
            "telemetry": {"accessLog": {"disable": True}},
        },
    }


def _needed(place: GatewayApiMesh) -> SidecarPod:
    if place.sidecar is None:
        raise ValueError(
            "gateway_api: the sidecar is at a Unix socket, so in the proxy's pod, and nothing says what it is made of. "
            "Mend: add 'sidecar: {image: …, arguments: […]}' there, or give 'sidecar:' an address and a port"
        )
    return place.sidecar
