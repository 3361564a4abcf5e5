"""Where things lie in the gateway's containers, and that what the mesh file names is there."""

from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Final

from extproc.mesh.kubernetes.section import Container, KubernetesMesh
from extproc.mesh.section import Mesh, UnixSocket

ENVOY_CONFIG: Final = "/etc/envoy"
POLICY: Final = "/etc/situs/policy"
MESH: Final = "/etc/situs/mesh"
ORDERS: Final = "/etc/situs/orders"
GEO: Final = "/var/lib/situs-geo"
LOG: Final = "/var/lib/situs-log"
KEYS: Final = "/var/lib/situs-keys"
TMP: Final = "/tmp"  # noqa: S108 - a volume of the pod's own
_TAKEN: Final = (ENVOY_CONFIG, POLICY, MESH, ORDERS, GEO, LOG, KEYS, TMP)


def socket_folder(mesh: Mesh) -> str:
    """Give the folder of the socket, which the two containers share. Raises ValueError where there is none."""
    if not isinstance(mesh.sidecar, UnixSocket):
        raise ValueError(  # noqa: TRY004 - a fault of the operator's file, not of a type
            f"sidecar: it is at {mesh.sidecar}, and in Kubernetes it is rendered into Envoy's pod. "
            "Mend: write 'sidecar: {unix: /run/situs/situs.sock}'"
        )
    folder = str(PurePosixPath(mesh.sidecar.unix).parent)
    for taken in _TAKEN:
        if _is_below(folder, taken) or _is_below(taken, folder):
            raise ValueError(
                f"sidecar.unix: {folder} is, or holds, or lies in {taken}, where something else is mounted. "
                "Mend: give the socket a folder of its own, such as /run/situs"
            )
    return folder


def check_places(mesh: Mesh, settings: KubernetesMesh) -> None:
    """See that every file that is named is in a mount, and that no two mounts meet. Raises ValueError."""
    _check_mounts(socket_folder(mesh), settings)
    for where, file, container in _named(mesh, settings):
        mounts = [mount.at for mount in settings.mounts if mount.container is container]
        if not any(_is_below(file, at) and file != at for at in mounts):
            raise ValueError(
                f"{where}: nothing puts {file} into the container {container}. Mend: add "
                f"'{{secret: NAME, at: {PurePosixPath(file).parent}, container: {container}}}' to kubernetes.mounts"
            )


def _named(mesh: Mesh, settings: KubernetesMesh) -> Iterator[tuple[str, str, Container]]:
    """Give each file that is named: by which field, its path, and who reads it."""
    if mesh.jwt is not None:
        yield "jwt.jwks_file", mesh.jwt.jwks_file, Container.ENVOY
    if (edge := mesh.listener_tls) is not None:
        yield "listener.tls.certificate", edge.certificate, Container.ENVOY
        yield "listener.tls.key", edge.key, Container.ENVOY
        if edge.clients is not None:
            yield "listener.tls.clients", edge.clients, Container.ENVOY
    if (peers := mesh.tls) is not None:
        yield "tls.certificate", peers.certificate, Container.ENVOY
        yield "tls.key", peers.key, Container.ENVOY
        yield "tls.authorities", peers.authorities, Container.ENVOY
    if settings.log.root is not None:
        yield "kubernetes.log.root", settings.log.root, Container.SITUS


def _check_mounts(socket: str, settings: KubernetesMesh) -> None:
    for container in Container:
        taken = [socket, *_TAKEN]
        for mount in settings.mounts:
            if mount.container is not container:
                continue
            for other in taken:
                if _is_below(mount.at, other) or _is_below(other, mount.at):
                    raise ValueError(
                        f"kubernetes.mounts: {mount.at} of {container} is, or holds, or lies in {other}, where "
                        "something else is mounted. Mend: mount it at a folder of its own"
                    )
            taken.append(mount.at)


def _is_below(path: str, folder: str) -> bool:
    return PurePosixPath(path).is_relative_to(PurePosixPath(folder))
