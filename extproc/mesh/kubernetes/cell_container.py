"""The container of a cell, the same whoever runs it: a Deployment, or KServe."""

from typing import Final

from extproc.core.tables import Region
from extproc.mesh.kubernetes.cells_section import Cells
from extproc.mesh.kubernetes.common import (
    CELL_USER,
    Fields,
    Needs,
    container_security,
    http_probe,
    mounted,
    needs,
    scratch,
    tcp_probe,
)
from extproc.mesh.kubernetes.places import TMP
from extproc.mesh.section import PeerTls
from extproc.mesh.yaml_text import Json

CELL_PORT: Final = "http"
"""The name of the port."""
DRAIN_S: Final = 25
"""The cell's own default: for the first fifth it is not ready and serves on, so that nothing is sent to it any more."""
_A_CPU: Final = 1000
_TMP_MIB: Final = 64
_TLS: Final = "/etc/situs/tls"


def cell_container(cells: Cells, region: Region, tls: PeerTls | None, *, name: str, models: str) -> Fields:
    """Give the container. `models` is the folder of the model store in it."""
    # With mutual TLS a cell answers nobody without a certificate, and the kubelet has none.
    ready = http_probe("/v2/health/ready", CELL_PORT, period_s=2, failures=2)
    starting: Fields = {**ready, "failureThreshold": 300}
    alive = http_probe("/v2/health/live", CELL_PORT, period_s=10, failures=3)
    probes: Fields = {"startupProbe": starting, "readinessProbe": ready, "livenessProbe": alive}
    if tls is not None:
        probes = {
            "startupProbe": tcp_probe(CELL_PORT, period_s=2, failures=300),
            "readinessProbe": tcp_probe(CELL_PORT, period_s=2, failures=2),
        }
    return {
        "name": name,
        "image": cells.image,
        "command": ["situs-cell"],
        "args": [
            "serve",
            f"--region={region.id}",
            f"--jurisdiction={region.country}",
            "--cell=$(POD_NAME)",
            f"--models={models}",
            f"--listen=0.0.0.0:{cells.port}",
            f"--device={'gpu' if cells.gpus else 'cpu'}",
            f"--threads={max(1, cells.cpu_millis // _A_CPU)}",
            f"--drain={DRAIN_S}",
            *_tls_arguments(tls),
        ],
        "env": [{"name": "POD_NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}],
        "ports": [{"name": CELL_PORT, "containerPort": cells.port, "protocol": "TCP"}],
        **probes,
        "resources": cell_needs(cells),
        "securityContext": container_security(CELL_USER),
    }


def with_mounts(container: Fields, tls: PeerTls | None, *mounts: Json) -> Fields:
    """Give the container with its volumes."""
    shown = [] if tls is None else [mounted("tls", _TLS)]
    return {**container, "volumeMounts": [*mounts, *shown, mounted("tmp", TMP, writable=True)]}


def cell_volumes(region: Region, tls: PeerTls | None) -> list[Json]:
    """Give the volumes of every cell."""
    found: list[Json] = [scratch("tmp", _TMP_MIB)]
    if tls is not None:
        found.append({"name": "tls", "secret": {"secretName": f"cell-{region.id}-tls", "defaultMode": 0o440}})
    return found


def placement(cells: Cells, region: Region) -> Fields:
    """Give on which nodes a cell may be: those of its region, and with GPUs those that are kept for them."""
    found: Fields = {}
    if (place := cells.nodes.get(region.id)) is not None:
        found["nodeSelector"] = {"topology.kubernetes.io/region": place}
    if cells.gpus:
        found["tolerations"] = [{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}]
    return found


def _tls_arguments(tls: PeerTls | None) -> list[str]:
    if tls is None:
        return []
    peers = [tls.identity, *([] if tls.sidecar is None else [tls.sidecar])]
    files = (("certificate", "tls.crt"), ("key", "tls.key"), ("authorities", "ca.crt"))
    return [*(f"--tls-{option}={_TLS}/{file}" for option, file in files), *(f"--tls-peer={peer}" for peer in peers)]


def cell_needs(cells: Cells) -> Needs:
    """Give what a cell requests and may have."""
    gpus: Fields = {"nvidia.com/gpu": str(cells.gpus)} if cells.gpus else {}
    return needs(millis=cells.cpu_millis, mib=cells.memory_mib, more=gpus)
