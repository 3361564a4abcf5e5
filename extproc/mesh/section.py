"""The mesh file as it is written: where Envoy listens, where the sidecar and the cells are, and how long to wait.

This module is the manual of `mesh.yaml`: one class for each section, one attribute for each field, with its meaning,
unit, default and reason. All durations are seconds. Parsing is in :mod:`extproc.mesh.parse`.

Nothing here can widen where a request may go. What is missing or wrong is an error, and what takes too long is refused.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, TypeAlias

from extproc.core.ids import DependencyId, RegionId
from extproc.mesh.gateway_api.section import GatewayApiMesh
from extproc.mesh.istio.section import IstioMesh
from extproc.mesh.kubernetes.section import KubernetesMesh

API_VERSION: Final = "situs/v1"

DIRECTORY: Final = "/etc/envoy"
"""Where the image of Envoy's own project keeps its configuration."""


class EnvoyVersion(StrEnum):
    """The versions of Envoy that a configuration is rendered for."""

    V1_36 = "1.36"
    V1_37 = "1.37"
    V1_38 = "1.38"
    V1_39 = "1.39"
    V1_40 = "1.40"


@dataclass(frozen=True, slots=True, kw_only=True)
class TcpAddress:
    """A host and a port. The host is an IP address, or a name that Envoy resolves and keeps resolving."""

    address: str
    port: int

    def __str__(self) -> str:
        return f"[{self.address}]:{self.port}" if ":" in self.address else f"{self.address}:{self.port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class UnixSocket:
    """The path of a Unix socket, absolute, at most 107 bytes (the kernel's limit)."""

    unix: str

    def __str__(self) -> str:
        return f"unix:{self.unix}"


SidecarAddress: TypeAlias = TcpAddress | UnixSocket


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoints:
    """The cells of one region: `endpoints`, at least one, each written `host:port` (`"[::1]:9001"` for IPv6).

    All of them are in that one region. Envoy balances among them and never looks for a cell elsewhere.

    `dependencies`: for each name that the policy's region `needs`, the URL (http or https) at which the sidecar asks
    how fresh it is, a few times within the age that the policy allows. 200 within a second is a good answer; its
    `Last-Modified` says of when the data is, without one it is of now. Redirects are not followed, and nothing of a
    request is sent. A region whose dependency is too old, or was never heard of, is not permitted.

    `identity` (with the `tls` section, and then for each region): the SPIFFE id that a cell of this region must prove,
    of no other region's cells. Envoy and the sidecar take a connection that proves another for a failed one.
    """

    endpoints: tuple[TcpAddress, ...]
    dependencies: Mapping[DependencyId, str] = field(default_factory=dict)
    identity: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """How long Envoy waits. Every wait ends in a refusal or in an attempt inside the same plan.

    `message_s` (1): for the sidecar's decision. Envoy's own default of 0.2 s is shorter than one stalled fsync on
    network storage. A longer wait never widens anything; it only delays the refusal of a sidecar that hangs.

    `connect_s` (1): for a connection to a cell or to the sidecar. Four round trips across the longest ocean.

    `attempt_s` (20): for the first byte of one attempt; after it, the next region of the plan is tried.

    `request_s` (60): for the whole request, all attempts together, and for receiving the request itself.

    `headers_s` (10): for receiving the request's headers. Bounds what a slow client can hold open.

    `idle_s` (75): a stream on which nothing moves is reset. At least `request_s`, or slow answers would be cut.

    `cell_idle_s` (4): an unused connection to a cell is closed. Less than the keep-alive of many servers (5 s), so that
    Envoy closes first and no request is sent into a closing connection.

    `connection_s` (600): the longest life of a connection over TLS to a peer, or of a client that shows a certificate;
    requests on it are finished, and the next one opens another. A connection proves who is at its ends when it is
    opened and not again, so this bounds how long one outlives a certificate that was withdrawn or has ended. At least
    `headers_s`, or a connection could end before its first request has come.
    """

    message_s: float = 1.0
    connect_s: float = 1.0
    attempt_s: float = 20.0
    request_s: float = 60.0
    headers_s: float = 10.0
    idle_s: float = 75.0
    cell_idle_s: float = 4.0
    connection_s: float = 600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Retries:
    """What Envoy may try again: inside the plan, and only before the first byte of an answer went out.

    `at_least` (1): attempts after the first. Raised to the length of the plan less one, so that each region of a plan
    gets its turn.

    `statuses` ([502, 503]): answers of a cell that are tried again. A 500 is not: a request that breaks one cell
    would break the others. A 504 is not: the cell has spent the time already.

    `budget_percent` (10): share of the active requests of a plan that may be retries. Keeps a brown-out from turning
    into a flood on the next region.

    `budget_floor` (32): retries in flight that are always allowed, so that failover works at low load, and in the
    second before the health checks notice an outage.
    """

    at_least: int = 1
    statuses: tuple[int, ...] = (502, 503)
    budget_percent: float = 10.0
    budget_floor: int = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one Envoy holds at once. Each is explicit because Envoy's own default of 1,024 refuses legal requests.

    `in_flight` (10000): requests at once, for each region and for the sidecar. An Envoy before 1.37 keeps the
    sidecar's stream open until the request ends, so the sidecar's breaker counts all requests in flight.

    `connections` (20000): client connections at once; those beyond it are closed. Protects Envoy's memory.

    `header_kib` (96): size of a request's headers in KiB; a larger request is answered 431. Envoy's default of 60
    would refuse a path of 64 KiB.

    `buffer_kib` (1024): body that Envoy keeps for a retry, and of what it buffers for each connection, in KiB. A
    request with a larger body is still served, but goes to one region only, without a retry. A client that opens all
    of its 100 streams on one HTTP/2 connection can make Envoy keep 100 times as much. Where the policy reads payloads,
    the policy's own limit (`limit_kib`) takes the place of this one on the clients' side, and bodies over that limit
    are not retried: there, this one only bounds what waits to be sent to a cell.
    """

    in_flight: int = 10_000
    connections: int = 20_000
    header_kib: int = 96
    buffer_kib: int = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """How Envoy watches the cells, so that a plan skips a dead region without a failed attempt first.

    `path` (/v2/health/ready): where each cell is asked; 200 is healthy. SPEC: Open Inference Protocol v2.

    `interval_s` (1), `timeout_s` (1): how often, and how long an answer may take.

    `down_interval_s` (0.5): how often a cell is asked that is not healthy. The sidecar asks as often then, and takes a
    region back with its first good probe; an Envoy that noticed much later would answer 503 in its place.

    `unhealthy` (2), `healthy` (1): results in a row that change the state. One good answer is enough because the
    sidecar itself gives a region that is back a little at first and then more.

    `failures` (5): answers of 502, 503 or 504, or failed connections, in a row that eject a cell, without waiting
    for the check. A 500 does not count: one client with a poisoned request must not eject a region.

    `ejection_s` (5), `longest_ejection_s` (30): for how long; grows by the first at each further time.
    """

    path: str = "/v2/health/ready"
    interval_s: float = 1.0
    timeout_s: float = 1.0
    down_interval_s: float = 0.5
    unhealthy: int = 2
    healthy: int = 1
    failures: int = 5
    ejection_s: float = 5.0
    longest_ejection_s: float = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Jwt:
    """Which tokens Envoy verifies before the sidecar sees their claims. Needed when the policy reads a claim.

    A request without a token passes, and the policy decides about it as anonymous. A token that does not verify is
    answered 401 and reaches neither the sidecar nor a cell. The token itself goes no further than Envoy.

    `issuer`: the `iss` claim. `audiences`: of which `aud` must hold one; at least one, or a token meant for another
    service would do. `jwks_file`: absolute path of the issuer's keys (RFC 7517), read by Envoy when it starts.
    """

    issuer: str
    audiences: tuple[str, ...]
    jwks_file: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ListenerTls:
    """TLS at the listener: the section `listener.tls`.

    All files are PEM, at absolute paths, and are read anew when they are replaced: write a new file beside the old one
    and rename it, or mount a Secret, whose `..data` Kubernetes swaps. A certificate and a key that do not match are
    not taken, and the old ones stay until they do.

    `certificate`, `key`: what Envoy shows to clients. `clients`: the authorities whose client certificates are
    verified; needed where the policy matches SPIFFE ids, and then only the authority of that trust domain, because
    each authority in the file can sign any id. `required` (false): turn away a client without a certificate.
    """

    certificate: str
    key: str
    clients: str | None = None
    required: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerTls:
    """Mutual TLS between Envoy, the sidecar and the cells: the section `tls`.

    Each side proves who it is by a SPIFFE id, and takes nobody else for it, whoever signed.

    `certificate`, `key`, `authorities`: what Envoy shows, and whom it believes; PEM, absolute paths, read anew when
    they are replaced. `identity`: who Envoy is; the sidecar and the cells admit this id. `sidecar`: who the sidecar
    must prove to be. Needed where the sidecar is at an address; on a Unix socket the file's mode says who may connect,
    and no TLS is spoken. The sidecar itself is given its own files by options of `situs serve`.
    """

    certificate: str
    key: str
    authorities: str
    identity: str
    sidecar: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Mesh:
    """The whole file, under `apiVersion: situs/v1`.

    `listener`: where clients connect. `hosts` (["*"], written in that section): the names by which clients ask for
    models; a request for another host is refused, or is another's where the listener is shared. A name without a port
    is meant with every port that a client may write behind it, `*.` and a name with the listener's.

    `sidecar`: where Envoy reaches the sidecar: a Unix socket beside it, or an address. `workers` (1, written in that
    section): how many processes the sidecar has, at most 64. The first is at `sidecar`, each further one at the
    socket's path with `.1`, `.2` and so on behind it, or at the next ports. Envoy shares requests among them, and goes
    on with the others when one dies.

    `regions`: the cells of each region of the policy, all of them and no others. `admin` (127.0.0.1:9901): Envoy's
    admin port, which can stop Envoy and show its configuration, hence loopback.

    `directory` (/etc/envoy): where the files of the rendering lie on Envoy's machine. Envoy looks there for those that
    name its certificates (`sds-*.yaml`); with neither `listener.tls` nor `tls` there are none.

    `oldest_envoy` ("1.38"): the oldest Envoy that gets the configuration, "1.36" to "1.40". It matters where the policy
    reads payloads: before 1.38 the route is chosen anew by a Lua filter of one line, and before 1.37 cells get a body
    in chunks, without its length.

    `istio`, `kubernetes`, `gateway_api`: what `situs mesh render --for` these needs beside the rest
    (:mod:`extproc.mesh.istio.section`, :mod:`extproc.mesh.kubernetes.section`,
    :mod:`extproc.mesh.gateway_api.section`).
    """

    listener: TcpAddress
    sidecar: SidecarAddress
    regions: Mapping[RegionId, Endpoints]
    workers: int = 1
    admin: TcpAddress = field(default_factory=lambda: TcpAddress(address="127.0.0.1", port=9901))
    timeouts: Timeouts = field(default_factory=Timeouts)
    retries: Retries = field(default_factory=Retries)
    limits: Limits = field(default_factory=Limits)
    health: Health = field(default_factory=Health)
    jwt: Jwt | None = None
    oldest_envoy: EnvoyVersion = EnvoyVersion.V1_38
    hosts: tuple[str, ...] = ("*",)
    listener_tls: ListenerTls | None = None
    tls: PeerTls | None = None
    directory: str = DIRECTORY
    istio: IstioMesh | None = None
    kubernetes: KubernetesMesh | None = None
    gateway_api: GatewayApiMesh | None = None

    def names_of_clusters(self) -> Mapping[str, RegionId]:
        """Give the region of each cluster that bears another name than the policy gives it: Istio names its own."""
        return {} if self.istio is None else {self.istio.cluster_of(region): region for region in self.regions}

    def domains(self) -> tuple[str, ...]:
        """Give `hosts` as Envoy compares them: with and without the port that clients write behind a name.

        ENVOY: the domains of a virtual host; the port is part of what is compared, and a name may have one wildcard.
        """
        found = []
        for host in self.hosts:
            found.append(host)
            if host != "*" and ":" not in host:
                found.append(f"{host}:{self.listener.port}" if host.startswith("*") else f"{host}:*")
        return tuple(dict.fromkeys(found))

    def sidecars(self) -> tuple[SidecarAddress, ...]:
        """Give where each worker of the sidecar listens, in order."""
        return tuple(worker_address(self.sidecar, worker) for worker in range(self.workers))


def worker_address(sidecar: SidecarAddress, worker: int) -> SidecarAddress:
    """Give where the worker of that number listens, the first of which is 0 and is where the sidecar itself is."""
    match sidecar:
        case UnixSocket(unix=path):
            return UnixSocket(unix=path if worker == 0 else f"{path}.{worker}")
        case TcpAddress(address=host, port=port):
            return TcpAddress(address=host, port=port + worker)
