"""The section `kubernetes` of the mesh file: a gateway of Envoy and sidecar, and the cells, in Kubernetes.

This module is the manual of that section, as :mod:`extproc.mesh.section` is of the rest; the part `cells` has a manual
of its own (:mod:`extproc.mesh.kubernetes.cells_section`). Nothing secret is written here: secrets are named.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from ipaddress import ip_address

from extproc.mesh.kubernetes.cells_section import Cells, Way, read_cells, read_way
from extproc.mesh.kubernetes.scalars import parse_file_name, parse_image, parse_network
from extproc.mesh.scalars import parse_absolute, parse_host, parse_name, port_number
from extproc.strict_yaml import (
    Reader,
    Table,
    UnfitError,
    Value,
    choice,
    entries_of,
    integer,
    list_of,
    parsed,
    table_of,
    text,
)


class Container(StrEnum):
    """A container of the gateway's pod."""

    ENVOY = "envoy"
    SITUS = "situs"


class ServiceType(StrEnum):
    """How clients reach the gateway."""

    CLUSTER_IP = "ClusterIP"
    LOAD_BALANCER = "LoadBalancer"


class Access(StrEnum):
    """Who may have a volume: one pod, or all pods of one node."""

    POD = "ReadWriteOncePod"
    NODE = "ReadWriteOnce"


@dataclass(frozen=True, slots=True, kw_only=True)
class Log:
    """The decision log and its signing key, each on a volume of its own for each pod.

    `size_gib` (50): of the log's volume, which nothing but `situs audit prune` empties; that of the keys has 1 GiB.
    `storage_class` (the cluster's default). `access` (ReadWriteOncePod): ReadWriteOnce for storage without CSI, where
    only the StatefulSet keeps a second writer out, and not the storage too.

    `org` (local), `env` (dev): name the log, with the region and the pod. `root`: the file of the organisation's public
    key (.vkey, in one of the `mounts`); then a pod starts only with a key that the organisation delegated to.
    """

    size_gib: int = 50
    storage_class: str | None = None
    access: Access = Access.POD
    org: str = "local"
    env: str = "dev"
    root: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Geo:
    """The geolocation database: `file` in the volume claim `claim`, which many pods may read.

    `anonymity`: the file of the database of anonymising networks, in the same claim. Whoever renews the databases
    writes new files there; the sidecar takes them without a restart.
    """

    claim: str
    file: str
    anonymity: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Mount:
    """Files that are not rendered: the `secret` or the `config_map` of that name, at the folder `at`, for `container`.

    Every file that the mesh file names (certificates, keys, jwks_file) must lie in one of these for envoy.
    """

    at: str
    container: Container
    secret: str | None = None
    config_map: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Autoscaling:
    """How many gateways there may be: up to `most`, so many that the CPU requests are used to `cpu_percent` (70)."""

    most: int
    cpu_percent: int = 70


@dataclass(frozen=True, slots=True, kw_only=True)
class KubernetesMesh:
    """Where and how the gateway and the cells run.

    `images`: `envoy` and `situs`, with a digest, or at least a tag other than latest. `geo`: the databases.

    `namespace` (situs-system), `name` (situs): of the gateway; nothing else should be in the namespace, which gets the
    strictest pod security and refuses all connections that are not rendered.

    `replicas` (2): gateways. `requests_per_s` (200): the most that each is to serve; CPU is requested for as much, by
    the cost that was measured (:mod:`extproc.mesh.kubernetes.cost`). `autoscaling`: none by default.
    `situs_mib` (256 for each worker, 128 for their supervisor), `envoy_mib` (512): memory, requested and limited alike.
    A policy of ten thousand tenants or a database of cities needs more for each worker: measure yours.

    `log`: see there. `orders` (situs-orders): the ConfigMap whose key `overrides.yaml` holds the legal orders. It is
    not rendered, because applying a rendering must not take back an order: make it before the first start.

    `mounts`, `arguments`: more files, and more of `situs serve --help`, such as `--witnesses`. An option that is
    rendered too is replaced.

    `service` (ClusterIP, or LoadBalancer), `service_port` (that of the listener): where clients connect. `clients`: the
    networks that they come from (everybody). `monitoring`: the namespace that may read the sidecar's metrics (nobody);
    they are at `admin_port` (9902).

    `networks`: for each host name that is not a Service of this cluster (cells, dependencies) the networks in which its
    addresses are: a NetworkPolicy knows no names. `ways`: what the gateway connects to besides, such as the host of
    `--policy https://…`. `cells`: see there.
    """

    envoy: str
    situs: str
    namespace: str = "situs-system"
    name: str = "situs"
    geo: Geo | None = None
    replicas: int = 2
    requests_per_s: int = 200
    autoscaling: Autoscaling | None = None
    situs_mib: int | None = None
    envoy_mib: int = 512
    log: Log = field(default_factory=Log)
    orders: str = "situs-orders"
    mounts: tuple[Mount, ...] = ()
    arguments: tuple[str, ...] = ()
    service: ServiceType = ServiceType.CLUSTER_IP
    service_port: int | None = None
    clients: tuple[str, ...] = ()
    monitoring: str | None = None
    admin_port: int = 9902
    networks: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    ways: tuple[Way, ...] = ()
    cells: Cells | None = None


_UNPRIVILEGED = integer(minimum=1024, maximum=65_535)


def read_kubernetes(table: Table) -> KubernetesMesh:
    """Read the section."""
    images = table.required("images", table_of(_images))
    namespace = table.optional("namespace", parsed(parse_name), default="situs-system")
    name = table.optional("name", parsed(_parse_short_name), default="situs")
    geo = table.optional("geo", table_of(_geo), default=None)
    replicas = table.optional("replicas", integer(minimum=1, maximum=1000), default=2)
    requests_per_s = table.optional("requests_per_s", integer(minimum=1, maximum=100_000), default=200)
    autoscaling = table.optional("autoscaling", table_of(_autoscaling), default=None)
    memory = integer(minimum=64, maximum=1 << 20)
    situs_mib = table.optional("situs_mib", memory, default=None)
    envoy_mib = table.optional("envoy_mib", memory, default=512)
    log = table.optional("log", table_of(_log), default=Log())
    orders = table.optional("orders", parsed(parse_name), default="situs-orders")
    mounts = table.optional("mounts", list_of(table_of(_mount)), default=())
    arguments = table.optional("arguments", list_of(text), default=())
    service = table.optional("service", choice(ServiceType), default=ServiceType.CLUSTER_IP)
    service_port = table.optional("service_port", port_number, default=None)
    clients = table.optional("clients", list_of(parsed(parse_network)), default=())
    monitoring = table.optional("monitoring", parsed(parse_name), default=None)
    admin_port = table.optional("admin_port", _UNPRIVILEGED, default=9902)
    nothing: dict[str, tuple[str, ...]] = {}
    networks = table.optional("networks", entries_of(_parse_host_name, _read_networks), default=nothing)
    ways = table.optional("ways", list_of(table_of(read_way)), default=())
    cells = table.optional("cells", table_of(read_cells), default=None)
    if autoscaling.is_sound and autoscaling.value is not None and autoscaling.value.most < replicas.value:
        table.value.complain("gateways are scaled to fewer than there are", "make autoscaling.most at least replicas")
    envoy, situs = images.value
    return KubernetesMesh(
        envoy=envoy,
        situs=situs,
        namespace=namespace.value,
        name=name.value,
        geo=geo.value,
        replicas=replicas.value,
        requests_per_s=requests_per_s.value,
        autoscaling=autoscaling.value,
        situs_mib=situs_mib.value,
        envoy_mib=envoy_mib.value,
        log=log.value,
        orders=orders.value,
        mounts=mounts.value,
        arguments=arguments.value,
        service=service.value,
        service_port=service_port.value,
        clients=clients.value,
        monitoring=monitoring.value,
        admin_port=admin_port.value,
        networks=networks.value,
        ways=ways.value,
        cells=cells.value,
    )


def _images(table: Table) -> tuple[str, str]:
    envoy = table.required("envoy", parsed(parse_image))
    situs = table.required("situs", parsed(parse_image))
    return envoy.value, situs.value


def _geo(table: Table) -> Geo:
    claim = table.required("claim", parsed(parse_name))
    file = table.required("file", parsed(parse_file_name))
    anonymity = table.optional("anonymity", parsed(parse_file_name), default=None)
    return Geo(claim=claim.value, file=file.value, anonymity=anonymity.value)


def _autoscaling(table: Table) -> Autoscaling:
    most = table.required("most", integer(minimum=1, maximum=1000))
    cpu_percent = table.optional("cpu_percent", integer(minimum=10, maximum=100), default=70)
    return Autoscaling(most=most.value, cpu_percent=cpu_percent.value)


def _log(table: Table) -> Log:
    size_gib = table.optional("size_gib", integer(minimum=2, maximum=1 << 20), default=50)
    storage_class = table.optional("storage_class", parsed(parse_name), default=None)
    access = table.optional("access", choice(Access), default=Access.POD)
    org = table.optional("org", parsed(parse_name), default="local")
    env = table.optional("env", parsed(parse_name), default="dev")
    root = table.optional("root", parsed(parse_absolute), default=None)
    return Log(
        size_gib=size_gib.value,
        storage_class=storage_class.value,
        access=access.value,
        org=org.value,
        env=env.value,
        root=root.value,
    )


def _mount(table: Table) -> Mount:
    at = table.required("at", parsed(parse_absolute))
    container = table.required("container", choice(Container))
    secret = table.optional("secret", parsed(parse_name), default=None)
    config_map = table.optional("config_map", parsed(parse_name), default=None)
    if (secret.value is None) == (config_map.value is None):
        table.value.complain("a mount shows a secret or a ConfigMap", "write one of 'secret:' and 'config_map:'")
    return Mount(at=at.value, container=container.value, secret=secret.value, config_map=config_map.value)


def _parse_short_name(written: str) -> str:
    """Leave room for what is put behind it. SPEC: a StatefulSet's pods bear its name and a hash in a label of 63."""
    name = parse_name(written)
    if len(name) > 40:  # noqa: PLR2004 - 63 less "-disruption" and a revision's hash
        raise UnfitError(f"'{written}' is too long", "write up to 40 letters: other names are made of it")
    return name


def _parse_host_name(written: str) -> str:
    host = parse_host(written)
    try:
        ip_address(host)
    except ValueError:
        return host
    raise UnfitError(f"'{written}' is an address, and speaks for itself", "name hosts here, and leave addresses out")


def _read_networks(_host: str, value: Value) -> tuple[str, ...]:
    read: Reader[tuple[str, ...]] = list_of(parsed(parse_network), minimum=1)
    return read(value)
