"""The section `gateway_api` of the mesh file: what an attachment to Envoy Gateway needs beside the rest.

This module is the manual of that section, as :mod:`extproc.mesh.section` is of the rest.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from extproc.mesh.scalars import parse_absolute, parse_name
from extproc.strict_yaml import Table, UnfitError, Value, choice, entries_of, integer, list_of, parsed, table_of, text

_IMAGE: Final = re.compile(r"[a-z0-9][A-Za-z0-9._/:-]*(?:@sha256:[0-9a-f]{64})?")
_MOST_REPLICAS: Final = 1000
_NO_FILES: Final[Mapping[str, "FileSource"]] = {}
GIVEN_ARGUMENTS: Final = ("--listen", "--workers", "--log", "--key", "--admin", "--node")
"""Options of `situs serve` that the rendering gives itself."""


class ServiceType(StrEnum):
    """How clients, or the load balancer in front, reach the proxies."""

    LOAD_BALANCER = "LoadBalancer"
    NODE_PORT = "NodePort"
    CLUSTER_IP = "ClusterIP"


class NameScheme(StrEnum):
    """How Envoy Gateway names its listeners: by the gateway, or (with its flag XDSNameSchemeV2) by the port."""

    GATEWAY = "gateway"
    PORT = "port"


class SourceKind(StrEnum):
    """What files come from."""

    SECRET = "secret"  # noqa: S105 - a kind, not a secret
    CONFIG_MAP = "config_map"
    CLAIM = "claim"


@dataclass(frozen=True, slots=True, kw_only=True)
class FileSource:
    """A folder's content, by exactly one of: `secret`, `config_map`, `claim` (a PersistentVolumeClaim, read only).

    It is in the namespace in which the proxies run (`proxy_namespace`).
    """

    kind: SourceKind
    name: str


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
class SidecarPod:
    """The sidecar's container, in the same pod.

    `image`: of Situs. `arguments`: of `situs serve`, `--policy` and `--geo-db` among them; the rendering adds where it
    listens, logs and is asked how it is. `files`: folders that the sidecar sees, by path.

    `log_claim`: a PersistentVolumeClaim that all pods can write to (ReadWriteMany), in which each has a folder of its
    own. Left out, the log lies in the pod and goes with it, and then `--ship` must be among the arguments.
    """

    image: str
    arguments: tuple[str, ...]
    files: Mapping[str, FileSource] = field(default_factory=dict)
    log_claim: str | None = None


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

    `proxy`, `sidecar`: the containers. `sidecar` is needed where the sidecar is at a Unix socket.
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
    sidecar = table.optional("sidecar", table_of(_sidecar), default=None)
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
    image = table.optional("image", parsed(_parse_image), default=None)
    files = table.optional("files", _files, default=_NO_FILES)
    return ProxyPod(image=image.value, files=files.value)


def _sidecar(table: Table) -> SidecarPod:
    image = table.required("image", parsed(_parse_image))
    arguments = table.required("arguments", list_of(text, minimum=1))
    files = table.optional("files", _files, default=_NO_FILES)
    log_claim = table.optional("log_claim", parsed(parse_name), default=None)
    if arguments.is_sound and log_claim.is_sound:
        _check_arguments(table.value, arguments.value, log_claim.value)
    return SidecarPod(image=image.value, arguments=arguments.value, files=files.value, log_claim=log_claim.value)


def _check_arguments(value: Value, arguments: tuple[str, ...], log_claim: str | None) -> None:
    options = {argument.partition("=")[0] for argument in arguments}
    for option in GIVEN_ARGUMENTS:
        if option in options:
            value.complain(f"the rendering gives {option} itself", "remove it from the arguments")
    if "--policy" not in options:
        value.complain("the sidecar is given no policy", 'add "--policy" and its place to the arguments')
    if log_claim is None and "--ship" not in options:
        value.complain(
            "the decision log would be lost with its pod",
            "add 'log_claim:', or \"--ship\" and its file to the arguments",
        )


def _files(value: Value) -> Mapping[str, FileSource]:
    return entries_of(_parse_folder, lambda _path, each: table_of(_source)(each))(value)


def _source(table: Table) -> FileSource:
    named = {kind: table.optional(kind.value, parsed(parse_name), default=None) for kind in SourceKind}
    chosen = [(kind, each.value) for kind, each in named.items() if each.value is not None]
    if len(chosen) != 1:
        table.value.refuse("files come from one place", "write {config_map: NAME}, {secret: NAME} or {claim: NAME}")
    kind, name = chosen[0]
    return FileSource(kind=kind, name=name)


def _parse_folder(written: str) -> str:
    path = parse_absolute(written)
    if len(path) < 2 or path.endswith("/") or ":" in path or {".", "..", ""} & set(path[1:].split("/")):  # noqa: PLR2004 - more than "/"
        raise UnfitError(f"'{written}' is no folder that can be mounted", "write it like /etc/situs/policy")
    return path


def _parse_image(written: str) -> str:
    if not _IMAGE.fullmatch(written):
        raise UnfitError(f"'{written}' is no image", 'write it like "images.acme.example/situs:1.2"')
    return written
