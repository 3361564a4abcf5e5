"""The container `situs`: the sidecar, which Kubernetes starts before Envoy and stops after it."""

from collections.abc import Iterator

from extproc.mesh.kubernetes import cost, places
from extproc.mesh.kubernetes.common import SITUS_USER, Fields, container_security, http_probe, mounted, needs
from extproc.mesh.kubernetes.section import Container, KubernetesMesh
from extproc.mesh.kubernetes.timing import SITUS_DRAIN_S
from extproc.mesh.section import Mesh
from extproc.mesh.yaml_text import Json

ADMIN_PORT = "situs-admin"
"""The name of the port."""


def situs_container(mesh: Mesh, settings: KubernetesMesh) -> Fields:
    """Give the container. Raises ValueError where its workers cannot serve what is asked of them."""
    most = cost.most_requests_per_s(mesh.workers)
    if settings.requests_per_s > most:
        raise ValueError(
            f"kubernetes.requests_per_s: {mesh.workers} worker(s) are to serve at most {most} requests a second. "
            "Mend: ask for fewer of each gateway and have more of them, or raise sidecar.workers"
        )
    drain = ["python", "-m", "extproc.mesh.kubernetes.drain", "--admin", str(mesh.admin)]
    # A recovery of a long log takes minutes, and Envoy waits for it.
    starting = http_probe("/readyz", ADMIN_PORT, period_s=1, failures=300)
    return {
        "name": "situs",
        "image": settings.situs,
        "restartPolicy": "Always",
        "command": ["situs"],
        "args": list(_arguments(settings)),
        "env": [{"name": "POD_NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}],
        "ports": [{"name": ADMIN_PORT, "containerPort": settings.admin_port}],
        "startupProbe": starting,
        "readinessProbe": http_probe("/readyz", ADMIN_PORT, period_s=2, failures=2),
        "livenessProbe": http_probe("/livez", ADMIN_PORT, period_s=10, failures=3),
        "lifecycle": {"preStop": {"exec": {"command": [*drain]}}},
        "resources": needs(
            millis=cost.cpu_millis(settings.requests_per_s, cost.SITUS_US),
            mib=settings.situs_mib or cost.situs_mib(mesh.workers),
        ),
        "securityContext": container_security(SITUS_USER),
        "volumeMounts": list(_mounts(mesh, settings)),
    }


def _arguments(settings: KubernetesMesh) -> Iterator[str]:
    log = settings.log
    yield "serve"
    yield f"--policy={places.POLICY}/policy.yaml"
    yield f"--mesh={places.MESH}/mesh.yaml"
    if settings.geo is not None:
        yield f"--geo-db={places.GEO}/{settings.geo.file}"
        if settings.geo.anonymity is not None:
            yield f"--anonymity-db={places.GEO}/{settings.geo.anonymity}"
    yield f"--overrides={places.ORDERS}/overrides.yaml"
    yield f"--log={places.LOG}/log"
    yield f"--key={places.KEYS}/ring/log.key"
    if log.root is not None:
        yield f"--key-root={log.root}"
    yield from (f"--org={log.org}", f"--env={log.env}", "--node=$(POD_NAME)")
    yield f"--admin=0.0.0.0:{settings.admin_port}"
    yield f"--drain={SITUS_DRAIN_S}"
    yield from settings.arguments


def _mounts(mesh: Mesh, settings: KubernetesMesh) -> Iterator[Json]:
    yield mounted("socket", places.socket_folder(mesh), writable=True)
    yield mounted("policy", places.POLICY)
    yield mounted("mesh", places.MESH)
    yield mounted("orders", places.ORDERS)
    if settings.geo is not None:
        yield mounted("geo", places.GEO)
    yield mounted("log", places.LOG, writable=True)
    yield mounted("keys", places.KEYS, writable=True)
    yield mounted("tmp", places.TMP, writable=True)
    for number, mount in enumerate(settings.mounts):
        if mount.container is Container.SITUS:
            yield mounted(f"files-{number}", mount.at)
