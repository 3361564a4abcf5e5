"""The section `gateway_api` of the mesh file: what an attachment to Envoy Gateway needs beside the rest.

This module is the manual of that section, as :mod:`extproc.mesh.section` is of the rest.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from extproc.mesh.pod.section import NO_FILES, FileSource, SidecarPod, parse_image, read_files, read_sidecar
from extproc.mesh.scalars import parse_name
from extproc.strict_yaml import Table, choice, integer, parsed, table_of

_MOST_REPLICAS: Final = 1000


class ServiceType(StrEnum):
    """How clients, or the load balancer in front, reach the proxies."""

    LOAD_BALANCER = "LoadBalancer"
    NODE_PORT = "NodePort"
    CLUSTER_IP = "ClusterIP"


class NameScheme(StrEnum):
    """How Envoy Gateway names its listeners: by the gateway, or (with its flag XDSNameSchemeV2) by the port."""

    GATEWAY = "gateway"
    PORT = "port"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxyPod:
    """Envoy's container. Each field may be left out.

    `image`: in place of the one that Envoy Gateway was released with. `files`: folders that Envoy sees, by path, such
    as `/etc/situs/jwks: {config_map: situs-jwks}`. Every file that the rest of the mesh file names for Envoy must lie
    in one.
    """

    image: str | None = None
    files: Mapping[str, FileSource] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayApiMesh:
    """Where things are placed, and what the proxies are made of.

    `namespace` (situs-system): of everything that is rendered. `name` (situs): of the GatewayClass, the Gateway and
    what belongs to them. The Gateway is for models alone: routes of others are lost on it.

    `proxy_namespace` (the same): where the proxies run. That is the Gateway's namespace where Envoy Gateway deploys in
    its mode GatewayNamespace, else its own (envoy-gateway-system).

    `certificate`: the Secret (kubernetes.io/tls) that clients are shown; needed with `listener.tls`, whose files mean
    nothing here. `clients`: the ConfigMap that has the authorities of client certificates under `ca.crt`; needed
    with `listener.tls.clients`.

    `service` (LoadBalancer): or NodePort, ClusterIP. A packet keeps its source address (externalTrafficPolicy: Local),
    or every client would be where the node is. `replicas` (2): pods, each with its own sidecar and log.

    `listener_names` (gateway): how Envoy Gateway names listeners; `port` where it runs with XDSNameSchemeV2.

    `proxy`, `sidecar` (:class:`extproc.mesh.pod.section.SidecarPod`): the containers. `sidecar` is needed where the
    sidecar is at a Unix socket. ConfigMaps, Secrets and claims are those of the namespace in which the proxies run.
    """

    namespace: str = "situs-system"
    name: str = "situs"
    proxy_namespace: str | None = None
    certificate: str | None = None
    clients: str | None = None
    service: ServiceType = ServiceType.LOAD_BALANCER
    replicas: int = 2
    listener_names: NameScheme = NameScheme.GATEWAY
    proxy: ProxyPod = field(default_factory=ProxyPod)
    sidecar: SidecarPod | None = None

    def listener_name(self, port: int) -> str:
        """Give the name of Envoy's listener for the Gateway's own."""
        match self.listener_names:
            case NameScheme.GATEWAY:
                return f"{self.namespace}/{self.name}/{LISTENER}"
            case NameScheme.PORT:
                return f"tcp-{port}"


LISTENER: Final = "models"
"""The name of the Gateway's one listener."""


def read_gateway_api(table: Table) -> GatewayApiMesh:
    """Read the section."""
    default = GatewayApiMesh()
    namespace = table.optional("namespace", parsed(parse_name), default=default.namespace)
    name = table.optional("name", parsed(parse_name), default=default.name)
    proxy_namespace = table.optional("proxy_namespace", parsed(parse_name), default=None)
    certificate = table.optional("certificate", parsed(parse_name), default=None)
    clients = table.optional("clients", parsed(parse_name), default=None)
    service = table.optional("service", choice(ServiceType), default=default.service)
    replicas = table.optional("replicas", integer(minimum=1, maximum=_MOST_REPLICAS), default=default.replicas)
    listener_names = table.optional("listener_names", choice(NameScheme), default=default.listener_names)
    proxy = table.optional("proxy", table_of(_proxy), default=default.proxy)
    sidecar = table.optional("sidecar", table_of(read_sidecar), default=None)
    return GatewayApiMesh(
        namespace=namespace.value,
        name=name.value,
        proxy_namespace=proxy_namespace.value,
        certificate=certificate.value,
        clients=clients.value,
        service=service.value,
        replicas=replicas.value,
        listener_names=listener_names.value,
        proxy=proxy.value,
        sidecar=sidecar.value,
    )


def _proxy(table: Table) -> ProxyPod:
    image = table.optional("image", parsed(parse_image), default=None)
    files = table.optional("files", read_files, default=NO_FILES)
    return ProxyPod(image=image.value, files=files.value)
