"""EnvoyFilter: what its patches put into a proxy's configuration, and what they take away.

What only the whole shows (the order of filters, a route without the filter) is judged on the proxy's dump.
ISTIO: networking.istio.io/v1alpha3.
"""

from collections.abc import Iterator, Sequence

from extproc.mesh.check.finding import Finding
from extproc.mesh.check.istio.attached import Attached, found
from extproc.mesh.check.istio.patch_value import Part, asks_sidecar, check_part
from extproc.mesh.check.istio.rules import REMOVED
from extproc.mesh.check.istio.scope import check_place
from extproc.mesh.check.node import Node
from extproc.mesh.check.paths import Camel
from extproc.mesh.check.resource import Resource
from extproc.mesh.check.rules import scope_alone
from extproc.mesh.check.rules.decision import EXT_PROC
from extproc.mesh.check.rules.edge import EARLY_STRIP, check_edge
from extproc.mesh.check.view import MANAGER

_TAKES = ("REMOVE", "REPLACE")
_WHOLE = ("ADD", "INSERT_FIRST", "INSERT_BEFORE", "INSERT_AFTER", "REPLACE")
_EXT_PROC_NAMES = ("ext_proc", "situs")
_PASSAGE = "PassthroughFilterChain"
"""ISTIO: lets connections pass that nothing decides about. To remove it is what our own patches do."""
_ROUTES = ("by_plan", "by_plan_once", "undecided")
_CHAIN = ("HTTP_FILTER", "NETWORK_FILTER", "FILTER_CHAIN", "LISTENER")


def check_envoy_filter(filter_: Resource, attached: Attached) -> Iterator[Finding]:
    """Judge every patch by itself, and whether the decision is put where the mesh file says."""
    patches = filter_.spec.at("config_patches").each()
    for patch in patches:
        cluster = patch.at("match", "cluster")
        name = cluster.at("name").text or _of_service(cluster)
        if patch.at("patch", "operation").text in _TAKES:
            yield from _taken(filter_, patch, name, attached)
        value = patch.at("patch", "value")
        is_of_region = patch.at("apply_to").text == "CLUSTER" and any(
            map(attached.leads_to_region, (name, value.at("name").text))
        )
        kind = patch.at("apply_to").text if patch.at("patch", "operation").text in _WHOLE else ""
        part = Part(value=Node(value.value, value.path), whole=kind, of_region=is_of_region)
        yield from check_part(part, filter_, attached)
    if any(asks_sidecar(Node(patch.at("patch", "value").value, "")) for patch in patches):
        yield from check_place(filter_, *attached.istio.namespaces())
        yield from _edge(filter_, patches, attached)


def _edge(filter_: Resource, patches: Sequence[Camel], attached: Attached) -> Iterator[Finding]:
    """Judge the connection managers that ask the sidecar: whose word the address is, and which headers come through.

    Where no patch says it, it is as Istio has it, which strips nothing of ours.
    """
    scope = scope_alone(filter_.origin, attached.expected)
    merged = [
        patch.at("patch", "value", "typed_config")
        for patch in patches
        if patch.at("apply_to").text == "NETWORK_FILTER" and patch.at("patch", "operation").text == "MERGE"
    ]
    managers = [config for kind, config in (Node(each.value, each.path).typed() for each in merged) if kind == MANAGER]
    for manager in managers:
        yield from check_edge(manager, scope)
    if not managers:
        spec = filter_.spec.at("config_patches")
        told = "no patch keeps clients from writing x-situs-* themselves"
        yield found(EARLY_STRIP, filter_, spec, told, "render it anew, and apply it whole")


def _of_service(match: Camel) -> str:
    """Give the cluster that a match by service stands for; its port and subset are of no matter here."""
    service = match.at("service").text
    return f"outbound|0||{service}" if service else ""


def _taken(filter_: Resource, patch: Camel, cluster: str, attached: Attached) -> Iterator[Finding]:
    """Judge what a patch takes away, by what it matches: without a match it takes all there are."""
    operation, kind = patch.at("patch", "operation"), patch.at("apply_to").text
    told = ""
    if kind == "CLUSTER" and (not cluster or attached.is_ours(cluster)):
        told = f"the cluster '{cluster}'" if cluster else "every cluster"
    elif kind == "HTTP_FILTER":
        name = patch.at("match", "listener", "filter_chain", "filter", "sub_filter", "name").text
        if not name or any(part in name for part in _EXT_PROC_NAMES) or name.endswith((".router", ".jwt_authn")):
            told = f"the filter '{name}'" if name else "every filter"
    elif kind in ("HTTP_ROUTE", "VIRTUAL_HOST", "ROUTE_CONFIGURATION"):
        host = patch.at("match", "route_configuration", "vhost", "name").text
        route = patch.at("match", "route_configuration", "vhost", "route", "name").text
        is_ours = (not host or host in attached.virtual_hosts()) and (not route or route in _ROUTES)
        told = "the routes by plan" if is_ours else ""
    elif kind in _CHAIN and patch.at("match", "listener", "filter_chain", "name").text != _PASSAGE:
        told = f"a whole {kind.lower().replace('_', ' ')}, with what decides in it"
    decides = not filter_.namespace or filter_.namespace in (*attached.istio.namespaces(), "istio-system")
    puts_back = EXT_PROC in str(patch.at("patch", "value").value) and operation.text == "REPLACE"
    if told and decides and not puts_back:
        verb = "removes" if operation.text == "REMOVE" else "replaces"
        yield found(
            REMOVED, filter_, operation, f"it {verb} {told}", "remove this patch, or match what it is meant for"
        )
