"""One connection manager, by all rules that concern it."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from extproc.mesh.check.finding import Finding, Rule, Severity
from extproc.mesh.check.rules.decision import check_decision
from extproc.mesh.check.rules.edge import check_edge, check_listener
from extproc.mesh.check.rules.filters import check_filters, check_missing, check_taps, find_decision
from extproc.mesh.check.rules.logs import check_logs
from extproc.mesh.check.rules.network import check_callers
from extproc.mesh.check.rules.scope import Scope
from extproc.mesh.check.rules.tokens import check_tokens
from extproc.mesh.check.rules.unread import unread
from extproc.mesh.check.rules.ways import check_copies, check_once, check_way, is_by_plan, is_open, leads
from extproc.mesh.check.view import Manager, Way

NOT_ATTACHED: Final = Rule(
    id="not-attached",
    severity=Severity.FAULT,
    title="Some route is by the sidecar's plan",
    why="Otherwise no request is decided here, and none reaches a region by a decision.",
)
RULES: Final = (NOT_ATTACHED,)


def check_manager(manager: Manager, scope: Scope) -> Iterator[Finding]:
    """Check a manager with its routes. One from which no route leads to a cell is none of ours."""
    for node, reason in manager.unread:
        yield unread(node, reason, scope)
    yield from check_callers(manager, scope)
    ours = [way for way in manager.ways if leads(way, scope)]
    if scope.expected.mesh.istio is not None:
        # ISTIO: every proxy has a route to wherever a request was going, in a virtual host of its own.
        hosts = {way.virtual_host.path for way in ours if is_by_plan(way)}
        ours = [way for way in ours if way.virtual_host.path in hosts or not is_open(way, scope)]
    yield from _ways(manager, ours, scope)
    if any(is_by_plan(way) for way in ours):
        yield from _attached(manager, ours, scope)


def _ways(manager: Manager, ours: list[Way], scope: Scope) -> Iterator[Finding]:
    for way in ours:
        yield from check_way(way, scope)
    leading = {id(way) for way in ours}
    for way in manager.ways:
        if way.kind and id(way) not in leading:
            yield from check_copies(way, scope)


def _attached(manager: Manager, ours: list[Way], scope: Scope) -> Iterator[Finding]:
    """Check a manager with a route by plan."""
    hosts = {way.virtual_host.path for way in ours}
    near = [way for way in manager.ways if way.virtual_host.path in hosts]
    for one in manager.filters:
        if one.node.at("config_discovery").is_there:
            yield unread(one.node.at("config_discovery"), "this filter is discovered elsewhere", scope)
    yield from check_once(ours, scope)
    yield from check_edge(manager.node, scope)
    yield from check_listener(manager.listener, manager.chain, scope)
    yield from check_logs(manager, scope)
    yield from check_taps(manager, scope)
    decision = find_decision(manager, scope)
    if decision is None:
        yield from check_missing(manager, scope)
        return
    yield from _decided(manager, decision, near, ours, scope)
    for _, filters in manager.upgrades:
        upgraded = replace(manager, filters=filters, upgrades=())
        decision = find_decision(upgraded, scope)
        if decision is not None:
            yield from check_logs(upgraded, scope)
            yield from check_taps(upgraded, scope)
            yield from _decided(upgraded, decision, near, ours, scope)


def _decided(manager: Manager, decision: int, near: list[Way], ours: list[Way], scope: Scope) -> Iterator[Finding]:
    """Check a list of filters with the decision among them."""
    yield from check_decision(manager.filters[decision].config, scope)
    yield from check_filters(manager, decision, near, ours, scope)
    yield from check_tokens(manager, decision, near, scope)
