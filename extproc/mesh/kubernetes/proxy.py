"""The container `envoy`."""

from collections.abc import Iterator

from extproc.mesh.kubernetes import cost, places
from extproc.mesh.kubernetes.common import ENVOY_USER, Fields, container_security, mounted, needs, tcp_probe
from extproc.mesh.kubernetes.section import Container, KubernetesMesh
from extproc.mesh.kubernetes.timing import envoy_drain_s
from extproc.mesh.section import Mesh
from extproc.mesh.yaml_text import Json

LISTENER_PORT = "listener"
"""The name of the port."""


def envoy_container(mesh: Mesh, settings: KubernetesMesh) -> Fields:
    """Give the container."""
    return {
        "name": "envoy",
        "image": settings.envoy,
        "command": ["envoy"],
        "args": list(_arguments(mesh, settings)),
        "ports": [{"name": LISTENER_PORT, "containerPort": mesh.listener.port}],
        "startupProbe": tcp_probe(LISTENER_PORT, period_s=1, failures=60),
        "readinessProbe": tcp_probe(LISTENER_PORT, period_s=5, failures=2),
        "lifecycle": {"preStop": {"sleep": {"seconds": envoy_drain_s(mesh)}}},
        "resources": needs(millis=cost.cpu_millis(settings.requests_per_s, cost.ENVOY_US), mib=settings.envoy_mib),
        "securityContext": container_security(ENVOY_USER),
        "volumeMounts": list(_mounts(mesh, settings)),
    }


def _arguments(mesh: Mesh, settings: KubernetesMesh) -> Iterator[str]:
    yield from ("--config-path", f"{places.ENVOY_CONFIG}/envoy.yaml")
    yield from ("--concurrency", str(cost.envoy_threads(settings.requests_per_s)))
    yield from ("--drain-time-s", str(envoy_drain_s(mesh)), "--drain-strategy", "immediate")
    yield from ("--disable-hot-restart", "--log-level", "warning")


def _mounts(mesh: Mesh, settings: KubernetesMesh) -> Iterator[Json]:
    yield mounted("envoy", places.ENVOY_CONFIG)
    # Connecting to a Unix socket is no writing to its folder.
    yield mounted("socket", places.socket_folder(mesh))
    for number, mount in enumerate(settings.mounts):
        if mount.container is Container.ENVOY:
            yield mounted(f"files-{number}", mount.at)
