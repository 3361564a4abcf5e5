"""The section `gateway_api` of the mesh file: where in a cluster with Envoy Gateway things are placed.

This module is the manual of that section, as :mod:`extproc.mesh.section` is of the rest.
"""

from dataclasses import dataclass

from extproc.mesh.scalars import parse_name
from extproc.strict_yaml import Table, parsed


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayApiMesh:
    """Where things are placed. `namespace` (situs-system): of the gateway and its sidecar."""

    namespace: str = "situs-system"


def read_gateway_api(table: Table) -> GatewayApiMesh:
    """Read the section."""
    namespace = table.optional("namespace", parsed(parse_name), default=GatewayApiMesh().namespace)
    return GatewayApiMesh(namespace=namespace.value)
