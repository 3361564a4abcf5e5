"""The sidecar in the pods of proxies: a template for Istio's injector, and a patch for a Deployment.

Either does. The template is for proxies that Istio injects, gateways and applications alike; the patch is for a
gateway's Deployment whose proxy is written there with the image `auto`.
"""

import json
from collections.abc import Mapping
from typing import Final

from extproc.core.reading import Reading
from extproc.mesh.istio.section import IstioMesh
from extproc.mesh.pod.container import (
    ADMIN_PORT,
    SOCKET_VOLUME,
    file_mounts,
    file_volumes,
    sidecar_container,
    sidecar_volumes,
    socket_folder,
)
from extproc.mesh.pod.section import SidecarPod
from extproc.mesh.section import Mesh, UnixSocket
from extproc.mesh.yaml_text import Json, write_yaml

PROXY: Final = "istio-proxy"
TEMPLATE: Final = "situs"
_USER: Final = 1337
"""ISTIO: the user of the proxy, which alone may open the sidecar's socket. What this user sends is not captured, so the
sidecar's own probes and orders do not go through the proxy that waits for it."""


def injection_template(reading: Reading, mesh: Mesh, istio: IstioMesh, sidecar: SidecarPod) -> Mapping[str, Json]:
    """Give values of Istio's chart that add the template. Raises ValueError where there is no socket to share."""
    template = write_yaml({"metadata": {"annotations": _annotations(reading)}, "spec": _pod(mesh, istio, sidecar)})
    return {"sidecarInjectorWebhook": {"templates": {TEMPLATE: template}}}


def deployment_patch(reading: Reading, mesh: Mesh, istio: IstioMesh, sidecar: SidecarPod) -> Mapping[str, Json]:
    """Give a strategic merge patch of a Deployment. Raises ValueError where there is no socket to share."""
    pod: dict[str, Json] = {"metadata": {"annotations": _annotations(reading)}, "spec": _pod(mesh, istio, sidecar)}
    return {"spec": {"template": pod}}


def _annotations(reading: Reading) -> Mapping[str, Json]:
    """Give what the injector must know. ISTIO: a merge of 0 changes nothing, so hops must not be declared elsewhere."""
    topology = {"gatewayTopology": {"numTrustedProxies": reading.trusted_hops}}
    return {
        "proxy.istio.io/config": json.dumps(topology),
        "traffic.sidecar.istio.io/excludeInboundPorts": str(ADMIN_PORT),
    }


def _pod(mesh: Mesh, istio: IstioMesh, sidecar: SidecarPod) -> Mapping[str, Json]:
    if not isinstance(mesh.sidecar, UnixSocket):
        raise ValueError(  # noqa: TRY004 - it is the mesh file that does not fit
            f"istio.sidecar puts the sidecar beside the proxy, and 'sidecar' is at {mesh.sidecar}. Mend: write "
            "'sidecar: {unix: /run/situs/situs.sock}', or remove istio.sidecar"
        )
    folder = socket_folder(mesh.sidecar)
    socket: Mapping[str, Json] = {"name": SOCKET_VOLUME, "mountPath": folder}
    proxy: dict[str, Json] = {"name": PROXY, "volumeMounts": [socket, *file_mounts("situs-proxy", istio.proxy_files)]}
    return {
        "containers": [proxy],
        "initContainers": [sidecar_container(mesh, sidecar, folder=folder, user=_USER)],
        "volumes": [*sidecar_volumes(sidecar), *file_volumes("situs-proxy", istio.proxy_files)],
    }
