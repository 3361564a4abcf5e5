"""The clusters: of a region the cells of that region alone, of a plan its regions in order, and the sidecar's."""

from collections.abc import Iterator
from typing import Final

from extproc.core.ids import RegionId
from extproc.core.steering import PLAN_SEPARATOR
from extproc.mesh.check.finding import Finding, Rule, Severity
from extproc.mesh.check.node import Node
from extproc.mesh.check.rules.filters import check_behind, upstream_filters
from extproc.mesh.check.rules.network import FILTER_TO_REGION, check_named
from extproc.mesh.check.rules.peers import check_peer, check_socket
from extproc.mesh.check.rules.places import place_of
from extproc.mesh.check.rules.scope import Scope, aggregated, is_discovered, is_listed
from extproc.mesh.check.rules.timing import check_breakers, check_timeouts
from extproc.mesh.check.rules.unread import UNREAD
from extproc.mesh.section import TcpAddress
from extproc.names import SIDECAR_CLUSTER

_BALANCERS: Final = (
    "least_request",
    "round_robin",
    "random",
    "ring_hash",
    "maglev",
    "client_side_weighted_round_robin",
)
_ALL: Final = ("max_connections", "max_pending_requests", "max_requests", "max_retries")
_MOST_NAMED: Final = 3

REGION_MISSING: Final = Rule(
    id="region-missing",
    severity=Severity.FAULT,
    title="Every region of the policy has its cluster",
    why="A plan that names it is answered 503.",
)
REGION_ENDPOINTS: Final = Rule(
    id="region-endpoints",
    severity=Severity.LEAK,
    title="A region's cluster holds cells of the mesh file and nothing else",
    why="What is at another address, and in which country, nobody has said.",
)
TWO_REGIONS: Final = Rule(
    id="two-regions",
    severity=Severity.LEAK,
    title="A region's cluster holds no cell of another region",
    why="Measured: with a cell of another region in its cluster, a part of a region's requests went there. The log "
    "names clusters, so it says that they were in the region that was meant.",
)
CELLS_MISSING: Final = Rule(
    id="cells-missing",
    severity=Severity.FAULT,
    title="A region's cluster holds all of its cells",
    why="The mesh file has more of them, and the sidecar counts on them.",
)
LOCALITY_FAILOVER: Final = Rule(
    id="locality-failover",
    severity=Severity.FAULT,
    title="All cells of a region are equal",
    why="Priorities and weighted localities inside a region take the retry that was meant for the next region of a "
    "plan; with cells of other regions, they would be a failover across borders.",
)
PANIC: Final = Rule(
    id="panic",
    severity=Severity.FAULT,
    title="A region whose cells are dead is left",
    why="Measured: with Envoy's default of 50 % a plan of one region sent two attempts to a cell that the health check "
    "had found dead, and none with 0. No request leaves its plan by it.",
)
SUBSET: Final = Rule(
    id="subset",
    severity=Severity.LEAK,
    title="Regions are clusters and not subsets of one",
    why="A subset is chosen by metadata, and with ANY_ENDPOINT as its fallback any cell serves what none matches.",
)
BALANCER: Final = Rule(
    id="balancer",
    severity=Severity.LEAK,
    title="Which cell serves is not for a request to say",
    why="With override_host or a balancer that is not known, a header may name the cell, or an address that is none.",
)
OPEN_CLUSTER: Final = Rule(
    id="open-cluster",
    severity=Severity.LEAK,
    title="A region's cluster has a list of cells",
    why="ORIGINAL_DST and dynamic forward proxies send to whatever address the connection or a header names.",
)
PLAN_MISSING: Final = Rule(
    id="plan-missing",
    severity=Severity.FAULT,
    title="Every plan that the sidecar may name has its cluster",
    why="A request with a plan that is not there is answered 503.",
)
PLAN_MEMBERS: Final = Rule(
    id="plan-members",
    severity=Severity.LEAK,
    title="A plan's cluster is an aggregate of its regions' clusters",
    why="Measured: with another region among the members of a plan, a request was retried in it that was not permitted "
    "there.",
)
PLAN_ORDER: Final = Rule(
    id="plan-order",
    severity=Severity.FAULT,
    title="A plan's regions are in the order of its name",
    why="The sidecar chose the first because it serves better, or because data should leave it only if it must.",
)
SIDECAR_MISSING: Final = Rule(
    id="sidecar-missing",
    severity=Severity.FAULT,
    title="There is a cluster of the sidecar's, with all of its workers",
    why="Without it every request is refused; a worker that is left out does nothing.",
)
SIDECAR_ENDPOINTS: Final = Rule(
    id="sidecar-endpoints",
    severity=Severity.LEAK,
    title="The sidecar's cluster holds the sidecar of the mesh file and nothing else",
    why="Whoever listens there chooses the region of every request.",
)
RULES: Final = (
    REGION_MISSING,
    REGION_ENDPOINTS,
    TWO_REGIONS,
    CELLS_MISSING,
    LOCALITY_FAILOVER,
    PANIC,
    SUBSET,
    BALANCER,
    OPEN_CLUSTER,
    PLAN_MISSING,
    PLAN_MEMBERS,
    PLAN_ORDER,
    SIDECAR_MISSING,
    SIDECAR_ENDPOINTS,
)


def check_clusters(scope: Scope) -> Iterator[Finding]:
    """Check all clusters of a configuration, and that none is missing."""
    for cluster in scope.clusters.values():
        yield from check_cluster(cluster, scope)
    root = Node(None, "clusters")
    for name, region in scope.regions.items():
        if name not in scope.clusters:
            yield scope.found(
                REGION_MISSING, root, f"region {region} has no cluster '{name}'", "render the clusters again"
            )
    absent = [name for name in scope.plans() if name not in scope.clusters]
    if absent:
        more = f" and {len(absent) - _MOST_NAMED} more" if len(absent) > _MOST_NAMED else ""
        yield scope.found(
            PLAN_MISSING,
            root,
            f"no cluster for the plans {', '.join(absent[:_MOST_NAMED])}{more}",
            "render the clusters again: one for each plan that the policy allows",
        )
    if not any(scope.is_sidecar(name) for name in scope.clusters):
        yield scope.found(
            SIDECAR_MISSING, root, f"no cluster '{SIDECAR_CLUSTER}'", "add the one that `situs mesh render` gives"
        )


def check_cluster(cluster: Node, scope: Scope) -> Iterator[Finding]:
    """Check one cluster, by what its name says it is; one that is none of ours is not looked at."""
    name = cluster.at("name").text
    if name in scope.regions:
        yield from check_region(cluster, scope.regions[name], scope)
    elif scope.plan(name) is not None:
        yield from check_plan(cluster, scope)
    elif scope.is_sidecar(name):
        yield from check_sidecar(cluster, scope)


def check_region(cluster: Node, region: RegionId, scope: Scope) -> Iterator[Finding]:
    """Check a region's own cluster."""
    mesh = scope.expected.mesh
    yield from check_timeouts(cluster, ("connect_timeout",), scope, f"region {region}")
    if scope.is_open(cluster) or not is_listed(cluster):
        kind = cluster.at("cluster_type") if cluster.at("cluster_type").is_there else cluster.at("type")
        yield scope.found(
            OPEN_CLUSTER,
            kind,
            f"the cells of region {region} are not listed",
            "list them, as STATIC, STRICT_DNS or EDS",
        )
        return
    yield from _cells(cluster, region, scope)
    yield from _balancing(cluster, scope)
    yield from check_socket(cluster, scope)
    yield from check_upstream(cluster, scope)
    if mesh.tls is not None and region in mesh.regions:
        yield from check_peer(cluster, mesh.regions[region].identity, scope)
    yield from check_breakers(cluster, scope, _ALL if scope.plan(_plan_of(cluster, scope)) is None else _ALL[:-1])


def check_upstream(cluster: Node, scope: Scope) -> Iterator[Finding]:
    """Check the filters that a region's cluster has of its own: they run behind the decision, and in every attempt."""
    for one in upstream_filters(cluster):
        yield from check_behind(one, [], scope)
        yield from check_named(one.config, FILTER_TO_REGION, scope)
    for node in cluster.at("filters").items():
        yield from check_named(node.at("typed_config"), FILTER_TO_REGION, scope)


def check_plan(cluster: Node, scope: Scope) -> Iterator[Finding]:
    """Check the cluster of a plan."""
    name = cluster.at("name").text
    expected = scope.plan(name) or ()
    yield from check_timeouts(cluster, ("connect_timeout",), scope, f"the plan {name}")
    members = list(aggregated(cluster))
    if not members:
        kind = cluster.at("cluster_type") if cluster.at("cluster_type").is_there else cluster.at("type")
        yield scope.found(
            PLAN_MEMBERS, kind, f"'{name}' is no aggregate of regions", f"make it one of {', '.join(expected)}"
        )
        return
    foreign = [member for member in members if member.text not in expected]
    for member in foreign:
        where = scope.where(member.text) or "no region"
        yield scope.found(
            PLAN_MEMBERS, member, f"'{member.text}' ({where}) is not in the plan {name}", f"write {', '.join(expected)}"
        )
    if not foreign and tuple(member.text for member in members) != expected:
        node = cluster.at("cluster_type", "typed_config").typed()[1].at("clusters")
        yield scope.found(PLAN_ORDER, node, f"not the regions of {name} in order", f"write {', '.join(expected)}")
    for policy in cluster.at("load_balancing_policy", "policies").items():
        yield scope.found(BALANCER, policy, "a policy of its own chooses the cell", "remove load_balancing_policy")
    yield from check_breakers(cluster, scope, ("max_retries",))


def check_sidecar(cluster: Node, scope: Scope) -> Iterator[Finding]:
    """Check the sidecar's cluster."""
    mesh = scope.expected.mesh
    yield from check_timeouts(cluster, ("connect_timeout",), scope, "the sidecar")
    wanted = f"write {', '.join(str(place) for place in mesh.sidecars())}"
    if scope.is_open(cluster) or not is_listed(cluster):
        kind = cluster.at("cluster_type") if cluster.at("cluster_type").is_there else cluster.at("type")
        yield scope.found(SIDECAR_ENDPOINTS, kind, "its address is not listed", wanted)
        return
    held = list(scope.places(cluster))
    yield from _unseen(cluster, scope)
    for node, place in held:
        if place not in scope.sidecars:
            yield scope.found(SIDECAR_ENDPOINTS, node, f"{place or 'this'} is not the mesh file's sidecar", wanted)
    absent = sorted(scope.sidecars - {place for _, place in held if place is not None})
    if absent and (held or not is_discovered(cluster)):
        node = next(scope.assignments(cluster), cluster.at("load_assignment"))
        yield scope.found(SIDECAR_MISSING, node, f"{', '.join(absent[:_MOST_NAMED])} is missing", wanted)
    yield from check_socket(cluster, scope)
    if mesh.tls is not None and isinstance(mesh.sidecar, TcpAddress):
        yield from check_peer(cluster, mesh.tls.sidecar, scope)
    yield from check_breakers(cluster, scope, _ALL[:-1])


def _plan_of(cluster: Node, scope: Scope) -> str:
    """Give the plan of one region whose cluster this is, where that is another cluster."""
    name = cluster.at("name").text
    return next((plan for plan, member in scope.members.items() if member == name and PLAN_SEPARATOR not in plan), "")


def _unseen(cluster: Node, scope: Scope) -> Iterator[Finding]:
    if is_discovered(cluster) and not any(scope.assignments(cluster)) and scope.is_whole:
        yield scope.found(
            UNREAD,
            cluster.at("eds_cluster_config"),
            f"the endpoints of '{cluster.at('name').text}' are discovered and were not given",
            "check a running proxy through its admin port, with its endpoints",
        )


def _cells(cluster: Node, region: RegionId, scope: Scope) -> Iterator[Finding]:
    yield from _unseen(cluster, scope)
    held = list(scope.places(cluster))
    own = {place for place, there in scope.cells.items() if there == region}
    if region in scope.expected.mesh.regions:
        own |= {place_of(place) for place in scope.expected.mesh.regions[region].endpoints}
    for node, place in held:
        other = scope.cells.get(place) if place is not None else None
        if place is not None and place in own:
            continue
        if other is not None:
            yield scope.found(
                TWO_REGIONS, node, f"{place} is a cell of region {other}, not of {region}", "remove the endpoint"
            )
        else:
            yield scope.found(
                REGION_ENDPOINTS,
                node,
                f"{place or 'this'} is no cell of region {region} in the mesh file",
                "remove the endpoint, or add it to the mesh file if it is in that region",
            )
    absent = sorted(own - {place for _, place in held if place is not None})
    if absent and (held or any(scope.assignments(cluster)) or not is_discovered(cluster)):
        node = next(scope.assignments(cluster), cluster.at("load_assignment"))
        yield scope.found(
            CELLS_MISSING, node, f"{', '.join(absent)} of region {region} is missing", "list all cells of the region"
        )
    for assignment in scope.assignments(cluster):
        for locality in assignment.at("endpoints").items():
            if locality.at("priority").number:
                yield scope.found(
                    LOCALITY_FAILOVER,
                    locality.at("priority"),
                    "some cells of the region are kept for when the others fail",
                    "give all cells the same priority",
                )


def _balancing(cluster: Node, scope: Scope) -> Iterator[Finding]:
    common = cluster.at("common_lb_config")
    panic = common.at("healthy_panic_threshold")
    if not panic.is_there or panic.at("value").number:
        yield scope.found(PANIC, panic, "panics", "write `healthy_panic_threshold: {value: 0}`")
    for name in ("zone_aware_lb_config", "locality_weighted_lb_config"):
        if common.at(name).is_there:
            yield scope.found(LOCALITY_FAILOVER, common.at(name), "some cells are preferred", f"remove {name}")
    if cluster.at("lb_subset_config").is_there:
        yield scope.found(SUBSET, cluster.at("lb_subset_config"), "cells are chosen by metadata", "remove it")
    for policy in cluster.at("load_balancing_policy", "policies").items():
        kind = policy.at("typed_extension_config", "typed_config").typed()[0]
        if ".wrr_locality.v3." in kind:
            yield scope.found(LOCALITY_FAILOVER, policy, "localities have weights", "write least_request")
        elif not any(f".{name}.v3." in kind for name in _BALANCERS):
            yield scope.found(
                BALANCER,
                policy,
                f"'{kind or policy.at('typed_extension_config', 'name').text}' chooses the cell",
                "write least_request",
            )
