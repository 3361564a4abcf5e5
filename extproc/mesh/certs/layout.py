"""Which certificates are wanted and where: for a list of regions, or for exactly what a mesh file names. Pure."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from ipaddress import ip_address
from pathlib import Path
from typing import Final

from extproc.core.reading import TenantBindings
from extproc.mesh.section import Mesh

AUTHORITIES: Final = "authorities.pem"
AUTHORITY_KEY: Final = "authority.key"
_HERE: Final = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """One certificate, for a SPIFFE id, for hosts, or for both. `name` is its subject's common name."""

    name: str
    certificate: Path
    key: Path
    identity: str | None = None
    hosts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """All of one authority: its `leaves`, each file in which its own certificate is wanted, and where its key would be.

    The key is written only when it is to be kept.
    """

    trust_domain: str
    leaves: tuple[Wanted, ...]
    authorities: tuple[Path, ...]
    authority_key: Path


def layout_of_regions(
    directory: Path, trust_domain: str, regions: Sequence[str], *, hosts: Sequence[str] = ()
) -> Layout:
    """Give the layout for Envoy, the sidecar, the cells of each region and one client, all in one directory.

    `hosts` are those by which clients know the listener, besides this machine's own.
    """
    peers = {"envoy": "envoy", "sidecar": "sidecar", **{f"cell-{each}": f"cells/{each}" for each in regions}}
    leaves = [_in(directory, "listener", hosts=(*_HERE, *hosts))]
    leaves += [_in(directory, name, identity=f"spiffe://{trust_domain}/{path}") for name, path in peers.items()]
    leaves.append(_in(directory, "client", identity=f"spiffe://{trust_domain}/client"))
    return _layout(directory, trust_domain, leaves, [directory / AUTHORITIES])


def layout_of_mesh(directory: Path, mesh: Mesh, bindings: TenantBindings, *, hosts: Sequence[str] = ()) -> Layout:
    """Give the layout for what a mesh file names, at the paths that it names.

    What it has no path for is in `directory`: what the sidecar and the cells are given by options of their own, and a
    client for each SPIFFE id that the policy (`bindings`) matches. Raises ValueError where the file has no TLS, or
    names one file twice.
    """
    if mesh.tls is None and mesh.listener_tls is None:
        raise ValueError("the mesh file has no TLS. Mend: add 'tls:' or the listener's 'tls:' to it, or name regions")
    leaves: list[Wanted] = []
    authorities = [directory / AUTHORITIES]
    trust_domain = "demo.situs"
    if mesh.listener_tls is not None:
        leaves.append(
            Wanted(
                name="listener",
                certificate=Path(mesh.listener_tls.certificate),
                key=Path(mesh.listener_tls.key),
                hosts=tuple(dict.fromkeys((*_HERE, *_hosts_of(mesh), *hosts))),
            )
        )
        if mesh.listener_tls.clients is not None:
            leaves += _clients(directory, bindings)
            authorities.append(Path(mesh.listener_tls.clients))
    if mesh.tls is not None:
        trust_domain = mesh.tls.identity.removeprefix("spiffe://").partition("/")[0]
        envoy = Wanted(
            name="envoy",
            certificate=Path(mesh.tls.certificate),
            key=Path(mesh.tls.key),
            identity=mesh.tls.identity,
        )
        leaves.append(envoy)
        if mesh.tls.sidecar is not None:
            leaves.append(_in(directory, "sidecar", identity=mesh.tls.sidecar))
        leaves += [_in(directory, f"cell-{region}", identity=each.identity) for region, each in mesh.regions.items()]
        authorities.append(Path(mesh.tls.authorities))
    return _layout(directory, trust_domain, leaves, authorities)


def _in(directory: Path, name: str, *, identity: str | None = None, hosts: Iterable[str] = ()) -> Wanted:
    return Wanted(
        name=name,
        certificate=directory / f"{name}.pem",
        key=directory / f"{name}.key",
        identity=identity,
        hosts=tuple(dict.fromkeys(hosts)),
    )


def _clients(directory: Path, bindings: TenantBindings) -> Iterator[Wanted]:
    """Give a client for each id that the policy matches, and one for each prefix."""
    ids = {**bindings.by_spiffe, **{f"{prefix}client": tenant for prefix, tenant in bindings.below_spiffe.items()}}
    taken: dict[str, int] = {}
    for identity, tenant in ids.items():
        taken[tenant] = number = taken.get(tenant, 0) + 1
        yield _in(directory, f"client-{tenant}" if number == 1 else f"client-{tenant}-{number}", identity=identity)


def _hosts_of(mesh: Mesh) -> Iterator[str]:
    """Give the names by which clients know the listener, as far as the mesh file tells."""
    for host in mesh.hosts:
        name = host.partition(":")[0]
        if name != "*":
            yield name
    try:
        if ip_address(mesh.listener.address).is_unspecified:
            return
    except ValueError:
        pass
    yield mesh.listener.address


def _layout(directory: Path, trust_domain: str, leaves: Sequence[Wanted], authorities: Sequence[Path]) -> Layout:
    """Put together what is to be in one file: Envoy may show one certificate to all sides."""
    merged: dict[Path, Wanted] = {}
    for leaf in leaves:
        same = merged.get(leaf.certificate)
        if same is None:
            merged[leaf.certificate] = leaf
        elif same.key == leaf.key and same.identity is None:
            merged[leaf.certificate] = replace(leaf, hosts=same.hosts)
        else:
            raise ValueError(
                f"{leaf.certificate} is named twice, for {same.name} and {leaf.name}. Mend: name two files"
            )
    return Layout(
        trust_domain=trust_domain,
        leaves=tuple(merged.values()),
        authorities=tuple(dict.fromkeys(authorities)),
        authority_key=directory / AUTHORITY_KEY,
    )
