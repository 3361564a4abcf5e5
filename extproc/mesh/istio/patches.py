"""One EnvoyFilter for each attachment: everything of ours that Istio's resources cannot say.

All patches of an attachment are one resource, because Kubernetes replaces one resource whole and several one by one:
between two of them there would be a proxy with the plans' routes and without the early strip, to which a client could
name its own plan.

ISTIO: patches of one resource are applied in their order for each kind of object; merges of HTTP filters come after
insertions. A merge follows protobuf: a list is added to, a message is merged, an entry of a map is replaced, and a
number that is 0 (or false) changes nothing, because it is not there.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Final

from extproc.core.reading import Reading
from extproc.core.tables import PolicyTables, Region
from extproc.mesh.envoy.api import cluster, core, early_mutation, listener, mutation_rules, packed, route
from extproc.mesh.envoy.clusters import region_cluster, sidecar_cluster
from extproc.mesh.envoy.decision import decision_filter, reroute_filter
from extproc.mesh.envoy.edge import buffered_bytes, connection_manager, router_filter
from extproc.mesh.envoy.plans import plan_clusters
from extproc.mesh.envoy.routes import NOT_FOR_CLIENTS, plan_routes
from extproc.mesh.envoy.text import fields_of
from extproc.mesh.envoy.tokens import credentials_filter, token_filter
from extproc.mesh.istio.kinds import FILTERS, resource
from extproc.mesh.istio.section import IstioMesh
from extproc.mesh.section import Mesh
from extproc.mesh.yaml_text import Json

if TYPE_CHECKING:
    import betterproto2

Patch = Mapping[str, Json]

MANAGER: Final = "envoy.filters.network.http_connection_manager"
ROUTER: Final = "envoy.filters.http.router"
CREDENTIALS_FILTER: Final = "situs.credentials"
VERIFIER: Final = "situs.tokens"
_LAST: Final = 1000
"""ISTIO: EnvoyFilters of a higher priority are applied later, so what we put first stays first."""


class Context(Enum):
    """On which side of which proxy a patch holds, in Istio's words."""

    GATEWAY = "GATEWAY"
    OUTBOUND = "SIDECAR_OUTBOUND"


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """Where the patches go: proxies with these labels in this namespace, their listener on `port`.

    `route_port` is the port by which its routes are known. `hosts` are the virtual hosts whose requests are routed by
    plan, as Istio names them (`host:port`).
    """

    name: str
    context: Context
    namespace: str
    labels: Mapping[str, str]
    port: int
    route_port: int
    hosts: Sequence[str]


def attachment_filter(  # noqa: PLR0913 - what a rendering depends on
    attachment: Attachment,
    tables: PolicyTables,
    reading: Reading,
    mesh: Mesh,
    istio: IstioMesh,
    *,
    more: Sequence[Patch] = (),
) -> Mapping[str, Json]:
    """Give the EnvoyFilter of one attachment, with `more` patches that only this one needs."""
    patches = [
        *_listener(attachment, reading, mesh),
        *_filters(attachment, reading, mesh, istio),
        *_routes(attachment, reading, mesh, tables.plan_length),
        *more,
        *_clusters(attachment, tables, mesh, istio),
    ]
    spec: dict[str, Json] = {
        "workloadSelector": {"labels": attachment.labels},
        "priority": _LAST,
        "configPatches": patches,
    }
    # ISTIO: a gateway that is sent only the clusters of its own routes does not know of those in our plans.
    referenced = ",".join(f"{istio.namespace}/{istio.host_of(region.id)}" for region in tables.regions)
    annotations = {"envoyfilter.istio.io/referenced-services": referenced}
    return resource(FILTERS, "EnvoyFilter", attachment.name, attachment.namespace, spec, annotations=annotations)


def _listener(attachment: Attachment, reading: Reading, mesh: Mesh) -> Iterator[Patch]:
    edge = listener.Listener(per_connection_buffer_limit_bytes=buffered_bytes(reading, mesh))
    yield _patch("LISTENER", _on_port(attachment), "MERGE", edge)
    manager = connection_manager(reading, mesh, 1)
    manager.stat_prefix, manager.http_filters, manager.route_config = "", [], None
    if reading.trusted_hops == 0:
        manager.early_header_mutation_extensions.append(_no_forwarded_address())
    merged = listener.Filter(name=MANAGER, typed_config=packed(manager))
    yield _patch("NETWORK_FILTER", _in_manager(attachment), "MERGE", merged)


def _no_forwarded_address() -> core.TypedExtensionConfig:
    """Give what removes a client's `x-forwarded-for`, where nobody in front of the proxy may write it.

    ISTIO: the mesh may count proxies in front of every gateway, and a merge cannot set that number back to 0: the
    client's own header would then say where it is (measured).
    """
    strip = early_mutation.HeaderMutation(mutations=[mutation_rules.HeaderMutation(remove="x-forwarded-for")])
    return core.TypedExtensionConfig(name="situs.no_forwarded_address", typed_config=packed(strip))


def _filters(attachment: Attachment, reading: Reading, mesh: Mesh, istio: IstioMesh) -> Iterator[Patch]:
    """Give the filters, the last first: each is put at the top, so that no filter of Istio's comes before a decision.

    Istio's own authorization (RBAC) then judges the route that was decided on, and not the one before.
    """
    chosen = [decision_filter(reading, mesh), *([reroute_filter(mesh)] if reading.payload is not None else [])]
    if mesh.jwt is not None:
        # Names of our own: Istio has filters of these kinds itself, and patches find filters by name.
        credentials, tokens = credentials_filter(), token_filter(mesh.jwt, forward=istio.tokens is not None)
        credentials.name, tokens.name = CREDENTIALS_FILTER, VERIFIER
        chosen = [credentials, tokens, *chosen]
    for each in reversed(chosen):
        yield _patch("HTTP_FILTER", _in_manager(attachment), "INSERT_FIRST", each)
    yield _patch("HTTP_FILTER", _in_manager(attachment, ROUTER), "MERGE", router_filter())


def _routes(attachment: Attachment, reading: Reading, mesh: Mesh, plan_length: int) -> Iterator[Patch]:
    """Give the routes by plan, the last first; behind them is Istio's only route of these hosts, a refusal."""
    for host in attachment.hosts:
        match: Mapping[str, Json] = {"portNumber": attachment.route_port, "vhost": {"name": host}}
        for each in reversed([_no_upgrade(), *plan_routes(reading, mesh, plan_length)]):
            each.response_headers_to_remove = list(NOT_FOR_CLIENTS)
            yield _patch("HTTP_ROUTE", {"routeConfiguration": match}, "INSERT_FIRST", each, attachment.context)


def _no_upgrade() -> route.Route:
    """Give the route that refuses web sockets, of which only the beginning would be decided.

    ISTIO: every listener permits them, and a merge cannot take an entry from a list. ENVOY: a route that forbids them
    does so only where it was the first that was chosen, which here is the refusal (measured).
    """
    asked = route.HeaderMatcher(name="upgrade", present_match=True)
    return route.Route(
        name="no_upgrade",
        match=route.RouteMatch(prefix="/", headers=[asked]),
        direct_response=route.DirectResponseAction(status=403),
    )


def _clusters(attachment: Attachment, tables: PolicyTables, mesh: Mesh, istio: IstioMesh) -> Iterator[Patch]:
    cluster_of = {region.cluster: istio.cluster_of(region.id) for region in tables.regions}
    plans = plan_clusters(list(cluster_of), tables.plan_length, mesh, shortest=1, member=cluster_of.__getitem__)
    for each in (sidecar_cluster(mesh), *plans):
        yield _patch("CLUSTER", {}, "ADD", each, attachment.context)
    for region in tables.regions:
        match: Mapping[str, Json] = {"cluster": {"name": istio.cluster_of(region.id)}}
        yield _patch("CLUSTER", match, "MERGE", _watch(region, mesh), attachment.context)


def _watch(region: Region, mesh: Mesh) -> cluster.Cluster:
    """Give what of a region's cluster a DestinationRule cannot say."""
    whole = region_cluster(region, mesh)
    return cluster.Cluster(
        per_connection_buffer_limit_bytes=whole.per_connection_buffer_limit_bytes,
        health_checks=whole.health_checks,
        outlier_detection=whole.outlier_detection,
        common_lb_config=whole.common_lb_config,
    )


def _on_port(attachment: Attachment) -> Mapping[str, Json]:
    return {"context": attachment.context.value, "listener": {"portNumber": attachment.port}}


def _in_manager(attachment: Attachment, http_filter: str | None = None) -> Mapping[str, Json]:
    manager: dict[str, Json] = {"name": MANAGER}
    if http_filter is not None:
        manager["subFilter"] = {"name": http_filter}
    match: Mapping[str, Json] = {"portNumber": attachment.port, "filterChain": {"filter": manager}}
    return {"context": attachment.context.value, "listener": match}


def _patch(
    to: str, match: Mapping[str, Json], operation: str, value: "betterproto2.Message", context: Context | None = None
) -> Patch:
    where = match if context is None else {"context": context.value, **match}
    return {"applyTo": to, "match": where, "patch": {"operation": operation, "value": fields_of(value)}}
