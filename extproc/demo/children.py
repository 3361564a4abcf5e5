"""The processes of the demo's world and their commands."""

from pathlib import Path
from typing import Final

from extproc.core.tables import Region
from extproc.demo.folder import NODE, Folder
from extproc.demo.plan import Plan
from extproc.demo.process import Child, python
from extproc.demo.secured import ENVOY, SIDECAR, Secured

_CELL_DRAIN_S: Final = 1


def cell_child(folder: Folder, region: Region, port: int, tls: Secured | None = None) -> Child:
    """Make the cell of a region."""
    secured = [] if tls is None else tls.options(f"cell-{region.id}", ENVOY, SIDECAR)
    return Child(
        region.id,
        python(
            "inference", "serve",
            "--region", region.id,
            "--jurisdiction", region.country,
            "--cell", f"{region.id}-0",
            "--models", folder.models,
            "--listen", f"127.0.0.1:{port}",
            "--access-log", folder.received(region.id),
            "--drain", str(_CELL_DRAIN_S),
            *secured,
        ),
        folder.output(region.id),
    )  # fmt: skip


def sidecar_child(folder: Folder, plan: Plan, *, admin_port: int, listen: str, tls: Secured | None = None) -> Child:
    """Make the sidecar. It is told by the mesh file that Envoy may ask it."""
    secured = [] if tls is None else tls.options("sidecar")
    return Child(
        "sidecar",
        python(
            "extproc", "serve",
            "--policy", folder.policy,
            "--mesh", folder.mesh,
            "--geo-db", folder.geo,
            "--overrides", folder.overrides,
            "--log", folder.log,
            "--key", folder.key,
            "--listen", listen,
            "--admin", f"127.0.0.1:{admin_port}",
            "--durability", plan.durability,
            "--org", "demo", "--env", "demo", "--node", NODE,
            "--drain", "2",
            *secured,
            *plan.options,
        ),
        folder.output("sidecar"),
    )  # fmt: skip


def envoy_child(folder: Folder, binary: Path) -> Child:
    """Make Envoy, as the rendered configuration says."""
    return Child(
        "envoy",
        [
            binary, "-c", folder.envoy,
            "--disable-hot-restart", "--concurrency", "2",
            "--log-level", "warning",
            "--drain-time-s", "1", "--parent-shutdown-time-s", "2",
        ],
        folder.output("envoy"),
    )  # fmt: skip
