"""The proxies' pods: Envoy as Envoy Gateway runs it, and the sidecar beside it on a Unix socket."""

from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Final

from extproc.mesh.gateway_api.resources import EXTENSION, SECRETS_SUFFIX, Resource, metadata
from extproc.mesh.gateway_api.section import FileSource, GatewayApiMesh, SidecarPod, SourceKind
from extproc.mesh.section import Mesh, UnixSocket
from extproc.mesh.yaml_text import Json

_USER: Final = 65532
"""The user that Envoy Gateway runs Envoy as: whose socket Envoy may open."""
_ADMIN_PORT: Final = 9902
_STATE: Final = "/var/lib/situs"
_TMP: Final = "/tmp"  # noqa: S108 - an empty folder of the container's own
_SOCKET_VOLUME: Final = "situs-socket"
_SECRETS_VOLUME: Final = "envoy-secrets"
_STATE_VOLUME: Final = "situs-state"
_TMP_VOLUME: Final = "situs-tmp"
_START_TRIES: Final = 150
_POD_NAME: Final = "POD_NAME"


def envoy_proxy(place: GatewayApiMesh, mesh: Mesh) -> Resource:
    """Give the resource that says what the proxies are made of. Raises ValueError (place and mend)."""
    deployment: dict[str, Json] = {"replicas": place.replicas}
    volumes = [_volume(f"envoy-{i}", source) for i, source in enumerate(place.proxy.files.values())]
    mounts = [_mount(f"envoy-{i}", path) for i, path in enumerate(place.proxy.files)]
    if mesh.tls is not None:
        volumes.append({"name": _SECRETS_VOLUME, "configMap": {"name": f"{place.name}{SECRETS_SUFFIX}"}})
        mounts.append(_mount(_SECRETS_VOLUME, mesh.directory))
    if isinstance(mesh.sidecar, UnixSocket):
        sidecar = _needed(place)
        folder = _socket_folder(mesh.sidecar)
        mounts.append({"name": _SOCKET_VOLUME, "mountPath": folder})
        volumes += _sidecar_volumes(sidecar)
        deployment["initContainers"] = [_container(sidecar, mesh, folder)]
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


def _socket_folder(socket: UnixSocket) -> str:
    folder = str(PurePosixPath(socket.unix).parent)
    if folder == "/":
        raise ValueError(
            f"sidecar.unix: {socket.unix} lies in /, which cannot be shared between containers. "
            "Mend: give it a folder, as /run/situs/situs.sock"
        )
    return folder


def _sidecar_volumes(sidecar: SidecarPod) -> Iterator[Json]:
    yield {"name": _SOCKET_VOLUME, "emptyDir": {"medium": "Memory", "sizeLimit": "1Mi"}}
    yield {"name": _TMP_VOLUME, "emptyDir": {}}
    if sidecar.log_claim is None:
        yield {"name": _STATE_VOLUME, "emptyDir": {}}
    else:
        yield {"name": _STATE_VOLUME, "persistentVolumeClaim": {"claimName": sidecar.log_claim}}
    for i, source in enumerate(sidecar.files.values()):
        yield _volume(f"situs-{i}", source)


def _container(sidecar: SidecarPod, mesh: Mesh, socket_folder: str) -> Json:
    state: dict[str, Json] = {"name": _STATE_VOLUME, "mountPath": _STATE}
    if sidecar.log_claim is not None:
        state["subPathExpr"] = f"$({_POD_NAME})"
    probe: Mapping[str, Json] = {"path": "/readyz", "port": _ADMIN_PORT}
    return {
        "name": "situs",
        "image": sidecar.image,
        "restartPolicy": "Always",
        "args": [
            "serve",
            *sidecar.arguments,
            "--listen",
            str(mesh.sidecar),
            "--workers",
            str(mesh.workers),
            "--log",
            f"{_STATE}/log",
            "--key",
            f"{_STATE}/log.key",
            "--admin",
            f"0.0.0.0:{_ADMIN_PORT}",
            "--node",
            f"$({_POD_NAME})",
        ],
        "env": [{"name": _POD_NAME, "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}],
        "ports": [{"name": "situs-admin", "containerPort": _ADMIN_PORT}],
        "startupProbe": {"httpGet": probe, "periodSeconds": 2, "failureThreshold": _START_TRIES},
        "readinessProbe": {"httpGet": probe, "periodSeconds": 2, "timeoutSeconds": 2},
        "livenessProbe": {
            "httpGet": {"path": "/livez", "port": _ADMIN_PORT},
            "periodSeconds": 5,
            "timeoutSeconds": 5,
            "failureThreshold": 6,
        },
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
            {"name": _SOCKET_VOLUME, "mountPath": socket_folder},
            {"name": _TMP_VOLUME, "mountPath": _TMP},
            state,
            *(_mount(f"situs-{i}", path) for i, path in enumerate(sidecar.files)),
        ],
    }


def _volume(name: str, source: FileSource) -> Json:
    match source.kind:
        case SourceKind.SECRET:
            return {"name": name, "secret": {"secretName": source.name, "defaultMode": 0o440}}
        case SourceKind.CONFIG_MAP:
            return {"name": name, "configMap": {"name": source.name}}
        case SourceKind.CLAIM:
            return {"name": name, "persistentVolumeClaim": {"claimName": source.name, "readOnly": True}}


def _mount(name: str, path: str) -> Json:
    return {"name": name, "mountPath": path, "readOnly": True}
