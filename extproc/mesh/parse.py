"""The parser of the mesh file: strict, with the place and the mend of every fault.

Checks the file by itself and against the policy that it is used with: the regions must be the same, each dependency
that a region needs must have a place where it is asked, and a policy that reads claims needs somebody to verify them.
"""

from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Final

from extproc.core.ids import DependencyId, RegionId
from extproc.core.reading import Reading
from extproc.core.tables import PolicyTables, Region
from extproc.mesh.endpoints import parse_endpoint
from extproc.mesh.gateway_api.section import read_gateway_api
from extproc.mesh.istio.section import read_istio
from extproc.mesh.kubernetes.section import read_kubernetes
from extproc.mesh.scalars import (
    HIGHEST_PORT,
    duration,
    parse_absolute,
    parse_host,
    parse_hosts,
    parse_spiffe,
    port_number,
)
from extproc.mesh.section import (
    API_VERSION,
    DIRECTORY,
    Endpoints,
    EnvoyVersion,
    Health,
    Jwt,
    Limits,
    ListenerTls,
    Mesh,
    Retries,
    SidecarAddress,
    TcpAddress,
    Timeouts,
    UnixSocket,
    worker_address,
)
from extproc.mesh.tls import check_identities, read_listener_tls, read_peer_tls
from extproc.mesh.urls import parse_url
from extproc.strict_yaml import (
    Kind,
    Reader,
    Table,
    UnfitError,
    Value,
    choice,
    entries_of,
    integer,
    list_of,
    nearest,
    number,
    parsed,
    read_document,
    table_of,
    text,
)

_LONGEST_SOCKET: Final = 107  # bytes of sun_path on Linux, less the closing zero
_MOST_WORKERS: Final = 64


def load_mesh(path: Path, tables: PolicyTables, reading: Reading) -> Mesh:
    """Read the mesh file at `path` for one policy. Raises DocumentError with every fault that was found."""
    return read_document(path, mesh_reader(tables, reading))


def mesh_reader(tables: PolicyTables, reading: Reading) -> Reader[Mesh]:
    """Make the reader of a mesh file that is used with this policy."""
    reads_claims = reading.claims

    def read(table: Table) -> Mesh:
        version = table.required("apiVersion", _version)
        listener = table.required("listener", table_of(_listener))
        sidecar = table.required("sidecar", table_of(_sidecar))
        regions = table.required("regions", _regions(tables.regions))
        admin = table.optional("admin", table_of(_tcp), default=TcpAddress(address="127.0.0.1", port=9901))
        timeouts = table.optional("timeouts", table_of(_timeouts), default=Timeouts())
        retries = table.optional("retries", table_of(_retries), default=Retries())
        limits = table.optional("limits", table_of(_limits), default=Limits())
        health = table.optional("health", table_of(_health), default=Health())
        jwt = table.optional("jwt", table_of(_jwt), default=None)
        tls = table.optional("tls", table_of(read_peer_tls), default=None)
        directory = table.optional("directory", parsed(parse_absolute), default=DIRECTORY)
        oldest = table.optional("oldest_envoy", choice(EnvoyVersion), default=EnvoyVersion.V1_38)
        istio = table.optional("istio", table_of(read_istio), default=None)
        kubernetes = table.optional("kubernetes", table_of(read_kubernetes), default=None)
        gateway_api = table.optional("gateway_api", table_of(read_gateway_api), default=None)
        if reads_claims and jwt.is_sound and jwt.value is None:
            table.value.complain(
                "the policy reads claims of verified tokens, and nothing verifies them",
                "add 'jwt:' with issuer, audiences and jwks_file",
            )
        _ = version.value
        place, workers = sidecar.value
        check_identities(table.value, place, regions.value, tls.value)
        return Mesh(
            listener=listener.value[0],
            hosts=listener.value[1],
            listener_tls=listener.value[2],
            sidecar=place,
            workers=workers,
            regions=regions.value,
            admin=admin.value,
            timeouts=timeouts.value,
            retries=retries.value,
            limits=limits.value,
            health=health.value,
            jwt=jwt.value,
            tls=tls.value,
            directory=directory.value,
            oldest_envoy=oldest.value,
            istio=istio.value,
            kubernetes=kubernetes.value,
            gateway_api=gateway_api.value,
        )

    return table_of(read)


def _version(value: Value) -> str:
    written = text(value)
    if written != API_VERSION:
        value.refuse(f"the version '{written}' is not known", f"write 'apiVersion: {API_VERSION}'")
    return written


def _tcp(table: Table) -> TcpAddress:
    address = table.required("address", parsed(parse_host))
    port = table.required("port", port_number)
    return TcpAddress(address=address.value, port=port.value)


def _listener(table: Table) -> tuple[TcpAddress, tuple[str, ...], ListenerTls | None]:
    place = _tcp(table)
    hosts = table.optional("hosts", list_of(parsed(parse_hosts), minimum=1), default=("*",))
    tls = table.optional("tls", table_of(read_listener_tls), default=None)
    return place, hosts.value, tls.value


def _sidecar(table: Table) -> tuple[SidecarAddress, int]:
    unix = table.optional("unix", parsed(parse_absolute), default=None)
    address = table.optional("address", parsed(parse_host), default=None)
    port = table.optional("port", port_number, default=None)
    workers = table.optional("workers", integer(minimum=1, maximum=_MOST_WORKERS), default=1)
    if unix.value is not None and address.value is None and port.value is None:
        return _checked_workers(table.value, UnixSocket(unix=unix.value), workers.value), workers.value
    if unix.value is not None or address.value is None or port.value is None:
        table.value.refuse(
            "the sidecar has one place, a Unix socket or an address and a port",
            "write {unix: /path} or {address: 127.0.0.1, port: 9000}",
        )
    return _checked_workers(
        table.value, TcpAddress(address=address.value, port=port.value), workers.value
    ), workers.value


def _checked_workers(value: Value, sidecar: SidecarAddress, workers: int) -> SidecarAddress:
    """See that the last worker has a place too."""
    match worker_address(sidecar, workers - 1):
        case UnixSocket(unix=path) if len(path.encode()) > _LONGEST_SOCKET:
            value.complain(
                f"the socket's path {path} is longer than {_LONGEST_SOCKET} bytes", "move the socket to a shorter path"
            )
        case TcpAddress(port=port) if port > HIGHEST_PORT:
            value.complain(
                f"the last worker would listen on port {port}", f"begin at a port that leaves {workers} below 65536"
            )
    return sidecar


def _regions(regions: Sequence[Region]) -> Reader[dict[RegionId, Endpoints]]:
    needs = {region.id: tuple(region.needs) for region in regions}
    known = tuple(needs)

    def parse_key(written: str) -> RegionId:
        if written in known:
            return RegionId(written)
        guess = nearest(written, known)
        hint = f"did you mean '{guess}'? " if guess else ""
        raise UnfitError(f"the policy has no region '{written}'", f"{hint}its regions are {', '.join(known)}")

    owners: dict[TcpAddress, RegionId] = {}

    def read_entry(region: RegionId, value: Value) -> Endpoints:
        entry = table_of(_endpoints(region, needs[region]))(value)
        for endpoint in entry.endpoints:
            if (owner := owners.setdefault(endpoint, region)) != region:
                value.complain(
                    f"{endpoint} is an endpoint of '{owner}' and of '{region}'",
                    "a cell is in one region: name it there only",
                )
        return entry

    def read(value: Value) -> dict[RegionId, Endpoints]:
        if value.kind is Kind.TABLE:
            written = {key.scalar(Kind.TEXT) for key, _ in value.entries()}
            missing = [region for region in known if region not in written]
            if missing:
                value.complain(*_without_endpoints(missing))
        return entries_of(parse_key, read_entry)(value)

    return read


def _without_endpoints(missing: Sequence[RegionId]) -> tuple[str, str]:
    """Give one complaint and its mend for all of them: a starter policy has fifty regions."""
    add = f"add '{missing[0]}: {{endpoints: [\"host:port\"]}}'"
    if len(missing) == 1:
        return f"the policy's region '{missing[0]}' has no endpoints", add
    named = ", ".join(missing)
    return f"regions of the policy have no endpoints: {named}", f"{add} and so on, or take them out of the policy"


def _endpoints(region: RegionId, needs: Collection[DependencyId]) -> Callable[[Table], Endpoints]:
    def parse_name(written: str) -> DependencyId:
        if written in needs:
            return DependencyId(written)
        guess = nearest(written, needs)
        hint = f"did you mean '{guess}'? else " if guess else ""
        raise UnfitError(
            f"the policy's region '{region}' does not need '{written}'", f"{hint}remove it, or add it to its needs"
        )

    def read_url(_name: DependencyId, value: Value) -> str:
        return parsed(parse_url)(value)

    def read(table: Table) -> Endpoints:
        endpoints = table.required("endpoints", list_of(parsed(parse_endpoint), minimum=1))
        nothing: dict[DependencyId, str] = {}
        dependencies = table.optional("dependencies", entries_of(parse_name, read_url), default=nothing)
        if dependencies.is_sound:
            for name in needs:
                if name not in dependencies.value:
                    table.value.complain(
                        f"the policy's region '{region}' needs '{name}', and nothing says where that is asked",
                        f"add 'dependencies: {{{name}: \"http://host:port/path\"}}'",
                    )
        identity = table.optional("identity", parsed(parse_spiffe), default=None)
        return Endpoints(endpoints=endpoints.value, dependencies=dependencies.value, identity=identity.value)

    return read


def _timeouts(table: Table) -> Timeouts:
    message_s = table.optional("message_s", duration, default=Timeouts().message_s)
    connect_s = table.optional("connect_s", duration, default=Timeouts().connect_s)
    attempt_s = table.optional("attempt_s", duration, default=Timeouts().attempt_s)
    request_s = table.optional("request_s", duration, default=Timeouts().request_s)
    headers_s = table.optional("headers_s", duration, default=Timeouts().headers_s)
    idle_s = table.optional("idle_s", duration, default=Timeouts().idle_s)
    cell_idle_s = table.optional("cell_idle_s", duration, default=Timeouts().cell_idle_s)
    connection_s = table.optional("connection_s", duration, default=Timeouts().connection_s)
    timeouts = Timeouts(
        message_s=message_s.value,
        connect_s=connect_s.value,
        attempt_s=attempt_s.value,
        request_s=request_s.value,
        headers_s=headers_s.value,
        idle_s=idle_s.value,
        cell_idle_s=cell_idle_s.value,
        connection_s=connection_s.value,
    )
    if timeouts.attempt_s > timeouts.request_s:
        table.value.complain("an attempt may take longer than the whole request", "make attempt_s less than request_s")
    if timeouts.connection_s < timeouts.headers_s:
        table.value.complain(
            "a connection may end before its first request has come", "make connection_s at least headers_s"
        )
    if timeouts.idle_s < timeouts.request_s:
        table.value.complain("a stream is reset before its request may end", "make idle_s at least request_s")
    return timeouts


def _retries(table: Table) -> Retries:
    at_least = table.optional("at_least", integer(minimum=0, maximum=10), default=Retries().at_least)
    statuses = table.optional("statuses", list_of(integer(minimum=500, maximum=599)), default=Retries().statuses)
    percent = table.optional("budget_percent", number(minimum=0, maximum=100), default=Retries().budget_percent)
    floor = table.optional("budget_floor", integer(minimum=0, maximum=100_000), default=Retries().budget_floor)
    return Retries(
        at_least=at_least.value, statuses=statuses.value, budget_percent=percent.value, budget_floor=floor.value
    )


def _limits(table: Table) -> Limits:
    many = integer(minimum=1, maximum=1_000_000)
    in_flight = table.optional("in_flight", many, default=Limits().in_flight)
    connections = table.optional("connections", many, default=Limits().connections)
    # ENVOY: max_request_headers_kb is at most 8192.
    header_kib = table.optional("header_kib", integer(minimum=1, maximum=8192), default=Limits().header_kib)
    buffer_kib = table.optional("buffer_kib", integer(minimum=1, maximum=1 << 20), default=Limits().buffer_kib)
    return Limits(
        in_flight=in_flight.value,
        connections=connections.value,
        header_kib=header_kib.value,
        buffer_kib=buffer_kib.value,
    )


def _health(table: Table) -> Health:
    count = integer(minimum=1, maximum=100)
    path = table.optional("path", parsed(parse_absolute), default=Health().path)
    interval_s = table.optional("interval_s", duration, default=Health().interval_s)
    timeout_s = table.optional("timeout_s", duration, default=Health().timeout_s)
    down_interval_s = table.optional("down_interval_s", duration, default=Health().down_interval_s)
    unhealthy = table.optional("unhealthy", count, default=Health().unhealthy)
    healthy = table.optional("healthy", count, default=Health().healthy)
    failures = table.optional("failures", count, default=Health().failures)
    ejection_s = table.optional("ejection_s", duration, default=Health().ejection_s)
    longest_s = table.optional("longest_ejection_s", duration, default=Health().longest_ejection_s)
    health = Health(
        path=path.value,
        interval_s=interval_s.value,
        timeout_s=timeout_s.value,
        down_interval_s=down_interval_s.value,
        unhealthy=unhealthy.value,
        healthy=healthy.value,
        failures=failures.value,
        ejection_s=ejection_s.value,
        longest_ejection_s=longest_s.value,
    )
    if health.longest_ejection_s < health.ejection_s:
        table.value.complain("the longest ejection is shorter than the first", "make longest_ejection_s the larger")
    return health


def _jwt(table: Table) -> Jwt:
    issuer = table.required("issuer", text)
    audiences = table.required("audiences", list_of(text, minimum=1))
    jwks_file = table.required("jwks_file", parsed(parse_absolute))
    return Jwt(issuer=issuer.value, audiences=audiences.value, jwks_file=jwks_file.value)
