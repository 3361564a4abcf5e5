"""The value of one patch: a filter, a route, a cluster or a listener, or a part of one that is merged into another.

What is whole is judged as it would be in a proxy. Of a part only what is there is judged: what it lacks may stand in
what it is merged into.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from extproc.mesh.check.finding import Finding
from extproc.mesh.check.istio.attached import Attached, found
from extproc.mesh.check.node import Node
from extproc.mesh.check.resource import Resource
from extproc.mesh.check.rules import Scope, check_cluster, check_decision, check_route, scope_alone
from extproc.mesh.check.rules.clusters import LOCALITY_FAILOVER, OPEN_CLUSTER, PANIC, REGION_ENDPOINTS, SUBSET
from extproc.mesh.check.rules.decision import (
    ATTRIBUTE_UNNEEDED,
    EXT_PROC,
    EXT_PROC_ROUTE,
    FAILURE_MODE_ALLOW,
    OBSERVABILITY_MODE,
    REFUSALS_DROPPED,
)
from extproc.mesh.check.rules.filters import DECISION_DISABLED, MIRROR
from extproc.mesh.check.rules.ways import ROUTE_TO_REGION
from extproc.names import SIDECAR_CLUSTER

_OPEN = {
    "failure_mode_allow": FAILURE_MODE_ALLOW,
    "observability_mode": OBSERVABILITY_MODE,
    "disable_immediate_response": REFUSALS_DROPPED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A value. `whole` is the kind of object that it is (`CLUSTER`), empty for a part that is merged into one.

    `of_region` tells that it is the cluster of a region or of a plan, or is merged into one.
    """

    value: Node
    whole: str = ""
    of_region: bool = False


def asks_sidecar(value: Node) -> bool:
    """Tell whether a filter that asks the sidecar is in this value."""
    return any(_is_decision(node) for node in value.descendants())


def check_part(part: Part, resource: Resource, attached: Attached) -> Iterator[Finding]:
    """Judge a value, and each place in it once by each rule."""
    scope = scope_alone(resource.origin, attached.expected)
    seen: set[tuple[str, str]] = set()
    for finding in _all(part, resource, attached, scope):
        if (finding.rule.id, finding.path) not in seen:
            seen.add((finding.rule.id, finding.path))
            yield finding


def _all(part: Part, resource: Resource, attached: Attached, scope: Scope) -> Iterator[Finding]:
    value = part.value
    if part.whole == "HTTP_ROUTE":
        yield from check_route(value, scope)
    elif part.whole == "CLUSTER":
        yield from check_cluster(value, scope)
        yield from _elsewhere(value, resource, scope)
    elif part.of_region:
        yield from _merged(value, resource)
    for node in value.descendants():
        if _is_decision(node):
            yield from check_decision(node.typed()[1], scope)
        else:
            yield from _open(node, resource)
        yield from _route(node, resource, attached)


def _is_decision(node: Node) -> bool:
    kind, config = node.typed()
    return kind == EXT_PROC and config.at("grpc_service", "envoy_grpc", "cluster_name").text == SIDECAR_CLUSTER


def _open(node: Node, resource: Resource) -> Iterator[Finding]:
    kind, config = node.typed()
    if kind not in ("", EXT_PROC, EXT_PROC_ROUTE):
        return
    for name, rule in _OPEN.items():
        if config.at(name).flag:
            told = f"with {name} a request goes on without an answer"
            yield found(rule, resource, config.at(name), told, f"remove {name}")
    for attribute in config.at("request_attributes").items():
        if attribute.text.startswith("xds."):
            told = f"{attribute.text} is sent, and nothing reads it"
            yield found(ATTRIBUTE_UNNEEDED, resource, attribute, told, "remove it")
    if kind == EXT_PROC_ROUTE and config.at("disabled").flag:
        mend = "remove it: every route asks the sidecar"
        yield found(DECISION_DISABLED, resource, config.at("disabled"), "a route turns the decision off", mend)


def _route(node: Node, resource: Resource, attached: Attached) -> Iterator[Finding]:
    for mirror in node.at("request_mirror_policies").items():
        yield found(MIRROR, resource, mirror, f"copies each request to '{mirror.at('cluster').text}'", "remove it")
    action = node.at("route")
    named = [action.at("cluster"), *(each.at("name") for each in action.at("weighted_clusters", "clusters").items())]
    for cluster in named:
        if cluster.text and attached.leads_to_region(cluster.text):
            told = f"this route leads to '{cluster.text}', whatever was decided"
            mend = "write `cluster_header: x-situs-route` in its place, or remove the route"
            yield found(ROUTE_TO_REGION, resource, cluster, told, mend)


def _elsewhere(value: Node, resource: Resource, scope: Scope) -> Iterator[Finding]:
    """Judge a cluster of another name that holds cells: a way to them that no plan is."""
    name = value.at("name")
    if name.text not in scope.regions and scope.plan(name.text) is None and not scope.is_sidecar(name.text):
        held = sorted({scope.cells[place] for _, place in scope.places(value) if place and place in scope.cells})
        if held:
            told = f"the cluster '{name.text}' holds cells of {', '.join(held)}"
            mend = "remove it: a region's cells are in that region's cluster alone"
            yield found(REGION_ENDPOINTS, resource, value.at("load_assignment"), told, mend)


def _merged(value: Node, resource: Resource) -> Iterator[Finding]:
    """Judge what is merged into the cluster of a region or a plan."""
    if value.at("load_assignment").is_there:
        told = "endpoints are put beside those of the region's ServiceEntry"
        mend = "remove it, and leave the cells to the ServiceEntry"
        yield found(REGION_ENDPOINTS, resource, value.at("load_assignment"), told, mend)
    for name in ("type", "cluster_type"):
        if value.at(name).is_there:
            told = "it changes how the region's cells are found"
            yield found(OPEN_CLUSTER, resource, value.at(name), told, f"remove {name}")
    options = value.at("common_lb_config")
    panic = options.at("healthy_panic_threshold", "value")
    if panic.number:
        told = f"with fewer than {panic.number:g} % of its cells left, Envoy sends to those that failed too"
        yield found(PANIC, resource, panic, told, "write healthy_panic_threshold: {}")
    for name in ("zone_aware_lb_config", "locality_weighted_lb_config"):
        if options.at(name).is_there:
            yield found(LOCALITY_FAILOVER, resource, options.at(name), "Envoy chooses by locality", f"remove {name}")
    if value.at("lb_subset_config").is_there:
        told = "the region's cells are divided into subsets"
        yield found(SUBSET, resource, value.at("lb_subset_config"), told, "remove it: a region is one cluster")
