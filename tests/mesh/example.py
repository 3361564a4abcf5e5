"""Policies and mesh files for the tests of rendering, made directly."""

from collections.abc import Sequence
from types import MappingProxyType

from extproc.core.georules import GeoRules
from extproc.core.ids import Country, PolicyRevision, RegionId
from extproc.core.reading import Reading
from extproc.core.tables import PolicyTables, Region
from extproc.mesh.section import Endpoints, Mesh, SidecarAddress, TcpAddress, UnixSocket

LOOPBACK = "127.0.0.1"


def tables_of(regions: int, *, plan_length: int = 2) -> PolicyTables:
    """Give a policy with regions `r0`, `r1` and so on, whose clusters are `c0`, `c1` and so on."""
    return PolicyTables(
        id="rendered",
        version=1,
        revision=PolicyRevision("sha256:0"),
        ingress_region=RegionId("r0"),
        regions=tuple(
            Region(id=RegionId(f"r{i}"), country=Country("DE"), cluster=f"c{i}", models=MappingProxyType({}))
            for i in range(regions)
        ),
        classes=frozenset(),
        tenants={},
        models={},
        epochs=(),
        may_replace={},
        plan_length=plan_length,
    )


def mesh_of(
    ports: Sequence[int],
    *,
    listener: int = 10000,
    admin: int = 9901,
    sidecar: SidecarAddress | None = None,
) -> Mesh:
    """Give a mesh with one cell on loopback for each region."""
    return Mesh(
        listener=TcpAddress(address=LOOPBACK, port=listener),
        admin=TcpAddress(address=LOOPBACK, port=admin),
        sidecar=sidecar or UnixSocket(unix="/run/situs.sock"),
        regions={
            RegionId(f"r{i}"): Endpoints(endpoints=(TcpAddress(address=LOOPBACK, port=port),))
            for i, port in enumerate(ports)
        },
    )


READING = Reading(jurisdiction_header="x-data-jurisdiction", class_header="x-data-class", geo=GeoRules())
