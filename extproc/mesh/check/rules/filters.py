"""The decision among the other filters: there, always on, and not undone by what comes after it."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from extproc.mesh.check.finding import Finding, Rule, Severity
from extproc.mesh.check.node import Node
from extproc.mesh.check.rules.decision import EXT_PROC, EXT_PROC_ROUTE, asks_sidecar, check_overrides, elsewhere
from extproc.mesh.check.rules.matching import matches
from extproc.mesh.check.rules.scope import Scope
from extproc.mesh.check.view import Filter, Manager, Way, filter_of
from extproc.names import DECISION_HEADER, HEADER_PREFIX, ONCE_HEADER, ROUTE_HEADER

_HTTP: Final = "envoy.extensions.filters.http"
RBAC: Final = f"{_HTTP}.rbac.v3.RBAC"
TAP: Final = f"{_HTTP}.tap.v3.Tap"
SET_FILTER_STATE: Final = f"{_HTTP}.set_filter_state.v3.Config"
HEADER_MUTATION: Final = f"{_HTTP}.header_mutation.v3.HeaderMutation"
LOCAL_RATELIMIT: Final = f"{_HTTP}.local_ratelimit.v3.LocalRateLimit"
HEADER_TO_METADATA: Final = f"{_HTTP}.header_to_metadata.v3.Config"
JWT: Final = f"{_HTTP}.jwt_authn.v3.JwtAuthentication"
LUA: Final = f"{_HTTP}.lua.v3.Lua"
ROUTER: Final = f"{_HTTP}.router.v3.Router"
REROUTE_SCRIPT: Final = "function envoy_on_request(request) request:clearRouteCache() end"
"""What is rendered for an Envoy before 1.38; a script of any other words is not read."""
_HARMLESS: Final = frozenset(
    (
        ROUTER,
        f"{_HTTP}.adaptive_concurrency.v3.AdaptiveConcurrency",
        f"{_HTTP}.admission_control.v3.AdmissionControl",
        f"{_HTTP}.bandwidth_limit.v3.BandwidthLimit",
        f"{_HTTP}.buffer.v3.Buffer",
        f"{_HTTP}.compressor.v3.Compressor",
        f"{_HTTP}.cors.v3.Cors",
        f"{_HTTP}.csrf.v3.CsrfPolicy",
        f"{_HTTP}.decompressor.v3.Decompressor",
        f"{_HTTP}.fault.v3.HTTPFault",
        f"{_HTTP}.grpc_http1_bridge.v3.Config",
        f"{_HTTP}.grpc_stats.v3.FilterConfig",
        f"{_HTTP}.grpc_web.v3.GrpcWeb",
        f"{_HTTP}.health_check.v3.HealthCheck",
        f"{_HTTP}.stateful_session.v3.StatefulSession",
        f"{_HTTP}.upstream_codec.v3.UpstreamCodec",
        RBAC,
        SET_FILTER_STATE,
        # What Istio puts into every proxy.
        "io.istio.http.peer_metadata.Config",
        "istio.envoy.config.filter.http.alpn.v2alpha1.FilterConfig",
        "stats.PluginConfig",
    )
)

DECISION_MISSING: Final = Rule(
    id="decision-missing",
    severity=Severity.LEAK,
    title="Every request that can reach a region is decided first",
    why="Without the filter the plan is whatever the request says. Measured: where nothing stripped it, a client's own "
    "x-situs-route led to the region that it named, and the sidecar was never asked.",
)
DECISION_DISABLED: Final = Rule(
    id="decision-disabled",
    severity=Severity.LEAK,
    title="No route that reaches a region turns the decision off",
    why="Measured: with the filter disabled on the route by plan, and nothing that strips headers, a client's own plan "
    "led to its region, and the sidecar was never asked.",
)
DECISION_SKIPPED: Final = Rule(
    id="decision-skipped",
    severity=Severity.FAULT,
    title="The route that a request has before its decision does not turn it off",
    why="Whether the filter runs is told from the first route, which is the refusal: nothing would be served.",
)
DECISION_CONDITIONAL: Final = Rule(
    id="decision-conditional",
    severity=Severity.LEAK,
    title="The decision does not hang on a condition",
    why="What does not meet the condition is not decided.",
)
DECISION_OPTIONAL: Final = Rule(
    id="decision-optional",
    severity=Severity.LEAK,
    title="The decision is not optional",
    why="An Envoy that does not know the filter leaves an optional one out and goes on without it.",
)
FILTER_BEHIND_DECISION: Final = Rule(
    id="filter-behind-decision",
    severity=Severity.LEAK,
    title="Nothing behind the decision can change the plan",
    why="Measured: a lua filter, and a header_mutation, behind the decision that set x-situs-route sent a request to a "
    "region that was not in its plan, and the record names the plan.",
)
UPGRADE_WITHOUT_DECISION: Final = Rule(
    id="upgrade-without-decision",
    severity=Severity.LEAK,
    title="An upgrade's own filters decide too",
    why="An upgrade with filters of its own does not run the others. Measured: a client that asked for a websocket "
    "reached the region that its own x-situs-route named, and the sidecar was never asked.",
)
RBAC_BEFORE_DECISION: Final = Rule(
    id="rbac-before-decision",
    severity=Severity.FAULT,
    title="RBAC stands behind the decision",
    why="Before it, the rules of the refusal's route are applied, and those of the route that is taken are not.",
)
MIRROR: Final = Rule(
    id="mirror",
    severity=Severity.LEAK,
    title="No request is copied",
    why="Measured: a mirror policy sent a copy of each request to a region that was not in its plan, one on another "
    "host's route too, where the sidecar is never asked. The copy has no decision and no record.",
)
REROUTE_MISSING: Final = Rule(
    id="reroute-missing",
    severity=Severity.FAULT,
    title="Where payloads are read, a filter behind the decision clears the route",
    why="Otherwise the request goes by the route that it had before its plan, which is the refusal (measured).",
)
RULES: Final = (
    DECISION_MISSING,
    DECISION_DISABLED,
    DECISION_SKIPPED,
    DECISION_CONDITIONAL,
    DECISION_OPTIONAL,
    FILTER_BEHIND_DECISION,
    UPGRADE_WITHOUT_DECISION,
    RBAC_BEFORE_DECISION,
    MIRROR,
    REROUTE_MISSING,
)


def find_decision(manager: Manager, scope: Scope) -> int | None:
    """Give the place of the decision's filter in the manager's list, None where it has none."""
    for index, one in enumerate(manager.filters):
        if one.type == EXT_PROC and asks_sidecar(one.config.at("grpc_service"), scope):
            return index
    return None


def check_missing(manager: Manager, scope: Scope) -> Iterator[Finding]:
    """Say how it comes that a manager has no decision."""
    others = [one for one in manager.filters if one.type == EXT_PROC]
    wrapped = [one for one in manager.filters if one.type != EXT_PROC and _holds_decision(one.config)]
    if others:
        yield from elsewhere(others[-1].config, scope)
    elif wrapped:
        yield scope.found(
            DECISION_CONDITIONAL,
            wrapped[0].node,
            f"the decision stands inside a {wrapped[0].type.rpartition('.')[2]}",
            "let the ext_proc filter stand in http_filters itself",
        )
    else:
        yield scope.found(
            DECISION_MISSING,
            manager.node.at("http_filters"),
            "no filter asks the sidecar, and a route leads to a region",
            "insert the ext_proc filter that `situs mesh render` gives, behind jwt_authn and before the router",
        )


def check_filters(manager: Manager, decision: int, near: list[Way], ours: list[Way], scope: Scope) -> Iterator[Finding]:
    """Check the list of filters around the decision.

    `ours` are the ways that lead to cells, `near` all of their virtual hosts, among which the refusal is: a request has
    that one while it is decided.
    """
    yield from _always(manager.filters[decision], near, ours, scope)
    yield from _order(manager, decision, near, scope)
    for upgrade, filters in manager.upgrades:
        if find_decision(replace(manager, filters=filters), scope) is None:
            yield scope.found(
                UPGRADE_WITHOUT_DECISION,
                upgrade,
                "these filters are run in place of the others, and none asks the sidecar",
                "remove `filters` from the upgrade, so that the manager's own are run",
            )


def _always(one: Filter, near: list[Way], ours: list[Way], scope: Scope) -> Iterator[Finding]:
    optional = one.node.at("is_optional")
    if optional.flag:
        yield scope.found(DECISION_OPTIONAL, optional, "the decision is optional", "remove is_optional")
    for way in ours:
        yield from _turned_off(one, way, scope)
    for way in near:
        yield from _overridden(one, way, scope)
        if not way.kind and _takes_all(way.route):
            yield from _skipped(one, way, scope)


def _order(manager: Manager, decision: int, near: list[Way], scope: Scope) -> Iterator[Finding]:
    for front in manager.filters[:decision]:
        if front.type == RBAC:
            yield scope.found(
                RBAC_BEFORE_DECISION, front.node, "RBAC stands before the decision", "move it behind ext_proc"
            )
    behind = manager.filters[decision + 1 :]
    for other in behind:
        yield from check_behind(other, near, scope)
        if other.type == ROUTER:
            for one in map(filter_of, other.config.at("upstream_http_filters").items()):
                yield from check_behind(one, [], scope)
    if scope.expected.reading.payload is not None and not any(_clears(other, near) for other in behind):
        yield scope.found(
            REROUTE_MISSING,
            manager.node.at("http_filters"),
            "no set_filter_state with clear_route_cache behind the decision",
            "add the filter that `situs mesh render` puts behind ext_proc",
        )


def check_taps(manager: Manager, scope: Scope) -> Iterator[Finding]:
    """Find filters that copy requests."""
    for one in manager.filters:
        if one.type == TAP:
            yield scope.found(MIRROR, one.node, "a tap can copy requests to a file or a server", "remove the filter")


def _turned_off(one: Filter, way: Way, scope: Scope) -> Iterator[Finding]:
    off = one.node.at("disabled") if one.node.at("disabled").flag else None
    for setting in way.settings(one.name):
        off = setting.off if setting.is_disabled else None
        optional = setting.node.at("is_optional")
        if optional.flag:
            yield scope.found(DECISION_OPTIONAL, optional, "the decision is optional here", "remove is_optional")
    if off is not None:
        yield scope.found(
            DECISION_DISABLED, off, f"the decision is off on a way to {_target(way)}", "remove `disabled`"
        )


def _target(way: Way) -> str:
    return f"the plans of {way.target.text}" if way.kind == "cluster_header" else f"'{way.target.text}'"


def _skipped(one: Filter, way: Way, scope: Scope) -> Iterator[Finding]:
    for setting in way.settings(one.name):
        if setting.is_disabled and setting.off.path.startswith(way.route.path):
            yield scope.found(
                DECISION_SKIPPED,
                setting.off,
                "a request has this route before its decision, and so gets none",
                "remove `disabled`",
            )


def _overridden(one: Filter, way: Way, scope: Scope) -> Iterator[Finding]:
    for setting in way.settings(one.name):
        if setting.type == EXT_PROC_ROUTE and setting.config.at("overrides").is_there:
            yield from check_overrides(setting.config.at("overrides"), scope)


def _takes_all(route: Node) -> bool:
    match = route.at("match")
    return match.at("prefix").text == "/" and not any(match.at("headers").items())


def upstream_filters(cluster: Node) -> Iterator[Filter]:
    """Give the HTTP filters that a cluster has of its own."""
    for _, options in cluster.at("typed_extension_protocol_options").fields():
        yield from map(filter_of, options.typed()[1].at("http_filters").items())


def _clears(one: Filter, ways: list[Way]) -> bool:
    """Tell whether a filter lets the route be chosen anew, and does nothing else."""
    if one.type == LUA:
        script = one.config.at("default_source_code", "inline_string").text
        return script == REROUTE_SCRIPT and not any(any(way.settings(one.name)) for way in ways)
    return one.type == SET_FILTER_STATE and one.config.at("clear_route_cache").flag


def check_behind(one: Filter, ways: list[Way], scope: Scope) -> Iterator[Finding]:
    """Check a filter that stands behind the decision; `ways` are those that may have settings for it."""
    if one.type == HEADER_MUTATION:
        yield from _mutations(one.config.at("mutations"), scope)
        for way in ways:
            for setting in way.settings(one.name):
                yield from _mutations(setting.config.at("mutations"), scope)
    elif one.type in (LOCAL_RATELIMIT, HEADER_TO_METADATA, JWT):
        for config in (one.config, *(setting.config for way in ways for setting in way.settings(one.name))):
            for node in _written_by(config):
                if _is_ours(node.text):
                    yield _rewrites(node, node.text, scope)
    elif one.type not in _HARMLESS and not _clears(one, ways) and one.node.at("typed_config").is_there:
        yield scope.found(
            FILTER_BEHIND_DECISION,
            one.node,
            f"'{one.name}' ({one.type or 'no type'}) can change headers and stands behind the decision",
            "move it before ext_proc",
        )


def _written_by(config: Node) -> Iterator[Node]:
    """Give the names of headers that these filters set or remove."""
    for adder in config.at("request_headers_to_add_when_not_enforced").items():
        yield adder.at("header", "key")
    for rule in config.at("request_rules").items():
        if rule.at("remove").flag:
            yield rule.at("header")
    for _, provider in config.at("providers").fields():
        yield provider.at("forward_payload_header")
        for claim in provider.at("claim_to_headers").items():
            yield claim.at("header_name")


def _mutations(mutations: Node, scope: Scope) -> Iterator[Finding]:
    for mutation in mutations.at("request_mutations").items():
        matcher = mutation.at("remove_on_match", "key_matcher")
        for node in (mutation.at("append", "header", "key"), mutation.at("remove")):
            if _is_ours(node.text):
                yield _rewrites(node, node.text, scope)
        for header in (ROUTE_HEADER, DECISION_HEADER, ONCE_HEADER):
            if matcher.is_there and matches(matcher, header):
                yield _rewrites(matcher, header, scope)
                break


def _is_ours(header: str) -> bool:
    return header.lower().startswith(HEADER_PREFIX)


def _rewrites(node: Node, header: str, scope: Scope) -> Finding:
    return scope.found(
        FILTER_BEHIND_DECISION, node, f"changes {header} behind the decision", "leave x-situs-* to the sidecar"
    )


def _holds_decision(config: Node) -> bool:
    return any(node.typed()[0] == EXT_PROC for node in config.descendants())
