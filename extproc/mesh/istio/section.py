"""The section `istio` of the mesh file: where in an Istio mesh the sidecar is attached.

This module is the manual of that section, as :mod:`extproc.mesh.section` is of the rest. ISTIO: marks what is so
because Istio does it so.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from extproc.core.ids import RegionId
from extproc.mesh.pod.section import NO_FILES, FileSource, SidecarPod, read_files, read_sidecar
from extproc.mesh.scalars import parse_domain, parse_name, port_number
from extproc.strict_yaml import Reader, Table, UnfitError, Value, choice, entries_of, list_of, parsed, table_of

_LABEL_NAME: Final = re.compile(r"(?:[a-z0-9.-]{1,253}/)?[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?")
_LABEL_VALUE: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?")


class PeerProof(StrEnum):
    """How a proxy proves itself to a cell, where the mesh file has a `tls` section."""

    MESH = "mesh"
    """By the certificate that Istio gives the proxy (ISTIO_MUTUAL): cells are workloads of this mesh, or trust it."""
    FILES = "files"
    """By the files of the `tls` section (MUTUAL), mounted into the proxy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayAttachment:
    """An ingress gateway of Istio that decides what comes in, on a port of its own: the mesh file's `listener.port`.

    All HTTP traffic on that port is decided, so nothing else may use it. TLS is as `listener.tls` says.

    `namespace` (istio-ingress) and `labels` ({istio: ingress}): of the gateway's pods; the labels must select them and
    no others. `service_account` (istio-ingress): of those pods; cells admit it.

    `service_port` (that of the listener): at which clients reach the gateway's Service, where it sends them to another
    port of the pods, as 443 to 8443. ISTIO: a Gateway and its routes go by the Service's port, the listener by that of
    the pods.

    `hosts` (["*"]): for which it answers. `existing` (none): the `namespace/name` of a Gateway of the operator's own
    that opens the port; then none is rendered.

    `credential` (none): the Secret in that namespace that holds the listener's certificate, in place of the files of
    `listener.tls`, which Istio's gateways can mount too.
    """

    namespace: str = "istio-ingress"
    labels: Mapping[str, str] = field(default_factory=lambda: {"istio": "ingress"})
    service_account: str = "istio-ingress"
    service_port: int | None = None
    hosts: tuple[str, ...] = ("*",)
    existing: str | None = None
    credential: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboundAttachment:
    """Application pods whose own proxy decides what they send to the inference host.

    `namespaces` and `labels`: of those pods. `host` (inference.situs.internal) and `port` (8100): what they send
    requests to, over plain HTTP, which never leaves the pod before it is decided. The host is known to their proxies
    only. The port is for inference alone: whatever is sent to it, to any host, is decided or refused.

    The address that such a proxy sees is the pod's own, which is in no country. So the policy must place requests by a
    claim of a verified token; a policy that counts proxies in front, or reads client certificates, is refused: here the
    application would write the address, and shows no certificate to its own proxy.
    """

    namespaces: tuple[str, ...]
    labels: Mapping[str, str]
    host: str = "inference.situs.internal"
    port: int = 8100


@dataclass(frozen=True, slots=True, kw_only=True)
class CellPods:
    """The cells that run as workloads of this cluster: who may reach them is then rendered too.

    `namespace` and `labels`: of their pods, the same for each region that is here. `port` (8080): where they listen.
    """

    namespace: str
    labels: Mapping[str, str]
    port: int = 8080


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokens:
    """The keys by which Istio itself verifies tokens too, so that authorization policies can speak of their claims.

    One of `jwks_uri`, where istiod fetches the keys, and `jwks`, the keys themselves as JSON (RFC 7517). The decision
    does not depend on it: see the README of this package.
    """

    jwks_uri: str | None = None
    jwks: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class IstioMesh:
    """Where to attach: to a gateway, to application pods, or to both.

    `namespace` (situs-system): of the resources that belong to nobody else: the regions' hosts.

    `domain` (cells.situs.internal): below it each region's cells have a host name in the mesh, `REGION.DOMAIN`, made
    known by a ServiceEntry; it need not be in any DNS. `port` (8080): of those hosts.

    `gateway`, `outbound`: what decides. Without either, a gateway with its defaults does.

    `cells` (none): cells that are pods of this cluster. `trust_domain` (cluster.local): of the mesh's identities.

    `prove` (mesh): how a proxy proves itself to cells, where there is a `tls` section. `tokens` (none): Istio's own
    RequestAuthentication.

    `sidecar` (none): what is put into the proxies' pods (:class:`extproc.mesh.pod.section.SidecarPod`). Without it
    nothing is rendered for that, and whoever makes the pods puts the sidecar there. `proxy_files` (none): folders that
    the proxy sees then, by path, such as the one of `jwt.jwks_file`.
    """

    namespace: str = "situs-system"
    domain: str = "cells.situs.internal"
    port: int = 8080
    gateway: GatewayAttachment | None = None
    outbound: OutboundAttachment | None = None
    cells: CellPods | None = None
    trust_domain: str = "cluster.local"
    prove: PeerProof = PeerProof.MESH
    tokens: Tokens | None = None
    sidecar: SidecarPod | None = None
    proxy_files: Mapping[str, FileSource] = field(default_factory=dict)

    def host_of(self, region: RegionId) -> str:
        """Give the host name of a region's cells in the mesh."""
        return f"{region}.{self.domain}"

    def cluster_of(self, region: RegionId) -> str:
        """Give the name of the cluster that Istio makes of that host. ISTIO: direction|port|subset|host."""
        return f"outbound|{self.port}||{self.host_of(region)}"

    def namespaces(self) -> tuple[str, ...]:
        """Give the namespaces of the proxies that decide, which alone know the regions' hosts."""
        gateway = () if self.gateway is None else (self.gateway.namespace,)
        outbound = () if self.outbound is None else self.outbound.namespaces
        return tuple(dict.fromkeys((*gateway, *outbound)))


def read_istio(table: Table) -> IstioMesh:
    """Read the section."""
    namespace = table.optional("namespace", parsed(parse_name), default=IstioMesh().namespace)
    domain = table.optional("domain", parsed(parse_domain), default=IstioMesh().domain)
    port = table.optional("port", port_number, default=IstioMesh().port)
    gateway = table.optional("gateway", table_of(_gateway), default=None)
    outbound = table.optional("outbound", table_of(_outbound), default=None)
    cells = table.optional("cells", table_of(_cells), default=None)
    trust_domain = table.optional("trust_domain", parsed(parse_domain), default=IstioMesh().trust_domain)
    prove = table.optional("prove", choice(PeerProof), default=IstioMesh().prove)
    tokens = table.optional("tokens", table_of(_tokens), default=None)
    sidecar = table.optional("sidecar", table_of(read_sidecar), default=None)
    proxy_files = table.optional("proxy_files", read_files, default=NO_FILES)
    decides = gateway.value if gateway.value or outbound.value else GatewayAttachment()
    if outbound.value is not None and outbound.value.port == port.value:
        table.value.complain(
            "the inference host and the regions' hosts have one port, so cells would share the listener that decides",
            "give 'outbound' a port of its own",
        )
    return IstioMesh(
        namespace=namespace.value,
        domain=domain.value,
        port=port.value,
        gateway=decides,
        outbound=outbound.value,
        cells=cells.value,
        trust_domain=trust_domain.value,
        prove=prove.value,
        tokens=tokens.value,
        sidecar=sidecar.value,
        proxy_files=proxy_files.value,
    )


def _gateway(table: Table) -> GatewayAttachment:
    usual = GatewayAttachment()
    namespace = table.optional("namespace", parsed(parse_name), default=usual.namespace)
    labels = table.optional("labels", _labels, default=dict(usual.labels))
    account = table.optional("service_account", parsed(parse_name), default=usual.service_account)
    service_port = table.optional("service_port", port_number, default=None)
    hosts = table.optional("hosts", list_of(parsed(_parse_served), minimum=1), default=usual.hosts)
    existing = table.optional("existing", parsed(_parse_existing), default=None)
    credential = table.optional("credential", parsed(parse_name), default=None)
    return GatewayAttachment(
        namespace=namespace.value,
        labels=labels.value,
        service_account=account.value,
        service_port=service_port.value,
        hosts=hosts.value,
        existing=existing.value,
        credential=credential.value,
    )


def _outbound(table: Table) -> OutboundAttachment:
    namespaces = table.required("namespaces", list_of(parsed(parse_name), minimum=1))
    labels = table.required("labels", _labels)
    host = table.optional("host", parsed(parse_domain), default="inference.situs.internal")
    port = table.optional("port", port_number, default=8100)
    return OutboundAttachment(namespaces=namespaces.value, labels=labels.value, host=host.value, port=port.value)


def _cells(table: Table) -> CellPods:
    namespace = table.required("namespace", parsed(parse_name))
    labels = table.required("labels", _labels)
    port = table.optional("port", port_number, default=8080)
    return CellPods(namespace=namespace.value, labels=labels.value, port=port.value)


def _tokens(table: Table) -> Tokens:
    uri = table.optional("jwks_uri", parsed(_parse_https), default=None)
    keys = table.optional("jwks", parsed(_parse_jwks), default=None)
    if (uri.value is None) == (keys.value is None):
        table.value.refuse("the keys come from one place", "write either 'jwks_uri' or 'jwks'")
    return Tokens(jwks_uri=uri.value, jwks=keys.value)


def _parse_served(written: str) -> str:
    """Parse a host of a gateway: `*`, a name, or `*.` and a name."""
    if written != "*":
        parse_domain(written.removeprefix("*."))
    return written


def _parse_existing(written: str) -> str:
    namespace, slash, name = written.partition("/")
    if not slash:
        raise UnfitError(f"'{written}' does not say in which namespace the Gateway is", 'write "namespace/name"')
    return f"{parse_name(namespace)}/{parse_name(name)}"


def _parse_https(written: str) -> str:
    if not written.startswith("https://"):
        raise UnfitError(f"'{written}' is no https address", "keys that anybody could have changed prove nothing")
    return written


def _parse_jwks(written: str) -> str:
    """Parse keys as far as istiod would refuse them. SPEC: RFC 7517, section 5."""
    try:
        found = json.loads(written)
    except ValueError:
        found = None
    keys = found.get("keys") if isinstance(found, dict) else None
    if not isinstance(keys, list) or not keys or not all(isinstance(key, dict) and "kty" in key for key in keys):
        raise UnfitError("that is no set of keys", 'write the JSON that the issuer publishes: {"keys": [{"kty": …}]}')
    return written


def _parse_label_name(written: str) -> str:
    if not _LABEL_NAME.fullmatch(written):
        raise UnfitError(f"'{written}' is no name of a label", 'write it like "app" or "acme.example/role"')
    return written


def _parse_label_value(written: str) -> str:
    if not _LABEL_VALUE.fullmatch(written):
        raise UnfitError(f"'{written}' is no value of a label", "write up to 63 of A-Z, a-z, 0-9, '-', '_' and '.'")
    return written


def _label(_name: str, value: Value) -> str:
    return parsed(_parse_label_value)(value)


_labels: Final[Reader[dict[str, str]]] = entries_of(_parse_label_name, _label, minimum=1)
"""At least one: without labels a patch would hold for every proxy of the namespace."""
