"""The sidecar in the pods of proxies: a template for Istio's injector, and a patch for a Deployment.

Either does. The template is for proxies that Istio injects, gateways and applications alike; the patch is for a
gateway's Deployment whose proxy is written there with the image `auto`.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Final

from extproc.core.reading import Reading
from extproc.mesh.istio.sidecar_section import FileSource, SidecarPod, SourceKind
from extproc.mesh.section import Mesh, UnixSocket
from extproc.mesh.yaml_text import Json, write_yaml

PROXY: Final = "istio-proxy"
TEMPLATE: Final = "situs"
_USER: Final = 1337
"""ISTIO: the user of the proxy, which alone may open the sidecar's socket. What this user sends is not captured, so the
sidecar's own probes and orders do not go through the proxy that waits for it."""
_ADMIN_PORT: Final = 9902
_STATE: Final = "/var/lib/situs"
_TMP: Final = "/tmp"  # noqa: S108 - an empty folder of the container's own
_START_TRIES: Final = 150


def injection_template(reading: Reading, mesh: Mesh, sidecar: SidecarPod) -> Mapping[str, Json]:
    """Give values of Istio's chart that add the template. Raises ValueError where there is no socket to share."""
    template = write_yaml({"metadata": {"annotations": _annotations(reading)}, "spec": _pod(mesh, sidecar)})
    return {"sidecarInjectorWebhook": {"templates": {TEMPLATE: template}}}


def deployment_patch(reading: Reading, mesh: Mesh, sidecar: SidecarPod) -> Mapping[str, Json]:
    """Give a strategic merge patch of a Deployment. Raises ValueError where there is no socket to share."""
    pod: dict[str, Json] = {"metadata": {"annotations": _annotations(reading)}, "spec": _pod(mesh, sidecar)}
    return {"spec": {"template": pod}}


def _annotations(reading: Reading) -> Mapping[str, Json]:
    """Give what the injector must know. ISTIO: a merge of 0 changes nothing, so hops must not be declared elsewhere."""
    topology = {"gatewayTopology": {"numTrustedProxies": reading.trusted_hops}}
    return {
        "proxy.istio.io/config": json.dumps(topology),
        "traffic.sidecar.istio.io/excludeInboundPorts": str(_ADMIN_PORT),
    }


def _pod(mesh: Mesh, sidecar: SidecarPod) -> Mapping[str, Json]:
    if not isinstance(mesh.sidecar, UnixSocket):
        raise ValueError(  # noqa: TRY004 - it is the mesh file that does not fit
            f"istio.sidecar puts the sidecar beside the proxy, and 'sidecar' is at {mesh.sidecar}. Mend: write "
            "'sidecar: {unix: /run/situs/situs.sock}', or remove istio.sidecar"
        )
    folder = str(PurePosixPath(mesh.sidecar.unix).parent)
    if folder == "/":
        raise ValueError(
            f"sidecar.unix: {mesh.sidecar.unix} lies in /, which cannot be shared between containers. "
            "Mend: give it a folder, as /run/situs/situs.sock"
        )
    socket: Mapping[str, Json] = {"name": "situs-socket", "mountPath": folder}
    proxy: dict[str, Json] = {"name": PROXY, "volumeMounts": [socket, *_mounts("situs-proxy", sidecar.proxy_files)]}
    return {
        "containers": [proxy],
        "initContainers": [_container(mesh, sidecar, socket)],
        "volumes": list(_volumes(sidecar)),
    }


def _container(mesh: Mesh, sidecar: SidecarPod, socket: Mapping[str, Json]) -> Mapping[str, Json]:
    state: dict[str, Json] = {"name": "situs-state", "mountPath": _STATE}
    if sidecar.log_claim is not None:
        state["subPathExpr"] = "$(POD_NAME)"
    given = {
        "--listen": str(mesh.sidecar),
        "--workers": str(mesh.workers),
        "--log": f"{_STATE}/log",
        "--key": f"{_STATE}/log.key",
        "--admin": f"0.0.0.0:{_ADMIN_PORT}",
        "--node": "$(POD_NAME)",
    }
    ready: Mapping[str, Json] = {"path": "/readyz", "port": _ADMIN_PORT}
    alive: Mapping[str, Json] = {"path": "/livez", "port": _ADMIN_PORT}
    return {
        "name": "situs",
        "image": sidecar.image,
        "restartPolicy": "Always",
        "args": ["serve", *sidecar.arguments, *(word for pair in given.items() for word in pair)],
        "env": [{"name": "POD_NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}],
        "startupProbe": {"httpGet": ready, "periodSeconds": 2, "failureThreshold": _START_TRIES},
        "readinessProbe": {"httpGet": ready, "periodSeconds": 2, "timeoutSeconds": 2},
        "livenessProbe": {"httpGet": alive, "periodSeconds": 5, "timeoutSeconds": 5, "failureThreshold": 6},
        "securityContext": {
            "runAsUser": _USER,
            "runAsGroup": _USER,
            "runAsNonRoot": True,
            "readOnlyRootFilesystem": True,
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "volumeMounts": [
            socket,
            {"name": "situs-tmp", "mountPath": _TMP},
            state,
            *_mounts("situs-files", sidecar.files),
        ],
    }


def _volumes(sidecar: SidecarPod) -> Iterator[Json]:
    yield {"name": "situs-socket", "emptyDir": {"medium": "Memory", "sizeLimit": "1Mi"}}
    yield {"name": "situs-tmp", "emptyDir": {}}
    if sidecar.log_claim is None:
        yield {"name": "situs-state", "emptyDir": {}}
    else:
        yield {"name": "situs-state", "persistentVolumeClaim": {"claimName": sidecar.log_claim}}
    for prefix, files in (("situs-proxy", sidecar.proxy_files), ("situs-files", sidecar.files)):
        for index, source in enumerate(files.values()):
            yield {"name": f"{prefix}-{index}", **_origin(source)}


def _origin(source: FileSource) -> Mapping[str, Json]:
    match source.kind:
        case SourceKind.SECRET:
            return {"secret": {"secretName": source.name, "defaultMode": 0o440}}
        case SourceKind.CONFIG_MAP:
            return {"configMap": {"name": source.name}}
        case SourceKind.CLAIM:
            return {"persistentVolumeClaim": {"claimName": source.name, "readOnly": True}}


def _mounts(prefix: str, files: Mapping[str, FileSource]) -> Iterator[Mapping[str, Json]]:
    for index, path in enumerate(files):
        yield {"name": f"{prefix}-{index}", "mountPath": path, "readOnly": True}
