"""The sections of the mesh file about TLS: what each field must be, and what they must be together.

A peer is known by a SPIFFE id and by nothing else, so each id has one owner. The manual of the fields is in
:mod:`extproc.mesh.section`.
"""

from collections.abc import Mapping

from extproc.core.ids import RegionId
from extproc.mesh.scalars import parse_absolute, parse_spiffe
from extproc.mesh.section import Endpoints, ListenerTls, PeerTls, SidecarAddress, TcpAddress
from extproc.strict_yaml import Table, UnfitError, Value, boolean, parsed


def parse_pem_path(written: str) -> str:
    """Parse the path of a certificate, a key or authorities that are replaced in place. Raises UnfitError.

    ENVOY: it watches the directory in which the file is. Kubernetes swaps `..data`, which is in the mounted directory;
    whoever names a file below it watches a directory that is thrown away.
    """
    path = parse_absolute(written)
    if any(part.startswith("..") for part in path.split("/")):
        raise UnfitError(
            f"'{written}' goes through a directory that Kubernetes replaces, or upwards",
            "name the file by its place in the mounted directory, like /etc/situs/tls/tls.crt",
        )
    if path.endswith("/"):
        raise UnfitError(f"'{written}' is a directory", "name the file in it")
    return path


def read_listener_tls(table: Table) -> ListenerTls:
    """Read `listener.tls`."""
    certificate = table.required("certificate", parsed(parse_pem_path))
    key = table.required("key", parsed(parse_pem_path))
    clients = table.optional("clients", parsed(parse_pem_path), default=None)
    required = table.optional("required", boolean, default=False)
    if required.value and clients.value is None:
        table.value.complain(
            "clients must present a certificate, and nothing says who may sign one",
            "add 'clients:' with the authorities' file",
        )
    _check_files(table.value, certificate.value, key.value)
    return ListenerTls(certificate=certificate.value, key=key.value, clients=clients.value, required=required.value)


def read_peer_tls(table: Table) -> PeerTls:
    """Read `tls`."""
    certificate = table.required("certificate", parsed(parse_pem_path))
    key = table.required("key", parsed(parse_pem_path))
    authorities = table.required("authorities", parsed(parse_pem_path))
    identity = table.required("identity", parsed(parse_spiffe))
    sidecar = table.optional("sidecar", parsed(parse_spiffe), default=None)
    _check_files(table.value, certificate.value, key.value)
    if certificate.value == authorities.value:
        table.value.complain(
            "Envoy's own certificate would be the authority of all others",
            "name the file of the authority that signs the peers' certificates",
        )
    return PeerTls(
        certificate=certificate.value,
        key=key.value,
        authorities=authorities.value,
        identity=identity.value,
        sidecar=sidecar.value,
    )


def _check_files(value: Value, certificate: str, key: str) -> None:
    """See that a key is not also what is shown: it would be read by whoever may read certificates."""
    if certificate == key:
        value.complain(
            "the certificate and its key are one file", "keep the key in a file of its own, readable by Envoy only"
        )


def check_identities(
    value: Value, sidecar: SidecarAddress, regions: Mapping[RegionId, Endpoints], tls: PeerTls | None
) -> None:
    """See that each peer is either known by an identity or not asked for one, and that no two share one."""
    for region, endpoints in regions.items():
        if tls is None and endpoints.identity is not None:
            value.complain(
                f"the cells of '{region}' have an identity, and there is no 'tls' section to prove one by",
                "add 'tls:' with certificate, key, authorities and identity, or remove the identity",
            )
        elif tls is not None and endpoints.identity is None:
            value.complain(
                f"with 'tls' the cells of '{region}' must prove who they are, and no identity is named",
                f"add 'identity: spiffe://…/{region}' to the region",
            )
    owners: dict[str, str] = {}
    for who, identity in _identities(regions, tls):
        if (owner := owners.setdefault(identity, who)) != who:
            value.complain(
                f"{owner} and {who} have one identity",
                "give each its own: it is what proves who they are, and of a cell in which region it is",
            )
    if tls is not None and tls.sidecar is None and isinstance(sidecar, TcpAddress):
        value.complain(
            "the sidecar is reached by an address, and no identity says who must answer there",
            "add 'sidecar: spiffe://…' to the 'tls' section, or move the sidecar to a Unix socket",
        )


def _identities(regions: Mapping[RegionId, Endpoints], tls: PeerTls | None) -> list[tuple[str, str]]:
    """Give who has which identity, where one is named."""
    ours = [] if tls is None else [("Envoy", tls.identity), ("the sidecar", tls.sidecar)]
    cells = [(f"the cells of '{region}'", endpoints.identity) for region, endpoints in regions.items()]
    return [(who, identity) for who, identity in [*ours, *cells] if identity is not None]
