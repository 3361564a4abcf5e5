"""What a mesh file must have to be run in Kubernetes, beyond what it must have anyway."""

from ipaddress import ip_address
from typing import Final

from extproc.core.reading import Reading
from extproc.core.tables import PolicyTables
from extproc.mesh.kubernetes.cells_section import Cells
from extproc.mesh.kubernetes.peers import check_endpoints
from extproc.mesh.kubernetes.places import check_places
from extproc.mesh.kubernetes.section import KubernetesMesh
from extproc.mesh.scalars import parse_name
from extproc.mesh.section import Mesh
from extproc.strict_yaml import UnfitError

_UNPRIVILEGED: Final = 1024
_LONGEST_REGION: Final = 40


def check_gateway(tables: PolicyTables, reading: Reading, mesh: Mesh, settings: KubernetesMesh) -> None:
    """See that the gateway can be run. Raises ValueError with the place and the mend."""
    _check_ports(mesh, settings)
    check_places(mesh, settings)
    if mesh.tls is not None and not any(word.startswith("--tls-certificate") for word in settings.arguments):
        raise ValueError(
            "kubernetes.arguments: with 'tls' the sidecar must prove to the cells who it is. Mend: add "
            "--tls-certificate=, --tls-key= and --tls-authorities=, and mount their files for situs"
        )
    if settings.geo is None and reading.geo is not None:
        raise ValueError(
            f"kubernetes.geo: the policy {tables.id} places clients by their address, and no database is named. "
            "Mend: add 'geo: {claim: NAME, file: country.mmdb}'"
        )


def check_regions(tables: PolicyTables, mesh: Mesh, settings: KubernetesMesh, cells: Cells) -> None:
    """See that the cells of every region can be run. Raises ValueError with the place and the mend."""
    ids = [region.id for region in tables.regions]
    for id_ in ids:
        try:
            parse_name(id_)
        except UnfitError as error:
            raise ValueError(f"regions.{id_}: {error.message}. Mend: {error.mend}, or run its cells yourself") from None
        if len(id_) > _LONGEST_REGION:
            raise ValueError(f"regions.{id_}: too long for names that are made of it. Mend: up to 40 letters")
    for named in sorted(cells.nodes):
        if named not in ids:
            known = ", ".join(ids)
            raise ValueError(f"kubernetes.cells.nodes: the policy has no region '{named}'. Mend: name one of {known}")
    check_endpoints(mesh, settings)


def _check_ports(mesh: Mesh, settings: KubernetesMesh) -> None:
    if mesh.listener.port < _UNPRIVILEGED:
        raise ValueError(
            f"listener.port: {mesh.listener.port} needs a right that no container has here. "
            f"Mend: listen on 10000, and write 'service_port: {mesh.listener.port}' in the section kubernetes"
        )
    if _is_loopback(mesh.listener.address):
        raise ValueError(
            f"listener.address: nobody reaches {mesh.listener.address} in a pod. Mend: write 'address: 0.0.0.0'"
        )
    if not _is_loopback(mesh.admin.address):
        raise ValueError(
            f"admin.address: at {mesh.admin.address} other pods could stop Envoy. Mend: write 'address: 127.0.0.1'"
        )
    ports = [mesh.listener.port, mesh.admin.port, settings.admin_port]
    if len(set(ports)) < len(ports):
        raise ValueError(
            f"kubernetes.admin_port: of the listener, Envoy's admin and the sidecar's ({ports}) two have one port. "
            "Mend: give each its own"
        )


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
