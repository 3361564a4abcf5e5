"""The sidecar's container and the volumes of the pod that it shares with a proxy."""

from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Final

from extproc.mesh.pod.section import FileSource, SidecarPod, SourceKind
from extproc.mesh.section import Mesh, UnixSocket
from extproc.mesh.yaml_text import Json

ADMIN_PORT: Final = 9902
"""Where the kubelet asks the sidecar how it is."""
SOCKET_VOLUME: Final = "situs-socket"
_STATE: Final = "/var/lib/situs"
_TMP: Final = "/tmp"  # noqa: S108 - an empty folder of the container's own
_START_TRIES: Final = 150


def socket_folder(socket: UnixSocket) -> str:
    """Give the folder that the two containers share. Raises ValueError where it cannot be shared."""
    folder = str(PurePosixPath(socket.unix).parent)
    if folder == "/":
        raise ValueError(
            f"sidecar.unix: {socket.unix} lies in /, which cannot be shared between containers. "
            "Mend: give it a folder, as /run/situs/situs.sock"
        )
    return folder


def sidecar_container(mesh: Mesh, sidecar: SidecarPod, *, folder: str, user: int) -> Mapping[str, Json]:
    """Give the container, which starts before the proxy and ends after it (KUBERNETES: a native sidecar, 1.29).

    `folder` is the socket's, `user` the proxy's, who alone may open the socket.
    """
    state: dict[str, Json] = {"name": "situs-state", "mountPath": _STATE}
    if sidecar.log_claim is not None:
        state["subPathExpr"] = "$(POD_NAME)"
    given = {
        "--listen": str(mesh.sidecar),
        "--workers": str(mesh.workers),
        "--log": f"{_STATE}/log",
        "--key": f"{_STATE}/log.key",
        "--admin": f"0.0.0.0:{ADMIN_PORT}",
        "--node": "$(POD_NAME)",
    }
    ready: Mapping[str, Json] = {"path": "/readyz", "port": ADMIN_PORT}
    alive: Mapping[str, Json] = {"path": "/livez", "port": ADMIN_PORT}
    return {
        "name": "situs",
        "image": sidecar.image,
        "restartPolicy": "Always",
        "args": ["serve", *sidecar.arguments, *(word for pair in given.items() for word in pair)],
        "env": [{"name": "POD_NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}],
        "ports": [{"name": "situs-admin", "containerPort": ADMIN_PORT}],
        "startupProbe": {"httpGet": ready, "periodSeconds": 2, "failureThreshold": _START_TRIES},
        "readinessProbe": {"httpGet": ready, "periodSeconds": 2, "timeoutSeconds": 2},
        "livenessProbe": {"httpGet": alive, "periodSeconds": 5, "timeoutSeconds": 5, "failureThreshold": 6},
        "securityContext": {
            "runAsUser": user,
            "runAsGroup": user,
            "runAsNonRoot": True,
            "readOnlyRootFilesystem": True,
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "volumeMounts": [
            {"name": SOCKET_VOLUME, "mountPath": folder},
            {"name": "situs-tmp", "mountPath": _TMP},
            state,
            *file_mounts("situs-files", sidecar.files),
        ],
    }


def sidecar_volumes(sidecar: SidecarPod) -> Iterator[Json]:
    """Give what the container has besides, the socket's folder among it."""
    yield {"name": SOCKET_VOLUME, "emptyDir": {"medium": "Memory", "sizeLimit": "1Mi"}}
    yield {"name": "situs-tmp", "emptyDir": {}}
    if sidecar.log_claim is None:
        yield {"name": "situs-state", "emptyDir": {}}
    else:
        yield {"name": "situs-state", "persistentVolumeClaim": {"claimName": sidecar.log_claim}}
    yield from file_volumes("situs-files", sidecar.files)


def file_volumes(prefix: str, files: Mapping[str, FileSource]) -> Iterator[Json]:
    """Give a volume for each folder, named by the prefix and a number."""
    for index, source in enumerate(files.values()):
        yield {"name": f"{prefix}-{index}", **_origin(source)}


def file_mounts(prefix: str, files: Mapping[str, FileSource]) -> Iterator[Mapping[str, Json]]:
    """Give the mounts of these volumes."""
    for index, path in enumerate(files):
        yield {"name": f"{prefix}-{index}", "mountPath": path, "readOnly": True}


def _origin(source: FileSource) -> Mapping[str, Json]:
    match source.kind:
        case SourceKind.SECRET:
            return {"secret": {"secretName": source.name, "defaultMode": 0o440}}
        case SourceKind.CONFIG_MAP:
            return {"configMap": {"name": source.name}}
        case SourceKind.CLAIM:
            return {"persistentVolumeClaim": {"claimName": source.name, "readOnly": True}}
