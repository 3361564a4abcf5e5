"""The routes: by the sidecar's plan alone, to nobody beside it, and with the request as it was decided."""

from collections.abc import Iterator, Sequence
from typing import Final

from extproc.mesh.check.finding import Finding, Rule, Severity
from extproc.mesh.check.node import Node
from extproc.mesh.check.rules.filters import MIRROR
from extproc.mesh.check.rules.scope import Scope
from extproc.mesh.check.rules.timing import check_timeouts
from extproc.mesh.check.view import Way, ways_of_route
from extproc.names import DECISION_HEADER, HEADER_PREFIX, ONCE_HEADER, ROUTE_HEADER

PREVIOUS_PRIORITIES: Final = "envoy.extensions.retry.priority.previous_priorities.v3.PreviousPrioritiesConfig"
_NOT_FOR_CELLS: Final = ("authorization", "x-forwarded-for", "x-envoy-external-address")
_REWRITES: Final = ("prefix_rewrite", "regex_rewrite", "path_rewrite_policy", "path_rewrite")

ROUTE_TO_REGION: Final = Rule(
    id="route-to-region",
    severity=Severity.LEAK,
    title="A region is reached by a plan of the sidecar's and in no other way",
    why="Measured: a route straight to a region's cluster took requests there whose plan named another region.",
)
CLUSTER_HEADER: Final = Rule(
    id="cluster-header",
    severity=Severity.LEAK,
    title="No header but x-situs-route names a cluster",
    why="Measured: a client wrote the header and reached the region that it named, whatever its plan.",
)
CLUSTER_SPECIFIER: Final = Rule(
    id="cluster-specifier",
    severity=Severity.LEAK,
    title="No plugin chooses the cluster",
    why="Which cluster it chooses cannot be told from the configuration.",
)
OPEN_DESTINATION: Final = Rule(
    id="open-destination",
    severity=Severity.LEAK,
    title="No route beside the plans' sends to wherever the request says",
    why="A cell has an address, and a request that names it would reach it without a decision.",
)
INTERNAL_REDIRECT: Final = Rule(
    id="internal-redirect",
    severity=Severity.LEAK,
    title="Envoy does not follow redirects of cells",
    why="Measured: Envoy asked the sidecar again about the same request, as one from the address of the proxy in front "
    "and not of the client: the second decision is about somebody else.",
)
HEDGING: Final = Rule(
    id="hedging",
    severity=Severity.FAULT,
    title="A request is in one region at a time",
    why="A hedged request is sent to the next region of its plan while the first one still has it.",
)
RETRY_PRIORITY: Final = Rule(
    id="retry-priority",
    severity=Severity.FAULT,
    title="A retry goes to the next region of the plan",
    why="Measured: without previous_priorities a retry goes to the first region again, and a plan of two regions "
    "answers 503 when the first one fails. No retry leaves the plan's cluster.",
)
DECISION_HEADER_CHANGED: Final = Rule(
    id="decision-header-changed",
    severity=Severity.LEAK,
    title="No route changes the decision's id",
    why="Log entries of attempts are found by it; one that was changed or removed is of no decision.",
)
PATH_REWRITTEN: Final = Rule(
    id="path-rewritten",
    severity=Severity.LEAK,
    title="The cell gets the path that was decided about",
    why="The path names the model, and a region is permitted for one model and not for another.",
)
HEADERS_TO_CELLS: Final = Rule(
    id="headers-to-cells",
    severity=Severity.FAULT,
    title="Cells get neither credentials nor the client's address",
    why="They need neither, and whoever holds a log of a cell would have both.",
)
BODY_TWICE: Final = Rule(
    id="body-twice",
    severity=Severity.FAULT,
    title="Where payloads are read, no route keeps more of a body than the listener",
    why="Measured: Envoy then sends the beginning of a long body to the cell twice.",
)
ONCE_MISSING: Final = Rule(
    id="once-missing",
    severity=Severity.FAULT,
    title="Where payloads are read, a body that is not whole is tried once",
    why="Measured: a body over HTTP/2 that is followed by trailers would otherwise reach the cell twice in a row.",
)
RULES: Final = (
    ONCE_MISSING,
    ROUTE_TO_REGION,
    CLUSTER_HEADER,
    CLUSTER_SPECIFIER,
    OPEN_DESTINATION,
    INTERNAL_REDIRECT,
    HEDGING,
    RETRY_PRIORITY,
    DECISION_HEADER_CHANGED,
    PATH_REWRITTEN,
    HEADERS_TO_CELLS,
    BODY_TWICE,
)


def check_route(route: Node, scope: Scope) -> Iterator[Finding]:
    """Check one route alone."""
    for way in ways_of_route(route, Node(None, "")):
        if leads(way, scope):
            yield from check_way(way, scope)


def leads(way: Way, scope: Scope) -> bool:
    """Tell whether a way can lead to a cell."""
    if way.kind == "cluster":
        return bool(scope.where(way.target.text)) or is_open(way, scope)
    return bool(way.kind)


def is_by_plan(way: Way) -> bool:
    """Tell whether a way is by the sidecar's plan."""
    return way.kind == "cluster_header" and way.target.text.lower() == ROUTE_HEADER


def check_way(way: Way, scope: Scope) -> Iterator[Finding]:
    """Check one way that leads to a cell."""
    if way.kind == "plugin":
        yield scope.found(
            CLUSTER_SPECIFIER, way.target, "a plugin chooses the cluster", f"write `cluster_header: {ROUTE_HEADER}`"
        )
    elif way.kind == "cluster_header" and not is_by_plan(way):
        yield scope.found(
            CLUSTER_HEADER,
            way.target,
            f"the header {way.target.text} names the cluster",
            f"write `cluster_header: {ROUTE_HEADER}`",
        )
    elif way.kind == "cluster":
        yield from _straight(way, scope)
    yield from _mirrors(way, scope)
    if is_by_plan(way):
        yield from _action(way, scope)
        yield from _headers(way, scope)
        yield from _retries(way, scope)
        yield from _bodies(way, scope)


def _straight(way: Way, scope: Scope) -> Iterator[Finding]:
    where = scope.where(way.target.text)
    if where:
        yield scope.found(
            ROUTE_TO_REGION,
            way.target,
            f"a route straight to '{way.target.text}', which is {where}",
            f"write `cluster_header: {ROUTE_HEADER}` in its place, or remove the route",
        )
    else:
        yield _opened(way, scope)


def is_open(way: Way, scope: Scope) -> bool:
    """Tell whether a way goes to wherever the request says."""
    if way.kind != "cluster" or scope.where(way.target.text):
        return False
    cluster = scope.clusters.get(way.target.text)
    return cluster is not None and scope.is_open(cluster)


def _opened(way: Way, scope: Scope) -> Finding:
    return scope.found(
        OPEN_DESTINATION,
        way.target,
        f"'{way.target.text}' sends to wherever the request says",
        "remove the route, or take it from the listener whose requests are decided",
    )


def _mirrors(way: Way, scope: Scope) -> Iterator[Finding]:
    for level in (way.action, *way.levels):
        for mirror in level.at("request_mirror_policies").items():
            copied = mirror.at("cluster").text or mirror.at("cluster_header").text
            yield scope.found(MIRROR, mirror, f"copies each request to '{copied}'", "remove the mirror policy")


def check_copies(way: Way, scope: Scope) -> Iterator[Finding]:
    """Check that a way that leads to no cell sends no copies to one."""
    for level in (way.action, *way.levels):
        for mirror in level.at("request_mirror_policies").items():
            to, by = mirror.at("cluster"), mirror.at("cluster_header")
            cluster = scope.clusters.get(to.text)
            where = scope.where(to.text) or ("anywhere" if cluster is not None and scope.is_open(cluster) else "")
            if by.is_there or where:
                told = f"the cluster in {by.text}" if by.is_there else f"'{to.text}' ({where})"
                yield scope.found(MIRROR, mirror, f"copies each request to {told}", "remove the mirror policy")


def _action(way: Way, scope: Scope) -> Iterator[Finding]:
    action = way.action
    yield from check_timeouts(action, ("timeout",), scope, "a route by plan")
    for name in ("internal_redirect_policy", "internal_redirect_action"):
        node = action.at(name)
        if node.is_there and node.choice != "PASS_THROUGH_INTERNAL_REDIRECT":
            yield scope.found(INTERNAL_REDIRECT, node, "Envoy follows a cell's redirect on its own", f"remove {name}")
    for level in (action, way.virtual_host):
        if level.at("hedge_policy").is_there:
            yield scope.found(HEDGING, level.at("hedge_policy"), "requests are hedged", "remove hedge_policy")
    for name in _REWRITES:
        if action.at(name).is_there:
            yield scope.found(
                PATH_REWRITTEN, action.at(name), "the cell gets another path than the sidecar", f"remove {name}"
            )


def _headers(way: Way, scope: Scope) -> Iterator[Finding]:
    removed: set[str] = set()
    for level in way.levels:
        for added in level.at("request_headers_to_add").items():
            key = added.at("header", "key")
            if key.text.lower().startswith(HEADER_PREFIX):
                yield scope.found(DECISION_HEADER_CHANGED, key, f"sets {key.text}", "leave x-situs-* to the sidecar")
        for header in level.at("request_headers_to_remove").items():
            removed.add(header.text.lower())
            if header.text.lower() == DECISION_HEADER:
                yield scope.found(DECISION_HEADER_CHANGED, header, "removes the decision's id", "remove this line")
    left = [name for name in _NOT_FOR_CELLS if name not in removed]
    if left:
        yield scope.found(
            HEADERS_TO_CELLS,
            way.route.at("request_headers_to_remove"),
            f"cells get {', '.join(left)}",
            "list them in request_headers_to_remove",
        )


def retries(way: Way) -> Node:
    """Give the retry policy that counts on a way."""
    own, inherited = way.action.at("retry_policy"), way.virtual_host.at("retry_policy")
    return inherited if inherited.is_there and not own.is_there else own


def is_once(way: Way) -> bool:
    """Tell whether a way is of those requests alone whose body the sidecar has not seen whole."""
    return any(header.at("name").text.lower() == ONCE_HEADER for header in way.route.at("match", "headers").items())


def check_once(ways: Sequence[Way], scope: Scope) -> Iterator[Finding]:
    """Check that where payloads are read, the first way by plan is that of requests that are tried once."""
    first = next((way for way in ways if is_by_plan(way)), None)
    if scope.expected.reading.payload is None or first is None or is_once(first):
        return
    yield scope.found(
        ONCE_MISSING,
        first.virtual_host.at("routes"),
        f"no route of requests with {ONCE_HEADER} stands before the others",
        "insert the route by_plan_once that `situs mesh render` gives",
    )


def _retries(way: Way, scope: Scope) -> Iterator[Finding]:
    policy = retries(way)
    if is_once(way):
        if policy.is_there:
            yield scope.found(ONCE_MISSING, policy, "a body that is not whole is tried again", "remove retry_policy")
        return
    if scope.expected.tables.plan_length == 1:
        return
    if not policy.at("retry_on").text:
        yield scope.found(
            RETRY_PRIORITY, policy, "nothing is tried again, so no plan fails over", "write the rendered retry_policy"
        )
        return
    yield from check_timeouts(policy, ("per_try_timeout",), scope, "a route by plan")
    priority = policy.at("retry_priority")
    if priority.at("typed_config").typed()[0] != PREVIOUS_PRIORITIES:
        yield scope.found(
            RETRY_PRIORITY,
            priority,
            "a retry does not go to the next region of the plan",
            "write retry_priority previous_priorities with update_frequency 1",
        )


def _bodies(way: Way, scope: Scope) -> Iterator[Finding]:
    if scope.expected.reading.payload is None:
        return
    for level in (way.route, way.virtual_host):
        for name in ("request_body_buffer_limit", "per_request_buffer_limit_bytes"):
            if level.at(name).is_there:
                yield scope.found(
                    BODY_TWICE, level.at(name), "more of a body is kept than the sidecar is sent", f"remove {name}"
                )
