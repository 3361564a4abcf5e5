"""The section `istio` of the mesh file: where in an Istio mesh the sidecar is attached.

This module is the manual of that section, as :mod:`extproc.mesh.section` is of the rest.
"""

from dataclasses import dataclass

from extproc.core.ids import RegionId
from extproc.mesh.scalars import parse_domain, parse_name, port_number
from extproc.strict_yaml import Table, parsed


@dataclass(frozen=True, slots=True, kw_only=True)
class IstioMesh:
    """Where to attach.

    `namespace` (situs-system): of the resources that belong to nobody else.

    `domain` (cells.situs.internal): below it each region's cells have a host name in the mesh, `REGION.DOMAIN`, made
    known by a ServiceEntry; it need not be in any DNS. `port` (8080): of those hosts.
    """

    namespace: str = "situs-system"
    domain: str = "cells.situs.internal"
    port: int = 8080

    def host_of(self, region: RegionId) -> str:
        """Give the host name of a region's cells in the mesh."""
        return f"{region}.{self.domain}"

    def cluster_of(self, region: RegionId) -> str:
        """Give the name of the cluster that Istio makes of that host. ISTIO: direction|port|subset|host."""
        return f"outbound|{self.port}||{self.host_of(region)}"


def read_istio(table: Table) -> IstioMesh:
    """Read the section."""
    namespace = table.optional("namespace", parsed(parse_name), default=IstioMesh().namespace)
    domain = table.optional("domain", parsed(parse_domain), default=IstioMesh().domain)
    port = table.optional("port", port_number, default=IstioMesh().port)
    return IstioMesh(namespace=namespace.value, domain=domain.value, port=port.value)
